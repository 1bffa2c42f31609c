#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# While gatepost is replaced again and again by a new process of it, up to 500 clients a second connect, over TCP
# and over a unix socket: each gets its greeting; none is refused or reset, and no visit over HTTP.  The number of
# threads, and so that of the sockets which share the port, grows and shrinks from one process to the next.
# UPGRADES=20 does it longer.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Gatepost;
use Gatepost::Port qw(free_port);
use Gatepost::Process qw(test_dir);
use Gatepost::SteadyClients;
use IO::Select;
use IO::Socket::INET;
use IO::Socket::UNIX;
use Test::More;

use constant { UPGRADES => $ENV{UPGRADES} // 6, RATE => 500, BURST => 10, BURSTS_AN_UPGRADE => 25 };

# of the process that each upgrade starts
my @threads = (4, 1, 2, 2);

sub config ($threads) {
	return <<~"END";
		threads $threads
		pool imap { port \@SERVER\@; server s1 { address 127.0.0.1 } }
		listener imap {
		    bind 127.0.0.1:\@PORT{imap}\@ unix:\@DIR\@/imap.sock
		    starttls off; plaintext_login yes; pool imap
		}
		admin { socket \@DIR\@/gatepost.sock { level admin }; http 127.0.0.1:\@PORT{http}\@ }
		END
}

my $gatepost = Gatepost::Gatepost->new(config => config(2), values => { SERVER => free_port() })->start;

# What is wrong with a visit, or ''.
sub visit () {
	my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $gatepost->port('http'))
	    // return "connect: $!";
	print {$socket} "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
	my $line = IO::Select->new($socket)->can_read(10) ? <$socket> : 'nothing in 10 s';
	return ($line // '') =~ /^HTTP\/1\.1 200/ ? '' : $line // 'end of file';
}

# Beside each burst one connects to the unix socket and one visits: see SteadyClients.pm.
sub connect_others () {
	my $local = IO::Socket::UNIX->new(Peer => test_dir() . '/imap.sock') // do {
		my $error = "connect to the unix socket: $!";
		return sub { $error };
	};

	return sub {
		my $complaint = visit();
		my $greeting = IO::Select->new($local)->can_read(10) ? <$local> : 'nothing in 10 s';
		return ($complaint eq '' ? () : "visit: $complaint", ($greeting // '') =~ /^\* OK/ ? ()
		    : 'greeting of the unix socket: ' . ($greeting // 'end of file'));
	};
}

my $clients = Gatepost::SteadyClients->new(port => $gatepost->port('imap'), rate => RATE, burst => BURST,
    beside => \&connect_others)->start;
my @old;
for my $n (0 .. UPGRADES - 1) {
	$gatepost->configure(config($threads[$n % @threads]));
	my $old = $gatepost->upgrade or last;
	push @old, $old;
	$clients->wait_for_bursts(BURSTS_AN_UPGRADE);
}

my ($connects, $seconds, $errors) = $clients->stop;
diag(sprintf '%d upgrades and %d connects in %.1f s', scalar @old, $connects, $seconds);
is(scalar @old, UPGRADES, 'all upgrades succeed');
cmp_ok($connects, '>=', UPGRADES * BURSTS_AN_UPGRADE * BURST, 'clients connected meanwhile');
is($errors, '', 'no connect failed');
is_deeply([grep { $_->wait_for_end(60) != 0 } @old], [], 'all processes but the last end well');

$gatepost->stop;
ok(!-e test_dir() . '/imap.sock', 'the last one removes the unix socket');
done_testing;
