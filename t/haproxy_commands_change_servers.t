#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Servers are changed at run time by what HAProxy's operators and tools say, through socat: weight, state,
# health, agent, address, bounds.  Sessions go where the words send them, the log tells who and why, and what
# was said outlives a reload that does not say otherwise.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Fake;
use Gatepost::Gatepost;
use Gatepost::Imap;
use Gatepost::Process qw(test_dir wait_for);
use Test::More;

my %fakes = map {
	$_ => Gatepost::Fake->new(name => $_, script => [[send => "$_\n"], ['hold']])->start
} qw(a b c);
my $agent = Gatepost::Fake->new(name => 'agent', script => [[send => "up\n"]])->start;
my $config = <<~'END';
	default pool { protocol tcp; check { kind tcp; interval 300ms; fast_interval 100ms; down_interval 300ms; rise 2; fall 2 } }
	pool pair {
	    balance roundrobin
	    server a { address 127.0.0.1:@A@; weight 4 }
	    server b { address 127.0.0.1:@B@; weight 4; agent 127.0.0.1:@AGENT@; agent_interval 1s }
	}
	farm f { server c { address 127.0.0.1:@A@ } }
	pool one { farm f }
	pool two { farm f }
	pool bare { check { kind none }; server a { address 127.0.0.1:@A@ } }
	default listener { protocol tcp }
	listener pair { bind 127.0.0.1:@PORT{pair}@; pool pair }
	listener one { bind 127.0.0.1:@PORT{one}@; pool one }
	listener bare { bind 127.0.0.1:@PORT{bare}@; pool bare }
	END
my $gatepost = Gatepost::Gatepost->new(config => "threads 1\n$config", values => { A => $fakes{a}->port,
    B => $fakes{b}->port, AGENT => $agent->port })->start;
my $socket = test_dir() . '/gatepost.sock';

# As the manuals have it: echo "…" | socat stdio /run/….sock; setters answer an empty line.
sub say_to_it ($line) {
	local $ENV{LINE} = $line;
	my $answer = qx(echo "\$LINE" | socat -t 20 stdio 'unix-connect:$socket');
	return $answer =~ s/\n\z//r;
}
sub is_silent ($line) { return is(say_to_it($line), '', $line) }

sub shares ($count = 8) {
	my @clients = map { Gatepost::Imap->new(port => $gatepost->port('pair'), timeout => 10) } 1 .. $count;
	my %on;

	$on{ $_->greeting }++ for @clients;
	$_->close for @clients;
	return \%on;
}

is(say_to_it('get weight pair/a'), "4 (initial 4)\n", 'a weight');
is(say_to_it('get weight pair/#2'), "4 (initial 4)\n", 'by its number');
is_deeply(shares(), { a => 4, b => 4 }, 'as the file has it');
is_silent('set weight pair/a 12 reason "new \"disks\""');
is(say_to_it('get weight pair/a'), "12 (initial 4)\n", 'another');
is_deeply(shares(), { a => 6, b => 2 }, 'three in four');
like($gatepost->wait_for_log(qr/pair\/a: weight 12/), qr/by uid \d+ \(pid \d+\): "new \\?"/, 'who, and why');
is_silent('set server pair/a weight 50%');
is(say_to_it('get weight pair/a'), "2 (initial 4)\n", 'a part of what the file has');
is_silent('set weight pair/a 0');
is_deeply(shares(), { b => 8 }, 'nobody to a weight of 0');
ok($gatepost->reload, 'a reload');
is(say_to_it('get weight pair/a'), "0 (initial 4)\n", 'keeps it');
$gatepost->configure("threads 1\n" . $config =~ s/weight 4/weight 5/r);
ok($gatepost->reload, 'a reload that says otherwise');
is(say_to_it('get weight pair/a'), "5 (initial 5)\n", 'counts');

