#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# The benchmark measures gatepost and no proxy at all, here for a moment only:
# it prints figures of all kinds, and leaves nothing running, not
# even when it is told to end.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use File::Basename qw(dirname);
use Gatepost::Process qw(read_file run_command wait_for);
use Test::More;

use constant SESSIONS => 50;

my $build = dirname($ENV{GATEPOST});
my @scenarios = qw(imap submission tls13-resume tcp-down hold latency);
my %env = (MAKEFLAGS => '', GATEPOST_BENCHMARK => $$);
my @command = ("$FindBin::Bin/bench/run", "--gatepost=$ENV{GATEPOST}", '--peer=gatepost', '--seconds=0.1',
    '--sessions=' . SESSIONS, '--scenario=' . join ',', @scenarios);

my ($made, $log) = run_command('make', ['make', '-s', '-C', $build, 'build/bench/load'], env => \%env);
is($made, 0, 'the load generator is built') or BAIL_OUT($log);

# What runs with our mark in its environment.
sub left_over () {
	return grep { read_file("$_/environ") =~ /\bGATEPOST_BENCHMARK=$$\0/ } glob '/proc/[0-9]*';
}

my ($status, $output) = run_command('benchmark', [@command, '--rounds=1'], env => \%env);
is($status, 0, 'it ends with exit code 0');
is_deeply([left_over()], [], 'nothing is left running');
unlike($output, qr/failed/, 'all went well');

# The cells of a scenario's row.
sub row ($name) {
	my ($cells) = $output =~ /^\| \Q$name\E \| (.*) \|$/m or return ();
	return split / \| /, $cells;
}

like($output, qr/^\d{4}-\d\d-\d\d; \d+ cores .+\n.*gatepost \d/, 'date, machine and version come first');
# How the cells of a scenario look. What they say depends on the machine and on
# what else it does: no claim of this test.
my %form = (
	imap => qr/^\d+ \(\d+\.\d\d\)$/,
	submission => qr/^\d+ \(\d+\.\d\d\)$/,
	'tls13-resume' => qr/^\d+ \(\d+\.\d\d\)$/,
	'tcp-down' => qr/^\d+$/,
	hold => qr/^-?\d+$/,
	latency => qr{^-?\d+ / -?\d+$},
);
for my $name (@scenarios) {
	my ($direct, $gatepost) = row($name);

	like($direct // '', $form{$name}, "$name: a figure of the server alone") if $name ne 'hold';
	like($gatepost // '', $form{$name}, "$name: a figure of gatepost");
}
like($output, qr/^\| imap .*≤ 0\.90 × nginx-mail/m, 'a budget against a peer that is not there is shown');
like($output, qr/^\| latency .*\b(?:met: -?\d+ ≤|missed: \d+ >) 100 \|/m, 'a budget is judged');

my $long = Gatepost::Process->new(name => 'long', command => [@command, '--rounds=1000'], env => \%env)->start;
wait_for(sub { grep { read_file("$_/cmdline") =~ /load\0run/ } left_over() }, 10, 'a run');
$long->signal('TERM');
$long->wait_for_end(10);
wait_for(sub { !left_over() }, 5, 'the end of all that it started');
pass('told to end, it leaves nothing running');
done_testing;
