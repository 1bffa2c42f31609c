#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# With `forward proxy` and `proxy_v2` a server is told in one piece, before
# anything else, who the client is: fakes see the bytes, Dovecot and Postfix
# believe them.  Version 2 tells of TLS too, and whom a verified certificate
# of the client names.  A client without an address is no reason to fail.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Cert qw(make_cert);
use Gatepost::Dovecot;
use Gatepost::Fake;
use Gatepost::Gatepost;
use Gatepost::Imap;
use Gatepost::Pop3;
use Gatepost::Port qw(free_port own_address);
use Gatepost::Postfix;
use Gatepost::Process qw(test_dir);
use Gatepost::Sieve;
use Gatepost::Smtp;
use Test::More;

plan skip_all => 'needs root' if $> != 0;

my $signature = "\r\n\r\n\0\r\nQUIT\n";
my $login = [[send => "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] fake\r\n"],
    [expect => qr/^(\S+) AUTHENTICATE PLAIN \S+\r\n/m], [send => sub ($tag) { "$tag OK in\r\n" }], ['hold']];
my %fakes = (
	v1 => Gatepost::Fake->new(name => 'v1', script => [[at_once => qr/\APROXY TCP4 [^\r\n]+\r\n\z/], @$login]),
	v2 => Gatepost::Fake->new(name => 'v2', script => [[at_once => qr/\A\Q$signature\E\x21\x11.+\z/s], @$login]),
);
$fakes{tcp} = Gatepost::Fake->new(name => 'tcp', script => [[at_once => qr/\APROXY TCP4 [^\r\n]+\r\n\z/],
    [send => "hello\r\n"], ['hold']]);
$_->start for values %fakes;
my %postfixes = map { $_ => Gatepost::Postfix->new(name => "postfix_$_", proxy => 1)->start } qw(v1 v2);
my $dovecot = Gatepost::Dovecot->new(name => 'dovecot', trusted => '', pop3 => 1,
    sieve_port => free_port(), settings => <<'END')->start;
haproxy_trusted_networks = 127.0.0.0/8
disable_plaintext_auth = yes
auth_ssl_username_from_cert = yes
service imap-login {
  inet_listener imap {
    haproxy = yes
  }
}
service pop3-login {
  inet_listener pop3 {
    haproxy = yes
  }
}
service managesieve-login {
  inet_listener sieve {
    haproxy = yes
  }
}
END

my $cert = make_cert();
my $authority = make_cert(name => 'authority');
my $gatepost = Gatepost::Gatepost->new(values => { CERT => $cert, AUTHORITY => "$authority.crt", V1 => $fakes{v1}->port,
    V2 => $fakes{v2}->port, TCP => $fakes{tcp}->port, DOVECOT => $dovecot->port, POP3 => $dovecot->pop3_port,
    SIEVE => $dovecot->{sieve_port}, POSTFIX1 => $postfixes{v1}->port,
    POSTFIX2 => $postfixes{v2}->port }, config => <<'END')->start;
tls main { certificate @CERT@; client_ca @AUTHORITY@; verify_client any }
default pool { check { kind none }; retries 0; forward proxy_v2 }
pool v1 { protocol imap; forward proxy; server s { address 127.0.0.1:@V1@ } }
pool v2 { protocol imap; server s { address 127.0.0.1:@V2@ } }
pool dovecot { protocol imap; server s { address 127.0.0.1:@DOVECOT@ } }
pool pop3 { protocol pop3; server s { address 127.0.0.1:@POP3@ } }
pool sieve { protocol sieve; server s { address 127.0.0.1:@SIEVE@ } }
pool tcp { forward proxy; server s { address 127.0.0.1:@TCP@ } }
pool postfix1 { protocol tcp; forward proxy; server s { address 127.0.0.1:@POSTFIX1@ } }
pool postfix2 { protocol tcp; server s { address 127.0.0.1:@POSTFIX2@ } }
# a fake is not asked what it announces: its first connection is the client's
default listener { protocol imap; tls main; capabilities IDLE }
listener tcp { protocol tcp; bind 127.0.0.1:@PORT{tcp}@; pool tcp }
listener v1 { bind_tls 127.0.0.1:@PORT{v1}@; pool v1 }
listener v2 { bind_tls 127.0.0.1:@PORT{v2}@; pool v2 }
listener dovecot { bind_tls 127.0.0.1:@PORT{dovecot}@; pool dovecot }
listener pop3 { protocol pop3; bind_tls 127.0.0.1:@PORT{pop3}@; pool pop3; capabilities UIDL }
listener sieve { protocol sieve; bind_tls 127.0.0.1:@PORT{sieve}@; pool sieve; capabilities "SIEVE fileinto" }
listener postfix1 { protocol tcp; bind 127.0.0.1:@PORT{postfix1}@ unix:@DIR@/postfix1; pool postfix1 }
listener postfix2 { protocol tcp; bind 127.0.0.1:@PORT{postfix2}@ unix:@DIR@/postfix2
                    bind_tls 127.0.0.1:@PORT{smtps}@; pool postfix2 }
END
my $from = own_address();

