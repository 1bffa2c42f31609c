#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# A server that sends rubbish, too much, too early or the client's password
# back: the client hears NO [UNAVAILABLE], the log says what was wrong while
# doing what, without the password, and gatepost goes on.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Cert qw(make_cert);
use Gatepost::Fake;
use Gatepost::Gatepost;
use Gatepost::Imap;
use Gatepost::Process qw(read_file test_dir write_file);
use IO::Socket::SSL::Utils qw(CERT_create PEM_cert2string PEM_key2string);
use MIME::Base64 qw(encode_base64);
use Test::More;

# openssl req makes none.
sub expired_cert ($name) {
	my ($cert, $key) = CERT_create(subject => { commonName => $name }, subjectAltNames => [['DNS', $name]],
	    not_before => time - 86_400, not_after => time - 3_600);
	return write_file(test_dir() . '/expired.pem', PEM_cert2string($cert) . PEM_key2string($key));
}

my $secret = 'sup3r%n-secret';
my $plain = encode_base64("\0user1\0$secret", '');
my $greeting = "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] ready\r\n";
my $line = qr/^(\S+) [^\r\n]*\r\n/m;
my $login = qr/^(\S+) (?:LOGIN|AUTHENTICATE)[^\r\n]*\r\n/m;
my @at_login = ([send => $greeting], [expect => $login]);
my $cert = make_cert(names => ['mail.example.com']);
my $old_cert = expired_cert('mail.example.com');

