#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# In front of a Postfix with postscreen, whose deep tests refuse who pipelines
# without having been offered it, clients are offered PIPELINING and may use
# it: the server hears one command at a time, under the client's address.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Cert qw(make_cert);
use Gatepost::Gatepost;
use Gatepost::Port qw(own_address);
use Gatepost::Postfix;
use Gatepost::Smtp;
use Test::More;

plan skip_all => 'needs root' if $> != 0;

my $postfix = Gatepost::Postfix->new(name => 'screened', postscreen => 1, proxy => 1, main => {
	postscreen_greet_wait => '1s', postscreen_greet_banner => 'wait',
	postscreen_greet_action => 'enforce',
	postscreen_pipelining_enable => 'yes', postscreen_pipelining_action => 'enforce',
	postscreen_non_smtp_command_enable => 'yes', postscreen_non_smtp_command_action => 'drop',
	postscreen_bare_newline_enable => 'yes', postscreen_bare_newline_action => 'enforce',
})->start;
my $gatepost = Gatepost::Gatepost->new(values => { CERT => make_cert(), PORT => $postfix->port },
    config => <<'END')->start;
tls main { certificate @CERT@ }
pool smtp { forward proxy_v2; server s { address 127.0.0.1:@PORT@ } }
listener smtp { bind 127.0.0.1:@PORT{smtp}@; tls main; pool smtp; capabilities 8BITMIME }
END

sub client ($from, $port = $gatepost->port('smtp'), %option) {
	return Gatepost::Smtp->new(port => $port, from => $from, timeout => 20, %option);
}

sub message ($subject) {
	return (from => 'alice@example.org', to => ['bob@example.com'], text => "Subject: $subject\n\nHello.\n");
}

my $from = own_address(1);
my $c = client($from);
ok(exists $c->ehlo->{PIPELINING}, 'a new client is offered PIPELINING');
my @replies = $c->pipeline('MAIL FROM:<alice@example.org>', 'RCPT TO:<bob@example.com>',
    'RCPT TO:<eve@example.com>', 'NOOP', 'DATA');
is(join(' ', map { substr $_, 0, 3 } @replies[0 .. 3]), '250 450 450 250', 'postscreen wants to see it again');
like($replies[4], qr/^[45]\d\d /, 'and takes no message');
like($c->cmd('RSET'), qr/^250 /, 'the session goes on');
$c->quit;
like($postfix->wait_for_maillog(qr/postscreen.*PASS NEW/), qr/\[\Q$from\E\]/,
    'no test failed, and the client is known by its address');
ok(!$postfix->maillog_lines(qr/COMMAND PIPELINING|PREGREET|NON-SMTP|BARE NEWLINE/),
    'postscreen saw nothing bad');

$c = client($from);
$c->ehlo;
@replies = $c->send_pipelined(message('screened'));
is(join(' ', map { substr $_, 0, 3 } @replies), '250 250 354 250', 'the next time its mail is taken');
$c->quit;
like($postfix->wait_for_messages(qr/^Subject: screened$/m)->{text}, qr/\[\Q$from\E\]/, 'and arrives');
is(scalar $postfix->maillog_lines(qr/PASS OLD \[\Q$from\E\]/), 1, 'from a client that is known');

# That the test tells: the same without gatepost is refused.
my $direct = own_address(2);
my $header = "PROXY TCP4 $direct 127.0.0.1 4711 25\r\n";
$c = client($from, $postfix->port, before => $header);
$c->ehlo;
$c->pipeline('MAIL FROM:<alice@example.org>', 'RCPT TO:<bob@example.com>');
$c->close;
ok($postfix->wait_for_maillog(qr/COMMAND PIPELINING from \[\Q$direct\E\]/),
    'who pipelines at postscreen is told so');

$gatepost->stop;
$postfix->stop_quietly;
done_testing;
