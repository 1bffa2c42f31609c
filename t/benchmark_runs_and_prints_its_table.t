#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# The benchmark measures gatepost and no proxy at all, here for a moment only:
# it prints plausible figures of all kinds, and leaves nothing running, not
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
for my $name (qw(imap submission tls13-resume)) {
	my ($direct, $gatepost) = map { /^(\d+) \(\d+\.\d\d\)$/ } row($name);

	cmp_ok($direct // 0, '>', 5, "$name: a session costs the server something");
	cmp_ok($gatepost // 0, '>', 5, "$name: and gatepost");
}
cmp_ok((row('imap'))[1] =~ s/ .*//r, '>', (row('imap'))[0] =~ s/ .*//r, 'a login costs gatepost more');
cmp_ok((row('tcp-down'))[$_], '>', 20, 'MB per CPU second') for 0, 1;
cmp_ok((row('hold'))[1], '>', 500, 'an idle session needs memory in gatepost');
like((row('latency'))[0], qr{^[1-9]\d* / \d+$}, 'latencies of the server');
like((row('latency'))[1], qr{^-?\d+ / -?\d+$}, 'what gatepost adds');
like($output, qr/^\| imap .*≤ 0\.90 × nginx-mail/m, 'a budget against a peer that is not there is shown');
like($output, qr/^\| latency .*\b(?:met: \d+ ≤|missed: \d+ >) 100 \|/m, 'a budget is judged');

my $long = Gatepost::Process->new(name => 'long', command => [@command, '--rounds=1000'], env => \%env)->start;
wait_for(sub { grep { read_file("$_/cmdline") =~ /load\0run/ } left_over() }, 10, 'a run');
$long->signal('TERM');
$long->wait_for_end(10);
wait_for(sub { !left_over() }, 5, 'the end of all that it started');
pass('told to end, it leaves nothing running');
done_testing;
