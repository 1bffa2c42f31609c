#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Recipients are looked up without a password at a real Dovecot's master
# socket, by HTTP, in Redis: who is known goes where the source says; who is
# not, or about whom nobody can say now, is put off and never refused in our
# own name, and costs the others nothing.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Dovecot;
use Gatepost::Gatepost;
use Gatepost::HttpAuth;
use Gatepost::LmtpServer;
use Gatepost::Process qw(test_dir wait_for write_file);
use Gatepost::Redis;
use Gatepost::Smtp;
use Test::More;

plan skip_all => 'needs root' if $> != 0;
my $has_redis = `ldd $ENV{GATEPOST}` =~ /hiredis/;

my $dir = test_dir();
my %servers = map { $_ => Gatepost::LmtpServer->new(name => $_)->start } qw(d1 d2);
my $d2 = $servers{d2}->port;
my $judge = Gatepost::Dovecot->new(name => 'judge', auth => 1, users => 1, user_lines => <<"END")->start;
one\@example.com:{PLAIN}x::::::
two\@example.com:{PLAIN}x:::::: server=d2
host\@example.com:{PLAIN}x:::::: proxy=y host=127.0.0.1 port=$d2 destuser=box\@example.com
away\@example.com:{PLAIN}x:::::: nologin=y reason=Moved server=d2
tls\@example.com:{PLAIN}x:::::: starttls=any-cert server=d2
END

