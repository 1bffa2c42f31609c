# SPDX-License-Identifier: BSD-2-Clause
#
# SteadyClients.pm: clients that connect to an IMAP listener without a pause, in a process of their own, while
# the test does something to gatepost: each must get its greeting.
package Gatepost::SteadyClients;
use v5.36;
use Carp qw(croak);
use Gatepost::Imap;
use Gatepost::Port qw(own_address);
use Gatepost::Process qw(read_file test_dir write_file);
use IO::Select;
use POSIX qw(_exit);
use Time::HiRes qw(time);

use constant BURSTS_AN_ADDRESS => 500;	# its ports stay in use for a minute

# port, rate => clients a second at the most, burst => how many connect before the first is served, so that some
# always wait in the queue of a listening socket; and perhaps beside => CODE: with each burst, once its clients
# have connected; it returns what is to be done when they have been served, CODE too: that returns complaints.
sub new ($class, %option) {
	return bless { beside => sub { sub { () } }, report => test_dir() . '/steady-clients', %option }, $class;
}

sub start ($self) {
	pipe my $stop, my $stopper or croak "pipe: $!";
	pipe my $progress, my $teller or croak "pipe: $!";
	$self->{pid} = fork // croak "fork: $!";
	if ($self->{pid} == 0) {
		close $_ for $stopper, $progress;
		$self->connect_steadily($stop, $teller);
		_exit(0);
	}
	@$self{qw(stopper progress)} = ($stopper, $progress);
	return $self;
}

# Waits for so many bursts to have been served.
sub wait_for_bursts ($self, $count) {
	for (1 .. $count) {
		sysread $self->{progress}, my $burst, 1 or croak 'the clients have died';
	}
	return;
}

# Ends them; how many connected, in how many seconds, and what went wrong, or ''.
sub stop ($self) {
	close $self->{stopper};
	waitpid $self->{pid}, 0;
	my ($connects, $seconds, $errors) = split ' ', read_file($self->{report}), 3;
	chomp $errors if defined $errors;
	return ($connects, $seconds, $errors // '');
}

sub connect_burst ($self, $from, $errors) {
	my @clients = map {
		Gatepost::Imap->new(port => $self->{port}, from => $from, greeting => 0) // do {
			$errors->{"connect: $!"}++;
			();
		}
	} 1 .. $self->{burst};
	my $serve_others = $self->{beside}->();

	for my $client (@clients) {
		my $greeting = eval { $client->line(10) };
		$errors->{ 'greeting: ' . ($client->{error} // 'end of file') }++
		    unless ($greeting // '') =~ /^\* OK/;
		$client->close;
	}
	$errors->{$_}++ for $serve_others->();
	return;
}

# Until its input ends; tells of each burst.
sub connect_steadily ($self, $stop, $teller) {
	my $begin = time;
	my $bursts = 0;
	my %errors;

	while (1) {
		my $left = $begin + $bursts * $self->{burst} / $self->{rate} - time;
		last if IO::Select->new($stop)->can_read($left > 0 ? $left : 0);
		$self->connect_burst(own_address(1 + int($bursts / BURSTS_AN_ADDRESS) % 7), \%errors);
		$bursts++;
		syswrite $teller, '.';
	}
	write_file($self->{report}, sprintf "%d %.1f %s\n", $bursts * $self->{burst}, time - $begin,
	    join ', ', map { "$errors{$_} × $_" } sort keys %errors);
	return;
}

1;
