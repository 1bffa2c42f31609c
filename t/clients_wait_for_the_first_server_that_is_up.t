#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Two Dovecots that take no sessions yet.  Clients wait, in pools of all kinds,
# until one does: then as many get in as may, in the order of coming, and the
# others have their turn when somebody leaves.  Who does not want to wait is
# told at once, and whoever waits too long when that is over.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Dovecot;
use Gatepost::Gatepost;
use Gatepost::Imap;
use Gatepost::Port qw(free_port own_address);
use Test::More;
use Time::HiRes qw(time);

my $port = free_port();
my %dovecot = map { ("d$_" => Gatepost::Dovecot->new(name => "d$_", address => own_address($_), port => $port,
    users => 9)->start) } 1 .. 2;

sub config ($first, $second) {
	my $servers = "server d1 { address \@D1\@:\@SERVER_PORT\@; state $first }\n"
	    . "server d2 { address \@D2\@:\@SERVER_PORT\@; state $second }\n";

	return <<~"END";
		farm f { affinity 15m; queue_timeout 60s; $servers }
		default pool { protocol imap; queue_timeout 60s; login_timeout 60s }
		default listener { protocol imap; starttls off; plaintext_login yes; login_timeout 5m }
		pool affine { farm f }
		pool hashed { $servers }
		pool unbound { balance leastconn; max_connections 2; $servers }
		pool hasty { balance leastconn; queue_timeout 0s; $servers }
		pool brief { queue_timeout 1s; $servers }
		listener affine { bind 127.0.0.1:\@PORT{affine}\@; pool affine }
		listener hashed { bind 127.0.0.1:\@PORT{hashed}\@; pool hashed }
		listener unbound { bind 127.0.0.1:\@PORT{unbound}\@; pool unbound }
		listener hasty { bind 127.0.0.1:\@PORT{hasty}\@; pool hasty }
		listener brief { bind 127.0.0.1:\@PORT{brief}\@; pool brief }
		END
}

my $gatepost = Gatepost::Gatepost->new(config => config('maintenance', 'drain'), values => {
	SERVER_PORT => $port, D1 => $dovecot{d1}->address, D2 => $dovecot{d2}->address })->start;

sub ask ($listener, $n) {
	my $client = Gatepost::Imap->new(port => $gatepost->port($listener));
	$client->send_bytes("w LOGIN user$n pass-$n\r\n");
	return $client;
}

sub is_waiting ($client, $what) {
	return like(eval { $client->line(0.2) } // 'nothing', qr/^nothing/, $what);
}

my $hasty = ask('hasty', 1);
like($hasty->line, qr/^w NO \[UNAVAILABLE\]/, 'without a queue the client is told at once');
my $start = time;
my $brief = ask('brief', 1);
like($brief->line, qr/^w NO \[UNAVAILABLE\]/, 'with one it is told');
cmp_ok(time - $start, '>', 0.8, 'when queue_timeout is over');
ok(eval { $gatepost->wait_for_log(qr/no server: no server is usable/) }, 'and the log says why') or diag($@);

my %client;
my @pools = qw(affine hashed unbound);
for my $pool (@pools) {
	for my $n (1 .. 6) {
		$client{$pool}[$n] = ask($pool, $n);
		is_waiting($client{$pool}[$n], "$pool: user$n waits");
	}
	# who leaves has no place any more
	$client{$pool}[2]->close;
	ok(eval { $gatepost->wait_for_log(qr/ $pool \S+: client left while waiting in the queue/) },
	    "$pool: user2 leaves") or diag($@);
}

ok($gatepost->reload, 'one server is ready') if $gatepost->configure(config('maintenance', 'ready'));
for my $pool (qw(affine hashed)) {
	like($client{$pool}[$_]->line, qr/^w OK /, "$pool: user$_ is in") for 1, 3 .. 6;
}
like($client{unbound}[$_]->line, qr/^w OK /, "unbound: user$_ is in") for 1, 3;
is_waiting($client{unbound}[$_], "unbound: there is no room for user$_") for 4 .. 6;
is_deeply([grep { $_->{server} !~ m{/d2$} } $gatepost->events('login')], [], 'all at the server that is ready');
$client{unbound}[3]->close;
like($client{unbound}[4]->line, qr/^w OK /, 'user4 has the room that user3 left');
is_waiting($client{unbound}[$_], "user$_ waits on") for 5, 6;
ok($gatepost->reload, 'so is the other one') if $gatepost->configure(config('ready', 'ready'));
like($client{unbound}[$_]->line, qr/^w OK /, "user$_ is in") for 5, 6;
# 5 in each of two pools, 5 in the third
is(($gatepost->wait_for_events('login', 3 * 5))[-1]{server}, 'unbound/d1', 'there');

$_->close for $hasty, $brief, map { grep { defined } @{ $client{$_} } } @pools;
$gatepost->stop;
$_->stop for values %dovecot;
done_testing;