# name => [script, what the log says, `server_tls` of the pool]
my %servers = (
	garbage_greeting => [[[send => join('', map { chr } 0 .. 255) . "\r\n"], ['hold']],
	    qr/while reading greeting/],
	binary_flood => [[[flood => join('', map { chr } 0 .. 9, 11 .. 255), 8]],
	    qr/endless reply while reading greeting/],
	untagged_flood => [[[send => $greeting], [expect => $login], [flood => "* OK still here\r\n", 8]],
	    qr/too much before a reply while logging in/],
	endless_line => [[[flood => '* OK hello', 8]], qr/endless reply while reading greeting/],
	line_of_64k => [[[send => '* OK ' . 'x' x 65_536 . "\r\n"], ['hold']],
	    qr/endless reply while reading greeting/],
	no_line_end => [[[send => '* OK ready'], ['hold']], qr/timed out while reading greeting/],
	format_string => [[[send => "* BYE %n%s%s%n%999999999d\r\n"], ['hold']],
	    qr/\Q%n%s%s%n%999999999d\E while reading greeting/],
	control_characters => [[[send => "* BYE \e[2J\a\x9b31m\r\n"], ['hold']],
	    qr/\Q\x1b[2J\x07\x9b31m\E while reading greeting/],
	nul => [[[send => "* OK rea\0dy\r\n"], ['hold']], qr/NUL in a reply while reading greeting/],
	literal_4g => [[[send => "* OK {4294967296+}\r\n"], ['hold']], qr/endless reply while reading greeting/],
	literal_overflow => [[[send => "* OK {99999999999999999999}\r\n"], ['hold']],
	    qr/endless reply while reading greeting/],
	preauth => [[[send => "* PREAUTH welcome\r\n"], ['hold']], qr/PREAUTH greeting while reading greeting/],
	ok_at_once => [[[send => "${greeting}L OK you are in\r\n"], ['hold']],
	    qr/reply before its command while logging in/],
	foreign_tag => [[@at_login, [send => "ZZ OK you are in\r\n"], ['hold']],
	    qr/garbled reply while logging in/],
	status_without_text => [[@at_login, [send => sub ($tag) { "$tag\r\n" }], ['hold']],
	    qr/garbled reply while logging in/],
	late_preauth => [[@at_login, [send => "* PREAUTH really\r\n"], ['hold']],
	    qr/garbled reply while logging in/],
	empty_lines => [[@at_login, [send => "\r\n\n\r\n"], ['hold']], qr/garbled reply while logging in/],
	password_in_bye => [[@at_login, [send => "* BYE no such command: AUTHENTICATE PLAIN $plain\r\n"],
	    ['hold']], qr/the password in them while logging in/],
	password_in_no => [[@at_login, [send => sub ($tag) { "$tag NO [UNAVAILABLE] not $secret\r\n" }],
	    ['hold']], qr/the password in them while logging in/],
	no_starttls => [[[send => $greeting], ['hold']], qr/server offers no STARTTLS/, 'starttls'],
	starttls_refused => [[[send => "* OK [CAPABILITY IMAP4rev1 STARTTLS] ready\r\n"],
	    [expect => $line], [send => sub ($tag) { "$tag BAD no\r\n" }], ['hold']],
	    qr/command refused: S BAD no while asking for TLS/, 'starttls'],
	starttls_injection => [[[send => "* OK [CAPABILITY IMAP4rev1 STARTTLS] ready\r\n"],
	    [expect => $line], [send => sub ($tag) { "$tag OK go\r\n* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n" }],
	    ['hold']], qr/plaintext behind STARTTLS while asking for TLS/, 'starttls'],
	starttls_late_injection => [[[send => "* OK [CAPABILITY IMAP4rev1 STARTTLS] ready\r\n"],
	    [expect => $line], [send => sub ($tag) { "$tag OK go\r\n" }], [expect => qr/\x16\x03/],
	    [send => "* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n"], ['hold']],
	    qr/while starting TLS with the server/, 'starttls'],
	plaintext_in_tls => [[[send => $greeting], ['hold']],
	    qr/wrong version number while starting TLS with the server/, 'implicit'],
	self_signed => [[[starttls => $cert], [send => $greeting], ['hold']],
	    qr/self-signed certificate while starting TLS with the server/, 'implicit { name mail.example.com }'],
	wrong_name => [[[starttls => $cert], [send => $greeting], ['hold']],
	    qr/hostname mismatch while starting TLS with the server/i,
	    "implicit { name other.example.com; ca $cert }"],
	wrong_address => [[[starttls => $cert], [send => $greeting], ['hold']],
	    qr/IP address mismatch while starting TLS with the server/i, "implicit { ca $cert }"],
	expired => [[[starttls => $old_cert], [send => $greeting], ['hold']],
	    qr/certificate has expired while starting TLS with the server/,
	    "implicit { name mail.example.com; ca $old_cert }"],
	silent_in_tls => [[['hold']], qr/timed out while starting TLS with the server/, 'implicit'],
);

# One thread: once it has greeted somebody it has all the descriptors that it keeps.
my $config = "threads 1\nlog { target stderr; level debug }\n";
my %values;
for my $name (sort keys %servers) {
	my ($script, undef, $tls) = @{ $servers{$name} };
	$values{"SERVER_$name"} = Gatepost::Fake->new(name => $name, script => $script)->start->port;
	$config .= sprintf <<~'END', ($name) x 2, $tls // 'off', ($name) x 4;
		pool %s {
		    protocol imap; port @SERVER_%s@; retries 0; connect_timeout 4s; login_timeout 5s
		    server_tls %s; server %s { address 127.0.0.1 }
		}
		listener %s {
		    protocol imap; bind 127.0.0.1:@PORT{%s}@; starttls off; plaintext_login yes; pool %s
		}
		END
}
my $gatepost = Gatepost::Gatepost->new(values => \%values, config => $config)->start;
my $settled = Gatepost::Imap->new(port => $gatepost->port((sort keys %servers)[0]));
$settled->close;
my $descriptors = $gatepost->fd_count;

# All at once: none may hold another up.
my %clients = map { $_ => Gatepost::Imap->new(port => $gatepost->port($_), timeout => 20) } keys %servers;
$clients{$_}->send_bytes(qq(x LOGIN user1 "$secret"\r\n)) for keys %clients;
for my $name (sort keys %servers) {
	my $client = $clients{$name};
	like(eval { $client->line } // "nothing: $@", qr/^x NO \[UNAVAILABLE\]/, "$name: the client hears so");
	like(eval { $client->cmd('NOOP') } // "nothing: $@", qr/ OK/, "$name: and may stay");
	my $words = eval { $gatepost->wait_for_log(qr/ back=\Q$name\E\/.*server failed/) };
	like($words // 'nothing', $servers{$name}[1], "$name: the log tells");
	$client->close;
}

ok(eval { Gatepost::Process::wait_for(sub { $gatepost->fd_count <= $descriptors + 2 }, 10, 'descriptors') },
    'no descriptor is left behind') or diag($gatepost->fd_count . " of $descriptors");
$gatepost->stop;
my $logs = $gatepost->log_text . read_file($gatepost->{access_log});
unlike($logs, qr/\Q$secret\E|\Q$plain\E/, 'the password is in no log, at level debug and repeated by servers');
is(scalar(() = $logs =~ /[^\x20-\x7e\n]/g), 0, 'nothing in a log speaks to a terminal');
done_testing;
