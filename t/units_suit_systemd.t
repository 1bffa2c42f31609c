#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# systemd's own tool finds nothing wrong with the units, and they are exposed to little; a stop has the time that
# gatepost takes for it by default.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Process qw(read_file run_command test_dir write_file);
use Test::More;

use constant { LAST_WORDS_S => 10, EXPOSURE_MAX => 45 };	# of 100, by a tool whose releases judge otherwise

my ($tool) = grep { -x } map { "$_/systemd-analyze" } split /:/, $ENV{PATH};
plan skip_all => 'there is no systemd-analyze' unless $tool;

my $program = $ENV{GATEPOST} // die 'use t/run';
my $contrib = "$FindBin::Bin/../contrib";
my $unit = read_file("$contrib/gatepost.service");
my %time = read_file("$FindBin::Bin/../etc/gatepost-reference.conf") =~ /^#?(shutdown_delay|shutdown_timeout) (\d+)s$/mg;
is_deeply([sort keys %time], [qw(shutdown_delay shutdown_timeout)], 'the defaults are known');
my ($stop) = $unit =~ /^TimeoutStopSec=(\d+)$/m;
cmp_ok($stop, '>=', $time{shutdown_delay} + $time{shutdown_timeout} + LAST_WORDS_S, 'a stop has its time');
like($unit, qr/^NotifyAccess=all$/m, 'another process than the main one may tell of an upgrade');

my %units = ('gatepost.service' => $unit, map { ($_ => read_file("$contrib/systemd/$_")) }
    'gatepost-agent.socket', 'gatepost-agent@.service');
mkdir test_dir() . '/units';
for my $name (sort keys %units) {
	# as if it were installed, but for the manual; users are those of the package
	write_file(test_dir() . "/units/$name", $units{$name} =~ s{/usr/sbin/gatepost\S*}{$program}gr =~ s/^Documentation=.*\n//mr);
}
for my $name ('gatepost.service', 'gatepost-agent.socket', 'gatepost-agent@x.service') {
	my $path = test_dir() . '/units/' . $name;
	my ($status, $text) = run_command("verify-$name", [$tool, 'verify', '--man=no', $path]);
	is($status, 0, "$name is well");
	unlike($text, qr/Unknown|Failed|invalid/i, 'and understood');
}
my ($version) = `$tool --version` =~ /^systemd (\d+)/;
SKIP: {
	skip 'this release looks at running units only', 1 if $version < 250;
	my ($status, $text) = run_command('security', [$tool, 'security', '--offline=true', '--threshold=' . EXPOSURE_MAX,
	    '--no-pager', test_dir() . '/units/gatepost.service']);
	is($status, 0, 'it is exposed to little') or diag($text);
}
done_testing;
