# SPDX-License-Identifier: BSD-2-Clause
#
# StopRelay.pm: stands at a port in front of a server and passes what comes,
# but of what each client says only so much; the rest comes when it is told to
# hurry.  So a test can look around in the middle of a message.
package Gatepost::StopRelay;
use v5.36;
use parent 'Gatepost::SlowRelay';
use Gatepost::Process qw(test_dir write_file);
use IO::Select;
use IO::Socket::INET;

# name, port, to => the server's port at the same address (127.0.0.1), after => octets of a client.
sub new ($class, %option) {
	my $self = $class->SUPER::new(%option);

	$self->{held_file} = test_dir() . "/$self->{name}.held";
	return $self;
}

# Is anything held back?
sub is_holding ($self) { return -e $self->{held_file} }

sub pass ($self, $client) {
	my $server = IO::Socket::INET->new(PeerAddr => $self->{address}, PeerPort => $self->{to}) or return;
	my $readable = IO::Select->new($client, $server);
	my ($seen, $kept) = (0, '');

	while ($readable->count) {
		for my $from ($readable->can_read(length $kept ? 0.02 : undef)) {
			my $to = $from == $client ? $server : $client;
			my $n = sysread $from, my $bytes, 65_536;
			if (!$n) {
				$readable->remove($from);
				shutdown $to, 1;
			} elsif ($from == $client && -e $self->{slow_file} && ($seen += $n) > $self->{after}) {
				$kept .= $bytes;
				write_file($self->{held_file}, '');
			} else {
				put($to, $bytes);
			}
		}
		put($server, substr $kept, 0, length $kept, '') if length $kept && !-e $self->{slow_file};
	}
	return;
}

sub put ($to, $bytes) {
	while (length $bytes) {
		my $n = syswrite $to, $bytes;
		return unless defined $n;
		substr $bytes, 0, $n, '';
	}
	return;
}

1;
