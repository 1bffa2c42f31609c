#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Whatever `doveadm pw` writes into a user file lets its user in, and nobody
# else: for each scheme that both know.  And so does what people write by hand
# and `doveadm pw -t` takes.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Fake;
use Gatepost::Gatepost;
use Gatepost::Imap;
use Gatepost::Process qw(test_dir write_file);
use Test::More;

my @schemes = qw(CRYPT SHA512-CRYPT SHA256-CRYPT BLF-CRYPT MD5-CRYPT SSHA SSHA256 SSHA512 SHA SHA1
    SHA256 SHA512 SMD5 LDAP-MD5 PLAIN-MD5 PBKDF2 SCRAM-SHA-1 SCRAM-SHA-256 CRAM-MD5 ARGON2I ARGON2ID
    SSHA.HEX SHA256.HEX SSHA512.B64 PBKDF2.B64 PLAIN.B64 CLEARTEXT.HEX);
my %is_known = map { $_ => 1 } split ' ', `doveadm pw -l`;
ok($is_known{CRYPT}, 'doveadm runs');

# A password with what passwd-files and IMAP might trip over; a colon would end the field, hence {PLAIN.B64}.
my $password = q(a b:c{d}$e"\\\\f);

sub doveadm_pw (@options) {
	open my $doveadm, '-|', 'doveadm', 'pw', '-p', $password, @options or die "doveadm: $!\n";
	chomp(my $line = <$doveadm> // '');
	return $line;
}

sub hash_of ($scheme) { return doveadm_pw('-s', $scheme) =~ s/^\{[^}]*\}//r }

my %passwords;
$passwords{ lc $_ } = doveadm_pw('-s', $_) for grep { $is_known{ s/\..*//r } } @schemes;

# The same in other forms.
my ($base64, $hex) = map { hash_of($_) } qw(LDAP-MD5 PLAIN-MD5);
my %by_hand = (
	'md5' => '{MD5}' . hash_of('MD5-CRYPT'), 'md5-in-hex' => "{MD5}$hex", 'md5-in-base64' => "{MD5}$base64",
	'plain-md5-in-base64' => "{PLAIN-MD5}$base64", 'ldap-md5-in-hex' => "{LDAP-MD5}\U$hex",
	'sha-in-hex' => '{SHA}' . hash_of('SHA.HEX'), 'sha512-in-hex' => '{sha512}' . hash_of('SHA512.HEX'),
	'pbkdf2-in-capitals' => '{PBKDF2}' . hash_of('PBKDF2') =~ s/([^\$]*)\z/\U$1/r,
	'another-crypt' => '{SHA256-CRYPT}' . hash_of('BLF-CRYPT'),
	map { ("crypt$_" => '{CRYPT}' . crypt $password, $_) }
	    qw($5$rounds=1000$abc$ $y$j75$abcdefgh $7$5/..../....abcd $sha1$40$abcdefgh _J9..abcd),
);
like(doveadm_pw('-t', $by_hand{$_}), qr/\(verified\)$/, "$_: by doveadm") for sort keys %by_hand;
%passwords = (%passwords, %by_hand);
my @users = sort keys %passwords;
write_file(test_dir() . '/users', join '', map { "$_:$passwords{$_}\n" } @users);

my $server = Gatepost::Fake->new(name => 'server', script => [
	[send => "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] ready\r\n"],
	[expect => qr/^(\S+) AUTHENTICATE PLAIN \S+\r\n/],
	[send => sub ($tag) { "$tag OK done\r\n" }],
	['hold'] ])->start;
my $gatepost = Gatepost::Gatepost->new(values => { SERVER => $server->port }, config => <<'END')->start;
auth staff { source file; path @DIR@/users }
pool imap { server s { address 127.0.0.1:@SERVER@ } }
listener imap {
    protocol imap; bind 127.0.0.1:@PORT{imap}@; starttls off; plaintext_login yes; auth staff; pool imap
    capabilities IDLE		# its server counts its visitors: it is not asked what it announces
}
END

sub login ($user, $password) {
	my $client = Gatepost::Imap->new(port => $gatepost->port('imap'));
	my $reply = $client->cmd(sprintf 'LOGIN %s "%s"', $user, $password =~ s/(["\\])/\\$1/gr);
	$client->close;
	return $reply;
}

for my $user (@users) {
	like(login($user, $password), qr/ OK/, "$user: the password");
	like(login($user, "${password}x"), qr/ NO \[AUTHENTICATIONFAILED\]/, "$user: another");
}
my ($unknown, $wrong) = map { login($_, 'wrong') =~ s/^\S+ //r } 'nobody', $users[0];
is($unknown, $wrong, 'an unknown user hears the same');
is($server->connections, scalar @users, 'no server was asked but for those who are let in');

$gatepost->stop;
unlike($gatepost->log_text, qr/\Q$password\E/, 'no password is in the log');
done_testing;
