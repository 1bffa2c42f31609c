#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Users of IMAP, POP3 and submission whose passwords and routes are in a real
# Redis: what is written there counts at the next login.  While Redis is gone
# or hangs its users are told to come later, and nobody else waits for it;
# when it is back they are let in again, without a reload.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Dovecot;
use Gatepost::Gatepost;
use Gatepost::Imap;
use Gatepost::Login qw(log_in);
use Gatepost::Port qw(free_port own_address);
use Gatepost::Postfix;
use Gatepost::Process qw(read_file run_command test_dir wait_for write_file);
use Gatepost::Redis;
use Test::More;

plan skip_all => 'needs root' if $> != 0;
plan skip_all => 'built without hiredis' if `ldd $ENV{GATEPOST}` !~ /hiredis/;

my $dir = test_dir();
my ($port, $pop3_port) = (free_port(), free_port());
my $redis = Gatepost::Redis->new(name => 'redis')->start;
my @dovecots = map {
	Gatepost::Dovecot->new(name => "d$_", address => own_address($_), port => $port, users => 9, pop3 => 1,
	    pop3_port => $pop3_port, any_user => 'password=shared-secret allow_real_nets=127.0.0.0/8')->start
} 1 .. 2;
my $postfix = Gatepost::Postfix->new(name => 'told', xclient => '127.0.0.1', sasl => {})->start;

sub kept ($password) { return '{CRYPT}' . crypt($password, '$2b$05$abcdefghijklmnopqrstuu') }

# What the operator's program writes.
sub provision ($user, %fields) {
	$redis->ask('DEL', "user:$user");
	$redis->ask('HSET', "user:$user", %fields);
	return;
}

sub provision_all () {
	$redis->ask('ACL', 'SETUSER', 'gate', 'on', '>gate-@-secret', '~user:*', '+hgetall', '+ping', '+select');
	provision('user1', password => kept('gate-1'), uid => 1000, cn => "A\r\nname");
	provision('user2', password => kept('gate-2'), server => 'd2');
	provision('user3', password => '{PLAIN}gate-3', host => $dovecots[1]->address, port => $port);
	provision('user4', password => '{PLAIN}gate-4', pool => 'second');
	provision('user5', password => '{PLAIN}gate-5', nologin => '', reason => 'Moving house');
	provision('user6', password => '{PLAIN}gate-6', allow_nets => '10.0.0.0/8');
	provision('user7', password => '{PLAIN}gate-7', allow_nets => '10.0.0.0/8,127.0.0.0/8', nologin => 'no');
	provision('user8', server => 'd1');
	provision('user9', password => '{ROT13}tngr-9');
	provision('staff1', password => '{PLAIN}gate-1');
}
provision_all();

write_file("$dir/redis-password", $redis->password . "\n");
chmod 0644, "$dir/redis-password";
write_file("$dir/shared-password", "shared-secret\n");
write_file("$dir/staff", "staff1:{PLAIN}staff-secret\n");
my $gatepost = Gatepost::Gatepost->new(values => { REDIS => $redis->port, REDIS_PATH => $redis->path,
    SERVER_PORT => $port, POP3_PORT => $pop3_port, D1 => $dovecots[0]->address, D2 => $dovecots[1]->address,
    TOLD => $postfix->port }, config => <<'END')->start;
