#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# What openssl s_client sees: the certificate of the name it asks for, of the
# kind of key it can use; TLS 1.2 and 1.3 only; a foreign protocol refused
# with the alert for that; sessions resumed where they began and nowhere else.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Cert qw(make_cert);
use Gatepost::Fake;
use Gatepost::Gatepost;
use Gatepost::Process qw(run_command test_dir);
use POSIX qw(mkfifo);
use Test::More;

my $dir = test_dir();
mkdir "$dir/$_" or die "$dir/$_: $!" for qw(crt key);

# Chain and key apart, and of each file only the order of names tells what comes first.
sub make_pair ($file, %option) {
	make_cert(path => "$dir/$file.pem", %option);
	rename "$dir/$file.pem.crt", "$dir/crt/$file.crt" or die "$file: $!";
	rename "$dir/$file.pem.key", "$dir/key/$file.key" or die "$file: $!";
	unlink "$dir/$file.pem";
	return;
}
make_pair('1', name => 'mail.example.com', names => ['mail.example.com', 'localhost'], kind => 'rsa');
make_pair('2', name => 'mail.example.com', names => ['mail.example.com', 'localhost'], kind => 'ecdsa');
make_pair('3', name => 'other.example.net', kind => 'rsa');
make_pair('4', name => 'star', names => ['*.example.org'], kind => 'ecdsa');

