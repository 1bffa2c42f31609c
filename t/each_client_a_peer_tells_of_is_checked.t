#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# A trusted peer may tell of its client in several commands, and of one client after the other: each is checked
# as if it had come itself, by bans, access and limits, and counts for as long as it is meant.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Cert qw(make_cert);
use Gatepost::Fake;
use Gatepost::Gatepost;
use Gatepost::Imap;
use Gatepost::Process qw(test_dir wait_for write_file);
use Gatepost::Smtp;
use Test::More;

my $imap = Gatepost::Fake->new(name => 'imap', script => [
	[send => "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] here\r\n"], ['hold']])->start;
my $smtp = Gatepost::Fake->new(name => 'smtp', script => [[send => "220 here ESMTP\r\n"], ['hold']])->start;
my $gatepost = Gatepost::Gatepost->new(values => { IMAP => $imap->port, SMTP => $smtp->port, CERT => make_cert() },
    config => <<'END')->start;
tls main { certificate @CERT@ }
limits one { client_connections 1; rate_unit 1h }
limits ruled { client_connections 5 }
access rules {
    deny net 192.0.2.66
    limit ruled { net 192.0.2.50 }
}
pool imap { server s { address 127.0.0.1:@IMAP@ } }
pool smtp { forward none; server s { address 127.0.0.1:@SMTP@ } }
default listener { trusted 127.0.0.1; access rules; tls main; starttls optional }
listener imap { bind 127.0.0.1:@PORT{imap}@; pool imap; limits one }
listener smtp { bind 127.0.0.1:@PORT{smtp}@; pool smtp; limits one }
listener bare { protocol smtp; bind 127.0.0.1:@PORT{bare}@; pool smtp }
END

sub rows ($table) { return join ' ', sort map { /key=(\S+) .*conn_cur=(\d+)/ ? "$1:$2" : () } split /\n/, $gatepost->ask("show table $table") }
sub peer ($port) { my $c = Gatepost::Smtp->new(port => $gatepost->port($port), timeout => 20); $c->ehlo('peer'); return $c }

# What has no address in it tells of nobody, and what has one later does.
my $c = peer('smtp');
like($c->cmd('XCLIENT HELO=laptop.example.org'), qr/^220/, 'a peer tells of its client');
like($c->cmd('XCLIENT ADDR=192.0.2.66'), qr/^220/, 'and then who it is');
like($c->reply, qr/^5\d\d 5\.7\.1/, 'who may not come');
is($c->reply, undef, 'and has to go');

$c = peer('smtp');
$c->cmd("XCLIENT ADDR=192.0.2.$_") for 1, 2;
is(rows('limits/one'), '192.0.2.2:1', 'the last one told of counts');
my $other = peer('smtp');
like($other->cmd('XCLIENT ADDR=192.0.2.1'), qr/^220/, 'another peer tells of the first');
$other->cmd('NOOP');
is(rows('limits/one'), '192.0.2.1:1 192.0.2.2:1', 'who counts, too');
$other->cmd('XCLIENT ADDR=192.0.2.2');
like($other->reply, qr/^421 4\.7\.0 \S+ Error: too many connections from 192\.0\.2\.2$/, 'but not as the second, who is there already');
wait_for(sub { rows('limits/one') eq '192.0.2.2:1' }, 10, 'it to count no more');
pass('who was turned away counts no more');

# Behind STARTTLS all is forgotten.
$c->ehlo('peer');
like($c->cmd('STARTTLS'), qr/^220/, 'STARTTLS');
$c->start_tls;
$c->ehlo('peer');
is(rows('limits/one'), '', 'behind it the peer speaks for itself');
$c->cmd('XCLIENT ADDR=192.0.2.2');
$c->cmd('NOOP');
is(rows('limits/one'), '192.0.2.2:1', 'until it tells of its client again');
$c->close;

$c = Gatepost::Imap->new(port => $gatepost->port('imap'), timeout => 20);
like($c->cmd('ID ("name" "webmail" "x-session-id" "s1")'), qr/ OK /, 'an ID without an address');
$c->send_bytes(qq(b ID ("x-originating-ip" "192.0.2.66")\r\n));
like($c->rest, qr/^\* BYE .*not allowed/m, 'and one with it');

# Limits that a rule gives to one of them only, where the listener has none.
$c = peer('bare');
$c->cmd('XCLIENT ADDR=192.0.2.50');
$c->cmd('NOOP');
is(rows('limits/ruled'), '192.0.2.50:1', "a rule's limits");
like($c->cmd('XCLIENT ADDR=192.0.2.51'), qr/^220/, 'and a client that has none');
like($c->cmd('NOOP'), qr/^250/, 'is served');
is(rows('limits/ruled'), '', 'and counted nowhere');
$gatepost->stop;
done_testing;
