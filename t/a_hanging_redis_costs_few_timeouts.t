#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# A Redis that hangs costs each thread of a proxy three questions without an answer, and then one a second while
# it tries again; not one or two for each login.  The proxy's own counters say so.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Farm qw(lives);
use Test::More;
use Time::HiRes qw(time);

use constant { THREADS => 2, LOGINS => 200, USERS => 20, IN_A_ROW => 3 };

my $farm = Gatepost::Farm->new(proxies => 1, servers => 2, users => USERS, top => 'threads ' . THREADS);
my $stays = $farm->come(1, 1);
my $before = $farm->redis_at(1);
is($before->{unanswered}, 0, 'at first all is answered');

my $stopped = time;
$farm->redis->signal('STOP');
my %replies;
for my $i (1 .. LOGINS) {
	my $client = $farm->client(1);
	my $reply = Gatepost::Farm::log_in($client, 1 + $i % USERS);
	$replies{ $reply =~ / OK / ? 'OK' : $reply }++;
	$client->close;
}
my $missed = $farm->redis_at(1)->{unanswered};
my $seconds = int(time - $stopped) + 1;
is_deeply(\%replies, { OK => LOGINS }, 'all log in');
ok(lives($stays), 'who was there stays');
like(($farm->proxies)[0]->ask('user user3 move d2'), qr/Nobody can say now/, 'a move is told that nobody can say');
# each worker and control
my $most = IN_A_ROW * (THREADS + 1) + (THREADS + 1) * $seconds;
note(LOGINS . " logins in $seconds s: $missed questions without an answer, $most at most");
cmp_ok($missed, '>=', IN_A_ROW, 'some are not answered');
cmp_ok($missed, '<=', $most, 'three for each thread, and one a second');
cmp_ok($farm->redis_at(1)->{local_decisions}, '>=', LOGINS - IN_A_ROW * THREADS, 'the placements are counted as its own');
$farm->redis->signal('CONT');
$farm->await_redis('up');
$farm->come(1, 2)->close;
my $after = $farm->redis_at(1)->{unanswered};
$farm->come(1, 1 + $_ % USERS)->close for 1 .. 20;
is($farm->redis_at(1)->{unanswered}, $after, 'once Redis answers nothing is missed any more');
$farm->stop;
done_testing;
