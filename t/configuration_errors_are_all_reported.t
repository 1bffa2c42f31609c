#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Each file of t/conf/bad is an operator's mistake, or several: -t names all
# of them, word for word as the .err beside it, and ends with status 1.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Process qw(read_file test_dir write_file);
use Test::More;

my $binary = $ENV{GATEPOST} // die "GATEPOST does not name the program; use t/run\n";
my $bad = "$FindBin::Bin/conf/bad";

# Output, errors and status of gatepost, run in the folder of the mistakes so that messages hold no paths.
sub run_gatepost (@arguments) {
	my ($out, $err) = map { test_dir() . "/$_" } qw(out err);
	my $pid = fork // die "fork: $!";

	if ($pid == 0) {
		chdir $bad or die "$bad: $!";
		delete $ENV{GATEPOST_TEST_UNSET_NAME};
		open STDOUT, '>', $out or die "$out: $!";
		open STDERR, '>', $err or die "$err: $!";
		exec $binary, @arguments or die "$binary: $!";
	}
	waitpid $pid, 0;
	return (read_file($out), read_file($err), $?);
}

my @names = map { m{([^/]+)\.conf$} } glob "$bad/*.conf";
cmp_ok(scalar @names, '>=', 15, 'there are mistakes enough');
for my $name (@names) {
	my ($out, $err, $status) = run_gatepost('-t', '-c', "$name.conf");

	is($err, read_file("$bad/$name.err"), "$name: all problems are named");
	is($status >> 8, 1, "$name: exit status 1");
	is($out, '', "$name: nothing is called good");
}

my ($out, $err, $status) = run_gatepost('-t', '-c', 'no-such-file.conf');
like($err, qr/no-such-file\.conf: .*No such file/, 'a file that is missing is named');
is($status >> 8, 1, 'and is no good configuration');

my $good = write_file(test_dir() . '/good.conf', <<'END');
pool tcp { server b1 { address 127.0.0.1:25 } }
listener tcp { bind 127.0.0.1:1025; pool tcp }
END
is_deeply([run_gatepost('-t', '-c', $good)], ["configuration is good\n", '', 0], 'a good one is called good');

my $odd = write_file(test_dir() . '/odd.conf', <<'END');
pool imap { server b1 { address 127.0.0.1 } }
listener imap { bind 127.0.0.1:1143; pool imap; starttls off; plaintext_login yes
    capabilities IDLE STARTTLS "" MOVE }
END
($out, $err, $status) = run_gatepost('-t', '-c', $odd);
is($status, 0, 'what has no effect does no harm');
like($err, qr/odd\.conf:3: listener imap: STARTTLS in `capabilities` has no effect/, 'and is told');
is(scalar(() = $err =~ /no effect/g), 1, 'of nothing else');

($out, $err, $status) = run_gatepost('-x');
is($status >> 8, 2, 'a wrong option ends with status 2');
like($err, qr/^usage: gatepost/m, 'and the usage');

done_testing;