# user1 logs in; certificate => path, password => text
sub imap_client ($name, %option) {
	my $client = Gatepost::Imap->new(port => $gatepost->port($name), from => $from, greeting => 0,
	    sni => 'mail.example.com', timeout => 20);
	$client->start_tls(map { ("SSL_${_}_file" => $option{certificate}) }
	    defined $option{certificate} ? qw(cert key) : ());
	like($client->line, qr/^\* OK/, "$name: a greeting");
	my $password = $option{password} // 'pass-1';
	like(scalar $client->cmd("LOGIN user1 $password"), qr/^\S+ OK/, "$name: the login succeeds");
	return $client;
}

# What a header of version 2 tells besides addresses.
sub values_of ($header) {
	return unpack '(C n/a)*', substr $header, 28, unpack('n', substr $header, 14) - 12;
}

my $client = imap_client('v1');
my $port = $client->socket->sockport;
like($fakes{v1}->received, qr/\APROXY TCP4 \Q$from\E 127\.0\.0\.1 $port @{[$gatepost->port('v1')]}\r\n\S+ AUTH/,
    'version 1 is one line, alone in its segment');

$client = imap_client('v2');
my $session = $gatepost->wait_for_event(login => { listener => 'v2' })->{session};
my $header = $fakes{v2}->received;
is(substr($header, 16, 12), pack('a4 a4 nn', Socket::inet_aton($from), Socket::inet_aton('127.0.0.1'),
    $client->socket->sockport, $gatepost->port('v2')), 'version 2 has the addresses');
my %tlv = values_of($header);
is($tlv{0x02}, 'mail.example.com', 'and the name that the client asked for');
is($tlv{0x05}, $session, 'and the session, as in the log');
my ($bits, $verdict, %tls) = unpack 'C N (C n/a)*', $tlv{0x20};
is($bits, 1, 'and that there is TLS');
isnt($verdict, 0, 'without a certificate of the client');
ok(!exists $tls{0x22}, 'which names nobody');
is($tls{0x21}, 'TLSv1.3', 'of which version');
like($tls{0x23}, qr/^TLS_/, 'with which cipher');

my $plain = Gatepost::Imap->new(port => $gatepost->port('tcp'), from => $from, timeout => 20);
is($plain->greeting, 'hello', 'where nothing is said to the server it is served as well');
# the first connection was that of who waited for the port
is($fakes{tcp}->received(2), sprintf("PROXY TCP4 $from 127.0.0.1 %d %d\r\n", $plain->socket->sockport,
    $gatepost->port('tcp')), 'and knows both ends');

my $connection = 1;
for my $verified (1, 0) {
	my $certificate = make_cert(name => 'user2', $verified ? (by => $authority) : ());

	imap_client('v2', certificate => $certificate);
	%tlv = values_of($fakes{v2}->received(++$connection));
	($bits, $verdict, %tls) = unpack 'C N (C n/a)*', $tlv{0x20};
	is($bits, 7, 'it tells of a certificate');
	is($verdict == 0, $verified == 1, 'and of the verdict');
	is($tls{0x22}, $verified ? 'user2' : undef, 'and of the name if that is to be believed');

	# for Dovecot the name in the certificate is who logs in, with a password of that user
	my ($user, $password) = $verified ? ('user2', 'pass-2') : ('user1', 'pass-1');
	imap_client('dovecot', certificate => $certificate, password => $password);
	ok(eval { $dovecot->wait_for_log(qr/imap-login: Info: Login: user=<$user>/) }, "Dovecot lets $user in");
}

$client = imap_client('dovecot');
like($dovecot->wait_for_log(qr/imap-login: Info: Login: user=<user1>/),
    qr/rip=\Q$from\E, lip=127\.0\.0\.1.*, (?:TLS|secured)/, 'Dovecot believes the address and the TLS');

my %logins = (
	pop3 => ['pop3-login', 'Gatepost::Pop3', 'user_pass'],
	sieve => ['managesieve-login', 'Gatepost::Sieve', 'authenticate'],
);
for my $protocol (sort keys %logins) {
	my ($service, $class, $log_in) = @{ $logins{$protocol} };
	my $c = $class->new(port => $gatepost->port($protocol), from => $from, tls => 1, timeout => 20);

	like($c->$log_in('user3', 'pass-3'), qr/^\+?OK\b/, "$protocol: the login succeeds");
	like($dovecot->wait_for_log(qr/$service: Info: Login: user=<user3>/),
	    qr/rip=\Q$from\E, lip=127\.0\.0\.1.*, (?:TLS|secured)/,
	    "$protocol: Dovecot believes the address and the TLS");
}

for my $version (1, 2) {
	my $postfix = $postfixes{"v$version"};
	my $smtp = Gatepost::Smtp->new(port => $gatepost->port("postfix$version"), from => $from);
	like($smtp->quit, qr/^221 /, "version $version: Postfix speaks");
	like($postfix->wait_for_maillog(qr/: connect from unknown\[\Q$from\E\]/), qr/smtpd/,
	    "version $version: and knows the client");
	$smtp = Gatepost::Smtp->new(path => test_dir() . "/postfix$version");
	like($smtp->quit, qr/^221 /, "version $version: one without an address is served");
	# the first was our own look whether it listens
	like($postfix->wait_for_maillog(qr/: connect from unknown\[127\.0\.0\.1\]/, 10, 2), qr/smtpd/,
	    "version $version: under ours");
}
like(Gatepost::Smtp->new(port => $gatepost->port('smtps'), tls => 1)->quit, qr/^221 /,
    'Postfix overlooks what is told of TLS');

$gatepost->stop;
done_testing;
