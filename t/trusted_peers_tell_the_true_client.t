#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# A gatepost behind a gatepost that it trusts: Dovecot and Postfix hear the
# client's own address and port and the first proxy's session id, and the
# trusted one needs no TLS.  Nobody else is believed a word about who they are.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Cert qw(make_cert);
use Gatepost::Dovecot;
use Gatepost::Gatepost;
use Gatepost::Imap;
use Gatepost::Pop3;
use Gatepost::Port qw(free_port own_address);
use Gatepost::Postfix;
use Gatepost::Sieve;
use Gatepost::Smtp;
use Test::More;

plan skip_all => 'needs root' if $> != 0;

my ($outer_address, $from, $liar) = map { own_address($_) } 0 .. 2;
my $dovecot = Gatepost::Dovecot->new(name => 'dovecot', pop3 => 1, sieve_port => free_port(),
    settings => <<'END')->start;
login_log_format_elements = user=<%u> rip=%r rport=%b lport=%a session=<%{session}>
END
my $postfix = Gatepost::Postfix->new(name => 'postfix', xclient => '127.0.0.1', sasl => 'any',
    main => { smtpd_client_port_logging => 'yes' })->start;
my %own = (CERT => make_cert(), OUTER => $outer_address);
my %inside = (DOVECOT => $dovecot->port, POP3 => $dovecot->pop3_port, SIEVE => $dovecot->{sieve_port},
    POSTFIX => $postfix->port);
my $inner = Gatepost::Gatepost->new(name => 'inner', values => { %own, %inside }, config => <<'END')->start;
hostname inner.example.com
tls main { certificate @CERT@ }
pool imap { server dovecot { address 127.0.0.1:@DOVECOT@ } }
pool pop3 { server dovecot { address 127.0.0.1:@POP3@ } }
pool sieve { server dovecot { address 127.0.0.1:@SIEVE@ } }
pool smtp { server postfix { address 127.0.0.1:@POSTFIX@ } }
pool submission { server postfix { address 127.0.0.1:@POSTFIX@ } }
default listener { tls main; trusted @OUTER@ }
listener imap { bind 127.0.0.1:@PORT{imap}@; bind_tls 127.0.0.1:@PORT{imaps}@; pool imap }
listener pop3 { bind 127.0.0.1:@PORT{pop3}@; bind_tls 127.0.0.1:@PORT{pop3s}@; pool pop3 }
listener sieve { bind 127.0.0.1:@PORT{sieve}@; bind_tls 127.0.0.1:@PORT{sieves}@; pool sieve }
listener smtp { starttls required; bind 127.0.0.1:@PORT{smtp}@; pool smtp }
listener submission { bind 127.0.0.1:@PORT{submission}@; pool submission }
END
my $outer = Gatepost::Gatepost->new(name => 'outer', values => { %own,
    map { uc $_ => $inner->port($_) } qw(imap pop3 sieve smtp submission) }, config => <<'END')->start;
hostname outer.example.com
tls main { certificate @CERT@ }
default pool { check { kind none }; source @OUTER@ }
pool imap { server inner { address 127.0.0.1:@IMAP@ } }
pool pop3 { server inner { address 127.0.0.1:@POP3@ } }
pool sieve { server inner { address 127.0.0.1:@SIEVE@ } }
pool smtp { server inner { address 127.0.0.1:@SMTP@ } }
pool submission { server inner { address 127.0.0.1:@SUBMISSION@ } }
default listener { tls main }
listener imap { bind_tls 127.0.0.1:@PORT{imap}@; pool imap }
listener pop3 { bind_tls 127.0.0.1:@PORT{pop3}@; pool pop3 }
listener sieve { bind_tls 127.0.0.1:@PORT{sieve}@; pool sieve }
listener smtp { bind 127.0.0.1:@PORT{smtp}@; pool smtp }
listener submission { bind_tls 127.0.0.1:@PORT{submission}@; pool submission }
END

sub text ($subject) { return "From: anna\@example.com\nSubject: $subject\n\nHello.\n" }
sub smtp_client ($port, %option) {
	my $c = Gatepost::Smtp->new(port => $port, from => $from, timeout => 20, %option);
	$c->ehlo('laptop.example.org');
	return $c;
}

