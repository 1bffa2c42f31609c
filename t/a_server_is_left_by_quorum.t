#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Three proxies with a Redis between them, of which one cannot reach a server: its file has another address.
# Users who are bound there stay bound, and wait at this proxy alone; others go elsewhere.  Once most of the
# proxies find the server down its users are bound anew; and where Redis is away each goes by its own checks.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Dovecot;
use Gatepost::Gatepost;
use Gatepost::Imap;
use Gatepost::Port qw(free_port own_address);
use Gatepost::Process qw(test_dir wait_for write_file);
use Gatepost::Redis;
use Test::More;

use constant USERS => 40;

my $dir = test_dir();
my $port = free_port();
my %dovecot = map { ($_ => Gatepost::Dovecot->new(name => $_, address => own_address(substr $_, 1), users => USERS,
    port => $port)->start) } qw(d1 d2);
my $nowhere = own_address(9);
my $redis = Gatepost::Redis->new(name => 'redis')->start;
write_file("$dir/users", join '', map { "user$_:{PLAIN}pass-$_\n" } 1 .. USERS);
write_file("$dir/redis.password", $redis->password . "\n");

my $config = <<'END';
auth file { source file; path @DIR@/users }
cluster { redis redis://127.0.0.1:@REDIS@; password_file @DIR@/redis.password; name @NAME@; timeout 2s }
farm f { affinity 10m; check_quorum majority; on_down keep; close_spread 0s
    server d1 { address @D1@ }; server d2 { address @D2@ } }
default pool { protocol imap; port @IMAP@; farm f; check { interval 500ms; fast_interval 200ms; down_interval 500ms; rise 1; fall 1 } }
pool hasty { queue_timeout 0s }
pool patient { queue_timeout 5m }
default listener { protocol imap; starttls off; plaintext_login yes; auth file; login_timeout 5m }
listener hasty { bind 127.0.0.1:@PORT{hasty}@; pool hasty }
listener patient { bind 127.0.0.1:@PORT{patient}@; pool patient }
END
my %values = (REDIS => $redis->port, IMAP => $port, map { uc($_) => $dovecot{$_}->address } keys %dovecot);
my @proxy = map { Gatepost::Gatepost->new(name => $_, config => $config, values => { %values, NAME => $_ })->start }
    qw(lb1 lb2 lb3);

sub come ($proxy, $n, $listener = 'hasty') {
	my $client = Gatepost::Imap->new(port => $proxy->port($listener), timeout => 60);
	$client->send_bytes("a LOGIN user$n pass-$n\r\n");
	return $client;
}
sub answer ($client) { return ($client->lines_until(qr/^a /))[-1] }
sub where_is ($proxy, $n) { return $proxy->ask_json("user user$n")->[0]{server} }
sub server_at ($proxy, $server, $pool = 'hasty') {
	my ($row) = grep { $_->{server} eq $server } @{ $proxy->ask_json("show servers $pool") };
	return $row;
}
sub await_waiting ($n) {
	wait_for(sub { $proxy[0]->ask("show sess all user user$n") =~ /waiting in the queue/ }, 20, "user$n to wait");
	return;
}
sub await_state ($proxy, $server, $state, $why = qr//) {
	for my $pool (qw(hasty patient)) {
		eval { wait_for(sub { my $row = server_at($proxy, $server, $pool);
		    $row->{state} eq $state && ($row->{why} // '') =~ $why }, 60, "$pool/$server to be $state") } or
		    die $@, explain(server_at($proxy, $server, $pool));
	}
	return;
}

for my $proxy (@proxy) {
	await_state($proxy, $_, 'up') for qw(d1 d2);
	wait_for(sub { @{ $proxy->ask_json('show cluster') } == @proxy }, 20, 'the proxies to know each other');
}

# Users whom the hash sends to the server that is lost to the first proxy.
my @users = grep { where_is($proxy[0], $_) eq 'd1' } 1 .. USERS;
my ($bound, $patient, $last, $free) = @users;
my %session;
for my $n ($bound, $patient, $last) {
	$session{$n} = come($proxy[1], $n);
	like(answer($session{$n}), qr/^a OK/, "user$n comes to the second proxy");
}
$proxy[0]->configure($config =~ s/\@D1\@/$nowhere/r);
$proxy[0]->reload;
await_state($proxy[0], 'd1', 'down', qr/down here, up at lb2 lb3; bound users wait: down for 1 of 3 proxies, check_quorum needs 2/);
pass('the first one finds the server down, and tells who does not');
my ($row) = eval { wait_for(sub { (grep { $_->{proxy} eq 'lb1' && $_->{server} eq 'hasty/d1' && $_->{health} eq 'down' }
    @{ $proxy[1]->ask_json('show cluster health') })[0] }, 20, 'the word of the first one') };
is($row && $row->{here}, 'up', 'the second one knows, and finds it up');
like(server_at($proxy[1], 'd1')->{why}, qr/; up here, down at lb1$/, 'so it says');

like(answer(come($proxy[0], $bound)), qr/^a NO \[UNAVAILABLE\]/, 'who is bound there hears to come later');
like($proxy[0]->ask("user user$bound"), qr/down here, not by check_quorum: logins wait/, 'so an operator is told');
is(where_is($proxy[0], $bound), 'd1', 'and stays bound');
my $third = come($proxy[2], $bound);
like(answer($third), qr/^a OK/, 'through another proxy the user comes in');
like($session{$bound}->cmd('NOOP'), qr/ OK/, 'where the old session is');
my $elsewhere = come($proxy[0], $free);
like(answer($elsewhere), qr/^a OK/, 'who is not bound');
is(where_is($proxy[1], $free), 'd2', 'goes to another server, and is bound there for all');

my $waits = come($proxy[0], $patient, 'patient');
await_waiting($patient);
is(where_is($proxy[1], $patient), 'd1', 'one who waits is still bound to the server');
$dovecot{d1}->stop_quietly;
like(answer($waits), qr/^a OK/, 'until most proxies find it down');
is(where_is($proxy[1], $patient), 'd2', 'and is bound anew');
like(answer(come($proxy[0], $bound)), qr/^a OK/, 'then nobody hears to come later any more');

# Without Redis nobody is heard.
$dovecot{d1}->start;
await_state($_, 'd1', 'up') for @proxy[1, 2];
await_state($proxy[0], 'd1', 'down', qr/down for 1 of 3/);
$proxy[1]->ask("user user$last move d1") if where_is($proxy[1], $last) ne 'd1';
is(where_is($proxy[0], $last), 'd1', 'one more user of the server');
$waits = come($proxy[0], $last, 'patient');
await_waiting($last);
$redis->kill_now;
like(answer($waits), qr/^a OK/, 'without Redis a proxy goes by its own checks');
ok($dovecot{d2}->wait_for_log(qr/Login: user=<user$last>/, 20), 'to the server that it reaches');
$_->stop for @proxy;
$_->stop_quietly for values %dovecot;
done_testing;
