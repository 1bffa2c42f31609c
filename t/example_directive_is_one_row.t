#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# t/example has a block of its own, with one directive: one row.  That alone
# has it parsed, judged, suggested, shown and documented.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Gatepost qw(example_program);
use Gatepost::Process qw(test_dir write_file);
use Test::More;

my $program = example_program();
my $conf = test_dir() . '/c.conf';

sub output (@arguments) {
	state $number = 0;
	my ($status, $text) = Gatepost::Process::run_command('run' . ++$number, [$program, @arguments]);
	return ($text, $status);
}

# What is said of a configuration with these lines.
sub said ($option, $lines) {
	write_file($conf, <<"END");
pool tcp { server b1 { address 127.0.0.1:25 } }
listener tcp { bind 127.0.0.1:1025; pool tcp }
$lines
END
	return (output($option, '-c', $conf))[0] =~ s/^\Q$conf\E:/c.conf:/gmr;
}

is(said('-t', 'courier { rest 20s }'), "configuration is good\n", 'it is taken');
is(said('-t', ''), "configuration is good\n", 'and need not be written');
like(said('-T', ''), qr/^courier \{.*\n(?:.*\n)*?\trest 3s # default\n/m, 'the default is shown');
like(said('-T', 'courier { rest 60000ms }'), qr/^courier \{.*\n(?:.*\n)*?\trest 60000ms\n/m, 'or what was written');
like(said('-t', "courier {\n\trest 6m\n}"), qr/^c\.conf:4:7: rest: 6m is outside 1s to 5m$/m, 'its range');
like(said('-t', 'courier { rest long }'), qr/^c\.conf:3:16: rest: /m, 'its kind');
like(said('-t', 'courier { rset 2s }'), qr/^c\.conf:3:11: rset is unknown in courier; did you mean rest\?$/m, 'a typo is told what may be meant');
like(said('-t', 'curier { rest 2s }'), qr/^c\.conf:3:1: curier is unknown; did you mean courier\?$/m, 'that of the block, too');
like(said('-t', "shutdown_timeout 30s\ncourier { rest 31s }"),
    qr/^c\.conf:4:16: rest: the courier would sleep over the end/m, 'its use, here with a directive of the root');
like(said('-t', "courier { }\ncourier { }"), qr/^c\.conf:4:1: courier is given twice/m, 'there is one');

my ($mdoc) = output('--document=mdoc');
like($mdoc, qr/^Who carries satchels\.\n\.Bl.*\n/m, 'the manual has the block');
is($mdoc =~ /^(\.It Ic rest .*?)^\.El/ms ? $1 : '', <<'END', 'and the directive');
.It Ic rest Ar \&duration
Time for which a courier sits down; no longer than \fBshutdown_timeout\fR.
Default: 3s.
Range: 1s to 5m.
END
my ($reference) = output('--document=conf');
like($reference, qr/^#?courier \{\n(?:#.*\n)*?#\trest 3s\n/m, 'the reference');

my ($ours) = Gatepost::Process::run_command('ours', [$ENV{GATEPOST}, '-t', '-c', $conf]);
is($ours >> 8, 1, 'gatepost itself knows nothing of it');

done_testing;
