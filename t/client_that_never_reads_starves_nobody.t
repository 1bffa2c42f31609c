#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# A client that never reads what it is sent, before the login or in the
# relay, and a server that never reads cost a bounded amount of memory, and
# two hundred of them together do not keep other sessions from going on.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Fake;
use Gatepost::Gatepost;
use Gatepost::Imap;
use Gatepost::Process qw(raise_descriptors wait_for);
use IO::Select;
use IO::Socket::INET;
use Test::More;
use Time::HiRes qw(time);

raise_descriptors(2048);

my $greeting = "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] fake ready\r\n";
my $imap = Gatepost::Fake->new(name => 'imap', script => [
	[send => $greeting], [expect => qr/^(\S+) AUTHENTICATE[^\r\n]*\r\n/m],
	[send => sub ($tag) { "$tag OK [CAPABILITY IMAP4rev1] in\r\n" }],
	[expect => qr/^(\S+) NOOP\r\n/m], [send => sub ($tag) { "$tag OK done\r\n" }], ['hold'] ])->start;
my $flood = Gatepost::Fake->new(name => 'flood', script => [[flood => 'x' x 1000, 200], ['hold']])->start;
my $deaf_server = Gatepost::Fake->new(name => 'deaf', script => [['deaf']])->start;

sub start_gatepost ($name, $relay_memory) {
	return Gatepost::Gatepost->new(name => $name,
		values => { IMAP => $imap->port, FLOOD => $flood->port, DEAF => $deaf_server->port,
			RELAY_MEMORY => $relay_memory },
		env => { ASAN_OPTIONS => ($ENV{ASAN_OPTIONS} // '') . ':quarantine_size_mb=1' },
		config => <<'END')->start;
relay_memory @RELAY_MEMORY@
shutdown_timeout 1s
pool imap { port @IMAP@; server s1 { address 127.0.0.1 } }
pool flood { protocol tcp; port @FLOOD@; server s1 { address 127.0.0.1 } }
pool deaf { protocol tcp; port @DEAF@; server s1 { address 127.0.0.1 } }
listener deaf { protocol tcp; bind 127.0.0.1:@PORT{deaf}@; pool deaf }
listener imap { bind 127.0.0.1:@PORT{imap}@; starttls off; plaintext_login yes; pool imap }
listener flood { protocol tcp; bind 127.0.0.1:@PORT{flood}@; pool flood }
END
}

my $gatepost;

sub client { return Gatepost::Imap->new(port => $gatepost->port('imap'), timeout => 10) }

sub goes_on ($what) {
	my $client = client();
	ok($client && eval { $client->login('user', 'secret'); $client->cmd('NOOP') =~ / OK/ },
	    "$what: another client logs in and is answered") or diag($@);
	$client->close if $client;
	return;
}

# A socket with a small receive buffer: what it does not read stays with gatepost.
sub deaf_socket ($port) {
	socket my $socket, Socket::AF_INET(), Socket::SOCK_STREAM(), 0 or die "socket: $!";
	setsockopt $socket, Socket::SOL_SOCKET(), Socket::SO_RCVBUF(), 4096;
	connect $socket, Socket::pack_sockaddr_in($port, Socket::inet_aton('127.0.0.1')) or die "connect: $!";
	return IO::Socket::INET->new_from_fd($socket, '+<');
}

# Writes until nothing is taken any more for a moment, or MAX bytes were; returns the bytes.
sub push_bytes ($socket, $block, $max) {
	my ($sent, $select) = (0, IO::Select->new($socket));

	$socket->blocking(0);
	while ($sent < $max && $select->can_write(0.5)) {
		$sent += syswrite($socket, $block) // 0;
	}
	return $sent;
}

# Before the login: with memory for much more, so that no other limit helps.
$gatepost = start_gatepost('roomy', '1g');
goes_on('nobody is deaf');
my $before = $gatepost->memory;
my $deaf = deaf_socket($gatepost->port('imap'));
my $sent = push_bytes($deaf, "a CAPABILITY\r\n" x 4096, 64 * 1_048_576);
cmp_ok($sent, '<', 24 * 1_048_576, 'commands are not read from a client that reads no answers');
cmp_ok($gatepost->memory - $before, '<', 40_000, 'and its answers do not pile up');
goes_on('a client deaf before the login');
close $deaf;
$gatepost->stop;

# In the relay: with memory for a few of them only.
$gatepost = start_gatepost('narrow', '1m');
$before = $gatepost->memory;
my @deaf = map { deaf_socket($gatepost->port('flood')) } 1 .. 200;
ok(eval { wait_for(sub { $flood->connections >= 200 }, 20, '200 relayed sessions') },
    '200 sessions are relayed');
goes_on('200 deaf clients of a server that sends 200 MiB each') for 1 .. 3;
is(scalar(() = $gatepost->log_lines(qr/relay_memory is used up/)), 1, 'the log tells, once');
cmp_ok($gatepost->memory - $before, '<', 60_000, 'what is kept for them stays small');

# One of them wakes up, and gets all there is.
my ($got, $deadline) = (0, time + 20);
my $select = IO::Select->new($deaf[0]);
while ($got < 2_000_000 && time < $deadline && $select->can_read(5)) {
	my $n = sysread($deaf[0], my $bytes, 65_536) or last;
	$got += $n;
}
cmp_ok($got, '>=', 2_000_000, 'one of them that reads again is served, though the others are still there');
close $_ for @deaf;

# The other way round.
my @pushing = map { deaf_socket($gatepost->port('deaf')) } 1 .. 5;
my @sent = map { push_bytes($_, 'x' x 16_384, 64 * 1_048_576) } @pushing;
# the kernel's own buffers, which grow in bulk, are 32 MiB and two of 4 MiB
is(scalar(grep { $_ > 48 * 1_048_576 } @sent), 0, 'little is read for a server that never reads');
goes_on('sessions with a server that never reads');
close $_ for @pushing;
$gatepost->stop;
done_testing;
