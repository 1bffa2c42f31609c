#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Two proxies with a Redis between them: who is banned at one is banned at the other; a user's sessions and a
# server's connections count at both; an operator's word holds at both, and at a third one that starts later;
# a TLS session goes on at the other; each sees the other's checks.  Without Redis all of that goes on alone.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Cert qw(make_cert);
use Gatepost::Fake;
use Gatepost::Gatepost;
use Gatepost::Imap;
use Gatepost::Port qw(free_port);
use Gatepost::Process qw(test_dir wait_for write_file);
use Gatepost::Redis;
use Test::More;
use Time::HiRes qw(time);

my $dir = test_dir();
my %fake = map { $_ => Gatepost::Fake->new(name => $_, script => [
	[send => "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] ready\r\n"],
	[expect => qr/^(\S+) AUTHENTICATE[^\r\n]*\r\n/m], [send => sub ($tag) { "$tag OK in\r\n" }], ['hold'],
])->start } qw(s1 s2);
my $redis = Gatepost::Redis->new(name => 'redis')->start;
my $cert = make_cert(name => 'localhost');
write_file("$dir/users", "alice:{PLAIN}good\nbob:{PLAIN}good\n");
write_file("$dir/redis.password", $redis->password . "\n");
write_file("$dir/secret", "what all proxies know, and nobody else\n");

my $config = <<'END';
cluster { redis redis://127.0.0.1:@REDIS@; password_file @DIR@/redis.password; name @NAME@
    secret_file @DIR@/secret; timeout 2s }
auth file { source file; path @DIR@/users }
limits public { user_connections 20; auth_ban 3 10m 1h; auth_failure_delay 1ms 1ms; exempt 192.0.2.1 }
tls public { certificate @CERT@ }
default pool { check { kind none }; protocol imap }
pool imap { server s1 { address 127.0.0.1:@S1@ }; server s2 { address 127.0.0.1:@S2@ } }
pool checked { check { kind tcp; interval 1h }; server s1 { address 127.0.0.1:@S1@; agent 127.0.0.1:1; agent_interval 1h } }
pool few { max_connections 2; queue_timeout 1s; login_timeout 5s; server s1 { address 127.0.0.1:@S1@ } }
default listener { protocol imap; plaintext_login yes; auth file; starttls optional; tls public }
listener imap { bind 127.0.0.1:@PORT{imap}@; limits public; pool imap }
listener few { bind 127.0.0.1:@PORT{few}@; pool few }
listener tls { bind_tls 127.0.0.1:@PORT{tls}@; pool imap }
END
sub proxy ($name, $change = sub ($text) { $text }) {
	return Gatepost::Gatepost->new(name => $name, config => $change->($config), values => { NAME => $name, REDIS => $redis->port,
	    S1 => $fake{s1}->port, S2 => $fake{s2}->port, CERT => $cert })->start;
}
my @proxy = map { proxy("lb$_") } 1, 2;

sub come ($proxy, $user, $password = 'good', $listener = 'imap') {
	my $client = Gatepost::Imap->new(port => $proxy->port($listener), timeout => 20);
	$client->{answer} = $client->cmd("LOGIN $user $password");
	return $client;
}
sub is_in ($client) { return $client->{answer} =~ /^\S+ OK/m }

subtest 'sessions of a user count at both' => sub {
	my @clients = map { come($proxy[0], 'alice') } 1 .. 20;

	is(scalar(grep { is_in($_) } @clients), 20, 'as many as may be, at the first one');
	# a share of them is let in at the other, which tells of it, and hears
	push @clients, map { come($proxy[1], 'alice') } 1 .. 3;
	my $late;
	ok(eval { wait_for(sub { $late = come($proxy[1], 'alice'); !is_in($late) }, 10, 'one too many') },
	    'and then no more') or diag($@);
	unlike($late->{answer}, qr/^\S+ OK/m, 'the client hears that');
	undef @clients;
	ok(eval { wait_for(sub { is_in(come($proxy[1], 'alice')) }, 10, 'room') }, 'there is room again') or diag($@);
};

