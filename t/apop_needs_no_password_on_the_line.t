#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# curl and fetchmail log in by APOP, by the digest of a greeting's
# timestamp and the password, before Dovecots that are shown no user's password.
# It is offered only where it is written, and where passwords could be said.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Digest::MD5 qw(md5_hex);
use Gatepost::Cert qw(make_cert);
use Gatepost::Dovecot;
use Gatepost::Gatepost;
use Gatepost::Pop3;
use Gatepost::Process qw(read_file run_command test_dir wait_for write_file);
use Test::More;

my $dir = test_dir();
my $cert = make_cert(names => ['localhost', '127.0.0.1']);
write_file("$dir/masters", "gp:{PLAIN}master-secret\n");
write_file("$dir/master-password", "master-secret\n");
write_file("$dir/users", join '', (map { "user$_:{PLAIN}gate-$_\n" } 1 .. 9),
    "hashed:{SHA256}@{['0' x 64]}\n", "locked:!\n");
my $dovecot = Gatepost::Dovecot->new(name => 'd1', pop3 => 1, users => 9, masters => "$dir/masters",
    any_user => 'password=shared')->start;
my $gatepost = Gatepost::Gatepost->new(values => { POP3 => $dovecot->pop3_port, IMAP => $dovecot->port,
    CERT => $cert }, config => <<'END')->start;
hostname mail.example.com
tls main { certificate @CERT@ }
auth staff { source file; path @DIR@/users; mechanisms PLAIN APOP }
auth usual { source file; path @DIR@/users }
default pool { check { kind none }; login master; master_user gp; master_password_file @DIR@/master-password }
pool pop3 { server d1 { address 127.0.0.1:@POP3@ } }
pool shown { protocol pop3; login password; server d1 { address 127.0.0.1:@POP3@ } }
pool imap { server d1 { address 127.0.0.1:@IMAP@ } }
default listener { protocol pop3; tls main; pool pop3; auth staff; max_errors 50 }
listener secure { bind_tls 127.0.0.1:@PORT{secure}@ }
listener strict { bind 127.0.0.1:@PORT{strict}@ }
listener plain { bind 127.0.0.1:@PORT{plain}@; starttls optional; plaintext_login yes }
listener usual { bind_tls 127.0.0.1:@PORT{usual}@; auth usual }
listener shown { bind_tls 127.0.0.1:@PORT{shown}@; pool shown }
listener imap { protocol imap; bind_tls 127.0.0.1:@PORT{imap}@; pool imap }
END

sub client ($name, $tls = $name ne 'strict' && $name ne 'plain') {
	return Gatepost::Pop3->new(port => $gatepost->port($name), tls => $tls, timeout => 20);
}

sub timestamp ($client) {
	return $client->greeting =~ /(<[^<>\@]+\@mail\.example\.com>)/ ? $1 : '';
}

sub apop ($client, $user, $password) {
	return $client->cmd("APOP $user " . md5_hex(timestamp($client) . $password));
}

my %seen;
for my $name (qw(secure plain)) {
	my $client = client($name);

	$seen{ timestamp($client) }++ for 1, client($name);
	is(apop($client, 'user1', 'wrong'), '-ERR [AUTH] Authentication failed.', "$name: a wrong password");
	is(apop($client, $_, 'gate-1'), '-ERR [AUTH] Authentication failed.', "$name: $_ hears the same")
	    for qw(nobody hashed locked user2);
	like(apop($client, 'user1', 'gate-1'), qr/^\+OK/, "$name: the right one");
	like($client->cmd('STAT'), qr/^\+OK/, "$name: and a server");
	$client->cmd('QUIT');
}
my $client = client('plain');
my $stamp = timestamp($client);
$client->starttls;
like($client->cmd('APOP user1 ' . md5_hex("${stamp}gate-1")), qr/^\+OK/, 'behind STLS the timestamp holds');
my %stamps = map { timestamp(client('secure')) => 1 } 1 .. 20;
is(scalar keys %stamps, 20, 'no two clients have the same');
for my $name (qw(strict usual shown)) {
	my $not = client($name);

	is(timestamp($not), '', "$name: it is not offered");
	like(apop($not, 'user1', 'gate-1'), qr/^-ERR/, "$name: nor taken");
	$not->starttls if $name eq 'strict';
	like($not->cmd('APOP user1 ' . md5_hex('gate-1')), qr/^-ERR/, "$name: nor with TLS");
}
unlike(join(' ', client('secure')->list('CAPA')), qr/APOP/, 'CAPA does not name it');
like(Gatepost::Imap->new(port => $gatepost->port('imap'), tls => 1, timeout => 20)->greeting,
    qr/AUTH=PLAIN\b(?!.*APOP)/, 'no other protocol has it');

# Real clients.
$dovecot->deliver("user$_", "Subject: mail $_\r\n\r\nA line.\r\n") for 3 .. 5;
my ($status, $out) = run_command('curl', ['curl', '-sSv', '--noproxy', '*', '--max-time', 20, '-k', '-u',
    'user3:gate-3', '--login-options', 'AUTH=+APOP',
    'pop3s://127.0.0.1:' . $gatepost->port('secure') . '/1']);
is($status, 0, 'curl reads a mail') or diag($out);
like($out, qr/> APOP user3 [0-9a-f]{32}/, 'curl logged in by APOP');
like($out, qr/^A line\.\r?$/m, 'curl: the mail is ours');
write_file("$dir/fetchmailrc", <<"END");
poll 127.0.0.1 protocol apop port @{[$gatepost->port('plain')]}
	user user4 password gate-4 keep sslproto ''
	mda "cat >>$dir/fetched"
END
chmod 0600, "$dir/fetchmailrc";
($status, $out) = run_command('fetchmail', ['fetchmail', '-v', '--nodetach', '--nosyslog',
    '-f', "$dir/fetchmailrc", '--idfile', "$dir/fetchids", '--pidfile', "$dir/fetchmail.pid"],
    env => { HOME => $dir, FETCHMAILHOME => $dir });
is($status, 0, 'fetchmail reads a mail') or diag($out);
like($out, qr/POP3> APOP user4/, 'fetchmail logged in by APOP') or diag($out);
like(read_file("$dir/fetched"), qr/^A line\.$/m, 'fetchmail: the mail is ours');

unlike($gatepost->log_text, qr/gate-\d|wrong/, 'no password is told anywhere');
$gatepost->stop;
$dovecot->stop;
done_testing;
