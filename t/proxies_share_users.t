#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Three proxies with a Redis between them, three Dovecots with a mailbox store each.  Whoever comes to several
# proxies at once, over several protocols, is on one server, though the proxies would choose differently.  What
# an operator says at one proxy holds at all.  Proxies and Redis are killed, Redis hangs, is emptied, is a
# replica: sessions go on, logins too, and users find back to where they were.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Dovecot;
use Gatepost::Gatepost;
use Gatepost::Imap;
use Gatepost::Pop3;
use Gatepost::Port qw(free_port own_address);
use Gatepost::Process qw(read_file test_dir wait_for write_file);
use Gatepost::Redis;
use Gatepost::Sieve;
use Gatepost::Smtp;
use MIME::Base64 qw(encode_base64);
use Test::More;

use constant { USERS => 30, PROXIES => 3, NAMES => 10_000, THREADS => 2, PIECE => 250 };

srand 12;
my $dir = test_dir();
my %port = map { $_ => free_port() } qw(imap pop3 sieve lmtp);
my %dovecot = map { ("d$_" => Gatepost::Dovecot->new(name => "d$_", address => own_address($_), users => USERS,
    port => $port{imap}, pop3 => 1, pop3_port => $port{pop3}, sieve_port => $port{sieve}, lmtp => 1,
    lmtp_port => $port{lmtp}, settings => 'auth_username_format = %Ln')->start) } 1 .. 3;
