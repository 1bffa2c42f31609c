#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# A certificate renewed so that only root can read it, when root's rights are
# given up already: the log says so, the old one serves on, and once the file
# can be read the new one is taken without a reload.  Takes a minute, the time
# between two looks at the files.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Cert qw(cert_fingerprint make_cert);
use Gatepost::Gatepost;
use Gatepost::Imap;
use Gatepost::Process qw(test_dir);
use Test::More;

plan skip_all => 'needs root' if $> != 0;

use constant LOOK_WITHIN => 90;		# a minute, on a busy machine

chmod 0777, test_dir();		# where the user writes its logs

# Two that only root can read when they are looked at, one that was mended by then, one that is left alone.
my @names = qw(kept mended renewed untouched);
my %cert = map { $_ => make_cert(name => "$_.example.com") } @names;
my %old = map { $_ => cert_fingerprint($cert{$_}) } @names;
my $config = "user nobody\npool imap { port 9; server s { address 127.0.0.1 } }\n";
for my $name (@names) {
	$config .= <<~"END";
		tls $name { certificate $cert{$name} }
		listener $name { protocol imap; bind_tls 127.0.0.1:\@PORT{$name}\@; tls $name; pool imap }
		END
}
# after a change of user the leak checker may not look at its own process
my $gatepost = Gatepost::Gatepost->new(config => $config, env => { ASAN_OPTIONS => 'detect_leaks=0' })->start;

sub shown ($name) {
	my $client = Gatepost::Imap->new(port => $gatepost->port($name), tls => 1);
	my $fingerprint = $client->fingerprint;
	$client->close;
	return $fingerprint;
}

is(shown($_), $old{$_}, "$_: the first certificate") for @names;

my @unreadable = qw(kept mended);
make_cert(name => "$_.example.com", path => $cert{$_}, mode => 0600) for @unreadable;
make_cert(name => 'renewed.example.com', path => $cert{renewed});
my %new = map { $_ => cert_fingerprint($cert{$_}) } @names;

ok(!$gatepost->reload, 'a reload that cannot read one fails');
ok($gatepost->log_lines(qr/ error: \Q$gatepost->{conf}\E:\d+:\d+: \Q$cert{$_}\E: Permission denied/),
    "$_: and is named")
    for @unreadable;
is(shown($_), $old{$_}, "$_: the old one serves after the failed reload") for @names;
chmod 0644, $cert{mended} or die "$cert{mended}: $!";

my $line = $gatepost->wait_for_log(qr/tls kept: the old certificate stays in use/, LOOK_WITHIN);
like($line, qr/ error: .*\Q$cert{kept}\E: Permission denied/, 'kept: the look at the files tells the same');
for my $name (qw(mended renewed)) {
	ok(eval { $gatepost->wait_for_log(qr/tls $name: certificate reloaded/, LOOK_WITHIN) },
	    "$name: is taken without a reload") or diag($@);
	is(shown($name), $new{$name}, "$name: the new one is shown");
}
is(shown($_), $old{$_}, "$_: the old one is shown") for qw(kept untouched);

chmod 0644, $cert{kept} or die "$cert{kept}: $!";
ok($gatepost->reload, 'with all mended, a reload works');
is(shown('kept'), $new{kept}, 'kept: the new one is shown');

$gatepost->stop;
done_testing;
