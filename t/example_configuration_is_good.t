#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# The example that is installed, with its comments taken away too, is a
# configuration: only its files, user and addresses are the operator's.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Cert qw(make_cert);
use Gatepost::Geo qw(write_countries write_networks);
use Gatepost::Process qw(read_file run_command test_dir write_file);
use Test::More;

my $example = read_file("$FindBin::Bin/../etc/gatepost.conf");
my $cert = make_cert();
ok($example =~ s{/etc/gatepost/mail\.pem}{$cert}, 'it names a certificate');
$example =~ s/^user .*\n//m;
$example =~ s/^log .*\n//m;

my $all = $example =~ s/^(\s*)#(?=\w+(?: \w+)? \{|server_tls|access |auth_ban |exempt )/$1/mgr;
$all =~ s/^#(?=\t(?:allow|deny|limit|tag) |\}$)//mg;
my %files = (Country => write_countries('country.mmdb', '192.0.2.0/24' => ['DE', 'EU']),
    ASN => write_networks('asn.mmdb', '192.0.2.0/24' => 64496));
is($all =~ s{/var/lib/GeoIP/GeoLite2-(\w+)\.mmdb}{$files{$1}}g, 2, 'they name databases');
my $travellers = write_file(test_dir() . '/travellers', "bob\n");
ok($all =~ s{/etc/gatepost/travellers}{$travellers}, 'they name a list of users');
is(() = $all =~ /^#\t/mg, 0, 'none of a block is left out');
$all =~ s{/var/log/gatepost}{test_dir()}e;
my $users = write_file(test_dir() . '/users', "bob:{PLAIN}secret\n");
ok($all =~ s{/etc/gatepost/users}{$users}, 'they name a user file');
my $secret = write_file(test_dir() . '/secret', 'x' x 64 . "\n");
chmod 0600, $secret;
is($all =~ s{/etc/gatepost/(?:redis|cluster\.key)}{$secret}g, 2, 'they name secrets of a cluster');
isnt($all, $example, 'there are directives in comments');

for my $text ($example, $all) {
	my $name = $text eq $all ? 'with those that are comments' : 'as it stands';
	my ($status, $said) = run_command($name =~ tr/ /-/r,
	    [$ENV{GATEPOST}, '-t', '-c', write_file(test_dir() . '/gatepost.conf', $text)]);
	is($said, "configuration is good\n", $name) or diag($text);
}
done_testing;
