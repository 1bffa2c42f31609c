#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# A real nginx and gatepost, in front of the same source by HTTP: the same
# clients make both ask in the same words, header by header.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Cert qw(make_cert);
use Gatepost::Gatepost;
use Gatepost::HttpAuth;
use Gatepost::Imap;
use Gatepost::Nginx;
use Gatepost::Port qw(free_port);
use Gatepost::Process qw(read_file test_dir write_file);
use MIME::Base64 qw(decode_base64 encode_base64);
use Test::More;

my $dir = test_dir();
my $cert = make_cert(names => ['mail.example.com', '127.0.0.1']);
my $known = make_cert(name => 'user1', names => ['client1.example.com']);
my $strange = make_cert(name => 'eve', names => ['eve.example.com']);
my $source = Gatepost::HttpAuth->new(name => 'source', answer => sub ($request) {
	return { headers => { 'Auth-Status' => 'Not today', 'Auth-Wait' => 1 } };
})->start;
my %values = (SOURCE => $source->port, CERT => $cert, KNOWN => $known);

my $nginx = Gatepost::Nginx->new(name => 'nginx', values => \%values, config => <<'END')->start;
mail {
    server_name mail.example.com;
    auth_http http://127.0.0.1:@SOURCE@/auth?who=1;
    auth_http_header X-Own "a literal";
    auth_http_pass_client_cert on;
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_certificate @CERT@;
    ssl_certificate_key @CERT@;
    ssl_verify_client optional_no_ca;
    ssl_client_certificate @KNOWN@;
    imap_auth plain login cram-md5 external;
    pop3_auth plain apop cram-md5 external;
    smtp_auth plain login cram-md5 external;
    timeout 60s;
    server { listen 127.0.0.1:@PORT{imap}@; protocol imap; starttls on; }
    server { listen 127.0.0.1:@PORT{imaps}@ ssl; protocol imap; }
    server { listen 127.0.0.1:@PORT{pop3}@; protocol pop3; starttls on; }
    server { listen 127.0.0.1:@PORT{pop3s}@ ssl; protocol pop3; }
    server { listen 127.0.0.1:@PORT{smtp}@; protocol smtp; starttls on; }
    server { listen 127.0.0.1:@PORT{smtps}@ ssl; protocol smtp; }
    server { listen 127.0.0.1:@PORT{mx}@; protocol smtp; smtp_auth none; }
}
END
# A listener that wants a header is not looked at before.
my $proxied = free_port();
my $proxy_nginx = Gatepost::Nginx->new(name => 'proxied', values => { %values, PROXIED => $proxied },
    config => <<'END')->start;
mail {
    server_name mail.example.com;
    auth_http http://127.0.0.1:@SOURCE@/auth?who=1;
    auth_http_header X-Own "a literal";
    proxy_pass_error_message on;
    server { listen 127.0.0.1:@PROXIED@ proxy_protocol; protocol imap; set_real_ip_from 127.0.0.0/8; }
    server { listen 127.0.0.1:@PORT{ready}@; protocol imap; }
}
END
my $gatepost = Gatepost::Gatepost->new(values => \%values, wait => [qw(imap imaps pop3 pop3s smtp smtps mx)],
    config => <<'END')->start;
hostname mail.example.com
tls main { certificate @CERT@; client_ca @KNOWN@; verify_client any }
auth web {
    source http; url http://127.0.0.1:@SOURCE@/auth?who=1
    header X-Own "a literal"; pass_client_cert yes
    mechanisms PLAIN LOGIN CRAM-MD5 APOP EXTERNAL
}
default pool { login trusted; check { kind none } }
pool imap { }
pool pop3 { }
pool smtp { protocol submission }
pool mx { protocol smtp; login none; forward xclient }
default listener { tls main; starttls optional; plaintext_login yes; max_errors 50; auth web }
listener imap { bind 127.0.0.1:@PORT{imap}@; bind_tls 127.0.0.1:@PORT{imaps}@; pool imap }
listener pop3 { bind 127.0.0.1:@PORT{pop3}@; bind_tls 127.0.0.1:@PORT{pop3s}@; pool pop3 }
listener smtp {
    protocol submission; pool smtp
    bind 127.0.0.1:@PORT{smtp}@; bind_tls 127.0.0.1:@PORT{smtps}@
}
listener mx { protocol smtp; bind 127.0.0.1:@PORT{mx}@; lookup web; pool mx; auth none }
listener proxied { protocol imap; pool imap; bind 127.0.0.1:@PORT{proxied}@; accept_proxy 127.0.0.0/8 }
END