my %errors = (
	'get weight pair/x' => 'No such server.',
	'get weight x/a' => 'No such backend.',
	'get weight' => "Require 'backend/server'.",
	'set weight pair/a' => 'Require <weight> or <weight%>.',
	'set weight pair/a 257' => 'Absolute weight can only be between 0 and 256 inclusive.',
	'set weight pair/a 5x' => 'Trailing garbage in weight string',
	'set server pair/a state on' => "'set server <srv> state' expects 'ready', 'drain' and 'maint'.",
	'set server pair/a health' => "'set server <srv> health' expects 'up', 'stopping', or 'down'.",
	'set server pair/a agent up' => 'agent checks are not enabled on this server.',
	'set server pair/b agent' => "'set server <srv> agent' expects 'up' or 'down'.",
	'set server pair/a addr' => 'set server <b>/<s> addr requires an address and optionally a port.',
	'set server pair/a addr 127.0.0.1 4' => 'set server <b>/<s> addr requires an address and optionally a port.',
	'set server pair/a addr 127.0.0.300' => "Invalid addr '127.0.0.300' by 'stats socket command'",
	'set server pair/a' => 'usage: set server <backend>/<server> addr|agent|health|state|weight',
	'enable agent pair/a' => 'Agent was not configured on this server, cannot enable.',
	'enable health bare/a' => 'Health check was not configured on this server, cannot enable.',
	'user; set weight pair/a 1' => "\nPermission denied",
	'operator; disable server pair/a' => "\nPermission denied",
);
is(say_to_it($_), "$errors{$_}\n", "$_: $errors{$_}") for sort keys %errors;

is_silent('disable server pair/a');
is_deeply(shares(4), { b => 4 }, 'in maintenance');
is_silent('enable server pair/a');
is(shares(18)->{a}, 10, 'and back, at its weight');
is_silent('set server pair/a state drain reason disks');
is_deeply(shares(4), { b => 4 }, 'drained');
is_silent('set server pair/a state ready');

# the checks of one that is up take it up again, as it is
is_silent('disable health pair/a');
is_silent('set server pair/a health down');
is_deeply(shares(4), { b => 4 }, 'forced down, and not checked');
is_silent('enable health pair/a');
$gatepost->wait_for_log(qr/pair\/a is up again/);
ok(shares()->{a}, 'checks overrule it');
is_silent('set server pair/a health stopping');
is_deeply(shares(4), { b => 4 }, 'stopping takes nobody');
is_silent('enable server pair/a');
is_silent('set server bare/a health down');
is_silent('set server bare/a health up');

is_silent('disable agent pair/b');
is_silent('set server pair/b agent down');
is_deeply(shares(4), { a => 4 }, 'down by an agent that is asked no more');
is_silent('enable agent pair/b');
wait_for(sub { shares()->{b} }, 10, 'the agent to say up');

is_silent('set maxconn server pair/a 1');
my @held = map { Gatepost::Imap->new(port => $gatepost->port('pair'), timeout => 10) } 1 .. 6;
is(scalar(grep { $_->greeting eq 'a' } @held), 1, 'one at a time');
$_->close for @held;
ok($gatepost->reload, 'a reload');
is_silent('set maxconn server pair/a 0');
ok(shares()->{a} > 1, 'no bound');

my $to = $fakes{c}->port;
my $from = $fakes{a}->port;
is(say_to_it("set server pair/a addr 127.0.0.1 port $to"),
    "no need to change the addr, port changed from '$from' to '$to' by 'stats socket command'\n", 'a port');
ok(shares()->{c}, 'sessions go there');
ok($gatepost->reload, 'a reload');
ok(shares()->{c}, 'keeps it');
is(say_to_it('set server pair/a addr 127.0.0.2'),
    "IP changed from '127.0.0.1' to '127.0.0.2' by 'stats socket command'\n", 'an address');
is(say_to_it("set server pair/a addr 127.0.0.1 port $from"), "IP changed from '127.0.0.2' to '127.0.0.1', "
    . "port changed from '$to' to '$from' by 'stats socket command'\n", 'and back');
ok(shares()->{a}, 'sessions come back');

# a machine that two pools share, and one that is a pool's own
$gatepost->configure("threads 1\n" . $config =~ s/server c \{/server c { state maintenance;/r
    =~ s/server a \{ address 127.0.0.1:\@A\@ \}/server a { address 127.0.0.1:\@A\@; state maintenance }/r);
ok($gatepost->reload, 'servers in maintenance by the file');
like(say_to_it('enable server one/c'), qr/^one\/c is ready now, but server f\/c is set to maintenance with all /,
    'not that of several pools by a word to one of them');
is_silent('enable server bare/a');
is(Gatepost::Imap->new(port => $gatepost->port('bare'), timeout => 10)->greeting, 'a', 'a pool\'s own is ready');
ok($gatepost->is_running, 'gatepost runs');
done_testing;
