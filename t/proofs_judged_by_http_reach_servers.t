#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# APOP and CRAM-MD5 are judged by a source by HTTP, as with nginx: it is told
# challenge and digest, and its answer has the password that a real Dovecot is
# shown.  Without one, or with a wrong digest, nobody gets in.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Digest::MD5 qw(md5_hex);
use Gatepost::Dovecot;
use Gatepost::Gatepost;
use Gatepost::HttpAuth;
use Gatepost::Login qw(log_in);
use Gatepost::Pop3;
use Test::More;

my $dovecot = Gatepost::Dovecot->new(name => 'store', pop3 => 1, users => 3)->start;
my $source = Gatepost::HttpAuth->new(name => 'source', answer => sub ($request) {
	my %h = %{ $request->{headers} };
	my ($n) = $h{'auth-user'} =~ /^user(\d)$/;
	my $password = "pass-$n";
	my $digest = $h{'auth-method'} eq 'apop' ? md5_hex($h{'auth-salt'} . $password)
	    : unpack("H*", Gatepost::Login::hmac_md5($password, $h{"auth-salt"}));

	return { headers => { 'Auth-Status' => 'Invalid login', 'Auth-Wait' => 1 } } if $h{'auth-pass'} ne $digest;
	return { headers => { 'Auth-Status' => 'OK', $n == 3 ? () : ('Auth-Pass' => $password) } };
})->start;
my $gatepost = Gatepost::Gatepost->new(values => { SOURCE => $source->port, POP3 => $dovecot->pop3_port,
    IMAP => $dovecot->port }, config => <<'END')->start;
auth web { source http; url http://127.0.0.1:@SOURCE@/auth; mechanisms CRAM-MD5 APOP }
pool pop3 { server d1 { address 127.0.0.1:@POP3@ } }
pool imap { server d1 { address 127.0.0.1:@IMAP@ } }
default listener { starttls off; plaintext_login yes; auth web }
listener pop3 { bind 127.0.0.1:@PORT{pop3}@; pool pop3 }
listener imap { bind 127.0.0.1:@PORT{imap}@; pool imap }
END

sub apop ($user, $password) {
	my $client = Gatepost::Pop3->new(port => $gatepost->port('pop3'), timeout => 20);
	my ($timestamp) = $client->greeting =~ /(<\S+>)/;

	return $client->cmd("APOP $user " . md5_hex($timestamp . $password));
}

sub cram ($protocol, $user, $password) {
	my ($reply) = log_in(protocol => $protocol, port => $gatepost->port($protocol), mechanism => 'CRAM-MD5',
	    tls => 'off', user => $user, password => $password);

	return $reply;
}

like(apop('user1', 'pass-1'), qr/^\+OK/, 'APOP');
like(apop('user1', 'pass-2'), qr/^-ERR \[AUTH\] Invalid login/, 'with a wrong digest');
like(apop('user3', 'pass-3'), qr/^-ERR \[SYS\/TEMP\]/, 'without a password for the server');
for my $protocol (qw(pop3 imap)) {
	like(cram($protocol, 'user2', 'pass-2'), qr/OK/, "CRAM-MD5 at $protocol");
	like(cram($protocol, 'user2', 'pass-1'), qr/Invalid login/, 'with a wrong digest');
	like(cram($protocol, 'user3', 'pass-3'), qr/UNAVAILABLE|SYS\/TEMP/, 'without a password for the server');
}
ok(eval { $gatepost->wait_for_log(qr/login cannot be placed: the server wants a password/) }, 'the log says why')
    or diag($@);
unlike($gatepost->log_text, qr/pass-\d/, 'and no password');
$gatepost->stop;
done_testing;