sub b64 ($text) { return encode_base64($text, '') }
my $cram = sub ($challenge) { b64('us%er1 ' . '0123456789abcdef' x 2) };
my $secret = "p\x{e4}ss%w rd\"+:\\";
utf8::encode($secret);
my $plain = b64("\0us er\@b.c\0$secret");


# name => [port, what is awaited and then said ...]: text, or a sub of what the pattern has caught.
my %cases = (
	'IMAP LOGIN' => ['imap', qr/^\* OK.*\n/m => "a LOGIN user1 pass%1\r\n", qr/^a NO.*\n/m => "z LOGOUT\r\n"],
	'IMAP PLAIN, and again' => ['imap', qr/^\* OK.*\n/m => "a AUTHENTICATE PLAIN $plain\r\n",
	    qr/^a NO.*\n/m => "b AUTHENTICATE LOGIN\r\n", qr/^\+ .*\n/m => b64('user2') . "\r\n",
	    qr/^\+ .*\n/m => b64('pass 2') . "\r\n", qr/^b NO.*\n/m => "z LOGOUT\r\n"],
	'IMAP CRAM-MD5' => ['imap', qr/^\* OK.*\n/m => "a AUTHENTICATE CRAM-MD5\r\n",
	    qr/^\+ (\S+)\r\n/m => sub ($challenge) { $cram->($challenge) . "\r\n" },
	    qr/^a NO.*\n/m => "z LOGOUT\r\n"],
	'IMAP on TLS' => ['imaps', qr/^\* OK.*\n/m => "a LOGIN user1 pass1\r\n", qr/^a NO.*\n/m => ''],
	'POP3 USER' => ['pop3', qr/^\+OK.*\n/m => "USER user1\r\n", qr/^\+OK.*\n/m => "PASS p a%ss\r\n",
	    qr/^-ERR.*\n/m => "QUIT\r\n"],
	'POP3 APOP' => ['pop3', qr/^\+OK.*(<\S+>)\r\n/m => "APOP user1 @{['0123456789abcdef' x 2]}\r\n",
	    qr/^-ERR.*\n/m => "QUIT\r\n"],
	'SMTP without a login' => ['mx', qr/^220 .*\n/m => "EHLO client.example.org\r\n",
	    qr/^250 .*\n/m => "MAIL FROM:<a\@b.example> SIZE=10\r\n", qr/^250 .*\n/m => "RCPT TO:<c\@d.example>\r\n",
	    qr/^[45]\d\d .*\n/m => "RCPT TO:<e\@d.example>\r\n", qr/^[45]\d\d .*\n/m => "QUIT\r\n"],
	'POP3 PLAIN on TLS' => ['pop3s', qr/^\+OK.*\n/m => "AUTH PLAIN\r\n", qr/^\+ ?\r\n/m => "$plain\r\n",
	    qr/^-ERR.*\n/m => ''],
	'POP3 CRAM-MD5' => ['pop3', qr/^\+OK.*\n/m => "AUTH CRAM-MD5\r\n",
	    qr/^\+ (\S+)\r\n/m => sub ($challenge) { $cram->($challenge) . "\r\n" }, qr/^-ERR.*\n/m => ''],
	'SMTP PLAIN' => ['smtp', qr/^220 .*\n/m => "EHLO client.example.org\r\n",
	    qr/^250 .*\n/m => "AUTH PLAIN $plain\r\n", qr/^535 .*\n/m => "QUIT\r\n"],
	'SMTP LOGIN on TLS' => ['smtps', qr/^220 .*\n/m => "EHLO client.example.org\r\n",
	    qr/^250 .*\n/m => "AUTH LOGIN\r\n", qr/^334 .*\n/m => b64('user3') . "\r\n",
	    qr/^334 .*\n/m => b64($secret) . "\r\n", qr/^535 .*\n/m => "QUIT\r\n"],
	'SMTP CRAM-MD5' => ['smtp', qr/^220 .*\n/m => "EHLO client.example.org\r\n",
	    qr/^250 .*\n/m => "AUTH CRAM-MD5\r\n",
	    qr/^334 (\S+)\r\n/m => sub ($challenge) { $cram->($challenge) . "\r\n" },
	    qr/^535 .*\n/m => "QUIT\r\n"],
	'IMAP with a certificate that is known' => ['imaps:known', qr/^\* OK.*\n/m => "a LOGIN user1 pass1\r\n",
	    qr/^a NO.*\n/m => ''],
	'IMAP EXTERNAL' => ['imaps:known', qr/^\* OK.*\n/m => "a AUTHENTICATE EXTERNAL\r\n",
	    qr/^\+.*\n/m => b64('user1') . "\r\n", qr/^a NO.*\n/m => ''],
	'SMTP with a certificate that is not' => ['smtps:strange', qr/^220 .*\n/m => "EHLO client.example.org\r\n",
	    qr/^250 .*\n/m => "AUTH PLAIN $plain\r\n", qr/^535 .*\n/m => ''],
	'IMAP behind a PROXY header' => ['proxied', '' => "PROXY TCP4 192.0.2.7 198.51.100.2 4711 143\r\n",
	    qr/^\* OK.*\n/m => "a LOGIN user1 pass1\r\n", qr/^a NO.*\n/m => ''],
);

