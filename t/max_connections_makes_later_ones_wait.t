#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# max_connections of the process, of a listener and of a pool: who is one too
# many waits, in the backlog or in the queue, is served when there is room,
# and no other listener notices.  Each worker may find out by one connection.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Fake;
use Gatepost::Gatepost;
use Gatepost::Imap;
use Gatepost::Process qw(wait_for);
use Test::More;
use Time::HiRes qw(time);

my $threads = 2;
my $fake = Gatepost::Fake->new(name => 'server', script => [
	[send => "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] ready\r\n"],
	[expect => qr/^(\S+) AUTHENTICATE[^\r\n]*\r\n/m], [send => sub ($tag) { "$tag OK in\r\n" }], ['hold'],
])->start;
my $gatepost = Gatepost::Gatepost->new(values => { SERVER => $fake->port, THREADS => $threads },
	config => <<'END')->start;
threads @THREADS@
max_connections 20
default pool { check { kind none }; protocol imap; port @SERVER@ }
pool imap { server s1 { address 127.0.0.1 } }
pool one { max_connections 1; queue_timeout 1s; login_timeout 10s; server s2 { address 127.0.0.1 } }
pool queue { max_connections 1; queue_timeout 30s; login_timeout 60s; server s3 { address 127.0.0.1 } }
default listener { protocol imap; starttls off; plaintext_login yes }
listener few { bind 127.0.0.1:@PORT{few}@; pool imap; max_connections 4 }
listener many { bind 127.0.0.1:@PORT{many}@; pool imap }
listener one { bind 127.0.0.1:@PORT{one}@; pool one }
listener queue { bind 127.0.0.1:@PORT{queue}@; pool queue }
END

sub connect_to ($port) {
	return Gatepost::Imap->new(port => $gatepost->port($port), greeting => 0, timeout => 10);
}

# Those that were greeted within SECONDS; waits no longer than for COUNT.
sub greeted ($clients, $count, $seconds) {
	my $deadline = time + $seconds;
	my @greeted;

	while (time < $deadline) {
		$_->fill(time + 0.01) for grep { !length $_->{in} } @$clients;
		@greeted = grep { $_->{in} =~ /^\* OK/ } @$clients;
		last if @greeted >= $count;
	}
	return @greeted;
}

sub is_within ($got, $from, $what) {
	return ok($got >= $from && $got < $from + $threads, $what) || diag("$got instead of $from");
}

# The connections by which the start of the test was awaited are gone.
ok(eval { wait_for(sub { $gatepost->events('session') >= 4 }, 10, 'the first connections to be over') },
    'nobody is connected') or diag($@);

my @few = map { connect_to('few') } 1 .. 12;
is_within(scalar greeted(\@few, 12, 1), 4, 'a listener serves its max_connections');
my @many = map { connect_to('many') } 1 .. 4;
is(scalar greeted(\@many, 4, 5), 4, 'and another one serves its own');
my @served = greeted(\@few, 12, 0.1);
$_->close for @served;
my @waiting = grep { $_->{socket} } @few;
is_within(scalar greeted(\@waiting, 4, 5), 4, 'who waited is served when others have left');
$_->close for @few[0 .. $#few - 1], @many;
ok(greeted([$few[-1]], 1, 5), 'to the last');
$few[-1]->close;

ok(eval { wait_for(sub { $gatepost->events('session') >= 4 + 16 }, 10, 'the end of all') }, 'all are over');
@many = map { connect_to('many') } 1 .. 30;
is_within(scalar greeted(\@many, 30, 1), 20, 'the process serves its max_connections');
my $late = connect_to('few');
is(scalar greeted([$late], 1, 0.5), 0, 'at no listener more');
$_->close for @many;
ok(greeted([$late], 1, 5), 'who waited is served when others have left');
$late->close;

# A pool's server that is full: the queue, in the order of coming.
my $first = connect_to('one');
like($first->line, qr/^\* OK/, 'a client of a pool with room for one');
like($first->cmd('LOGIN u p'), qr/ OK/, 'has its room');
my $second = connect_to('one');
$second->line;
my $start = time;
like($second->cmd('LOGIN u p'), qr/ NO \[UNAVAILABLE\]/, 'the next hears NO');
cmp_ok(time - $start, '>', 0.8, 'when queue_timeout is over');
ok(eval { $gatepost->wait_for_log(qr/no server: the queue took too long/) }, 'and the log tells') or diag($@);
$first->close;
ok(eval { wait_for(sub { $second->cmd('LOGIN u p') =~ / OK/ }, 10, 'room') }, 'then there is room') or diag($@);
$second->close;

my @queue = map { connect_to('queue') } 1 .. 6;
$_->line for @queue;
like($queue[0]->cmd('LOGIN u p'), qr/ OK/, 'a session fills a server');
for my $n (1 .. 5) {
	$queue[$n]->send_bytes("q LOGIN u p\r\n");
	# in the order of coming, also where another worker is quicker
	like(eval { $queue[$n]->line(0.2) } // 'nothing', qr/^nothing/, "session $n waits");
}
$queue[3]->close;
for my $n (1, 2, 4) {
	$queue[$n == 4 ? 2 : $n - 1]->close;
	like($queue[$n]->line, qr/^q OK/, "session $n has its turn");
	like(eval { $queue[5]->line(0.1) } // 'nothing', qr/^nothing/, 'the last still waits');
}
$queue[5]->close;
$queue[4]->close;
$gatepost->stop;
done_testing;
