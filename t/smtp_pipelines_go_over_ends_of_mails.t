#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# What may be pipelined is (RFC 2920, RFC 3030): the next transaction behind
# the end of a message, several messages in chunks in one segment, one byte at
# a time just as well.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Cert qw(make_cert);
use Gatepost::Gatepost;
use Gatepost::Postfix;
use Gatepost::Smtp;
use Test::More;

plan skip_all => 'needs root' if $> != 0;

my $postfix = Gatepost::Postfix->new(name => 'mx', xclient => '127.0.0.1')->start;
my $gatepost = Gatepost::Gatepost->new(values => { CERT => make_cert(), PORT => $postfix->port },
    config => <<'END')->start;
tls main { certificate @CERT@ }
pool smtp { server s { address 127.0.0.1:@PORT@ } }
listener smtp { bind 127.0.0.1:@PORT{smtp}@; tls main; pool smtp }
END

my $envelope = "MAIL FROM:<a\@example.org>\r\nRCPT TO:<b\@example.com>\r\n";
sub text ($subject) { return "Subject: $subject\r\n\r\nHello.\r\n" }
sub chunk ($subject) { return sprintf "BDAT %d LAST\r\n%s", length text($subject), text($subject) }
sub client {
	my $c = Gatepost::Smtp->new(port => $gatepost->port('smtp'), timeout => 10);
	$c->ehlo;
	return $c;
}
sub codes ($c, $count) {
	return join ' ', map { substr eval { $c->reply } // '-', 0, 3 } 1 .. $count;
}

for my $way (qw(send_bytes send_slowly)) {
	my $c = client();
	$c->$way("${envelope}DATA\r\n");
	is(codes($c, 3), '250 250 354', "$way: a transaction begins");
	$c->$way(text("$way-1.") . ".\r\n${envelope}DATA\r\n");
	is(codes($c, 4), '250 250 250 354', "$way: the next one stands behind its end");
	$c->$way(text("$way-2.") . ".\r\nRSET\r\n${envelope}" . chunk("$way-3.") . $envelope
	    . chunk("$way-4.") . "NOOP\r\nQUIT\r\n");
	is(codes($c, 10), '250 250 250 250 250 250 250 250 250 221', "$way: then two in chunks, all in one");
	$c->close;
}
my $c = client();
$c->send_bytes($envelope . chunk('chunks-1.') . $envelope . chunk('chunks-2.') . 'QUIT' . "\r\n");
is(codes($c, 7), '250 250 250 250 250 250 221', 'a whole session is one segment');
$c->close;
$postfix->wait_until_quiet;
is(join(' ', sort map { $_->{text} =~ /^Subject: (\S+)\.$/m } $postfix->messages),
    join(' ', 'chunks-1', 'chunks-2', (map { "send_bytes-$_" } 1 .. 4), map { "send_slowly-$_" } 1 .. 4),
    'all mails have arrived once');

$gatepost->stop;
$postfix->stop_quietly;
done_testing;