my $redis = Gatepost::Redis->new(name => 'redis')->start;
write_file("$dir/users", join '', map { "user$_\@example.com:{PLAIN}pass-$_
" } 1 .. USERS);
write_file("$dir/flush", <<"END");
#!/bin/sh
echo "\$@" \$GATEPOST_USER \$GATEPOST_FARM \$GATEPOST_OLD_SERVER \$GATEPOST_NEW_SERVER >>$dir/flushed
END
chmod 0755, "$dir/flush";
write_file("$dir/redis.password", $redis->password . "\n");

my $config = <<'END';
users { default_domain example.com }
auth file { source file; path @DIR@/users }
cluster { redis redis://localhost:@REDIS@/2; password_file @DIR@/redis.password; name @NAME@; prefix test
    timeout 2s; redis_down @DOWN@ }
farm f { affinity 10m; flush_script @DIR@/flush
    server d1 { address @D1@ }; server d2 { address @D2@ }; server d3 { address @D3@ } }
default pool { check { kind none }; farm f; close_spread 0s; login_timeout 10s }
pool imap { port @IMAP@ }
pool pop3 { port @POP3@ }
pool sieve { port @SIEVE@ }
pool lmtp { port @LMTP@ }
pool loose { protocol imap; balance roundrobin; farm none; server d1 { address @D1@:@IMAP@ } }
default listener { starttls off; plaintext_login yes; auth file }
listener imap { bind 127.0.0.1:@PORT{imap}@; pool imap }
listener pop3 { bind 127.0.0.1:@PORT{pop3}@; pool pop3 }
listener sieve { bind 127.0.0.1:@PORT{sieve}@; pool sieve }
listener lmtp { bind 127.0.0.1:@PORT{lmtp}@; pool lmtp; auth none; plaintext_login no }
listener loose { protocol imap; bind 127.0.0.1:@PORT{loose}@; pool loose }
END

sub proxy ($name, $down = 'keep') {
	return Gatepost::Gatepost->new(name => $name, config => $config, values => { REDIS => $redis->port,
	    NAME => $name, DOWN => $down, (map { uc($_) => $port{$_} } keys %port),
	    (map { uc($_) => $dovecot{$_}->address } keys %dovecot) });
}
my @proxy = map { proxy("lb$_")->start } 1 .. PROXIES;

sub come ($proxy, $n, $listener = 'imap') {
	my $client = Gatepost::Imap->new(port => $proxy->port($listener), timeout => 20);
	$client->login("user$n", "pass-$n");
	return $client;
}
sub place ($proxy, $n) {
	my ($row) = grep { $_->{farm} eq 'f' } @{ $proxy->ask_json("user user$n") };
	return $row;
}
sub where_is ($proxy, $n) { return place($proxy, $n)->{server} }
sub lives ($client) { return $client->cmd('NOOP') =~ / OK/ }
sub redis_is ($proxy) { return $proxy->ask_json('show cluster redis') }
# The servers where Dovecot saw the user, by logins and deliveries.
sub seen_at ($n) {
	return sort grep { $dovecot{$_}->log_lines(qr/Login: user=<user$n>|lmtp\(user$n\).*saved mail/) } keys %dovecot;
}
# As long as the first heartbeats are under way.
wait_for(sub { @{ $_->ask_json('show cluster') } == PROXIES }, 20, 'the proxies to know each other') for @proxy;
is_deeply([sort map { $_->{name} } @{ $proxy[0]->ask_json('show cluster') }], [map { "lb$_" } 1 .. PROXIES],
    'each proxy knows all');
like(redis_is($proxy[0])->{servers}, qr/^\S+:\d+ master$/, 'and Redis');

# First logins, all at once, at proxies that would not choose the same server: by their files, as an operator's
# word holds at all of them.
for my $i (1 .. PROXIES) {
	my $proxy = $proxy[$i - 1];
	$proxy->configure($config =~ s/server d$i \{ address \@D$i\@ \}/server d$i { address \@D$i\@; state drain }/r);
	$proxy->reload;
}
my %waiting;
for my $n (1 .. USERS) {
	my $at = sub ($listener) { $proxy[int rand PROXIES]->port($listener) };
	$waiting{$n} = [
		Gatepost::Imap->new(port => $at->('imap')), Gatepost::Imap->new(port => $at->('imap')),
		Gatepost::Pop3->new(port => $at->('pop3')), Gatepost::Sieve->new(port => $at->('sieve')),
		Gatepost::Smtp->new(port => $at->('lmtp')),
	];
	$waiting{$n}[4]->expect('250', 'LHLO mta.example.org');
	$waiting{$n}[4]->expect('250', 'MAIL FROM:<s@example.org>');
}
for my $n (1 .. USERS) {
	my ($imap1, $imap2, $pop3, $sieve, $lmtp) = @{ $waiting{$n} };
	$_->send_bytes("a LOGIN user$n pass-$n\r\n") for $imap1, $imap2;
	$pop3->send_bytes("USER user$n\r\nPASS pass-$n\r\n");
	$sieve->send_bytes('AUTHENTICATE "PLAIN" "' . encode_base64("\0user$n\0pass-$n", '') . "\"\r\n");
	$lmtp->send_bytes("RCPT TO:<user$n\@example.com>\r\n");
}
my @refused;
for my $n (1 .. USERS) {
	my ($imap1, $imap2, $pop3, $sieve, $lmtp) = @{ $waiting{$n} };
	for ($imap1, $imap2) {
		my $reply = ($_->lines_until(qr/^a /))[-1];
		push @refused, "user$n: $reply" unless $reply =~ /^a OK/;
	}
	my @pop3 = ($pop3->line, $pop3->line);
	push @refused, "user$n: @pop3" unless $pop3[1] =~ /^\+OK/;
	my $reply = $sieve->response;
	push @refused, "user$n: $reply" unless $reply =~ /^OK/m;
	$reply = $lmtp->reply;
	push @refused, "user$n: $reply" unless $reply =~ /^250/;
	$lmtp->expect('354', 'DATA');
	$lmtp->expect('250', "Subject: x\r\n\r\nx\r\n.");
}
is_deeply(\@refused, [], 'all first logins and deliveries succeed');
wait_for(sub { !grep { my @at = seen_at($_); !@at } 1 .. USERS }, 60, 'the Dovecots to have logged all');
my @split = grep { my @at = seen_at($_); @at > 1 } 1 .. USERS;
is_deeply(\@split, [], 'each user is on one server, whatever the proxies would have chosen');
my %used = map { (seen_at($_))[0] => 1 } 1 .. USERS;
is(scalar keys %used, 3, 'and all servers are in use');
$_->configure($config)->reload for @proxy;
my %sessions = map { $_->{user} => $_->{sessions} } @{ $proxy[1]->ask_json('users') };
is(scalar keys %sessions, USERS, 'one proxy tells of all users');
is((grep { $_ < 4 } values %sessions), 0, 'with the sessions of all');

# A move, a hold, a pin, at one proxy.
my $old = where_is($proxy[0], 1);
# d1 is the name of two servers
my ($new) = grep { $_ ne $old && $_ ne 'd1' } sort keys %dovecot;
my $moved = $proxy[1]->ask_json("user user1 move $new");
is($moved->{server}, $new, 'a move');
cmp_ok($moved->{kicked}, '>=', 4, 'ends the sessions at all proxies');
like($waiting{1}[0]->rest, qr/^\* BYE \[UNAVAILABLE\]/m, 'they hear so');
my ($from, $to) = map { quotemeta $dovecot{$_}->address } $old, $new;
like(read_file("$dir/flushed"), qr/^FLUSH \d+ $from $to up 1 user1\@example\.com f $old $new$/m,
    'the flush script has heard of it');
my $client = come($proxy[2], 1);
is(where_is($proxy[0], 1), $new, 'the next session is there');
$proxy[0]->ask('user user2 hold 5m');
like(place($proxy[2], 2)->{held}, qr/^\d+$/, 'a hold is known at all proxies');
ok(lives($waiting{2}[0]), 'who is there stays');
my $held = Gatepost::Imap->new(port => $proxy[2]->port('imap'));
$held->send_bytes("a LOGIN user2 pass-2\r\n");
is_deeply([grep { defined } eval { $held->line(1) }], [], 'who comes to another proxy waits');
$proxy[1]->ask('user user2 release');
like(($held->lines_until(qr/^a /))[-1], qr/^a OK/, 'until it is released at a third one');
my $pinned = where_is($proxy[0], 3) eq 'd2' ? 'd3' : 'd2';
$proxy[0]->ask("user user3 pin $pinned");
ok(lives($waiting{3}[0]), 'a pin ends no session');
my $kicked = $proxy[1]->ask_json('kick user user3');
is("$kicked->{proxies} $kicked->{silent}", PROXIES . ' 0', 'a kick is answered by all proxies');
is($kicked->{sessions}, 4, 'and has ended the sessions of all');
like($waiting{3}[0]->rest, qr/^\* BYE/m, 'they hear so');
wait_for(sub { where_is($proxy[2], 3) eq $pinned }, 20, 'the pin to hold');
my $at_pin = come($proxy[2], 3);
is(where_is($proxy[0], 3), $pinned, 'then the pin holds');
my $loose = come($proxy[2], 4, 'loose');
is($proxy[0]->ask_json('kick user user4')->{sessions}, 5, 'sessions of a pool without affinity are kicked too');
like($loose->rest, qr/^\* BYE/m, 'they hear so');

# A proxy dies: its users are where they were.
my $at = where_is($proxy[1], 5);
$proxy[2]->kill_now;
$waiting{5}[0] = come($proxy[0], 5);
is(where_is($proxy[1], 5), $at, 'when a proxy dies its users are where they were');
$proxy[2] = proxy('lb3')->start;
wait_for(sub { (grep { $_->{name} eq 'lb3' && $_->{seen_ms} < 3000 } @{ $proxy[0]->ask_json('show cluster') }) == 1 },
    30, 'the new one to be heard of');

# Redis hangs: a few timeouts, and not one a login.
my %alive = map { $_ => come($proxy[$_ % PROXIES], 10 + $_) } 1 .. 6;
my %home = map { $_ => where_is($proxy[0], 10 + $_) } keys %alive;
sub all_live ($what) {
	is_deeply([grep { !lives($alive{$_}) } sort keys %alive], [], "$what: sessions go on");
	my @lost;
	for my $n (sort keys %alive) {
		my $again = come($proxy[$n % PROXIES], 10 + $n);
		push @lost, $n if where_is($proxy[$n % PROXIES], 10 + $n) ne $home{$n};
		$again->close;
	}
	is_deeply(\@lost, [], "$what: logins too, and users who are known stay where they are");
	return;
}
sub back_again ($what) {
	wait_for(sub { !grep { redis_is($_)->{state} ne 'up' } @proxy }, 20, "Redis to be up again: $what");
	# a worker looks once a second itself
	wait_for(sub {
		my %now = map { $_->{user} => $_ } @{ $proxy[0]->ask_json('users') };
		!grep { (($now{"user" . (10 + $_) . '@example.com'} // {})->{server} // '') ne $home{$_} } keys %alive
	}, 40, "the users to be known again: $what");
	is_deeply([map { where_is($proxy[2], 10 + $_) } sort keys %alive], [map { $home{$_} } sort keys %alive],
	    "$what: all are back");
	return;
}
my $before = redis_is($proxy[0])->{unanswered};
$redis->signal('STOP');
come($proxy[0], 11)->close for 1 .. 20;
my $missed = redis_is($proxy[0])->{unanswered} - $before;
cmp_ok($missed, '<=', 3 * (THREADS + 1) + USERS, 'a hanging Redis costs some timeouts');
come($proxy[0], 11)->close for 1 .. 20;
my $later = redis_is($proxy[0])->{unanswered} - $before - $missed;
cmp_ok($later, '<=', 6, 'and then hardly any');
like($proxy[0]->wait_for_log(qr/Redis gives no answer/), qr/decisions are this proxy's own/, 'the log tells');
all_live('Redis hangs');
cmp_ok(redis_is($proxy[0])->{local_decisions}, '>=', 20, 'placements without it are counted');
$redis->signal('CONT');
back_again('Redis hung');
like($proxy[0]->wait_for_log(qr/Redis answers again/), qr/decisions without it: \d+/, 'the log tells');

# It is killed, and comes back empty.
$redis->kill_now;
wait_for(sub { redis_is($_)->{state} eq 'down' }, 20, 'Redis to be down') for @proxy;
all_live('Redis is killed');
# Who is not bound is mapped alike by all, whatever agents say at each.
my @maps = map {
	my $proxy = $_;
	my @all;
	for (my $n = 0; $n < NAMES; $n += PIECE) {
		push @all, grep { length } split /\n/, $proxy->ask(join ';', map { "where n$_" } $n .. $n + PIECE - 1);
	}
	\@all
} @proxy;
is(scalar @{ $maps[0] }, NAMES, 'all unbound users have a place');
for my $i (1 .. PROXIES - 1) {
	is(scalar(grep { $maps[0][$_] ne $maps[$i][$_] } 0 .. NAMES - 1), 0, 'the same at another proxy');
}
$redis->start;
back_again('Redis was killed');

# It is emptied, and it is a replica for a while.
$redis->ask('SELECT', 2);
$redis->ask('FLUSHALL');
back_again('FLUSHALL');
$redis->ask('REPLICAOF', '127.0.0.1', free_port());
wait_for(sub { redis_is($_)->{state} eq 'down' }, 20, 'a replica to count as down') for @proxy;
all_live('a replica');
$redis->ask('REPLICAOF', 'NO', 'ONE');
back_again('a replica');

# Strict: nobody comes in.
my $strict = proxy('strict', 'strict')->start;
my $session = come($strict, 20);
$redis->kill_now;
wait_for(sub { redis_is($strict)->{state} eq 'down' }, 20, 'Redis to be down');
my $refused = Gatepost::Imap->new(port => $strict->port('imap'));
like($refused->cmd('LOGIN user20 pass-20'), qr/NO \[UNAVAILABLE\]/, 'strict: a login hears of a temporary failure');
$refused->cmd('LOGOUT');
ok(lives($session), 'a session goes on as long as its lease does');
ok(lives(come($strict, 20, 'loose')), 'who is not bound is let in');
$_->stop for $strict, @proxy;
$_->stop_quietly for values %dovecot;
done_testing;
