#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Bytes sent in the clear behind STARTTLS are never run as commands, in no
# way of cutting them into segments: the session ends.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Cert qw(make_cert);
use Gatepost::Gatepost;
use Gatepost::Imap;
use Gatepost::Port qw(free_port);
use Gatepost::Tls qw(client_hello);
use Test::More;

my %values = (CERT => make_cert(), SERVER => free_port());
my $gatepost = Gatepost::Gatepost->new(values => \%values, config => <<'END')->start;
tls main { certificate @CERT@ }
pool imap { port @SERVER@; server s1 { address 127.0.0.1 } }
listener imap { bind 127.0.0.1:@PORT{imap}@; tls main; pool imap }
END

sub client { return Gatepost::Imap->new(port => $gatepost->port('imap'), timeout => 10) }

my $hello = client_hello();
is(ord $hello, 0x16, 'the prepared ClientHello is a TLS handshake record');

my $client = client()->starttls;
like($client->cmd('NOOP'), qr/ OK/, 'STARTTLS as it should be works');
like($client->cmd('STARTTLS'), qr/ BAD/, 'a second STARTTLS is refused');
like($client->cmd('NOOP'), qr/ OK/, 'and the session goes on');
$client->close;

$client = client();
$client->send_slowly("s STARTTLS\r\n");
like($client->line, qr/^s OK/, 'STARTTLS in pieces of one byte is accepted');
$client->start_tls;
like($client->cmd('NOOP'), qr/ OK/, 'and works');
$client->close;

sub injections { return scalar(() = $gatepost->log_lines(qr/starttls/i)) }

my $before = injections();
$client = client();
$client->send_bytes("A STARTTLS\r\nXQZWV NOOP\r\n");
my $reply = $client->rest(5);
unlike($reply, qr/^A OK/m, 'a command in the same segment: no go-ahead');
unlike($reply, qr/XQZWV/, 'a command in the same segment: not run');
ok($client->{ended}, 'a command in the same segment: the session ends');
ok(eval { Gatepost::Process::wait_for(sub { injections() > $before }, 10, 'a log line') },
    'a command in the same segment: the log names STARTTLS');

$client = client();
$client->send_bytes("A STARTTLS\r\n");
$client->send_bytes("XQZWV NOOP\r\n");
$reply = $client->rest(5);
unlike($reply, qr/XQZWV/, 'a command in the next segment: not run');
ok($client->{ended}, 'a command in the next segment: the session ends');

$client = client();
$client->send_bytes("A STARTTLS\r\n");
like($client->line, qr/^A OK/, 'a command after the go-ahead: it was given');
$client->send_bytes("XQZWV NOOP\r\n");
$reply = $client->rest(5);
unlike($reply, qr/XQZWV/, 'a command after the go-ahead: not run');
ok($client->{ended}, 'a command after the go-ahead: the session ends');

$client = client();
$client->send_bytes("A STARTTLS\r\nXQZWV NO$hello");
$reply = $client->rest(5);
unlike($reply, qr/^A OK|XQZWV/m, 'half a command and a ClientHello: no go-ahead, not run');
ok($client->{ended}, 'half a command and a ClientHello: the session ends');

$client = client();
$client->send_bytes("A STARTTLS\r\n$hello");
$reply = $client->rest(5);
unlike($reply, qr/^A OK/m, 'a ClientHello in the same segment: no go-ahead');
ok($client->{ended}, 'a ClientHello in the same segment: the session ends');

# What one parser may take for STARTTLS and another not.
my %malformed = (
	'a literal' => "A STARTTLS {5}\r\n",
	'an empty literal' => "A STARTTLS {0+}\r\nB NOOP\r\n",
	'a tab' => "A\tSTARTTLS\r\n",
	'a blank behind' => "A starttls \r\n",
	'an argument' => "A STARTTLS now\r\n",
);
for my $what (sort keys %malformed) {
	$client = client();
	$client->send_bytes($malformed{$what});
	my $line = $client->line // '';
	if ($line =~ /^\+/) {
		$client->send_bytes("hello\r\n");
		$line = $client->line // '';
	}
	like($line, qr/^(?:A|\*) BAD/, "STARTTLS with $what is BAD");
	like(eval { $client->cmd('NOOP') }, qr/ OK/, "STARTTLS with $what: the session goes on in the clear");
	$client->close;
}

$gatepost->stop;
done_testing;
