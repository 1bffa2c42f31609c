#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# A trusted peer is greeted at once, and the lists of the DNS are asked for each client that it tells of, before its
# next command is heard: one that is listed is refused or sent away as if it had come itself, and the next one is not;
# lists that are silent keep it for a moment only.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Dnsmasq;
use Gatepost::Fake;
use Gatepost::Gatepost;
use Gatepost::Smtp;
use IO::Socket::INET;
use Test::More;

my $silent = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Proto => 'udp') or die "udp: $!";
my $dns = Gatepost::Dnsmasq->new(name => 'dns', records => ['local=/bl.test/', 'local-ttl=300',
    'server=/silent.test/127.0.0.1#' . $silent->sockport, map { "address=/$_.2.0.192.bl.test/127.0.0.2" } 2, 3])->start;
my $server = Gatepost::Fake->new(name => 'mx', script => [[send => "220 mx ESMTP\r\n"],
    [expect => qr/^EHLO .*\r\n/m], [send => "250 mx\r\n"], [expect => qr/^MAIL .*\r\n/m], [send => "250 ok\r\n"],
    [expect => qr/^RCPT .*\r\n/m], [send => "250 2.1.5 taken\r\n"], ['hold']])->start;
my $gatepost = Gatepost::Gatepost->new(values => { DNS => $dns->port, MX => $server->port }, config => <<~'END')->start;
	nameservers 127.0.0.1:@DNS@
	default screen { greeting_delay 60s; dnsbl bl.test }
	screen enforce { allow 192.0.2.3 }
	screen drop { action drop }
	screen silent { dnsbl bl.test; dnsbl silent.test }
	pool mx { protocol smtp; forward none; server s { address 127.0.0.1:@MX@ } }
	default listener { protocol smtp; starttls off; pool mx; trusted 127.0.0.0/8 }
	listener enforce { bind 127.0.0.1:@PORT{enforce}@; screen enforce }
	listener drop { bind 127.0.0.1:@PORT{drop}@; screen drop }
	listener silent { bind 127.0.0.1:@PORT{silent}@; screen silent }
	END
my @mail = ('EHLO client.example.org', 'MAIL FROM:<a@example.org>', 'RCPT TO:<b@example.com>');
my $refused = '550 5.7.1 Service unavailable; client [192.0.2.2] blocked using bl.test';

sub peer ($listener) { return Gatepost::Smtp->new(port => $gatepost->port($listener), timeout => 50) }

my $c = peer('enforce');
like($c->cmd('XCLIENT ADDR=192.0.2.2'), qr/^220 /, 'a peer, who was greeted at once, tells of a client');
is(($c->pipeline(@mail))[2], $refused, 'it is listed, and refused at its recipients');
is($gatepost->wait_for_event(screen => { client => '192.0.2.2' })->{result}, 'listed', 'an event tells');

$c = peer('enforce');
is(($c->pipeline('XCLIENT ADDR=192.0.2.2', @mail))[3], $refused, 'what is sent behind it waits for the lists');
$c = peer('enforce');
is(($c->pipeline('XCLIENT ADDR=192.0.2.2', 'XCLIENT ADDR=192.0.2.1', @mail))[4], '250 2.1.5 taken',
    'the next one, who is not listed, is served');
$c = peer('enforce');
is(($c->pipeline('XCLIENT ADDR=192.0.2.3', @mail))[3], '250 2.1.5 taken', 'so is whom the block allows');
$c = peer('enforce');
is(($c->pipeline(@mail))[2], '250 2.1.5 taken', 'and the peer itself');
is(scalar(grep { $_->{client} =~ /^127/ } $gatepost->events('screen')), 0, 'who was never looked up');

# It is sent away, behind what the peer's command is answered with.
$c = peer('drop');
like($c->cmd('XCLIENT ADDR=192.0.2.2'), qr/^220 /, 'drop: a peer tells of a client');
is($c->rest, "521 5.7.1 Service unavailable; client [192.0.2.2] blocked using bl.test\r\n", 'who goes');

# A list that is silent is no reason to wait for long, also where the peer has said all that it has to say.
$c = peer('silent');
$c->send_bytes(join '', map { "$_\r\n" } 'XCLIENT ADDR=192.0.2.2', @mail);
shutdown $c->socket, 1;
is((map { $c->reply } 0 .. 3)[3], $refused, 'a silent list does not hide what others say');
$c = peer('silent');
is(($c->pipeline('XCLIENT ADDR=192.0.2.1', @mail))[3], '250 2.1.5 taken', 'nor does it keep a client out');
is($gatepost->wait_for_event(screen => { client => '192.0.2.1', listener => 'silent' })->{unknown_zones}, 1, 'an event tells');
$c->close;
$gatepost->stop;
done_testing;