# What it says goes by the user; who is late waits for the file go.
my %answers = (
	one => { 'Auth-Status' => 'OK' },
	two => { 'Auth-Status' => 'OK', 'Auth-Server' => '127.0.0.1', 'Auth-Port' => $d2 },
	named => { 'Auth-Status' => 'OK', 'Auth-User' => 'two' },
	pool => { 'Auth-Status' => 'OK', 'Auth-Pool' => 'nowhere' },
	outside => { 'Auth-Status' => 'OK', 'Auth-Server' => '127.0.0.9', 'Auth-Port' => $d2 },
	unknown => { 'Auth-Status' => 'No such user', 'Auth-Wait' => 3 },
	final => { 'Auth-Status' => 'No such user', 'Auth-Error-Code' => '550 5.1.1' },
	later => { 'Auth-Status' => 'Over quota', 'Auth-Error-Code' => '452 4.2.2' },
	silent => {},
);
my $web = Gatepost::HttpAuth->new(name => 'web', answer => sub ($request) {
	my ($user) = ($request->{headers}{'auth-user'} // '') =~ /^([^@]+)/;

	return { status => '500 Broken' } if $user eq 'broken';
	return { hang => 1 } if $user eq 'hung';
	return { headers => { 'Auth-Status' => -e "$dir/go" ? 'OK' : 'WAIT', 'Auth-Wait' => 1 } } if $user eq 'late';
	return { headers => $answers{$user} };
})->start;
my $redis = $has_redis ? Gatepost::Redis->new(name => 'redis')->start : undef;
write_file("$dir/redis-password", $redis->password . "\n") if $redis;
chmod 0644, "$dir/redis-password";
my $config = <<'END';
hostname lb.example.com
auth master { source dovecot; socket inet:127.0.0.1:@AUTH@; lookup_socket unix:@MASTER@; timeout 1s
    allow_hosts 127.0.0.1 }
auth web { source http; url http://127.0.0.1:@WEB@/auth; timeout 1s; allow_hosts 127.0.0.1 }
default pool { check { kind none } }
farm f { affinity 1m; server d1 { address 127.0.0.1:@D1@; weight 1 }; server d2 { address 127.0.0.1:@D2@; weight 0 } }
pool lmtp { farm f }
default listener { protocol lmtp; pool lmtp }
listener master { bind 127.0.0.1:@PORT{master}@; lookup master }
listener web { bind 127.0.0.1:@PORT{web}@; lookup web }
END
$config .= <<'END' if $redis;
auth prov { source redis; redis unix:@REDIS@; redis_password_file @DIR@/redis-password; key user:$user; timeout 1s }
listener redis { bind 127.0.0.1:@PORT{redis}@; lookup prov }
END
my $gatepost = Gatepost::Gatepost->new(values => { WEB => $web->port, AUTH => $judge->auth_port,
    MASTER => $judge->master_socket, D1 => $servers{d1}->port, D2 => $d2, REDIS => $redis ? $redis->path : '' },
    config => $config)->start;

sub connect_client ($listener) {
	my $c = Gatepost::Smtp->new(port => $gatepost->port($listener), timeout => 30);
	$c->expect('250', 'LHLO mta.example.org');
	return $c;
}

# The replies to recipients of one message that all are asked about side by side.
sub replies ($c, @users) {
	my (undef, @replies) = $c->pipeline('MAIL FROM:<s@example.org>', map { "RCPT TO:<$_\@example.com>" } @users);

	$c->expect('250', 'RSET');
	return \@replies;
}

my $nobody = '451 4.3.0 Nobody can say now where this recipient belongs';
my $no_server = '451 4.3.0 No mail server is available, try again later';

# Dovecot's master socket.
my $c = connect_client('master');
is_deeply(replies($c, 'one', 'stranger', 'two', 'Host+lists', 'away', 'tls'), [
    '250 2.1.5 d1 takes one@example.com', $nobody, '250 2.1.5 d2 takes two@example.com',
    '250 2.1.5 d2 takes box+lists@example.com', '250 2.1.5 d2 takes away@example.com', $no_server],
    'dovecot: each where it is told; who is unknown, or cannot be had as it wants, is put off');
$gatepost->wait_for_log(qr/wants TLS with the server/);
like($c->cmd('NOOP'), qr/^250 /, 'dovecot: the session goes on');
$judge->freeze;
is_deeply(replies($c, 'one', 'stranger'), [$nobody, $nobody], 'dovecot: while it hangs, recipients are put off');
$judge->thaw;
wait_for(sub { replies($c, 'one')->[0] =~ /^250 / }, 30, 'a Dovecot that goes on');
pass('dovecot: it goes on, and so does the same session');
$judge->kill_now;
is_deeply(replies($c, 'one'), [$nobody], 'dovecot: when it is gone');
$c->quit;

# HTTP.
$c = connect_client('web');
is_deeply(replies($c, 'one', 'unknown', 'two', 'final', 'named', 'later'), ['250 2.1.5 d1 takes one@example.com',
    '451 4.3.0 No such user', '250 2.1.5 d2 takes two@example.com', '550 5.1.1 No such user',
    '250 2.1.5 d1 takes named@example.com', '452 4.2.2 Over quota'],
    'http: what the source says is said, and without a code of its own nothing is final');
is_deeply(replies($c, 'broken', 'one', 'silent', 'pool', 'outside', 'hung'), [$nobody,
    '250 2.1.5 d1 takes one@example.com', $nobody, $no_server, $no_server, $nobody],
    'http: where it fails, says nothing, or what it may not');
my ($first) = grep { ($_->{headers}{'auth-user'} // '') eq 'one@example.com' } $web->requests;
ok($first, 'http: it is asked about the user');
is($first->{headers}{'auth-method'}, 'none', 'without a method');
is($first->{headers}{'auth-protocol'}, 'lmtp', 'of this protocol');
is($first->{headers}{'auth-pass'}, '', 'with no password');

# One that is late has its reply in its turn; a client that leaves meanwhile leaves nothing behind.
my $gone = connect_client('web');
$_->send_bytes(join '', map { "$_\r\n" } 'MAIL FROM:<s@example.org>', 'RCPT TO:<one@example.com>',
    'RCPT TO:<late@example.com>', 'RCPT TO:<two@example.com>', 'DATA') for $c, $gone;
for my $who ($c, $gone) {
	is_deeply([map { $who->reply } 1, 2], ['250 2.1.0 Ok', '250 2.1.5 d1 takes one@example.com'],
	    'who is before it is answered');
}
wait_for(sub { grep({ ($_->{headers}{'auth-user'} // '') =~ /^late/ } $web->requests) >= 2 }, 20,
    'both to wait');
$gone->close;
write_file("$dir/go", '');
is_deeply([map { $c->reply } 1 .. 3], ['250 2.1.5 d1 takes late@example.com',
    '250 2.1.5 d2 takes two@example.com', '354 Send the message, end with <CR><LF>.<CR><LF>'],
    'http: whom it asks to wait for holds back those behind');
$c->send_bytes("Subject: waited\r\n\r\n.\r\n");
is_deeply([map { $c->reply } 1 .. 3], [map { "250 2.0.0 $_\@example.com" } 'd1 has one', 'd1 has late',
    'd2 has two'], 'and then the message goes its way');
$c->quit;

SKIP: {
	skip 'built without hiredis', 4 unless $redis;
	$redis->ask('HSET', 'user:one@example.com', uid => 1000);
	$redis->ask('HSET', 'user:two@example.com', server => 'd2', nologin => '');
	$redis->ask('SET', 'user:odd@example.com', 'no hash');
	$c = connect_client('redis');
	my $good = ['250 2.1.5 d1 takes one@example.com', $nobody, '250 2.1.5 d2 takes two@example.com', $nobody];
	is_deeply(replies($c, qw(one stranger two odd)), $good, 'redis: who is there goes where its fields say');
	kill 'STOP', $redis->pid;
	is_deeply(replies($c, qw(one stranger)), [$nobody, $nobody], 'redis: while it hangs');
	kill 'CONT', $redis->pid;
	wait_for(sub { replies($c, 'one')->[0] =~ /^250 / }, 30, 'Redis to go on');
	pass('redis: it goes on');
	$redis->kill_now;
	is_deeply(replies($c, qw(one)), [$nobody], 'redis: when it is gone');
	$c->quit;
}
$gatepost->stop;
done_testing;
