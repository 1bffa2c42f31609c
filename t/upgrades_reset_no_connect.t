#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# While gatepost is replaced again and again by a new process of it, up to 500 clients a second connect, over TCP
# and over a unix socket: each gets its greeting; none is refused or reset, and no visit over HTTP.  The number of threads, and so that of
# the sockets which share the port, grows and shrinks from one process to the next.  UPGRADES=20 does it longer.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Gatepost;
use Gatepost::Imap;
use Gatepost::Port qw(free_port own_address);
use Gatepost::Process qw(read_file test_dir write_file);
use IO::Select;
use IO::Socket::INET;
use IO::Socket::UNIX;
use POSIX qw(_exit);
use Test::More;
use Time::HiRes qw(time);

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
my $report = test_dir() . '/report';

sub connect_unix () {
	my $socket = IO::Socket::UNIX->new(Peer => test_dir() . '/imap.sock') // return undef;
	return $socket;
}

# What is wrong with a visit, or ''.
sub visit () {
	my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $gatepost->port('http'))
	    // return "connect: $!";
	print {$socket} "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
	my $line = IO::Select->new($socket)->can_read(10) ? <$socket> : 'nothing in 10 s';
	return ($line // '') =~ /^HTTP\/1\.1 200/ ? '' : $line // 'end of file';
}

# Several connect before the first is served, so that some always wait in the queue of a listening socket.
sub connect_burst ($from, $errors) {
	my @clients = map {
		Gatepost::Imap->new(port => $gatepost->port('imap'), from => $from, greeting => 0) // do {
			$errors->{"connect: $!"}++;
			();
		}
	} 1 .. BURST - 1;
	my $local = connect_unix() // do { $errors->{"connect to the unix socket: $!"}++; undef };

	for my $client (@clients) {
		my $greeting = eval { $client->line(10) };
		$errors->{ 'greeting: ' . ($client->{error} // 'end of file') }++
		    unless ($greeting // '') =~ /^\* OK/;
		$client->close;
	}
	my $complaint = visit();
	$errors->{"visit: $complaint"}++ if $complaint ne '';
	if (defined $local) {
		my $greeting = IO::Select->new($local)->can_read(10) ? <$local> : 'nothing in 10 s';
		$errors->{ 'greeting of the unix socket: ' . ($greeting // 'end of file') }++
		    unless ($greeting // '') =~ /^\* OK/;
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

my @old;
for my $n (0 .. UPGRADES - 1) {
	$gatepost->configure(config($threads[$n % @threads]));
	my $old = $gatepost->upgrade or last;
	push @old, $old;
	for (1 .. BURSTS_AN_UPGRADE) {
		sysread $progress, my $burst, 1 or die 'the clients have died';
	}
}
close($stopper);
waitpid $child, 0;

my ($connects, $seconds, $errors) = split ' ', read_file($report), 3;
chomp $errors if defined $errors;
diag(sprintf '%d upgrades and %d connects in %.1f s', scalar @old, $connects, $seconds);
is(scalar @old, UPGRADES, 'all upgrades succeed');
cmp_ok($connects, '>=', UPGRADES * BURSTS_AN_UPGRADE * BURST, 'clients connected meanwhile');
is($errors // '', '', 'no connect failed');
is_deeply([grep { $_->wait_for_end(60) != 0 } @old], [], 'all processes but the last end well');

$gatepost->stop;
ok(!-e test_dir() . '/imap.sock', 'the last one removes the unix socket');
done_testing;
