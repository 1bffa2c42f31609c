#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Peers in `accept_proxy` must send a PROXY header, and its client is the one
# that the log and the servers see: HAProxy's headers of each kind and curl's,
# before IMAP, STARTTLS and TLS.  Who sends another one hears nothing; who is
# not named there cannot send one.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Cert qw(make_cert);
use Gatepost::Dovecot;
use Gatepost::Gatepost;
use Gatepost::Haproxy;
use Gatepost::Imap;
use Gatepost::Port qw(own_address);
use Gatepost::Process qw(run_command test_dir);
use Test::More;

my ($balancer, $from) = (own_address(1), own_address(2));
my $dovecot = Gatepost::Dovecot->new(name => 'dovecot')->start;
my $cert = make_cert(names => [qw(mail.example.com localhost 127.0.0.1)]);
my $gatepost = Gatepost::Gatepost->new(values => { CERT => $cert, DOVECOT => $dovecot->port,
    BALANCER => $balancer }, config => <<'END')->start;
log { level debug }
hostname mail.example.com
tls main { certificate @CERT@ }
pool imap { server d { address 127.0.0.1:@DOVECOT@ } }
pool t { protocol tcp; server d { address 127.0.0.1:@DOVECOT@ } }
default listener { tls main; accept_proxy 192.0.2.0/24 @BALANCER@ }
listener imap { bind 127.0.0.1:@PORT{imap}@ unix:@DIR@/imap; bind_tls 127.0.0.1:@PORT{imaps}@; pool imap }
listener t { protocol tcp; bind 127.0.0.1:@PORT{t}@; pool t }
END

my %imap = (to => $gatepost->port('imap'), from => $balancer);
my %imaps = (to => $gatepost->port('imaps'), from => $balancer);
my $haproxy = Gatepost::Haproxy->new(name => 'haproxy', ways => {
	imap_v1 => { %imap, send => 'send-proxy' },
	imap_v2 => { %imap, send => 'send-proxy-v2 proxy-v2-options crc32c check inter 100ms' },
	imap_v2_ssl => { %imap, send => 'send-proxy-v2-ssl proxy-v2-options crc32c,authority',
	    bind => "ssl crt $cert" },
	imaps_v1 => { %imaps, send => 'send-proxy' },
	imaps_v2 => { %imaps, send => 'send-proxy-v2' },
	imaps_v2_ssl => { %imaps, send => 'send-proxy-v2-ssl ssl verify none', bind => "ssl crt $cert" },
	t_v2 => { to => $gatepost->port('t'), from => $balancer, send => 'send-proxy-v2' },
	silent => { %imap },
})->start;

sub imap_client ($way, %option) {
	return Gatepost::Imap->new(port => $haproxy->port($way), from => $from, timeout => 20, %option);
}

# From the balancer itself, which sends what it likes.
sub balancer ($listener = 'imap') {
	return Gatepost::Imap->new(port => $gatepost->port($listener), from => $balancer, greeting => 0,
	    timeout => 20);
}

sub log_in_ok ($client, $user, $what) {
	my $port = $client->socket->sockport;

	like(scalar $client->cmd("LOGIN user$user pass-$user"), qr/^\S+ OK/, "$what: the login succeeds");
	my $event = $gatepost->wait_for_event(login => { user => "user$user" });
	is_deeply([@$event{qw(client client_port via)}], [$from, $port, $balancer],
	    "$what: the log has the client, and who told of it");
	like($dovecot->wait_for_log(qr/imap-login: Info: Login: user=<user$user>/),
	    qr/rip=\Q$from\E, lip=127\.0\.0\.1/, "$what: and Dovecot hears of that client");
	return $event;
}

# HAProxy, before STARTTLS and TLS.
my $user = 0;
for my $way (qw(imap_v1 imap_v2)) {
	my $client = imap_client($way);
	like($client->greeting, qr/STARTTLS LOGINDISABLED/, "$way: the greeting comes behind the header");
	log_in_ok($client->starttls, ++$user, $way);
}
my $client = imap_client('imap_v2_ssl', tls => 1, sni => 'mail.example.com');
like($client->greeting, qr/STARTTLS AUTH=PLAIN/, 'TLS that ends at HAProxy is enough for a login');
my $event = log_in_ok($client, ++$user, 'imap_v2_ssl');
is($event->{tls}, 'TLSv1.3', 'and its version is in the log');
like($gatepost->wait_for_log(qr/PROXY header: tls=/), qr/ sni=mail\.example\.com/, 'and whom it asked for');
for my $way (qw(imaps_v1 imaps_v2 imaps_v2_ssl)) {
	$client = imap_client($way, tls => 1);
	log_in_ok($client, ++$user, $way);
}
$client = imap_client('t_v2');
like(scalar $client->cmd("LOGIN user@{[++$user]} pass-$user"), qr/^\S+ OK/, 'plain TCP passes behind a header');
$client->close;
is($gatepost->wait_for_event(session => { listener => 't', client => $from })->{via}, $balancer,
    'and its client is known');

