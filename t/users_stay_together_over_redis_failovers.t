#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Two proxies with a Redis that three sentinels watch, and with a Redis Cluster of three.  A master is killed:
# sessions go on, logins too, and afterwards both proxies know again where everybody is, whichever server has
# the data now and whatever it has lost.  One proxy is upgraded meanwhile.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Dovecot;
use Gatepost::Gatepost;
use Gatepost::Imap;
use Gatepost::Port qw(free_port own_address);
use Gatepost::Process qw(run_command test_dir wait_for write_file);
use Gatepost::Redis;
use Test::More;

use constant { USERS => 12, SECRET => 'redis-secret' };

my $dir = test_dir();
my $port = free_port();
my %dovecot = map { ("d$_" => Gatepost::Dovecot->new(name => "d$_", address => own_address($_), users => USERS,
    port => $port)->start) } 1 .. 2;
write_file("$dir/redis.password", SECRET . "\n");

sub proxies ($kind, $url, $more = '') {
	my @proxy = map { Gatepost::Gatepost->new(name => "$kind$_", values => { IMAP => $port, URL => $url,
	    MORE => $more, (map { uc($_) => $dovecot{$_}->address } keys %dovecot) }, config => <<'END')->start } 1 .. 2;
shutdown_timeout 2m
users { default_domain example.com }
cluster { redis @URL@; password_file @DIR@/redis.password; @MORE@ }
farm f { affinity 10m
    server d1 { address @D1@ }; server d2 { address @D2@ } }
default pool { check { kind none } }
pool imap { farm f; port @IMAP@; close_spread 0s }
listener imap { bind 127.0.0.1:@PORT{imap}@; starttls off; plaintext_login yes; pool imap }
END
	wait_for(sub { @{ $_->ask_json('show cluster') } == 2 }, 30, 'the proxies to know each other') for @proxy;
	return @proxy;
}
sub come ($proxy, $n) {
	my $client = Gatepost::Imap->new(port => $proxy->port('imap'), timeout => 20);
	$client->login("user$n", "pass-$n");
	return $client;
}
sub homes ($proxy) {
	return { map { $_->{user} => $_->{server} } @{ $proxy->ask_json('users') } };
}
# All who are moved there are where the hash does not have them.
sub settle (@proxy) {
	my %client = map { $_ => come($proxy[$_ % 2], $_) } 1 .. USERS;
	my %home = %{ homes($proxy[0]) };

	for my $n (1 .. USERS / 2) {
		my $user = "user$n\@example.com";

		$home{$user} = $home{$user} eq 'd1' ? 'd2' : 'd1';
		$proxy[0]->ask("user user$n move $home{$user}");
		$client{$n}->close;
		$client{$n} = come($proxy[$n % 2], $n);
	}
	return (\%client, \%home);
}
sub all_is_well ($what, $client, $home, @proxy) {
	for my $proxy (@proxy) {
		wait_for(sub {
			my $now = eval { homes($proxy) } // {};
			!grep { ($now->{$_} // '') ne $home->{$_} } keys %$home
		}, 60, "all users to be known: $what");
	}
	is_deeply([grep { $client->{$_}->cmd('NOOP') !~ / OK/ } sort keys %$client], [], "$what: all sessions go on");
	my @strays;
	for my $n (1 .. USERS) {
		my $again = come($proxy[1 - $n % 2], $n);
		my ($row) = grep { $_->{farm} eq 'f' } @{ $proxy[0]->ask_json("user user$n") };
		push @strays, "user$n: $row->{server}" if $row->{server} ne $home->{"user$n\@example.com"};
		$again->close;
	}
	is_deeply(\@strays, [], "$what: who comes to the other proxy is on the same server");
	return;
}

# Sentinels.
my $master = Gatepost::Redis->new(name => 'master', settings => ['--masterauth', SECRET])->start;
my $replica = Gatepost::Redis->new(name => 'replica', settings => ['--masterauth', SECRET, '--replicaof',
    "127.0.0.1 ${\$master->port}"])->start;
wait_for(sub { $replica->ask('ROLE')->[3] eq 'connected' }, 30, 'the replica to follow');
my @sentinel_port = map { free_port() } 1 .. 3;
my @sentinels;
for my $i (0 .. 2) {
	write_file("$dir/sentinel$i.conf", <<~"END");
		bind 127.0.0.1
		port $sentinel_port[$i]
		dir $dir
		sentinel monitor mail 127.0.0.1 ${\$master->port} 2
		sentinel auth-pass mail ${\SECRET}
		sentinel down-after-milliseconds mail 1500
		sentinel failover-timeout mail 5000
		END
	push @sentinels, Gatepost::Process->new(name => "sentinel$i",
	    command => ['redis-server', "$dir/sentinel$i.conf", '--sentinel'])->start;
}
$_->wait_for_log(qr/\+sentinel sentinel/, 30, 2) for @sentinels;
my @proxy = proxies('watched', 'redis+sentinel://' . join(',', map { "127.0.0.1:$_" } @sentinel_port) . '/mail');
my ($client, $home) = settle(@proxy);
is($proxy[0]->ask_json('show cluster redis')->{kind}, 'sentinel', 'sentinels');
$master->kill_now;
# a user whom this proxy does not know, and the hash has elsewhere
my $stray = come($proxy[0], 1);
wait_for(sub { ($proxy[0]->ask_json('show cluster redis')->{servers} // '') =~ /:${\$replica->port} master/ }, 60,
    'the other server to be the master');
wait_for(sub { $_->ask_json('show cluster redis')->{state} eq 'up' }, 60, 'it to be used') for @proxy;
all_is_well('a failover', $client, $home, @proxy);
like($stray->rest(30), qr/^\* BYE/m, 'a failover: who was on a second server meanwhile is told to go');
like($proxy[0]->wait_for_log(qr/sessions ended/), qr/their users were on another server meanwhile/, 'and the log tells');
cmp_ok($proxy[0]->ask_json('show cluster redis')->{reconciled}, '>=', 1, 'and it is counted');

# Both processes of an upgrade are of the cluster.
my $old = $proxy[1]->upgrade;
ok($old, 'a proxy is upgraded');
wait_for(sub { @{ $proxy[0]->ask_json('show cluster') } == 3 }, 30, 'both its processes to be known');
all_is_well('an upgrade', $client, $home, @proxy);
$_->close for values %$client;
$old->wait_for_end;
wait_for(sub { @{ $proxy[0]->ask_json('show cluster') } == 2 }, 30, 'the old one to be forgotten');
$_->stop for @proxy;
$_->kill_now for $replica, @sentinels;

# A Redis Cluster.
my @node = map { Gatepost::Redis->new(name => "node$_", settings => ['--cluster-enabled', 'yes',
    '--cluster-config-file', "$dir/nodes$_.conf", '--cluster-node-timeout', '2000', '--masterauth', SECRET])->start }
    1 .. 3;
my @address = map { '127.0.0.1:' . $_->port } @node;
run_command('redis-cli', ['redis-cli', '-a', SECRET, '--no-auth-warning', '--cluster', 'create', @address,
    '--cluster-yes']);
wait_for(sub { $_->ask('CLUSTER', 'INFO') =~ /cluster_state:ok/ }, 60, 'the cluster to be well') for @node;
@proxy = proxies('spread', "redis+cluster://$address[0],$address[1]", 'prefix spread');
($client, $home) = settle(@proxy);
my $redis = $proxy[0]->ask_json('show cluster redis');
is("$redis->{kind} " . (() = $redis->{servers} =~ / master/g), 'cluster 3', 'a cluster of three');
is(scalar(grep { $_->ask('DBSIZE') > 0 } @node), 3, 'and all have some of the data');
$node[2]->kill_now;
wait_for(sub { $node[0]->ask('CLUSTER', 'INFO') =~ /cluster_state:fail/ }, 60, 'the cluster to be broken');
is_deeply([grep { $client->{$_}->cmd('NOOP') !~ / OK/ } sort keys %$client], [], 'a broken cluster: sessions go on');
for my $n (1 .. USERS) { come($proxy[$n % 2], $n)->close }
pass('and whoever is known here gets in');
$node[2]->start;
wait_for(sub { $_->ask('CLUSTER', 'INFO') =~ /cluster_state:ok/ }, 60, 'the cluster to be well again') for @node;
wait_for(sub { $_->ask_json('show cluster redis')->{state} eq 'up' }, 60, 'it to be used') for @proxy;
all_is_well('a cluster that has lost a third', $client, $home, @proxy);
$_->stop for @proxy;
$_->kill_now for @node;
$_->stop_quietly for values %dovecot;
done_testing;