subtest 'a state and a weight hold at both' => sub {
	$proxy[0]->ask('drain imap/s1 reason "a new disk"');
	ok(eval { wait_for(sub { my ($row) = grep { $_->{what} eq 'state' && $_->{subject} eq 'imap/s1' }
	    @{ $proxy[1]->ask_json('show changes') }; $row && $row->{why} =~ /new disk/ && $row->{who} =~ /at lb1/ },
	    10, 'the drain') }, 'who, and why') or diag($@, $proxy[1]->ask('show changes'));
	my $third = proxy('lb3');
	ok(eval { wait_for(sub { $third->ask('show changes') =~ /new disk/ }, 10, 'the drain') },
	    'at a proxy that starts later') or diag($@);
	$third->stop;
	$proxy[1]->ask('ready imap/s1');
	ok(eval { wait_for(sub { $proxy[0]->ask('show changes') !~ /new disk/ }, 10, 'ready') },
	    'and the end of it comes back') or diag($@);
	$proxy[1]->ask('set weight imap/s2 7 a bigger machine');
	ok(eval { wait_for(sub { $proxy[0]->ask('get weight imap/s2') =~ /^7 /m }, 10, 'the weight') },
	    'a weight') or diag($@, $proxy[0]->ask('get weight imap/s2'));
	$proxy[0]->ask('set weight imap/s2 1 as it was');
	ok(eval { wait_for(sub { $proxy[1]->ask('get weight imap/s2') =~ /^1 /m }, 10, 'the weight') },
	    'and back again') or diag($@);
};

sub changed ($proxy, $what, $subject = 'checked/s1') {
	my ($row) = grep { $_->{what} eq $what && $_->{subject} eq $subject } @{ $proxy->ask_json('show changes') };
	return $row;
}

