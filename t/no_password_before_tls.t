#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Where TLS is required, no credential is asked for, taken, sent on or logged before it.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Cert qw(make_cert);
use Gatepost::Fake;
use Gatepost::Gatepost;
use Gatepost::Imap;
use Gatepost::Process qw(read_file wait_for);
use MIME::Base64 qw(encode_base64);
use Test::More;

my $fake = Gatepost::Fake->new(name => 'server', script => [
	[send => "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] ready\r\n"], ['hold'] ])->start;
my %values = (CERT => make_cert(), FAKE => $fake->port);
my $gatepost = Gatepost::Gatepost->new(values => \%values, config => <<'END')->start;
tls main { certificate @CERT@ }
pool imap { port @FAKE@; retries 0; server s1 { address 127.0.0.1 } }
listener required { protocol imap; bind 127.0.0.1:@PORT{required}@; tls main; pool imap }
listener optional { protocol imap; bind 127.0.0.1:@PORT{optional}@; tls main; pool imap; starttls optional }
listener open {
    protocol imap; bind 127.0.0.1:@PORT{open}@; tls main; pool imap
    starttls optional; plaintext_login yes
}
END

sub client ($listener) { return Gatepost::Imap->new(port => $gatepost->port($listener)) }

sub capabilities ($client) {
	my ($line) = grep { /^\* CAPABILITY / } $client->cmd('CAPABILITY');
	return map { $_ => 1 } split ' ', $line // '';
}

for my $listener (qw(required optional)) {
	my $client = client($listener);
	like($client->greeting, qr/^\* OK .*\bSTARTTLS\b/, "$listener: the greeting offers STARTTLS");
	my %offered = capabilities($client);
	ok($offered{STARTTLS} && $offered{LOGINDISABLED},
	    "$listener: STARTTLS and LOGINDISABLED are announced");
	is_deeply([grep { /^AUTH=/ } keys %offered], [], "$listener: no mechanism is announced");

	$client->starttls;
	%offered = capabilities($client);
	ok($offered{'AUTH=PLAIN'} && !$offered{STARTTLS} && !$offered{LOGINDISABLED},
	    "$listener: the other way round after STARTTLS");
	$client->close;
}

my $secret = 'sup3r-secret';
my $response = encode_base64("\0user1\0$secret", '');
my %attempts = (
	'LOGIN with quoted words' => qq(LOGIN "user1" "$secret"),
	'LOGIN with atoms' => "LOGIN user1 $secret",
	'LOGIN with literals' => sprintf("LOGIN {5+}\r\nuser1 {%d+}\r\n%s", length $secret, $secret),
	'AUTHENTICATE with an initial response' => "AUTHENTICATE PLAIN $response",
	'AUTHENTICATE PLAIN' => 'AUTHENTICATE PLAIN',
	'AUTHENTICATE LOGIN' => 'AUTHENTICATE LOGIN',
);
for my $attempt (sort keys %attempts) {
	my $client = client('required');
	# One line each way: a continuation request instead of the NO would be the mistake.
	$client->send_bytes("x $attempts{$attempt}\r\n");
	like($client->line, qr/^x NO \[PRIVACYREQUIRED\]/, "$attempt is refused");
	like($client->cmd('NOOP'), qr/ OK/, "$attempt: the session goes on");
	$client->close;
}
ok(!is_asked(), 'no server was asked');

my $client = client('open');
my %offered = capabilities($client);
ok($offered{'AUTH=PLAIN'} && !$offered{LOGINDISABLED},
    'plaintext_login yes: a login is offered in the clear');
$client->send_bytes("x LOGIN user1 $secret\r\n");
sub is_asked {
	return grep { $fake->received($_) =~ /user1|LOGIN|AUTHENTICATE/ } 1 .. $fake->connections;
}
ok(eval { wait_for(\&is_asked, 10, 'the login') }, 'plaintext_login yes: the server is asked') or diag($@);
$client->close;

$gatepost->stop;
unlike($gatepost->log_text . read_file($gatepost->{access_log}), qr/\Q$secret\E|\Q$response\E/,
    'the password is in no log');
done_testing;
