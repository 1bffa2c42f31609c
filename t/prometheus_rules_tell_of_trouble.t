#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# contrib/prometheus-rules.yml by promtool: it is well formed, three of its alerts come when they should, and all
# that it and the dashboard ask for is among the metrics that there are.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Cert qw(make_cert);
use Gatepost::Fake;
use Gatepost::Gatepost;
use Gatepost::Http qw(http);
use Gatepost::Port qw(free_port);
use Gatepost::Process qw(read_file test_dir wait_for write_file);
use JSON::PP qw(decode_json);
use Test::More;

my $top = "$FindBin::Bin/..";
plan skip_all => 'needs promtool' unless grep { -x "$_/promtool" } split /:/, $ENV{PATH};

for my $command ("check rules $top/contrib/prometheus-rules.yml", "test rules $FindBin::Bin/prometheus/rules_test.yml") {
	my $output = `promtool $command 2>&1`;
	is($?, 0, "promtool $command") or diag($output);
}
my $dashboard = decode_json(read_file("$top/contrib/grafana-dashboard.json"));
my @asked = map { $_->{expr} } map { @{ $_->{targets} } } @{ $dashboard->{panels} };
cmp_ok(scalar @asked, '>=', 10, 'the dashboard asks for something');
my %panels = map { ($_->{id} => 1) } @{ $dashboard->{panels} };
is(scalar keys %panels, scalar @{ $dashboard->{panels} }, 'each panel has an id of its own');

# Something of all that is told of.
my $cert = make_cert(name => '127.0.0.1', names => ['127.0.0.1']);
my $server = Gatepost::Fake->new(name => 'server', script => [[starttls => $cert], [send => "* OK ready\r\n"], ['hold']])
    ->start;
write_file(test_dir() . '/users', "user1:{PLAIN}pass-1\n");
my $gatepost = Gatepost::Gatepost->new(values => { CERT => $cert, SERVER => $server->port, NOBODY => free_port() },
    config => <<~'END')->start;
	cluster { redis redis://127.0.0.1:@NOBODY@ }
	auth staff { source file; path @DIR@/users }
	tls main { certificate @CERT@ }
	farm mail { affinity 15m; server b1 { address 127.0.0.1 } }
	pool imap { farm mail; port @SERVER@; server_tls implicit { ca @CERT@ }; check { interval 200ms } }
	listener imap { bind 127.0.0.1:@PORT{imap}@; tls main; auth staff; pool imap }
	admin { socket @DIR@/gatepost.sock { level admin }; http 127.0.0.1:@PORT{http}@ }
	END
my $metrics;
wait_for(sub {
	$metrics = http('http://127.0.0.1:' . $gatepost->port('http') . '/metrics');
	return $metrics->{body} =~ /^gatepost_server_certificate/m;
}, 10, 'a check');
is($metrics->{type}, 'text/plain; version=0.0.4; charset=utf-8', 'the type that Prometheus asks for');
my %is_there = map { ($_ => 1) } $metrics->{body} =~ /^([a-z]\w*)(?:\{|\s)/mg;
my %used = map { ($_ => 1) } join(' ', @asked, read_file("$top/contrib/prometheus-rules.yml"))
    =~ /\b((?:haproxy|gatepost)_\w+)\{/g;
ok($is_there{$_}, "$_ is a metric") for sort keys %used;
$gatepost->stop;
$server->kill_now;
done_testing;