sub play ($case, $port) {
	my ($name, @steps) = @$case;
	my ($certificate) = $name =~ /:(\w+)/;
	my $client = Gatepost::Imap->new(port => $port, greeting => 0, timeout => 8);
	my %file = (known => $known, strange => $strange);

	$client->start_tls(defined $certificate
	    ? (SSL_cert_file => $file{$certificate}, SSL_key_file => $file{$certificate}) : ())
	    if $name =~ /s\b/ && $name !~ /proxied/;
	while (my ($awaited, $said) = splice @steps, 0, 2) {
		my ($line, @caught);
		if ($awaited ne '') {
			do {
				$line = $client->line // die "$name: no $awaited\n";
				@caught = "$line\r\n" =~ $awaited;
			} until "$line\r\n" =~ $awaited;
		}
		$client->send_bytes(ref $said ? $said->(@caught) : $said);
	}
	$client->close;
	return;
}

# What was asked since, without what must differ: the HTTP version, and the challenge's text.
my $seen = 0;
sub asked ($count) {
	my @requests = $source->wait_for_requests($seen + $count);
	my @new = @requests[$seen .. $#requests];

	$seen = @requests;
	return [map { [$_->{first} =~ s/ HTTP\S+//r,
	    map { s/\s+$//r =~ s/^(Auth-Salt: <).*\@(\S+>)$/$1\@$2/r } @{ $_->{lines} }] } @new];
}

my %extra = ('IMAP PLAIN, and again' => 2, 'SMTP without a login' => 2);
for my $name (sort keys %cases) {
	my $case = $cases{$name};
	my ($way) = $case->[0] =~ /^(\w+)/;
	my $count = $extra{$name} // 1;

	play($case, $way eq 'proxied' ? $proxied : $nginx->port($way));
	my $by_nginx = asked($count);
	play($case, $gatepost->port($way));
	my $by_gatepost = asked($count);
	is_deeply($by_gatepost, $by_nginx, $name) or diag explain { nginx => $by_nginx, gatepost => $by_gatepost };
}
$gatepost->stop;
done_testing;