my $server = Gatepost::Fake->new(name => 'server', script => [[send => "* OK hello\r\n"], ['hold']])->start;
my $gatepost = Gatepost::Gatepost->new(values => { SERVER => $server->port }, config => <<'END')->start;
tls main { certificate @DIR@/crt/*.crt; key @DIR@/key/*.key }
tls strict { certificate @DIR@/crt/1.crt; key @DIR@/key/1.key; unknown_name refuse; min_version TLSv1.3;
             session_tickets no }
pool imap { server s { address 127.0.0.1:@SERVER@ } }
listener imap { bind_tls 127.0.0.1:@PORT{imap}@; bind 127.0.0.1:@PORT{starttls}@; tls main; pool imap }
listener again { protocol imap; bind_tls 127.0.0.1:@PORT{again}@; tls main; pool imap }
listener strict { protocol imap; bind_tls 127.0.0.1:@PORT{strict}@; tls strict; pool imap }
END

# Connects, says nothing, and tells what openssl tells.
sub connect_with ($port, @options) {
	my (undef, $text) = run_command('openssl', ['openssl', 's_client', '-connect',
	    '127.0.0.1:' . $gatepost->port($port), @options]);
	unlink "$dir/openssl.log";
	return $text;
}

sub named ($name) { return ('-servername', $name) }

# name asked for, options => what is shown
my @shown = (
	['mail.example.com', [], 'mail.example.com', 'ECDSA'],
	['MAIL.Example.com', ['-sigalgs', 'rsa_pss_rsae_sha256'], 'mail.example.com', 'RSA-PSS'],
	['mail.example.com', ['-tls1_2', '-cipher', 'aRSA'], 'mail.example.com', 'RSA-PSS'],
	['mail.example.com', ['-tls1_2', '-cipher', 'aECDSA'], 'mail.example.com', 'ECDSA'],
	['other.example.net', [], 'other.example.net', 'RSA-PSS'],
	['any.example.org', [], 'star', 'ECDSA'],
	['two.labels.example.org', [], 'mail.example.com', 'ECDSA'],
	['example.org', [], 'mail.example.com', 'ECDSA'],
	['nobody.example', [], 'mail.example.com', 'ECDSA'],
);
for my $case (@shown) {
	my ($name, $options, $shown, $kind) = @$case;

	for my $way (['imap'], ['starttls', '-starttls', 'imap']) {
		my ($port, @starttls) = @$way;
		my $text = connect_with($port, named($name), @$options, @starttls);
		like($text, qr/^subject=CN = \Q$shown\E$/m, "$name @$options at $port: the certificate of $shown");
		like($text, qr/^Peer signature type: $kind$/m, "$name @$options at $port: with its key of kind $kind");
	}
}
like(connect_with('imap', '-noservername'), qr/^subject=CN = mail\.example\.com$/m,
    'no name: the first certificate');
like(connect_with('strict', named('localhost')), qr/^subject=CN = mail/m,
    'a known name where unknown ones are refused');
like(connect_with('strict', named('nobody.example')), qr/alert number 112\b/,
    'an unknown name: unrecognized_name');

# Versions and ciphers.
like(connect_with('imap', '-tls1_3'), qr/^New, TLSv1\.3, Cipher is TLS_/m, 'TLS 1.3');
like(connect_with('imap', '-tls1_2'),
    qr/^New, TLSv1\.2, Cipher is ECDHE-ECDSA-\S+(?:GCM-SHA\d+|POLY1305)$/m, 'TLS 1.2');
like(connect_with('strict', '-tls1_2', named('localhost')), qr/alert number 70\b/,
    'TLS 1.2 below min_version: protocol_version');
like(connect_with('imap', '-tls1_1', '-cipher', 'ALL:@SECLEVEL=0'),
    qr/alert number 70\b/, 'TLS 1.1: protocol_version');
like(connect_with('imap', '-tls1_2', '-cipher', $_), qr/alert number 40\b/, "no $_")
    for qw(AES128-SHA ECDHE-RSA-AES128-SHA);

# ALPN: against a connection that was meant for another service.
for my $way (['imap'], ['starttls', '-starttls', 'imap']) {
	my ($port, @starttls) = @$way;
	like(connect_with($port, '-alpn', 'imap', @starttls), qr/^ALPN protocol: imap$/m, "$port: imap is taken");
	like(connect_with($port, '-alpn', 'h2,imap', @starttls),
	    qr/^ALPN protocol: imap$/m, "$port: among others too");
	like(connect_with($port, '-alpn', 'h2,http/1.1', @starttls), qr/alert number 120\b/,
	    "$port: foreign ones: no_application_protocol");
	like(connect_with($port, @starttls), qr/^No ALPN negotiated$/m, "$port: none is no matter");
}

# Resumption. The session is only there when the handshake's tickets have come, which the greeting follows.
sub resumes ($port, $version, @options) {
	my $text = connect_with($port, $version, '-sess_in', "$dir/session$version", @options);
	return $text =~ /^(Reused|New), TLSv1\.[23], /m ? $1 : $text;
}
for my $version ('-tls1_2', '-tls1_3') {
	pipe my $output, my $input or die "pipe: $!";
	my $pid = open(my $client, '-|') // die "fork: $!";
	if ($pid == 0) {
		open STDIN, '<&', $output;
		close $input;
		open STDERR, '>', "$dir/openssl.err";
		exec 'openssl', 's_client', '-quiet', $version, named('localhost'), '-sess_out', "$dir/session$version",
		    '-connect', '127.0.0.1:' . $gatepost->port('imap') or die;
	}
	like(scalar <$client>, qr/^\* OK/, "$version: a session");
	print $input "x LOGOUT\r\n";
	close $input;
	1 while <$client>;
	close $client;
	is(resumes('imap', $version, named('localhost')), 'Reused', "$version: resumes where it began");
	is(resumes('starttls', $version, named('localhost'), '-starttls', 'imap'), 'Reused',
	    "$version: at all ports of its listener");
	is(resumes('again', $version, named('localhost')), 'New', "$version: not at another listener");
	is(resumes('imap', $version, named('mail.example.com')), 'New', "$version: not under another name");
}
unlike(connect_with('strict', '-tls1_3', named('localhost')), qr/Post-Handshake New Session Ticket/,
    'no tickets where none are wanted');

# Nobody renegotiates, and there is no early data.
unlike(connect_with('imap', '-tls1_3'), qr/Max Early Data: [1-9]/, 'no early data is offered');
mkfifo("$dir/input", 0600) or die "mkfifo: $!";
my $openssl = Gatepost::Process->new(name => 'renegotiation', stdin => "$dir/input",
    command => ['openssl', 's_client', '-tls1_2', '-connect', '127.0.0.1:' . $gatepost->port('imap')])->start;
open my $input, '>', "$dir/input" or die "$dir/input: $!";
$openssl->wait_for_log(qr/^\* OK/);
$input->autoflush(1);
print $input "R\n";
ok(eval { $openssl->wait_for_log(qr/:no renegotiation:/) }, 'renegotiation is refused');
close $input;
$openssl->wait_for_end;

$gatepost->stop;
$server->kill_now;
done_testing;
