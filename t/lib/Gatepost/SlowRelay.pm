# SPDX-License-Identifier: BSD-2-Clause
#
# SlowRelay.pm: makes a server slow: it stands at an address in front of one,
# and whatever passes, in both directions, comes a while later.
package Gatepost::SlowRelay;
use v5.36;
use parent -norequire, 'Gatepost::Process';
use Carp qw(croak);
use Gatepost::Process qw(test_dir write_file);
use IO::Select;
use IO::Socket::INET;
use Time::HiRes qw(time);

# name, address, port, to => the server's port at the same address, delay => seconds.
sub new ($class, %option) {
	my $self = $class->SUPER::new(address => '127.0.0.1', delay => 1, %option);

	$self->{slow_file} = test_dir() . "/$self->{name}.slow";
	return $self;
}

# It listens once this returns, and is slow until `hurry`.
sub start ($self) {
	my $listener = IO::Socket::INET->new(Listen => 128, ReuseAddr => 1, LocalAddr => $self->{address},
	    LocalPort => $self->{port}) or croak "relay $self->{name} on $self->{address}:$self->{port}: $!";

	write_file($self->{slow_file}, '');
	return $self->serve_each($listener, sub ($client) { eval { $self->pass($client) } });
}

sub hurry ($self) { unlink $self->{slow_file} or croak "$self->{slow_file}: $!" }

sub pass ($self, $client) {
	my $server = IO::Socket::INET->new(PeerAddr => $self->{address}, PeerPort => $self->{to}) or return;
	my %other = ($client => $server, $server => $client);
	my $readable = IO::Select->new($client, $server);
	my @late;	# [when, to whom, bytes; none: the end], in the order of coming

	while ($readable->count || @late) {
		my $pause = @late ? $late[0][0] - time : undef;
		for my $from ($readable->can_read(defined $pause && $pause < 0 ? 0 : $pause)) {
			my $n = sysread $from, my $bytes, 65_536;
			$readable->remove($from) unless $n;
			my $due = time + (-e $self->{slow_file} ? $self->{delay} : 0);
			push @late, [$due, $other{$from}, $n ? $bytes : ''];
		}
		while (@late && $late[0][0] <= time) {
			my (undef, $to, $bytes) = @{ shift @late };
			length $bytes ? syswrite($to, $bytes) // return : shutdown($to, 1);
		}
	}
	return;
}

1;
