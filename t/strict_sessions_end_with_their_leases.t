#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Two proxies with `redis_down strict` and a short lease.  Redis hangs for longer than that: bound sessions of all
# protocols end, the log says why, whoever comes is refused for now in the words of the protocol, and
# nobody's password is doubted.  Redis comes back, and so do all.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Farm qw(lives log_in);
use Gatepost::Process qw(wait_for);
use Gatepost::Smtp;
use Test::More;

use constant { USERS => 4, LEASE_MS => 5000 };

my @protocols = qw(imap pop3 sieve);
# a `loose` pool binds nobody
my $farm = Gatepost::Farm->new(proxies => 2, servers => 2, users => USERS, cluster => 'redis_down strict; lease 5s; timeout 1s',
    top => 'pool loose { protocol imap; balance roundrobin; farm none; server d1 { address @D1@:@IMAP@ } }
	listener loose { protocol imap; bind 127.0.0.1:@PORT{loose}@; pool loose; starttls off; plaintext_login yes; auth file }');

sub deliver ($i, $n) {
	my $mta = Gatepost::Smtp->new(port => $farm->proxy($i)->port('lmtp'), timeout => 30);

	$mta->expect('250', 'LHLO mta.example.org');
	$mta->expect('250', 'MAIL FROM:<s@example.org>');
	return ($mta, $mta->cmd("RCPT TO:<user$n\@example.com>"));
}

my %session;
for my $n (1 .. USERS) {
	$session{"$n $_"} = $farm->come(1 + $n % 2, $n, $_) for @protocols;
}
my %home = map { $_ => $farm->where_is(1, $_) } 1 .. USERS;
my ($mta, $taken) = deliver(2, 1);
like($taken, qr/^250/, 'a delivery is under way');
my $loose = $farm->come(1, 1, 'loose');

# Until when somebody holds a binding, by Redis.
my $until = sub {
	my ($key) = grep { /:l$/ } @{ $farm->redis->ask('KEYS', 'test*') };
	return ($farm->redis->ask('ZRANGE', $key, 0, 0, 'WITHSCORES'))->[1];
};
$farm->redis->ask('SELECT', 2);
my $first = $until->();
wait_for(sub { $until->() > $first + 2 * LEASE_MS }, 60, 'two leases to be over');
is((grep { $farm->redis_at($_)->{expired} > 0 } 1 .. 2), 0, 'leases are renewed as long as Redis answers');
is((grep { !lives($session{"$_ imap"}) } 1 .. USERS), 0, 'and nobody has to go');

$farm->redis->signal('STOP');
$farm->await_redis('down');
like($farm->proxy($_)->wait_for_log(qr/Redis gives no answer/), qr/not let in, and sessions end with their leases/,
    "lb$_: the log says what is to come") for 1 .. 2;
# of POP3 and ManageSieve the proxy does not know where a reply ends: nothing may be said within one
my %words = (imap => qr/^\* BYE \[UNAVAILABLE\] /m, pop3 => qr/\A\z/, sieve => qr/\A\z/);
for my $key (sort keys %session) {
	my ($n, $protocol) = split / /, $key;
	like($session{$key}->rest, $words{$protocol}, "user$n, $protocol: the session ends as the protocol has it");
}
like($mta->cmd('DATA'), qr/^451 4\./, 'the delivery ends too: its mail is to come again');
ok(lives($loose), 'who is not bound goes on');
for my $i (1 .. 2) {
	$farm->proxy($i)->wait_for_log(qr/sessions of farm f end, as Redis cannot renew their leases: \d+$/);
	ok(1, "lb$i: the log says why");
	is(scalar $farm->proxy($i)->log_lines(qr/ (?:imap|pop3|sieve) .*back=\w+\/d\d: kicked while relaying/),
	    USERS / 2 * @protocols, 'and each session that it was kicked');
	cmp_ok($farm->redis_at($i)->{expired}, '>=', USERS / 2 * @protocols, 'and they are counted');
}

my %refusal = (imap => qr/^\S+ NO \[UNAVAILABLE\]/, pop3 => qr/^-ERR \[SYS\/TEMP\]/, sieve => qr/^NO \(TRYLATER\)/);
for my $i (1 .. 2) {
	for my $protocol (@protocols) {
		my $client = $farm->client($i, $protocol);
		like(log_in($client, 1), $refusal{$protocol}, "lb$i: whoever comes by $protocol is told to come later");
		$client->close;
	}
	my ($sender, $reply) = deliver($i, 2);
	like($reply, qr/^451 4\./, 'and mail to wait');
	$sender->close;
}
ok(lives($farm->come(2, 1, 'loose')), 'who is not bound is let in');

$farm->redis->signal('CONT');
$farm->await_redis('up');
for my $n (1 .. USERS) {
	for my $protocol (@protocols) {
		my $again;
		# a worker looks once a second itself
		wait_for(sub { $again = eval { $farm->come(1 + $n % 2, $n, $protocol) } }, 30, "user$n by $protocol");
		$session{"$n $protocol"} = $again;
	}
	is($farm->where_is(2, $n), $home{$n}, "user$n is back, where the user was");
}
my ($sender, $reply) = deliver(1, 2);
like($reply, qr/^250/, 'mail is taken again');
is((grep { !lives($session{"$_ imap"}) } 1 .. USERS), 0, 'and all stay');
$farm->stop;
done_testing;