# The outer one's session, and what is told of it inside.
sub expect_inner_event ($event, $name, $port) {
	my $told = $inner->wait_for_event($event => { origin => $outer->wait_for_event($event =>
	    { client_port => $port })->{session} });

	is($told->{client}, $from, "$name: the inner gatepost logs the client's address");
	is($told->{client_port}, $port, "$name: and port");
	return $told->{origin};
}

# IMAP to Dovecot.
my $c = Gatepost::Imap->new(port => $outer->port('imap'), from => $from, tls => 1);
my $port = $c->{socket}->sockport;
like($c->cmd('ID ("x-originating-ip" "192.0.2.66" "x-session-id" "forged")'), qr/ OK /,
    'imap: ID is answered');
like($c->cmd('LOGIN user1 pass-1'), qr/ OK /, 'imap: a login through both, without TLS between them');
my $id = expect_inner_event('login', 'imap', $port);
ok($dovecot->wait_for_log(
    qr/Login: user=<user1>, rip=\Q$from\E, rport=$port, lport=\d+, session=<\Q$id\E>/),
    'imap: Dovecot knows the client, and the outer session');
unlike($dovecot->log_text, qr/192\.0\.2\.66|forged/, 'imap: and not the client\'s own story');
$c->close;

# POP3 and ManageSieve, which have XCLIENT for that.
my %dialects = (
	pop3 => { client => 'Gatepost::Pop3', login => 'user_pass', refused => qr/^-ERR/ },
	sieve => { client => 'Gatepost::Sieve', login => 'authenticate', refused => qr/^NO/ },
);
my $lie = 'XCLIENT ADDR=192.0.2.66 PORT=66 SESSION=forged';
for my $protocol (sort keys %dialects) {
	my ($class, $log_in, $refused) = @{ $dialects{$protocol} }{qw(client login refused)};

	$c = $class->new(port => $outer->port($protocol), from => $from, tls => 1);
	$port = $c->{socket}->sockport;
	like($c->cmd($lie), $refused, "$protocol: the outer gatepost takes no XCLIENT");
	like($c->$log_in('user4', 'pass-4'), qr/^\+?OK\b/,
	    "$protocol: a login through both, without TLS between them");
	$id = expect_inner_event('login', $protocol, $port);
	ok($dovecot->wait_for_log(
	    qr/$protocol-login: .*user=<user4>, rip=\Q$from\E, rport=$port, .*session=<\Q$id\E>/),
	    "$protocol: Dovecot knows the client, and the outer session");
	$c->close;

	$c = $class->new(port => $inner->port("${protocol}s"), from => $liar, tls => 1);
	like($c->cmd($lie), $refused, "$protocol: who is not trusted is refused XCLIENT");
	like($c->$log_in('user5', 'pass-5'), qr/^\+?OK\b/, "$protocol: but not the login");
	ok($dovecot->wait_for_log(
	    qr/$protocol-login: .*user=<user5>, rip=\Q$liar\E, .*session=<[0-9a-f]{16}>/),
	    "$protocol: and is who it is");
	$c->close;
}
unlike($dovecot->log_text, qr/192\.0\.2\.66|forged/, 'nothing of it was believed there');

# A Dovecot that proxies tells it in its own way.
my $proxy = Gatepost::Dovecot->new(name => 'proxy', users => 0, settings => <<"END")->start;
passdb {
  driver = static
  args = proxy=y nopassword=y host=127.0.0.1 port=@{[$inner->port('imap')]} source_ip=$outer_address
}
END
$c = Gatepost::Imap->new(port => $proxy->port, from => $from);
$port = $c->{socket}->sockport;
like($c->cmd('LOGIN user3 pass-3'), qr/ OK /, 'behind a Dovecot: a login');
my $event = $inner->wait_for_event(login => { user => 'user3' });
is("$event->{client}:$event->{client_port}", "$from:$port", 'behind a Dovecot: the client is known');
ok($dovecot->wait_for_log(
    qr/Login: user=<user3>, rip=\Q$from\E, rport=$port, lport=\d+, session=<\Q$event->{origin}\E>/),
    'behind a Dovecot: by the last one, too');
