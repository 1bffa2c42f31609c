#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# While gatepost reloads a hundred times, up to 500 clients a second connect:
# each gets its greeting; none is refused or reset.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Cert qw(make_cert);
use Gatepost::Gatepost;
use Gatepost::Imap;
use Gatepost::Port qw(free_port own_address);
use Gatepost::Process qw(read_file test_dir write_file);
use POSIX qw(_exit);
use Test::More;
use Time::HiRes qw(time);

use constant { RELOADS => 100, RATE => 500, BURST => 10, BURSTS_A_RELOAD => 3 };

my %values = (CERT => make_cert(), SERVER => free_port());
my $gatepost = Gatepost::Gatepost->new(values => \%values, config => <<'END')->start;
tls main { certificate @CERT@ }
pool imap { port @SERVER@; server s1 { address 127.0.0.1 } }
listener imap { bind 127.0.0.1:@PORT{imap}@; tls main; pool imap }
END

my $report = test_dir() . '/report';

# Several connect before the first is served, so that some always wait in the queue of a listening socket.
sub connect_burst ($from, $errors) {
	my @clients = map {
		Gatepost::Imap->new(port => $gatepost->port('imap'), from => $from, greeting => 0) // do {
			$errors->{"connect: $!"}++;
			();
		}
	} 1 .. BURST;

	for my $client (@clients) {
		my $greeting = eval { $client->line(10) };
		$errors->{ 'greeting: ' . ($client->{error} // 'end of file') }++
		    unless ($greeting // '') =~ /^\* OK/;
		$client->close;
	}
	return;
}

# In a process of its own, until its input ends; tells of each burst.
sub connect_steadily ($stop, $progress) {
	my $begin = time;
	my $bursts = 0;
	my %errors;

	while (1) {
		my $due = $begin + $bursts * BURST / RATE;
		my $left = $due - time;
		last if IO::Select->new($stop)->can_read($left > 0 ? $left : 0);
		# a source address for each 5,000: their ports stay in use for a minute
		connect_burst(own_address(1 + int($bursts / 500) % 7), \%errors);
		$bursts++;
		syswrite $progress, '.';
	}
	write_file($report, sprintf "%d %.1f %s\n", $bursts * BURST, time - $begin,
	    join ', ', map { "$errors{$_} × $_" } sort keys %errors);
	return;
}

pipe my $stop, my $stopper or die "pipe: $!";
pipe my $progress, my $teller or die "pipe: $!";
my $child = fork // die "fork: $!";
if ($child == 0) {
	close($stopper);
	connect_steadily($stop, $teller);
	_exit(0);
}
close($_) for $stop, $teller;

my $good = 0;
for (1 .. RELOADS) {
	$good++ if $gatepost->reload;
	for (1 .. BURSTS_A_RELOAD) {
		sysread $progress, my $burst, 1 or die 'the clients have died';
	}
}
close($stopper);
waitpid $child, 0;

my ($connects, $seconds, $errors) = split ' ', read_file($report), 3;
chomp $errors if defined $errors;
diag(sprintf '%d reloads and %d connects in %.1f s', $good, $connects, $seconds);
is($good, RELOADS, 'all reloads succeed');
cmp_ok($connects, '>=', RELOADS * BURSTS_A_RELOAD * BURST, 'clients connected meanwhile');
is($errors // '', '', 'no connect failed');

$gatepost->stop;
done_testing;
