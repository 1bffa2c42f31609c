#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# A proxy, and this program in the place of another one: of an older release, as that was recorded, and of a newer
# one that says more than is known yet.  Through a real Redis both meet their users on one server, hear each
# other's kicks, orders and checks, and find each other's bindings.  A release that has nothing in common is told.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Digest::SHA qw(sha256_hex);
use Gatepost::Fake;
use Gatepost::Gatepost;
use Gatepost::Http qw(http);
use Gatepost::Imap;
use Gatepost::Process qw(test_dir wait_for write_file);
use Gatepost::Redis;
use Test::More;

my $dir = test_dir();
my %fake = map { $_ => Gatepost::Fake->new(name => $_, script => [
	[send => "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] ready\r\n"],
	[expect => qr/^(\S+) AUTHENTICATE[^\r\n]*\r\n/m], [send => sub ($tag) { "$tag OK in\r\n" }], ['hold'],
])->start } qw(d1 d2);
my $redis = Gatepost::Redis->new(name => 'redis')->start;
write_file("$dir/users", join '', map { "user$_:{PLAIN}good\n" } 1 .. 50);
write_file("$dir/redis.password", $redis->password . "\n");
my $gatepost = Gatepost::Gatepost->new(config => <<'END', values => { REDIS => $redis->port,
auth file { source file; path @DIR@/users }
cluster { redis redis://127.0.0.1:@REDIS@; password_file @DIR@/redis.password; name lb1; timeout 2s }
farm f { affinity 10m
    server d1 { address 127.0.0.1:@D1@ }; server d2 { address 127.0.0.1:@D2@ } }
default pool { check { kind none } }
pool imap { farm f; close_spread 0s }
listener imap { bind 127.0.0.1:@PORT{imap}@; starttls off; plaintext_login yes; auth file; pool imap }
admin { socket @DIR@/gatepost.sock { level admin }; http 127.0.0.1:@PORT{http}@ }
END
    D1 => $fake{d1}->port, D2 => $fake{d2}->port })->start;

# Another proxy's words, of a release: what it adds to what was recorded.
my %release = (
	older => { inc => '00000000000000aa', name => 'old', version => '0.9.0', schemas => '1-1', heartbeat => '',
	    sheet => '', word => '', message => '' },
	newer => { inc => '00000000000000bb', name => 'new', version => '2.0.0', schemas => '1-2',
	    heartbeat => "\n1 2\nregion eu", sheet => "load imap 7\n", word => "\tticket 17", message => "\nmore\nand more",
	    fields => [z => 'of a newer release', 'y:00000000000000bb' => 5] },
	foreign => { inc => '00000000000000cc', name => 'far', version => '9.0.0', schemas => '7-8', heartbeat => "\n7 8" },
);
# Redis' clock, in microseconds.
sub stamp () { my ($s, $us) = @{ $redis->ask('TIME') }; return $s * 1_000_000 + $us }
# It is repeated as long as somebody waits: who is silent is forgotten, and so is who spoke in times to come.
sub beat ($r) {
	$redis->ask('ZADD', 'gatepost:1:{proxies}:z', int(stamp() / 1000), $r->{inc});
	$redis->ask('HSET', 'gatepost:1:{proxies}:h', $r->{inc}, "$r->{name}\n$r->{version}\n7\n3\n60000$r->{heartbeat}");
	return;
}
# Of its servers, for a moment.
sub show_sheet ($r) {
	my $now = stamp();

	$redis->ask('HSET', 'gatepost:1:{board:servers}:s', $r->{inc}, "$r->{name}\n$r->{sheet}imap/d1 5 1 fine\n");
	$redis->ask('ZADD', 'gatepost:1:{board:servers}:l', int($now / 1000) + 5000, $r->{inc});
	$redis->ask('ZADD', 'gatepost:1:{board:servers}:c', $now, $r->{inc});
	return;
}
sub member ($r) {
	return wait_for(sub { beat($r); my ($row) = grep { $_->{name} eq $r->{name} } @{ $gatepost->ask_json('show cluster') }; $row },
	    20, "$r->{name} to be known");
}
sub say_to_all ($r, @parts) { return $redis->ask('PUBLISH', 'gatepost:1:said', join("\n", @parts) . ($r->{message} // '')) }
# What its operator says of a server.
sub say_order ($r, $name, $word) {
	$redis->ask('HSET', 'gatepost:1:{register:servers}', $name, stamp() . " $r->{inc} $word");
	say_to_all($r, 'register', 'servers', $r->{inc}, 0, $name, $word);
	return;
}
sub keys_of ($n) {
	my $hash = substr sha256_hex("user$n"), 0, 32;
	return ("gatepost:1:{f:$hash}:b", "gatepost:1:{f:$hash}:l");
}
# A user who comes through that proxy.
sub bind_user ($r, $n, $server) {
	my ($key, $leases) = keys_of($n);
	my $generation = stamp();
	my $now = int($generation / 1000);

	$redis->ask('HSET', $key, s => $server, g => $generation, t => $now, n => "user$n", "q:$r->{inc}" => 1,
	    "c:$r->{inc}" => 1, @{ $r->{fields} // [] });
	$redis->ask('ZADD', $leases, $now + 90_000, "$r->{inc}/$generation");
	$redis->ask('PEXPIRE', $_, 690_000) for $key, $leases;
	return $generation;
}
sub come ($n) {
	my $client = Gatepost::Imap->new(port => $gatepost->port('imap'), timeout => 20);
	like($client->cmd("LOGIN user$n good"), qr/^\S+ OK/m, "user$n comes in");
	return $client;
}
sub place ($n) { return $gatepost->ask_json("user user$n")->[0] }
# One whom this proxy would send to d1.
my @users = grep { place($_)->{server} eq 'd1' } 1 .. 50;

for my $which (qw(older newer)) {
	my $r = $release{$which};

	subtest "with a proxy of the $which release" => sub {
		my $row = member($r);
		is_deeply([@$row{qw(version sessions local_decisions schemas)}, $row->{shares} ? 1 : 0], [$r->{version}, 7, 3, $r->{schemas}, 1],
		    'each knows the other') or diag explain $row;

		my ($there, $here) = splice @users, 0, 2;
		my $generation = bind_user($r, $there, 'd2');
		my $client = come($there);
		is(place($there)->{server}, 'd2', 'who came through that one first is at the same server');
		is(place($there)->{sessions}, 2, 'with the sessions of both');
		my ($key, $leases) = keys_of($there);
		my %user = @{ $redis->ask('HGETALL', $key) };
		is_deeply([@user{qw(s g n)}], ['d2', $generation, "user$there"], 'the binding is as it was');
		is($user{z}, $r->{fields} && $r->{fields}[1], 'and what is not known of it is left alone');

		my $second = come($here);
		($key, $leases) = keys_of($here);
		%user = @{ $redis->ask('HGETALL', $key) };
		my ($inc) = map { /^c:([0-9a-f]{16})$/ } keys %user;
		is_deeply([map { s/$inc/INC/r =~ s/\d{10,}/TIME/r } map { ($_, $user{$_}) } sort keys %user],
		    ['c:INC', 1, 'g', 'TIME', 'n', "user$here", 'q:INC', $user{"q:$inc"}, 's', 'd1', 't', 'TIME'],
		    'who comes through this one is bound as that one reads it');
		is_deeply($redis->ask('ZRANGE', $leases, 0, -1), ["$inc/$user{g}"], 'with a lease');

		say_to_all($r, 'weather', 'f', 'rain');
		my $kicked = stamp();
		$redis->ask('HSET', (keys_of($there))[0], k => $kicked);
		say_to_all($r, 'kick', 'f', $kicked, "user$there");
		like($client->rest, qr/^\* BYE/m, 'a kick there ends the session here');

		say_order($r, "colour\tfarm\tf\td2", 'red');
		say_order($r, "state\tfarm\tf\td2", "1\t0\toperator at $r->{name}\ta new disk$r->{word}");
		my ($change) = @{ wait_for(sub { my $all = $gatepost->ask_json('show changes'); @$all ? $all : undef }, 20, 'the order') };
		is_deeply([@$change{qw(subject now who why)}], ['f/d2', 'drain', "operator at $r->{name}", 'a new disk'], 'an order');
		say_order($r, "state\tfarm\tf\td2", "0\t0\toperator at $r->{name}\t$r->{word}");
		ok(wait_for(sub { !@{ $gatepost->ask_json('show changes') } }, 20, 'the end of it'), 'and its end');

		my $seen = wait_for(sub { show_sheet($r); my @rows = grep { $_->{proxy} eq $r->{name} } @{ $gatepost->ask_json('show cluster health') };
		    @rows ? \@rows : undef }, 20, 'its checks');
		is_deeply([map { "@$_{qw(server health connections why)}" } @$seen], ['imap/d1 up 5 fine'], 'its checks are seen');
	};
}

subtest 'with a release that has nothing in common' => sub {
	ok(member($release{older})->{shares}, 'the others are fine');
	my $row = member($release{foreign});
	is("$row->{schemas} " . ($row->{shares} ? 'yes' : 'no'), '7-8 no', 'it is shown');
	$gatepost->wait_for_log(qr/proxy far \(gatepost 9\.0\.0\) knows the schemas 7 to 8, this one \d+ to \d+: they share nothing/);
	my $url = 'http://127.0.0.1:' . $gatepost->port('http') . '/metrics';
	ok(wait_for(sub { beat($release{foreign}); http($url)->{body} =~ /^gatepost_cluster_foreign_proxies 1$/m }, 20,
	    'the metric'), 'it is counted');
	# with more heartbeats, too
	for my $name ('older', 'newer') {
		$release{$name}{version} .= 'a';
		$release{$name}{inc} =~ s/0/1/;
		beat($release{foreign});
		member($release{$name});
	}
	is(scalar $gatepost->log_lines(qr/proxy far /), 1, 'and logged once');
};
$gatepost->stop;
done_testing;