ok($proxy->wait_for_log(qr/session=<\Q$event->{origin}\E>/),
    'behind a Dovecot: with the session of the first');
$c->close;

# Mail to Postfix.
$c = smtp_client($outer->port('smtp'));
$port = $c->{socket}->sockport;
like($c->send_message(from => 'anna@example.org', to => ['bob@example.com'], text => text('world')),
    qr/^250 /, 'smtp: a mail through both, without TLS though it is required');
expect_inner_event('message', 'smtp', $port);
ok($postfix->wait_for_maillog(qr/: client=unknown\[\Q$from\E\]:$port$/), 'smtp: Postfix knows the client');
like($postfix->wait_for_messages(qr/^Subject: world$/m)->{text},
    qr/^Received: from laptop\.example\.org \(unknown \[\Q$from\E\]\)/m, 'smtp: and its name');
$c->quit;

$c = smtp_client($outer->port('submission'), tls => 1);
$port = $c->{socket}->sockport;
like($c->auth('anna', 'secret'), qr/^235 /, 'submission: a login through both');
like($c->send_message(from => 'anna@example.com', to => ['far@example.net'], text => text('user')),
    qr/^250 /, 'submission: and a mail');
expect_inner_event('login', 'submission', $port);
ok($postfix->wait_for_maillog(qr/: client=unknown\[\Q$from\E\]:$port, .*sasl_username=anna$/),
    'submission: Postfix knows the client');
$c->quit;

# Others are not believed.
$c = Gatepost::Imap->new(port => $inner->port('imap'), from => $liar);
like($c->{greeting}, qr/ LOGINDISABLED\]/, 'who is not trusted may not log in without TLS');
$c->close;
$c = Gatepost::Imap->new(port => $inner->port('imaps'), from => $liar, tls => 1);
$c->cmd('ID ("x-originating-ip" "192.0.2.66" "x-originating-port" "66" "x-session-id" "forged")');
like($c->cmd('LOGIN user2 pass-2'), qr/ OK /, 'who is not trusted logs in with TLS');
ok($dovecot->wait_for_log(qr/Login: user=<user2>, rip=\Q$liar\E, .*session=<[0-9a-f]{16}>/),
    'and is who it is, whatever it says');
$c->close;
for my $listener (qw(smtp submission)) {
	$c = Gatepost::Smtp->new(port => $inner->port($listener), from => $liar);
	ok(!exists $c->ehlo->{XCLIENT}, "$listener: who is not trusted is announced no XCLIENT");
	like($c->cmd('XCLIENT ADDR=192.0.2.66'), qr/^550 /, "$listener: nor is it taken");
	like($c->cmd('MAIL FROM:<anna@example.org>'), qr/^530 /, "$listener: and TLS is required");
	$c->starttls;
	ok(!exists $c->ehlo->{XCLIENT}, "$listener: no XCLIENT with TLS");
	like($c->cmd('XCLIENT ADDR=192.0.2.66'), qr/^550 /, "$listener: nor is it taken then");
	like($c->send_message(from => 'anna@example.org', to => ['bob@example.com'], text => text('liar')),
	    qr/^250 /, "$listener: a mail is") if $listener eq 'smtp';
	$c->quit;
}
ok($postfix->wait_for_maillog(qr/: client=unknown\[\Q$liar\E\]/), 'and comes from where it came from');
unlike(join('', $postfix->maillog_lines(qr/./), $inner->event_lines), qr/192\.0\.2\.66|forged/,
    'nothing of it was believed');

# The trusted one is not believed that somebody is a user.
$c = Gatepost::Smtp->new(port => $inner->port('submission'), from => $outer_address);
is($c->ehlo->{XCLIENT}, 'NAME ADDR PORT PROTO HELO DESTADDR DESTPORT SESSION TTL', 'XCLIENT is announced');
like($c->cmd('XCLIENT ADDR=192.0.2.66 LOGIN=anna'), qr/^501 /, 'and takes no LOGIN');
$c->ehlo;
like($c->cmd('MAIL FROM:<anna@example.com>'), qr/^530 /, 'a user still logs in');
$c->quit;

$_->stop for $outer, $inner;
$_->stop_quietly for $dovecot, $proxy, $postfix;
done_testing;
