#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# A HAProxy and a gatepost with the same server are told the same, one line after the other: both answer alike,
# but for numbers and times.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Fake;
use Gatepost::Gatepost;
use Gatepost::Haproxy;
use Gatepost::Process qw(wait_for);
use Test::More;

my $fake = Gatepost::Fake->new(name => 'fake', script => [['hold']])->start;
my $haproxy = Gatepost::Haproxy->new(name => 'haproxy', stats => 1, ways => { pair => { to => $fake->port,
    send => 'weight 4 check inter 1s rise 2 fall 3' } })->start;
my $gatepost = Gatepost::Gatepost->new(values => { TO => $fake->port }, config => <<'END')->start;
pool pair {
    protocol tcp
    check { kind tcp; interval 1s; rise 2; fall 3 }
    server s { address 127.0.0.1:@TO@; weight 4 }
}
listener pair { protocol tcp; bind 127.0.0.1:@PORT{pair}@; pool pair }
END

# Numbers of pools and times are each one's own; the servers at the other end of both are the same.
sub plain ($answer) {
	$answer =~ s/^\d+ pair (1 s 127\.0\.0\.1 \d+ \d+ \d+ \d+) \d+/N pair $1 T/mg;
	$answer =~ s{^pair/s \d+/1 (\S+ \d+ -).*}{pair/s N/1 $1}mg;
	$answer =~ s/(captured on \[)[^]]+/$1/;
	$answer =~ s/\n*\z/\n/;	# it forgets some
	$answer =~ s/idle_per_thr\[\d+\]/idle_per_thr[n]/;
	return $answer;
}

# the first checks
wait_for(sub { $_->ask('show servers state') =~ /^\d+ pair 1 s 127\.0\.0\.1 2 0 4 4 \d+ 6 3 4 6 /m }, 10, 'a check')
    for $haproxy, $gatepost;

for my $line ('show servers state', 'show servers state pair', 'show servers conn', 'show servers state x',
    'get weight pair/s', 'get weight pair/x', 'get weight x/s', 'get weight pair', 'set weight pair/s 2',
    'get weight pair/s', 'set weight pair/s 300', 'set weight pair/s 50%', 'show servers state',
    'set server pair/s state', 'set server pair/s state drain', 'show servers state',
    'set server pair/s state maint', 'set server pair/s state ready',
    'enable agent pair/s', 'set server pair/s agent up', 'set server pair/s health x',
    'disable health pair/s', 'set server pair/s health down', 'set server pair/s health up',
    'enable health pair/s', 'set server pair/s addr 127.0.0.300', 'set server pair/s addr 127.0.0.1',
    'set server pair/s addr 127.0.0.1 port ' . $fake->port, 'set server pair/s addr 127.0.0.2',
    'set server pair/s addr 127.0.0.1', 'set server pair/s addr', 'disable server pair/s', 'enable server pair/s',
    'disable server pair/s; enable server pair/s', 'user; set weight pair/s 1', 'set maxconn server pair/s 5',
    'disable frontend x', 'enable frontend x', 'set maxconn frontend pair 10', 'set maxconn frontend x 1',
    'set maxconn global 50', 'enable frontend pair', 'disable frontend pair', 'disable frontend pair',
    'enable frontend pair', 'show errors', 'show table x', 'show ssl cert x', 'disable frontend', 'set maxconn frontend pair',
    'set maxconn global', 'set maxconn frontend', 'set maxconn server pair/s',
    (map { "set weight pair/s $_" } qw(% x 5x 5.5 -5 -5% 5%% 70000 5000%), '99999999999999999999'),
    'get weight pair/s', 'set weight pair/s 4', 'set server pair/s weight', 'set maxconn server pair/s 5x',
    'set maxconn server pair/s x', 'show errors x', 'show sess 0x1', 'set timeout cli', 'set timeout cli x',
    'set timeout cli 1m', 'set severity-output x', 'set severity-output number; get weight x/s; get weight pair/s',
    'set severity-output string; get weight x/s', 'quit x; show errors', 'clear counters x',
    'set timeout cli 10;user;operator; show cli level') {
	is(plain($gatepost->ask($line) . "\n"), plain($haproxy->ask($line)), $line);
}
is_deeply([keys %{ $gatepost->ask_json('show servers state')->[0] }] > 20, 1, 'the same as JSON');
is_deeply($gatepost->ask_json('show servers conn')->[0]{connections}, 0, 'connections');
is_deeply($gatepost->ask_json('show backend'), [{ name => 'pair' }], 'pools');
is($gatepost->ask('show backend'), "# name\npair\n", 'and as lines');
like($gatepost->ask('show cli sockets'), qr/^# socket lvl processes\nunix@\/\S+ admin all\n\z/, 'sockets');
is($gatepost->ask_json('show cli sockets')->[0]{level}, 'admin', 'as JSON');
done_testing;