subtest 'bounds, checks and agents that are off are so at both' => sub {
	my %orders = (
		max_connections => ['set maxconn server checked/s1 7', 'set maxconn server checked/s1 0', '7'],
		checks => ['disable health checked/s1', 'enable health checked/s1', 'off'],
		agent => ['disable agent checked/s1', 'enable agent checked/s1', 'off'],
	);

	for my $what (sort keys %orders) {
		$proxy[0]->ask("$orders{$what}[0] reason \"as $what\"");
		my $row = eval { wait_for(sub { changed($proxy[1], $what) }, 10, $what) } or diag($@);
		is($row->{now}, $orders{$what}[2], $what);
		like($row->{who}, qr/^uid \d+ .*at lb1$/, 'by whom');
		like($row->{why}, qr/as $what/, 'and why');
	}
	my $third = proxy('lb3');
	ok(eval { wait_for(sub { 3 == grep { changed($third, $_) } keys %orders }, 10, 'all three') },
	    'so it is at a proxy that starts later') or diag($@, $third->ask('show changes'));
	$third->stop;
	for my $what (sort keys %orders) {
		$proxy[1]->ask($orders{$what}[1]);
		ok(eval { wait_for(sub { !changed($proxy[0], $what) }, 10, "the end of $what") },
		    "$what: and is taken back by the other one") or diag($@, $proxy[0]->ask('show changes'));
	}
	my $own = proxy('own', sub ($text) {
		return $text =~ s/pool checked \{/pool checked { max_connections 5;/r =~ s/agent \S+; agent_interval 1h //r;
	});
	$proxy[0]->ask('set maxconn server checked/s1 7; disable agent checked/s1; disable health checked/s1');
	ok(eval { wait_for(sub { changed($own, 'checks') }, 10, 'the last order') }, 'a later order is heard') or diag($@);
	is(changed($own, 'max_connections'), undef, 'a file with another bound has its own');
	is(changed($own, 'agent'), undef, 'where no agent is configured none can be off');
	is(scalar $own->log_lines(qr/(?:agent|max_connections) set to/), 0, 'and nothing else is logged');
	$own->stop;
	$proxy[0]->ask('set maxconn server checked/s1 0; enable agent checked/s1; enable health checked/s1');
	ok(eval { wait_for(sub { !grep { changed($proxy[1], $_) } keys %orders }, 10, 'the end') }, 'all is as before') or
	    diag($@);
};

subtest 'a listener is closed at one alone' => sub {
	like($proxy[0]->ask('disable frontend few'), qr/^Listener few is disabled at this proxy alone\.$/m, 'so it is told');
	$proxy[0]->ask('set maxconn server checked/s1 9');
	ok(eval { wait_for(sub { changed($proxy[1], 'max_connections') }, 10, 'a later order') }, 'the other one hears') or
	    diag($@);
	is(changed($proxy[1], 'state', 'few'), undef, 'nothing of it');
	ok(is_in(come($proxy[1], 'bob', 'good', 'few')), 'and takes clients');
	like($proxy[0]->ask('enable frontend few'), qr/^Listener few is enabled at this proxy alone\.$/m, 'until it is open again');
	$proxy[0]->ask('set maxconn server checked/s1 0');
};

subtest 'connections of both count for max_connections' => sub {
	my @clients = map { come($proxy[0], 'bob', 'good', 'few') } 1, 2;

	is(scalar(grep { is_in($_) } @clients), 2, 'two are let in');
	ok(eval { wait_for(sub { my $c = come($proxy[1], 'bob', 'good', 'few'); !is_in($c) }, 15, 'no room') },
	    'then none at the other') or diag($@);
	undef @clients;
	ok(eval { wait_for(sub { is_in(come($proxy[1], 'bob', 'good', 'few')) }, 15, 'room') },
	    'until they have gone') or diag($@);
};

sub s_client ($proxy, @options) {
	my $port = $proxy->port('tls');

	return `(echo 'a LOGOUT'; sleep 0.3) | timeout 20 openssl s_client -connect 127.0.0.1:$port -crlf -ign_eof @options 2>&1`;
}

subtest 'each sees the other ones servers' => sub {
	my $client = come($proxy[0], 'bob');
	my ($row) = eval { wait_for(sub { my @rows = grep { $_->{proxy} eq 'lb1' && $_->{server} eq 'imap/s2' }
	    @{ $proxy[1]->ask_json('show cluster health') }; @rows && $rows[0]{connections} == 1 ? $rows[0] : undef },
	    10, 'the connection') };

	is($row && $row->{health}, 'unknown', 'nobody checks it') or diag($@,
	    $proxy[1]->ask('show cluster health'));
};

subtest 'a TLS session goes on at the other one' => sub {
	for my $version (qw(-tls1_2 -tls1_3)) {
		ok(eval { wait_for(sub {
			s_client($proxy[0], $version, '-sess_out', "$dir/session");
			s_client($proxy[1], $version, '-sess_in', "$dir/session") =~ /^Reused, /m;
		}, 20, 'a session that goes on') }, $version) or diag($@);
	}
};

subtest 'who is banned at one is banned at both' => sub {
	come($proxy[0], 'bob', "bad$_") for 1 .. 3;
	ok(eval { wait_for(sub { $proxy[$_]->ask('show table failed_logins') =~ /banned=1/ }, 15, 'a ban') }, $proxy[$_]{name}) or
	    diag($@, $proxy[$_]->ask('show table failed_logins')) for 0, 1;
};

subtest 'without Redis each goes on alone' => sub {
	$redis->stop;
	ok(is_in(come($proxy[1], 'bob', 'good', 'few')), 'a login');
	$proxy[0]->ask('drain imap/s1 reason "alone"');
	$redis->start;
	ok(eval { wait_for(sub { $proxy[1]->ask('show changes') =~ /alone/ }, 20, 'the order') },
	    'which is heard when Redis is back') or diag($@, $proxy[1]->ask('show changes'));
};

$_->stop for @proxy;
done_testing();
