#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Health checks know real Dovecots and Postfixes for well, without a complaint
# in their logs, and tell of each sick server what it has: a code that HAProxy's
# users know, the step, the reason, and its last words.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Cert qw(make_cert);
use Gatepost::Dovecot;
use Gatepost::Fake qw(black_hole refusing_port);
use Gatepost::Gatepost;
use Gatepost::Imap;
use Gatepost::Port qw(free_port);
use Gatepost::Postfix;
use Gatepost::Process qw(test_dir write_file);
use Test::More;

my $good_cert = make_cert(name => '127.0.0.1', names => ['127.0.0.1']);
my $old_cert = make_cert(name => '127.0.0.1', names => ['127.0.0.1'], days => -1);
my $dovecot = Gatepost::Dovecot->new(name => 'dovecot', cert => $good_cert, pop3 => 1,
    sieve_port => free_port())->start;
my $old = Gatepost::Dovecot->new(name => 'old', cert => $old_cert)->start;
my $postfix = Gatepost::Postfix->new(name => 'postfix', cert => $good_cert)->start;
write_file(test_dir() . '/password', "pass-1\n");
write_file(test_dir() . '/wrong', "pass-2\n");

my $smtp_way = "250-sick.example.com\r\n250 XCLIENT NAME ADDR PORT PROTO HELO LOGIN\r\n";
my @fakes = (
	# name      protocol  script                                                      what the log tells
	['silent', 'imap', [['hold']], qr/L7TOUT: timed out while reading greeting$/],
	['mute', 'imap', [[send => "* OK ready\r\n"], ['hold']],
	    qr/L7TOUT: timed out while .*capabilities.*; it said: \* OK ready$/],
	['garbage', 'imap', [[send => "220 smtp.example.com ESMTP\r\n"], ['hold']],
	    qr/L7RSP: .* while reading greeting; it said: 220 smtp\.example\.com ESMTP$/],
	['bye', 'imap', [[send => "* BYE overloaded\r\n"]],
	    qr/L7STS: .* while reading greeting; it said: \* BYE overloaded$/],
	['gone', 'imap', [['close']], qr/L7RSP: closed by the server while reading greeting$/],
	# it may come before the connect was seen
	['reset', 'imap', [['reset']], qr/L(?:4CON|7RSP): .* while (?:connecting|reading greeting)$/],
	['late', 'smtp', [[send => "421 4.3.2 too busy\r\n"]],
	    qr/L7STS: .*421 4\.3\.2 too busy.* while reading greeting; it said: 421 4\.3\.2 too busy$/],
	['blocked', 'smtp', [[send => "554 5.7.1 go away\r\n"]],
	    qr/L7STS: .* while reading greeting; it said: 554 5\.7\.1 go away$/],
	['deaf', 'smtp', [[send => "220-one\r\n220 two ESMTP\r\n"], ['hold']],
	    qr/L7TOUT: timed out while saying EHLO; it said: .*220 two ESMTP$/],
	['dumb', 'smtp', [[send => "220 x ESMTP\r\n"], [expect => qr/EHLO.*\n/], [send => "250 x\r\n"], ['hold']],
	    qr/L7RSP: server offers no way to pass the client's address/],
);
# multi-line greetings and servers that do not answer QUIT are well
my @odd = (
	['teaser', [[send => "220-wait\r\n220-for\r\n220 it ESMTP\r\n"], [expect => qr/EHLO.*\n/],
	    [send => $smtp_way], [expect => qr/QUIT\r\n/], [send => "221 bye\r\n"]]],
	['rude', [[send => "220 it ESMTP\r\n"], [expect => qr/EHLO.*\n/], [send => $smtp_way],
	    [expect => qr/QUIT\r\n/], ['close']]],
	['resets', [[send => "220 it ESMTP\r\n"], [expect => qr/EHLO.*\n/], [send => $smtp_way],
	    [expect => qr/QUIT\r\n/], ['reset']]],
);
my %fake = map { ($_->[0] => Gatepost::Fake->new(name => $_->[0], script => $_->[-2])->start) } @fakes;
$fake{$_->[0]} = Gatepost::Fake->new(name => $_->[0], script => $_->[1])->start for @odd;

my $pools = join '', map {
	"pool $_->[0] { protocol $_->[1]; server s { address 127.0.0.1:@{[$fake{$_->[0]}->port]} } }\n"
} @fakes, map { [$_->[0], 'smtp'] } @odd;
# by the look whether it runs
$postfix->wait_for_maillog(qr/lost connection/);
my $lost = $postfix->maillog_lines(qr/lost connection/);
my $gatepost = Gatepost::Gatepost->new(config => $pools . <<'END',
log { target stderr; level info }
default pool {
    connect_timeout 300ms
    check { interval 200ms; fast_interval 100ms; down_interval 200ms; fall 2; timeout 600ms }
}
pool imap { server s { address 127.0.0.1:@IMAP@ } }
pool imaps { protocol imap; server_tls implicit { ca @GOOD@ }; server s { address 127.0.0.1:@IMAPS@ } }
pool imaptls { protocol imap; server_tls starttls { ca @GOOD@ }; server s { address 127.0.0.1:@IMAP@ } }
pool pop3 { server s { address 127.0.0.1:@POP3@ } }
pool sieve { server s { address 127.0.0.1:@SIEVE@ } }
pool smtp { forward none; server s { address 127.0.0.1:@SMTP@ } }
pool login { protocol imap; server s { address 127.0.0.1:@IMAP@ }
             check { kind login; user user1; password_file @DIR@/password; interval 200ms } }
pool banner { protocol tcp; server s { address 127.0.0.1:@SMTP@ }
              check { kind send_expect; expect "220 "; send "QUIT\r\n"; expect "221 "; interval 200ms } }
pool tcp { server s { address 127.0.0.1:@IMAP@ } }

pool refused { protocol imap; server s { address 127.0.0.1:@REFUSED@ } }
pool refused_tcp { protocol tcp; server s { address 127.0.0.1:@REFUSED@ } }
pool hole { protocol imap; server s { address 127.0.0.1:@HOLE@ } }
pool expired { protocol imap; server_tls implicit { ca @OLD@ }; server s { address 127.0.0.1:@OLD_IMAPS@ } }
pool foreign { protocol imap; server_tls starttls { ca @GOOD@ }; server s { address 127.0.0.1:@OLD_IMAP@ } }
pool no_tls { protocol imap; server_tls implicit { ca @GOOD@ }; server s { address 127.0.0.1:@IMAP@ } }
pool wrong { protocol imap; server s { address 127.0.0.1:@IMAP@ }
             check { kind login; user user1; password_file @DIR@/wrong; interval 200ms; fast_interval 100ms } }
pool unmet { protocol tcp; server s { address 127.0.0.1:@IMAP@ }
             check { kind send_expect; expect "+OK"; interval 200ms; fast_interval 100ms; timeout 600ms } }
listener imap { bind 127.0.0.1:@PORT{imap}@; starttls off; plaintext_login yes; pool imap }
END
    values => {
	IMAP => $dovecot->port, IMAPS => $dovecot->tls_port, POP3 => $dovecot->pop3_port,
	SIEVE => $dovecot->{sieve_port}, SMTP => $postfix->port, OLD_IMAP => $old->port,
	OLD_IMAPS => $old->tls_port, GOOD => $good_cert, OLD => $old_cert, REFUSED => refusing_port(), HOLE => black_hole(),
    })->start;

my @well = qw(imap imaps imaptls pop3 sieve smtp login banner tcp);
ok($gatepost->wait_for_log(qr{\b$_/s is up$}), "$_ is up") for @well, map { $_->[0] } @odd;

my %sick = (
	refused => qr/L4CON: connection refused while connecting$/,
	refused_tcp => qr/L4CON: connection refused while connecting$/,
	hole => qr/L4TOUT: timed out while connecting$/,
	expired => qr/L6RSP: .*certificate has expired/,
	foreign => qr/L6RSP: .*self-signed certificate/,
	no_tls => qr/L6RSP: .* while starting TLS with the server/,
	wrong => qr/L7STS: .*AUTHENTICATIONFAILED/,
	unmet => qr/L7RSP: .*; it said: \* OK /,
	map { ($_->[0] => $_->[-1]) } @fakes,
);
for my $pool (sort keys %sick) {
	my $line = $gatepost->wait_for_log(qr{\b$pool/s is down: });

	like($line, qr/ $pool\/s is down: $sick{$pool}/, "$pool is down, and why");
}
unlike($gatepost->log_text, qr/pass-[12]/, 'no password is in the log');

# More rounds, and nobody has changed their mind.
$dovecot->wait_for_log(qr/user1/, 10, 3);
for my $pool (@well) {
	is(scalar(() = $gatepost->log_text =~ m{\b$pool/s is (?:down|up)}g), 1, "$pool stays up");
}
is(scalar($postfix->maillog_lines(qr/lost connection/)), $lost, 'Postfix complains of no lost connection');
unlike($postfix->maillog, qr/improper command|too many errors/, 'nor of anything else');
unlike($dovecot->log_text, qr/(?:Error|Warning|Fatal|Panic): /, 'Dovecot complains of nothing');
my $client = Gatepost::Imap->new(port => $gatepost->port('imap'));
like($client->login_as(1), qr/ OK /, 'users log in meanwhile');
done_testing;