# curl sends its own addresses.
for my $listener (qw(imap imaps)) {
	my $scheme = $listener eq 'imap' ? 'imap' : 'imaps';
	my ($status, $said) = run_command("curl_$listener", ['curl', '-sS', '--insecure', '--ssl-reqd',
	    '--haproxy-protocol', '--interface', $balancer, '--user', "user9:pass-9",
	    '--url', "$scheme://127.0.0.1:@{[$gatepost->port($listener)]}/", '--request', 'NOOP']);
	is($status, 0, "curl --haproxy-protocol: $listener") or diag($said);
}
is($gatepost->wait_for_event(login => { user => 'user9' })->{client}, $balancer, 'whose client is itself');

# A header and what follows it, in one segment and byte by byte.
my $line = "PROXY TCP4 198.51.100.7 203.0.113.1 4711 143\r\n";
for my $way (qw(send_bytes send_slowly)) {
	$client = balancer();
	$client->$way("${line}a NOOP\r\n");
	like($client->line, qr/^\* OK /, "$way: the greeting");
	is($client->line, 'a OK NOOP completed.', "$way: and the answer to what came with the header");
	$client->$way("b LOGOUT\r\n");
	like($client->rest, qr/^b OK /m, "$way: and so on");
}
$client = balancer();
$client->send_bytes("\r\n\r\n\0\r\nQUIT\n\x20\x00\x00\x00");
like($client->line, qr/^\* OK /, 'a balancer may come for itself');
like($client->cmd('LOGOUT'), qr/ OK /, 'and is served');
$event = $gatepost->wait_for_event(session => { client => $balancer,
    client_port => $client->socket->sockport });
is($event->{via}, undef, 'and nobody told of it');

# The header is mandatory.
my %refused;
sub is_left ($client, $what, $why) {
	is($client->rest, '', "$what: nothing is said");
	ok($client->is_closed, "$what: and it is the end");
	my $count = ++$refused{$why};
	ok($gatepost->wait_for_log(qr/ notice: .* \Q$balancer\E: PROXY header: $why$/, 10, $count),
	    "$what: the log says why");
	return;
}

sub is_refused ($listener, $bytes, $what, $why) {
	return is_left(balancer($listener)->send_bytes($bytes), $what, $why);
}

# These two wait for their end all the while.
my $idle = balancer();
my $slow = balancer('imaps')->send_bytes('PROXY TCP4 198.51.100.7');
for my $listener (qw(imap imaps t)) {
	is_refused($listener, "a LOGIN user1 pass-1\r\n", "$listener: IMAP in its place", 'it begins otherwise');
	is_refused($listener, "\x16\x03\x01\x00\x05hello", "$listener: TLS in its place", 'it begins otherwise');
}
is_refused('imap', "PROXY TCP4 198.51.100.7 203.0.113.1 4711 0143\r\na NOOP\r\n", 'a bad line', 'a bad port');
is_refused('imap', "\r\n\r\n\0\r\nQUIT\n\x21\x12\x00\x0c" . 'x' x 12, 'UDP', 'an unknown family');
is_refused('imap', "\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff", 'an endless one', 'it is too long');
is_left($idle, 'no header', 'none came in time');
is_left($slow, 'half a header', 'only a part of it came in time');
$client = imap_client('silent', greeting => 0);
$client->send_bytes("a NOOP\r\n");
is($client->rest, '', 'a balancer that was not told to send one gets nowhere');
ok($client->is_closed, 'and its client is disconnected');
is($gatepost->wait_for_event(session => { reason => 'bad PROXY header' })->{client}, $balancer,
    'the session is in the log as that of the balancer');

# What checks of the port leave in the log is no complaint: HAProxy's with LOCAL, and one without a header.
balancer()->close;
$gatepost->wait_for_log(qr/ info: \S+ imap \Q$balancer\E: client left while reading the PROXY header/);
$gatepost->wait_for_log(qr/ \Q$balancer\E: PROXY header without a client:/, 10, 5);
my $complaints = 1;
$complaints += $_ for values %refused;
is(scalar $gatepost->log_lines(qr/ (?:notice|warning|error): .*\Q$balancer\E/), $complaints,
    'nobody else is complained of');

# Others: a header is only what the protocol makes of it.
$client = Gatepost::Imap->new(port => $gatepost->port('imap'), from => $from);
like($client->greeting, qr/^\* OK /, 'others are served as ever');
$client->send_bytes($line);
like($client->line, qr/^PROXY BAD /, 'their header is a bad command');
like($client->cmd('NOOP'), qr/ OK /, 'behind which they go on');
$client->close;
$gatepost->wait_for_event(session => { listener => 'imap', client => $from, reason => 'client left' });
$client = Gatepost::Imap->new(port => $gatepost->port('imaps'), from => $from, greeting => 0);
$client->send_bytes($line);
unlike($client->rest, qr/IMAP/, 'or no TLS');
$gatepost->wait_for_event(session => { listener => 'imap', client => $from, reason => 'TLS failed' });
like(Gatepost::Imap->new(path => test_dir() . '/imap')->greeting, qr/^\* OK /, 'a unix socket has no network');
is(scalar(grep { $_->{client} eq '198.51.100.7' && ($_->{via} // '') ne $balancer } $gatepost->events), 0,
    'nobody else was believed');

$gatepost->stop;
done_testing;
