#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# What there is to see over HTTP: commands as JSON, HAProxy's paths and words, whether gatepost lives and
# whether clients should come; and what is asked wrongly gets an answer that says so.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Fake;
use Gatepost::Gatepost;
use Gatepost::Http qw(http);
use Gatepost::Process qw(wait_for);
use IO::Socket::INET;
use Test::More;

my $server = Gatepost::Fake->new(name => 'server', script => [[send => "* OK ready\r\n"], ['hold']])->start;
my $config = <<~'END';
	shutdown_delay 20s
	pool imap {
	    port @SERVER@
	    check { kind tcp; interval 1s; down_interval 1s; rise 1; fall 1 }
	    server b1 { address 127.0.0.1 }
	    server b2 { address 127.0.0.1; state drain }
	}
	pool empty { protocol imap; check { kind none } port 1; server gone { address 127.0.0.1; state STATE } }
	listener imap { bind 127.0.0.1:@PORT{imap}@; starttls off; plaintext_login yes; pool imap }
	admin {
	    socket @DIR@/gatepost.sock { level admin }
	    http 127.0.0.1:@PORT{http}@
	    http 127.0.0.1:@PORT{all}@ { level operator; allow 127.0.0.0/8 }
	    http 127.0.0.1:@PORT{none}@ { allow 127.9.0.0/16 }
	}
	END
my $gatepost = Gatepost::Gatepost->new(config => $config =~ s/STATE/ready/r, values => { SERVER => $server->port })->start;
my $base = 'http://127.0.0.1:' . $gatepost->port('http');

# what commands say
my $servers = http("$base/api/v1/show/servers");
is($servers->{type}, 'application/json', 'a command answers in JSON');
wait_for(sub { http("$base/api/v1/show/servers")->{json}->()[0]{state} eq 'up' }, 20, 'b1 to be up');
my %state = map { ("$_->{pool}/$_->{server}" => $_->{state}) } @{ http("$base/api/v1/show/servers")->{json}->() };
is_deeply(\%state, { 'imap/b1' => 'up', 'imap/b2' => 'drain', 'empty/gone' => 'unknown' }, 'states of servers');
is(scalar @{ http("$base/api/v1/show/servers/empty")->{json}->() }, 1, 'words behind a command');
is(http("$base/api/v1/show/servers/%65mpt%79/")->{json}->()[0]{server}, 'gone', 'percent-encoded words');
is_deeply(http("$base/api/v1/show/cli/level")->{json}->(), { answer => ['user'] }, 'lines of a command without JSON');
my $index = http("$base/api/v1")->{json}->();
ok((grep { $_->{name} eq 'show servers' } @{ $index->{commands} }), 'all commands are listed');
ok(!$index->{may_change}, 'nothing can be changed without a password');
is(http('http://127.0.0.1:' . $gatepost->port('all') . '/api/v1')->{json}->()->{level}, 'operator', 'a level');
my $listener = http("$base/api/v1/show/listeners")->{json}->()[0];
is("$listener->{listener} $listener->{protocol} $listener->{addresses}",
    'imap imap 127.0.0.1:' . $gatepost->port('imap'), 'listeners');
like($gatepost->ask('show servers imap'), qr/^pool +server .*^imap +b1 .* up /ms, 'the same as a table on a socket');

# paths that others' tools know
like(http("$base/stats")->{body}, qr/HAProxy version 2\.6\.[\w.-]+,/, "the words that Zabbix looks for");
like(http("$base/stats")->{body}, qr/\b\d+d \d+h\d\dm\d\ds\b/, 'and the time since the start');
my ($has_stat, $has_metrics) = map { my $name = $_; scalar grep { $_->{name} eq $name } @{ $index->{commands} } }
    'show stat', 'show metrics';