auth staff { source file; path @DIR@/staff }
auth prov {
    source redis; redis unix:@REDIS_PATH@; redis_password_file @DIR@/redis-password
    key user:$user; timeout 1s
}
auth acl { source redis; redis redis://gate:gate-%40-secret@127.0.0.1:@REDIS@; key "user:$user"; timeout 1s }
farm f { server d1 { address @D1@ }; server d2 { address @D2@ } }
default pool { check { kind none } }
pool imap { farm f; port @SERVER_PORT@; login trusted; master_password_file @DIR@/shared-password }
pool second {
    protocol imap; port @SERVER_PORT@; server other { address @D2@ }
    login trusted; master_password_file @DIR@/shared-password
}
pool pop3 { farm f; port @POP3_PORT@; login trusted; master_password_file @DIR@/shared-password }
pool submission { login xclient; server told { address 127.0.0.1:@TOLD@ } }
default listener { starttls off; plaintext_login yes; max_errors 50; auth staff prov }
listener imap { bind 127.0.0.1:@PORT{imap}@; pool imap }
listener acl { protocol imap; bind 127.0.0.1:@PORT{acl}@; pool imap; auth staff acl }
listener pop3 { bind 127.0.0.1:@PORT{pop3}@; pool pop3 }
listener submission { bind 127.0.0.1:@PORT{submission}@; pool submission }
END

my %mechanism = (imap => '', acl => '', pop3 => '', submission => 'PLAIN');
sub login ($listener, $user, $password) {
	return log_in(protocol => $listener eq 'acl' ? 'imap' : $listener, port => $gatepost->port($listener),
	    tls => 'clear', mechanism => $mechanism{$listener}, user => $user, password => $password);
}

# Where the login of a user got to, or what the client was told.
sub place ($listener, $user, $password) {
	my ($reply, $is_good, $client) = login($listener, $user, $password);
	return $reply unless $is_good;
	my $event = $gatepost->wait_for_event(login => { listener => $listener, user => $user,
	    client_port => $client->socket->sockport });
	$client->close;
	return $event->{server} =~ s{.*/}{}r;
}

my %refused = (imap => qr/ NO \[AUTHENTICATIONFAILED\]/, pop3 => qr/^-ERR \[AUTH\]/, submission => qr/^535 5\.7\.8/);
my %later = (imap => qr/ NO \[UNAVAILABLE\]/, pop3 => qr{^-ERR \[SYS/TEMP\]}, submission => qr/^4\d\d 4\./);
@refused{'acl'} = $refused{imap};
@later{'acl'} = $later{imap};
for my $listener (qw(imap acl pop3 submission)) {
	like(place($listener, 'user1', 'gate-1'), qr/^(?:d\d|told)$/, "$listener: the password of Redis");
	like(place($listener, 'user1', 'gate-2'), $refused{$listener}, "$listener: another one");
	like(place($listener, 'user8', 'any'), $refused{$listener}, "$listener: a user without a password");
	like(place($listener, 'nobody', 'gate-1'), $refused{$listener}, "$listener: a stranger");
	like(place($listener, 'staff1', 'staff-secret'), qr/^(?:d\d|told)$/, "$listener: a user of the file");
	like(place($listener, 'staff1', 'gate-1'), $refused{$listener}, "$listener: who is not asked for in Redis");
}
for my $listener (qw(imap acl pop3)) {
	is(place($listener, 'user2', 'gate-2'), 'd2', "$listener: the server that Redis says");
	like(place($listener, 'user5', 'gate-5'), qr/Moving house/, "$listener: nologin, and its reason");
	unlike(place($listener, 'user5', 'gate-1'), qr/Moving/, "$listener: which is not for strangers");
	like(place($listener, 'user6', 'gate-6'), $refused{$listener}, "$listener: allow_nets, from elsewhere");
	like(place($listener, 'user7', 'gate-7'), qr/^d\d$/, "$listener: from there");
	like(place($listener, 'user9', 'gate-9'), $later{$listener}, "$listener: a password of no known scheme");
}
is(place('imap', 'user3', 'gate-3'), 'd2', 'host and port');
is(place('imap', 'user4', 'gate-4'), 'other', 'the pool that Redis says');
ok($gatepost->wait_for_log(qr/unknown password scheme \{ROT13\}/), 'why is logged');

provision('user1', password => kept('other-1'));
like(place('imap', 'user1', 'gate-1'), $refused{imap}, 'a changed password: the old one is over');
like(place('imap', 'user1', 'other-1'), qr/^d\d$/, 'the new one counts at once');
$redis->ask('DEL', 'user:user1');
like(place('imap', 'user1', 'other-1'), $refused{imap}, 'a user who is gone');

# It hangs: its users wait for no longer than the timeout, and nobody else at all.
my ($reply, $is_good, $open) = login('imap', 'user2', 'gate-2');
ok($is_good, 'a session');
$redis->signal('STOP');
my @waiting = map { Gatepost::Imap->new(port => $gatepost->port('imap')) } 1 .. 20;
$_->send_bytes("a LOGIN user2 gate-2\r\n") for @waiting;
like(place('imap', 'staff1', 'staff-secret'), qr/^d\d$/, 'Redis hangs: a user of the file gets in');
like($open->cmd('NOOP'), qr/ OK/, 'and an open session goes on');
is(scalar(grep { ($_->line // '') =~ /^a NO \[UNAVAILABLE\]/ } @waiting), 20, 'its users are put off');
like(place($_, 'user2', 'gate-2'), $later{$_}, "$_: later ones, too") for qw(imap acl pop3 submission);
$redis->signal('CONT');
is(wait_for(sub { my $place = place('imap', 'user2', 'gate-2'); $place =~ /^d/ && $place }, 20, 'a login'), 'd2',
    'it goes on: so do logins');

# It is gone, and comes back without its data.
$redis->kill_now;
like(place($_, 'user2', 'gate-2'), $later{$_}, "$_: Redis is gone: come later") for qw(imap acl pop3 submission);
like(place('imap', 'staff1', 'staff-secret'), qr/^d\d$/, 'a user of the file');
ok($gatepost->wait_for_log(qr/no verdict: .*redis unix:\S+: (?:closed the connection|Conn\w+ refused)/),
    'which Redis, and why');
$redis->start;
provision_all();
for my $listener (qw(imap acl pop3 submission)) {
	wait_for(sub { place($listener, 'user1', 'gate-1') =~ /^(?:d\d|told)$/ }, 20, "a login by $listener");
	pass("$listener: it is back: so are its users");
}
$redis->ask('CONFIG', 'SET', 'requirepass', 'other-secret');
$redis->ask('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
like(place('imap', 'user2', 'gate-2'), $later{imap}, 'Redis does not take our password any more');
ok($gatepost->wait_for_log(qr/WRONGPASS/), 'as the log tells');
write_file("$dir/redis-password", "other-secret\n");
ok($gatepost->reload, 'a reload with the new one');
is(place('imap', 'user2', 'gate-2'), 'd2', 'is what it takes');

my ($status, $shown) = run_command('T', [$ENV{GATEPOST}, '-T', '-c', $gatepost->{conf}]);
like($shown, qr/^\s*redis \S+/m, 'the effective configuration shows the row');
unlike($shown . $gatepost->log_text . read_file($gatepost->{access_log}),
    qr/gate-%40|gate-\@|(?:redis|other)-secret|2b\$05/,
    'no password of Redis, and none from it, is shown or logged');
$_->close for $open, @waiting;
$gatepost->stop;
done_testing;
