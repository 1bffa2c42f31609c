# SPDX-License-Identifier: BSD-2-Clause
#
# Port.pm: ports and loopback addresses that no other test has.  Each port is
# held by a lock file for the life of the test, and lies below the range from
# which the kernel takes the ports of outgoing connections.
package Gatepost::Port;
use v5.36;
use Exporter 'import';
use Fcntl qw(:flock O_CREAT O_RDWR);
use Socket qw(AF_INET SOCK_STREAM SOL_SOCKET SO_REUSEADDR inet_aton pack_sockaddr_in);

our @EXPORT_OK = qw(free_port own_address);

my $registry = ($ENV{TMPDIR} // '/tmp') . "/gatepost-ports.$>";
my @held;	# open lock files: a lock lives as long as its descriptor

sub ephemeral_start {
	open my $range, '<', '/proc/sys/net/ipv4/ip_local_port_range' or return 32768;
	my ($first) = split ' ', <$range>;
	return $first;
}

sub can_bind ($port) {
	socket my $probe, AF_INET, SOCK_STREAM, 0 or die "socket: $!\n";
	setsockopt $probe, SOL_SOCKET, SO_REUSEADDR, pack 'i', 1;
	return bind $probe, pack_sockaddr_in($port, inet_aton('0.0.0.0'));
}

# A port free on every IPv4 address of this machine, and no other test's.
sub free_port () {
	my ($low, $high) = (10_000, ephemeral_start());

	$low = 2_000 if $high - $low < 5_000;
	mkdir $registry;
	for (1 .. 1_000) {
		my $port = $low + int rand($high - $low);
		sysopen my $lock, "$registry/$port", O_CREAT | O_RDWR or die "$registry/$port: $!\n";
		next unless flock $lock, LOCK_EX | LOCK_NB;
		next unless can_bind($port);
		push @held, $lock;
		return $port;
	}
	die "no free port between $low and $high\n";
}

# A loopback address of this test's own; N tells several of one test apart.
sub own_address ($n = 0) {
	my $number = $$ * 8 + $n;
	return sprintf '127.%d.%d.%d', 64 + ($number >> 14) % 128,
	    ($number >> 7) % 128 + 1, $number % 128 + 1;
}

1;
