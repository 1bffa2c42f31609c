#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Who may come, by address, country, TLS and user: turned away in the words of the protocol, at the connect, when
# TLS is up, or behind the login; other limits and tags for some; pools by where clients are; and databases that
# change, or are no good any more, while gatepost runs.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Cert qw(make_cert);
use Gatepost::Fake;
use Gatepost::Gatepost;
use Gatepost::Geo qw(write_countries write_networks);
use Gatepost::Imap;
use Gatepost::Process qw(test_dir write_file);
use MIME::Base64 qw(encode_base64);
use Test::More;

my %dialects = (
	imap => { hello => qr/^\* OK/, login => 'a AUTHENTICATE PLAIN %s', end => qr/^(?:a |\* BYE)/, good => qr/^a OK/,
		bye => qr/^\* BYE not from there\r\n\z/, no => qr/^a NO \[AUTHORIZATIONFAILED\] Access is not allowed/,
		server => [[send => "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] here\r\n"],
		    [expect => qr/^(\S+) AUTHENTICATE.*\r\n/m], [send => sub ($tag) { "$tag OK in\r\n" }], ['hold']] },
	pop3 => { hello => qr/^\+OK/, login => 'AUTH PLAIN %s', end => qr/^(?:\+OK|-ERR)/, good => qr/^\+OK/,
		bye => qr/^-ERR not from there\r\n\z/, no => qr/^-ERR \[AUTH\] Access is not allowed/,
		server => [[send => "+OK here\r\n"], [expect => qr/^CAPA\r\n/m],
		    [send => "+OK\r\nUSER\r\nSASL PLAIN\r\n.\r\n"], [expect => qr/^AUTH PLAIN.*\r\n/m],
		    [send => "+OK in\r\n"], ['hold']] },
	sieve => { hello => qr/^OK/, login => 'AUTHENTICATE "PLAIN" "%s"', end => qr/^(?:OK|NO|BYE)/, good => qr/^OK/,
		bye => qr/^BYE "not from there"\r\n\z/, no => qr/^NO "Access is not allowed/,
		server => [[send => qq("IMPLEMENTATION" "fake"\r\n"SASL" "PLAIN"\r\n"SIEVE" "fileinto"\r\nOK\r\n)],
		    [expect => qr/^AUTHENTICATE.*\r\n/m], [send => "OK\r\n"], ['hold']] },
	submission => { hello => qr/^220 /, after => 'EHLO client.example.org', ready => qr/^250 /,
		login => 'AUTH PLAIN %s', end => qr/^[245]\d\d /, good => qr/^235/,
		bye => qr/^554 5\.7\.1 not from there\r\n\z/, no => qr/^535 5\.7\.1 Access is not allowed/,
		server => [[send => "220 here ESMTP\r\n"], [expect => qr/^EHLO .*\r\n/m],
		    [send => "250-here\r\n250 AUTH PLAIN\r\n"], [expect => qr/^AUTH PLAIN .*\r\n/m],
		    [send => "235 2.7.0 in\r\n"], ['hold']] },
);
my @protocols = sort keys %dialects;
my %servers = map { $_ => Gatepost::Fake->new(name => $_, script => $dialects{$_}{server})->start } @protocols;
my @far = map { Gatepost::Fake->new(name => "tcp$_", script => [[send => "here $_\r\n"], ['hold']])->start } 0 .. 2;
my %places = ('192.0.2.0/25' => ['DE', 'EU'], '198.51.100.0/24' => ['US', 'NA'], '2001:db8::/32' => ['KP', 'AS']);
write_countries('country.mmdb', %places);
write_networks('asn.mmdb', '192.0.2.64/26' => 64496);
write_file(test_dir() . '/users', join '', map { "$_:{PLAIN}right\n" } qw(ann bob eve));
write_file(test_dir() . '/travellers', "# who may\nbob\n");

my $config = <<'END';
log { level debug }
geoip { country @DIR@/country.mmdb; asn @DIR@/asn.mmdb }
tls main { certificate @CERT@ }
limits calm { }
limits one { client_connections 1 }
auth file { source file; path @DIR@/users }
auth server { source server }
access public {
    tag german { country DE }
    allow net 203.0.113.7
    limit one { asn AS64496 }
    deny { country KP; reply "not from there" }
    deny { net 203.0.113.0/24; tls off; reply "not from there" }
    deny { country unknown; not user_file @DIR@/travellers }
    deny user eve
}
default listener { access public; limits calm; tls main; starttls optional; plaintext_login yes; max_errors 50;
    accept_proxy 127.0.0.0/8 }
END
for my $protocol (@protocols) {
	my ($forward, $port) = ($protocol eq 'submission' ? 'forward none;' : '', $servers{$protocol}->port);

	$config .= "pool $protocol { protocol $protocol; $forward server s { address 127.0.0.1:$port } }\n";
	$config .= "listener $protocol-$_ { protocol $protocol; pool $protocol; auth $_; "
	    . "bind 127.0.0.1:\@PORT{${protocol}_$_}\@; bind_tls 127.0.0.1:\@PORT{${protocol}s_$_}\@ }\n" for qw(file server);
}
$config .= "pool tcp$_ { protocol tcp; port @{[$far[$_]->port]}; server s { address 127.0.0.1 } }\n" for 0 .. 2;
$config .= <<'END';
listener tcp { protocol tcp; access none; starttls off; tls none; bind 127.0.0.1:@PORT{tcp}@; pool tcp0
    route eu { continent EU; not asn 64496; pool tcp1 }
    route us { country US CA; pool tcp2 }
}
END
$config .= <<'END';
listener webmail { protocol imap; pool imap; auth file; accept_proxy none; trusted 127.0.0.0/8
    bind 127.0.0.1:@PORT{webmail}@; bind_tls 127.0.0.1:@PORT{webmails}@ }
