#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# The Postfix of our tests is one to be believed: it delivers, each message
# once and to be found; refuses relaying; takes XCLIENT, PROXY headers and
# AUTH where it is told to and only there; survives being killed.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Cert qw(make_cert);
use Gatepost::Postfix;
use Gatepost::Smtp;
use Socket qw(inet_aton);
use Test::More;

plan skip_all => 'needs root' if $> != 0;

sub start_postfix ($name, %option) {
	return Gatepost::Postfix->new(name => $name, %option)->start;
}

sub client ($postfix, %option) {
	return Gatepost::Smtp->new(address => $postfix->address, port => $postfix->port, timeout => 20, %option);
}

sub message ($subject, $body = "Hello.\n") {
	return "From: alice\@example.org\nSubject: $subject\n\n$body";
}

my %from_alice = (from => 'alice@example.org');

my $plain = start_postfix('plain');
my $c = client($plain);
is($c->{greeting}, '220 plain.example.net ESMTP Postfix', 'greets');
my $offered = $c->ehlo;
ok(exists $offered->{PIPELINING}, 'offers PIPELINING');
ok(!exists $offered->{$_}, "and no $_") for qw(XCLIENT STARTTLS AUTH);
like($c->cmd('XCLIENT ADDR=192.0.2.7'), qr/^550/, 'XCLIENT is refused');
like($c->send_message(%from_alice, to => [qw(bob@example.com eve@example.com)],
    text => message('one', ".dot\nend\n")), qr/^250 2\.0\.0 Ok: queued/, 'a message is taken');
my @replies = $c->send_pipelined(%from_alice, to => [qw(unknown@example.com carol@example.com
    dan@example.net)], text => message('two'));
like($replies[1], qr/^550 5\.1\.1 /, 'pipelined: an unknown recipient is refused');
like($replies[2], qr/^250 /, 'pipelined: a known one is not');
like($replies[3], qr/^554 5\.7\.1 .*Relay access denied/, 'nor is anything relayed');
like($replies[-1], qr/^250 2\.0\.0 /, 'pipelined: the message is taken');
is_deeply([sort map { $_->{to} } $plain->wait_for_messages(qr/^Subject: one$/m, 2)],
    [qw(bob@example.com eve@example.com)],
    'each recipient has it');
is($plain->wait_for_messages(qr/^Subject: two$/m)->{to}, 'carol@example.com',
    'the other one has the second');
like(($plain->messages(qr/one/))[0]{text}, qr/^\.dot\nend\n/m, 'as it was written');
$c->send_slowly("NOOP\r\nRSET\r\n");
is($c->reply, '250 2.0.0 Ok', 'understands a byte at a time') for 1 .. 2;
is($c->quit, '221 2.0.0 Bye', 'QUIT');
$plain->wait_until_quiet;

my $xclient = start_postfix('xclient', xclient => 1, sasl => { carol => 'secret' },
    cert => make_cert(name => 'xclient.example.net'));
$c = client($xclient);
like($c->ehlo->{XCLIENT}, qr/\bLOGIN\b/, 'XCLIENT is offered where it is taken');
$c->starttls;
is($c->ehlo->{AUTH}, 'PLAIN LOGIN', 'as is AUTH');
like($c->cmd('XCLIENT LOGIN=bob ADDR=192.0.2.7 PORT=4711'), qr/^220 /, 'and taken behind TLS');
$c->ehlo;
like($c->send_message(%from_alice, to => ['dan@example.net'], text => message('named')), qr/^250/,
    'who is logged in by name may relay');
like($xclient->wait_for_messages(qr/^Subject: named$/m)->{text}, qr/\[192\.0\.2\.7\]/,
    'Postfix believes the address');
like($xclient->wait_for_maillog(qr/sasl_username=bob/), qr/sasl_method=XCLIENT/, 'and the name');
$c->quit;

$c = Gatepost::Smtp->new(port => $xclient->tls_port, tls => 1);
$c->ehlo;
like($c->auth('carol', 'wrong'), qr/^535 /, 'a wrong password is refused');
like($c->auth('mallory', 'secret'), qr/^535 /, 'an unknown user is, too');
like($c->auth('carol', 'secret'), qr/^235 /, 'the right ones are not');
$c->quit;

my $proxied = start_postfix('proxied', proxy => 1);
my $header = "\r\n\r\n\0\r\nQUIT\n" . pack 'CCn a4 a4 nn', 0x21, 0x11, 12, inet_aton('192.0.2.9'),
    inet_aton('198.51.100.1'), 4711, 25;
$c = client($proxied, before => $header);
$c->ehlo;
like($c->send_message(%from_alice, to => ['bob@example.com'], text => message('proxied')), qr/^250/,
    'with a PROXY header there is a session');
like($proxied->wait_for_messages(qr/^Subject: proxied$/m)->{text}, qr/\[192\.0\.2\.9\]/,
    'Postfix believes it');
$c->quit;
like(client($proxied, before => "PROXY UNKNOWN\r\n")->{greeting}, qr/^421 /, 'UNKNOWN is refused');
like(client($proxied, before => "PROXY TCP4 192.0.2.7 0.0.0.0 4711 0\r\n")->{greeting}, qr/^220 /,
    'a destination that nobody knows is not');

my $screened = start_postfix('screened', postscreen => 1, proxy => 1,
    main => { postscreen_greet_wait => '1s', postscreen_greet_banner => 'wait' });
$c = client($screened, before => $header);
like($c->{greeting}, qr/^220-wait\n220 /, 'postscreen has its say before');
like($screened->wait_for_maillog(qr/postscreen.*PASS NEW/), qr/\[192\.0\.2\.9\]:4711/,
    'and knows the client from the header');
$c->quit;

$plain->kill_now;
is(client($plain), undef, 'a killed Postfix is gone');
$plain->start;
$c = client($plain);
is($c->quit, '221 2.0.0 Bye', 'and comes back');
$plain->configure(soft_bounce => 'yes');
$plain->reload;
$c = client($plain);
$c->ehlo;
is(substr($c->send_message(%from_alice, to => ['unknown@example.com'], text => ''), 0, 3), '450',
    'a changed setting is read');
$plain->freeze;
$c = client($plain, greeting => 0);
ok($c && !eval { $c->line(0.2); 1 }, 'a frozen one says nothing');
$plain->thaw;
like($c->reply, qr/^220 /, 'until it thaws');
$_->stop_quietly for $plain, $xclient, $proxied, $screened;
done_testing;