for my $path ('/stats;csv', '/;csv', '/;csv;norefresh') {
	my $csv = http($base . $path);
	is($csv->{status}, $has_stat ? 200 : 404, $path);
	like($csv->{body}, qr/^# pxname,svname/, "$path is CSV") if $has_stat;
}
my $page = http("$base/");
is($page->{type}, 'text/html; charset=utf-8', 'the page');
like($page->{headers}{'content-security-policy'}, qr/^default-src 'none'; script-src 'self'; style-src 'self';/,
    'no foreign script is run there');
is(http("$base$_")->{status}, 200, $_) for grep { $_ ne '/metrics' || $has_metrics }
    $page->{body} =~ m{(?:src|href)="(/[\w.]+)"}g;
unlike($page->{body}, qr{(?:src|href)="(?:\w+:)?//}, 'nothing comes from elsewhere');

# is it to be had?
is(http("$base/healthz")->{status}, 200, 'it lives');
is(http("$base/readyz")->{status}, 200, 'it is ready');
$gatepost->configure($config =~ s/STATE/maintenance/r);
ok($gatepost->reload, 'a reload');
my $ready = http("$base/readyz");
is("$ready->{status} $ready->{body}", "503 pool empty: no server takes sessions\n", 'a pool without a server');
$gatepost->configure($config =~ s/STATE/ready/r);
$gatepost->reload;
is(http("$base/readyz")->{status}, 200, 'ready again');

# what is asked wrongly
is(http("$base/api/v1/show/nonsense")->{status}, 404, 'no such command');
is(http("$base/api/v1/show/servers/none")->{status}, 400, 'a command that fails');
is_deeply(http("$base/api/v1/show/servers/none")->{json}->(), { error => 'No such backend.' }, 'and says why');
is(http("$base/$_")->{status}, 404, "no such path: $_") for 'nowhere', 'api/v10', 'healthz/x', '../etc/passwd';
is(http("$base/api/v1/show/servers%0Ashow")->{status}, 400, 'a line end within a word');
is(http("$base/api/v1/show/version/%")->{status}, 400, 'half an encoding');
is(http("$base/api/v1/$_")->{status}, 405, "$_ is not asked by GET") for 'set/weight/imap%2Fb1/2', 'kick/user/x';
is(http("$base/", '-X', $_)->{status}, 405, "$_ is refused") for qw(PUT DELETE OPTIONS POST TRACE);
is(http("$base/", '-X', 'PUT')->{headers}{allow}, 'GET', 'and what is allowed is said');
my $head = http("$base/stats", '-I');
is("$head->{status} $head->{body}", '200 ', 'HEAD has no body');
cmp_ok($head->{headers}{'content-length'}, '>', 100, 'but its length');
cmp_ok(http("$base/" . 'x' x 60_000)->{status}, '>=', 400, 'a path that never ends');
cmp_ok(http("$base/healthz", '-H', 'X: ' . 'x' x 60_000)->{status}, '>=', 400, 'a header that never ends');
is(http("$base/", '-H', 'Host: rebound.example.com')->{status}, 403, 'a foreign name for this machine');
is(http("$base/healthz", '-H', "Host: $_")->{status}, 200, "Host: $_") for 'localhost:8404', '[::1]:80', '127.0.0.1';
is(http('http://127.0.0.1:' . $gatepost->port('none') . '/healthz')->{status}, 0, 'who is not allowed is hung up on');

my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $gatepost->port('http'));
print {$socket} "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n" x 3 . "\0\x16garbage\r\n\r\n";
shutdown $socket, 1;
local $/;
like(scalar(<$socket>) // '', qr/(?:200 OK.*){3}/s, 'three requests at once, then garbage');

# during the delay of a shutdown clients still come, but no new ones should be sent
$gatepost->signal('TERM');
$gatepost->wait_for_log(qr/stopping: clients are accepted/);
is(http("$base/readyz")->{status}, 503, 'not ready while it stops');
is(http("$base/healthz")->{status}, 200, 'but it lives');
$gatepost->signal('INT');
$gatepost->wait_for_end;
done_testing;
