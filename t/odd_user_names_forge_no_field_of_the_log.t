#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# A name with blanks or quotes is quoted in the lines of its session, so that
# it does not look like other fields.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Fake;
use Gatepost::Gatepost;
use Gatepost::Imap;
use Test::More;

my $server = Gatepost::Fake->new(name => 'server', script => [
	[send => "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] ready\r\n"],
	[expect => qr/^(\S+) AUTHENTICATE PLAIN \S+\r\n/m],
	[send => sub ($tag) { "$tag OK [CAPABILITY IMAP4rev1] in\r\n" }], ['hold']])->start;
my $gatepost = Gatepost::Gatepost->new(values => { SERVER => $server->port }, config => <<'END')->start;
pool imap { server s { address 127.0.0.1:@SERVER@ } }
listener imap { bind 127.0.0.1:@PORT{imap}@; starttls off; plaintext_login yes; pool imap }
END

my %shown = ('bob' => 'bob', 'x" back=imap/y' => '"x\" back=imap/y"', 'two words' => '"two words"',
    'b\c' => '"b\\\\c"');
for my $name (sort keys %shown) {
	my $client = Gatepost::Imap->new(port => $gatepost->port('imap'));
	my $quoted = $name =~ s/(["\\])/\\$1/gr;

	like($client->cmd(qq{LOGIN "$quoted" secret}), qr/ OK/, "$name: logged in");
	$client->close;
	ok($gatepost->wait_for_log(qr/ imap 127\.0\.0\.1 user=\Q$shown{$name}\E back=imap\/s: /),
	    "$name: told from other fields");
}
$gatepost->stop;
$server->kill_now;
done_testing;
