#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# contrib/prometheus-rules.yml by promtool: it is well formed, two of its alerts come when they should, and all
# that it and the dashboard ask for is among the metrics that there are.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Gatepost;
use Gatepost::Http qw(http);
use Gatepost::Process qw(read_file);
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

my $gatepost = Gatepost::Gatepost->new(config => <<~'END')->start;
	pool imap { port 1; server b1 { address 127.0.0.1 } }
	listener imap { bind 127.0.0.1:@PORT{imap}@; starttls off; plaintext_login yes; pool imap }
	admin { socket @DIR@/gatepost.sock { level admin }; http 127.0.0.1:@PORT{http}@ }
	END
my $metrics = http('http://127.0.0.1:' . $gatepost->port('http') . '/metrics');
SKIP: {
	skip 'there are no metrics', 1 if $metrics->{status} == 404;
	is($metrics->{type}, 'text/plain; version=0.0.4; charset=utf-8', 'the type that Prometheus asks for');
	my %is_there = map { ($_ => 1) } $metrics->{body} =~ /^([a-z]\w*)(?:\{|\s)/mg;
	my %used = map { ($_ => 1) } join(' ', @asked, read_file("$top/contrib/prometheus-rules.yml"))
	    =~ /\b((?:haproxy|gatepost)_\w+)\{/g;
	ok($is_there{$_}, "$_ is a metric") for sort keys %used;
}
$gatepost->stop;
done_testing;
