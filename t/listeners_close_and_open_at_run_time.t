#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# `disable frontend` has clients refused, by each worker and over reloads, while sessions go on; at a unix socket
# they wait.  `enable frontend` takes them again.  Bounds set at run time have later clients wait.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Fake;
use Gatepost::Gatepost;
use Gatepost::Imap;
use Gatepost::Process qw(test_dir wait_for);
use HTTP::Tiny;
use IO::Select;
use IO::Socket::INET;
use IO::Socket::UNIX;
use Test::More;

my $fake = Gatepost::Fake->new(name => 'fake', script => [[send => "hello\n"], ['hold']])->start;
my $config = <<~'END';
	threads 2
	shutdown_timeout 0s
	pool fake { protocol tcp; server s { address 127.0.0.1:@TO@ } }
	default listener { protocol tcp }
	listener a { bind 127.0.0.1:@PORT{a}@; bind unix:@DIR@/a.sock; pool fake }
	listener b { bind 127.0.0.1:@PORT{b}@; pool fake }
	admin { socket @DIR@/gatepost.sock { level admin }; http 127.0.0.1:@PORT{http}@ }
	END
my $gatepost = Gatepost::Gatepost->new(config => $config, values => { TO => $fake->port })->start;

sub greeting ($name) {
	my $client = Gatepost::Imap->new(port => $gatepost->port($name), timeout => 10);
	my $greeting = $client->greeting;

	$client->close;
	return $greeting;
}

sub readiness () {
	my $answer = HTTP::Tiny->new(timeout => 10)->get('http://127.0.0.1:' . $gatepost->port('http') . '/readyz');

	return [$answer->{status}, $answer->{content}];
}

sub is_refused ($name) {
	return grep({ IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $gatepost->port($name)) } 1 .. 8) == 0;
}

my $before = Gatepost::Imap->new(port => $gatepost->port('a'), timeout => 10);
is($before->greeting, 'hello', 'a session');
is($gatepost->ask('disable frontend a reason upgrade'), '', 'a listener is closed');
like($gatepost->wait_for_log(qr/listener a: disabled/), qr/by uid \d+ \(pid \d+\): upgrade$/, 'as the log has it');
ok(is_refused('a'), 'clients are refused');
is_deeply(readiness(), [503, "listener a: closed by an operator\n"], 'who asks whether it is ready hears so');
is(greeting('b'), 'hello', 'another listener goes on');
my $waiting = IO::Socket::UNIX->new(Peer => test_dir() . '/a.sock');
ok($waiting, 'at the unix socket they wait');
is($gatepost->ask('disable frontend #1'), "All sockets are already disabled.\n", 'it is closed already');
$gatepost->configure($config =~ s/pool fake \}$/bind 127.0.0.1:\@PORT{more}\@; pool fake }/mr
    =~ s/listener a \{/listener a { max_errors 7;/r);
ok($gatepost->reload, 'a reload that gives it one more port');
ok(is_refused($_), "$_ is refused") for qw(a more);
is($gatepost->ask('enable frontend a'), '', 'it is opened');
is_deeply(readiness(), [200, "ready\n"], 'and that it is again');
is(scalar <$waiting>, "hello\n", 'who waited is served');
is(greeting($_), 'hello', "$_ is served") for ('a', 'more') x 4;
is($gatepost->ask('enable frontend a'), "All sockets are already enabled.\n", 'it is open already');

for my $turn (1 .. 30) {
	$gatepost->ask('disable frontend a; disable frontend b; enable frontend a; enable frontend b');
}
is(greeting($_), 'hello', "$_ after thirty times") for ('a', 'b') x 4;

# operators who are gone before the workers have answered
for my $turn (1 .. 50) {
	my $operator = IO::Socket::UNIX->new(Peer => test_dir() . '/gatepost.sock');

	print {$operator} "disable frontend a; enable frontend a\nshow table failed_logins\n";
	close $operator;
}
# what they said may be heard a little later than what is asked now
wait_for(sub { $gatepost->ask('enable frontend a'); eval { greeting('a') eq 'hello' } }, 10, 'the last of them');
pass('and after operators who left at once');

# somebody else takes the port while nobody listens
$gatepost->ask('disable frontend b');
my $thief = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $gatepost->port('b'), Listen => 5,
    ReusePort => 0, ReuseAddr => 1);
SKIP: {
	skip 'the kernel keeps the port for us', 2 unless $thief;
	like($gatepost->ask('enable frontend b'), qr/^Failed to resume frontend/, 'it cannot be opened');
	close $thief;
	is($gatepost->ask('enable frontend b'), '', 'until the port is free');
}
$gatepost->ask('enable frontend b') unless $thief;
is(greeting('b'), 'hello', 'and is served');

sub waits ($name) {
	my $client = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $gatepost->port($name));

	return ($client, !IO::Select->new($client)->can_read(0.3));
}

for my $bound (['frontend a', 'a'], ['global', 'b']) {
	my ($what, $name) = @$bound;
	my ($client, $is_waiting);

	is($gatepost->ask("set maxconn $what 1"), '', "set maxconn $what");
	ok($gatepost->reload, 'a reload changes nothing of it');
	($client, $is_waiting) = waits($name);
	ok($is_waiting, 'more wait');
	is($gatepost->ask("set maxconn $what 0"), '', 'no bound');
	is(scalar <$client>, "hello\n", 'who waited is served');
	close $client;
}
is($gatepost->ask('set maxconn global 10000000'), "Value out of range.\n", 'more than there can be files for');
is($gatepost->ask('disable frontend a; disable frontend b'), "\n", 'both are closed');
$before->close;
is($gatepost->stop, 0, 'ends while they are closed') if $gatepost->can('stop');
done_testing;