END
my $gatepost = Gatepost::Gatepost->new(values => { CERT => make_cert() }, config => $config)->start;

sub come ($protocol, $from, %option) {
	my $name = ($option{implicit} ? "${protocol}s" : $protocol) . ($protocol eq 'tcp' ? '' : '_' . ($option{auth} // 'file'));
	my $family = $from =~ /:/ ? 'TCP6' : 'TCP4';
	my $c = Gatepost::Imap->new(port => $gatepost->port($name), greeting => 0, timeout => 30);

	$c->send_bytes("PROXY $family $from " . ($family eq 'TCP6' ? '::1' : '127.0.0.1') . " 4711 143\r\n");
	$c->start_tls if $option{implicit};
	return $c;
}

sub greeted ($protocol, $from, %option) {
	my $dialect = $dialects{$protocol};
	my $c = come($protocol, $from, %option);

	$c->lines_until($dialect->{hello});
	$c->send_bytes("$dialect->{after}\r\n")->lines_until($dialect->{ready}) if defined $dialect->{after};
	return $c;
}

sub login ($protocol, $c, $user) {
	my $line = sprintf $dialects{$protocol}{login}, encode_base64("\0$user\0right", '');

	return ($c->send_bytes("$line\r\n")->lines_until($dialects{$protocol}{end}))[-1];
}

my ($german, $american, $korean, $unknown, $clear) = qw(192.0.2.1 198.51.100.1 2001:db8::1 100.64.0.1 203.0.113.9);
for my $protocol (@protocols) {
	my $dialect = $dialects{$protocol};

	like(come($protocol, $korean)->rest, $dialect->{bye}, "$protocol: a country that may not come");
	is(eval { come($protocol, $korean, implicit => 1)->rest } // '', '', "$protocol: whoever wants TLS first hears nothing");
	like(come($protocol, $_, implicit => 1)->line, qr/\S/, "$protocol: $_ may, with TLS") for $clear;
	for my $auth (qw(file server)) {
		like(login($protocol, greeted($protocol, $german, auth => $auth), 'ann'), $dialect->{good},
		    "$protocol, $auth: one who may");
		like(login($protocol, greeted($protocol, $american, auth => $auth), 'eve'), $dialect->{no},
		    "$protocol, $auth: a user who may not, though the password is right");
		my $c = greeted($protocol, $unknown, auth => $auth);
		like(login($protocol, $c, 'ann'), $dialect->{no}, "$protocol, $auth: no traveller");
		like(login($protocol, $c, 'bob'), $dialect->{good}, "$protocol, $auth: a traveller, in the same session");
	}
	like(come($protocol, '203.0.113.7')->line, qr/\S/, "$protocol: an earlier rule wins");
}
# TLS that never comes is known at the login.
like(login('imap', greeted('imap', $clear), 'ann'), qr/^a NO \[AUTHORIZATIONFAILED\] not from there/, 'without TLS');

# A client that a trusted peer tells of was greeted already, whether or not that peer is on TLS.
for my $name (qw(webmail webmails)) {
	my $c = Gatepost::Imap->new(port => $gatepost->port($name), timeout => 30, ($name eq 'webmails' ? (tls => 1) : ()));

	$c->send_bytes(qq(a ID ("x-originating-ip" "$korean")\r\n));
	like($c->rest, qr/^a OK.*^\* BYE not from there\r\n\z/ms, "$name: one that is told of");
}

my $first = greeted('imap', '192.0.2.65');
like(come('imap', '192.0.2.66')->line, qr/^\* OK/, 'under the limits of a rule, one connection');
like(come('imap', '192.0.2.65')->rest, qr/^\* BYE \[LIMIT\] Too many connections/, 'and no other');
ok($gatepost->wait_for_event('login', { user => 'ann', tags => 'german' }), 'events have tags');
ok($gatepost->wait_for_event('session', { reason => 'denied' }), 'and who was denied');
ok(scalar $gatepost->log_lines(qr/denied by access public, .*gatepost\.conf:\d+/), 'the log tells the rule');

my %pools = ($german => 1, $american => 2, '192.0.2.65' => 0, $unknown => 0, $korean => 0);
like(come('tcp', $_)->line, qr/^here $pools{$_}$/, "$_ goes to pool $pools{$_}") for sort keys %pools;

# Databases that change: a minute at most is waited, for both.
write_countries('country.mmdb', %places, '100.64.0.0/24' => ['US', 'NA']);
$gatepost->wait_for_log(qr/geoip: \S+country\.mmdb is reloaded/, 80);
like(come('tcp', $unknown)->line, qr/^here 2/, 'a changed database is used');
{
	open my $out, '+<', test_dir() . '/country.mmdb' or die $!;
	truncate $out, 100 or die $!;
}
like(come('tcp', $german)->line, qr/^here 1/, 'one that is cut off under us harms nobody');
write_countries('asn.mmdb', %places);
$gatepost->wait_for_log(qr/geoip: the old database stays in use: \S+country\.mmdb/, 80);
$gatepost->wait_for_log(qr/geoip: the old database stays in use: \S+asn\.mmdb: is a database of another kind/, 80);
like(come('tcp', '192.0.2.65')->line, qr/^here 0/, 'nor does one of another kind');
like(come('tcp', $american)->line, qr/^here 2/, 'and the old one stays in use');
ok($gatepost->reload, 'over a reload, too');
like(come('tcp', $german)->line, qr/^here 1/, 'all is as before');
$gatepost->stop;
done_testing;
