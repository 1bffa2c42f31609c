#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# A client whose replies are late gets wherever others do, only later: STARTTLS, logins in one step or many, mails
# with commands one by one or together, whole or octet by octet.  Each late reply is counted once, an accepted mail
# is the end of it, and servers that are lost, drains and kicks are as for others.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Cert qw(make_cert);
use Gatepost::Gatepost;
use Gatepost::Fake;
use Gatepost::LmtpServer;
use Gatepost::Postfix;
use Gatepost::Process qw(wait_for);
use Gatepost::Smtp;
use MIME::Base64 qw(encode_base64);
use Test::More;

my $postfix = Gatepost::Postfix->new(name => 'free', xclient => '127.0.0.1', sasl => { ann => 'right' })->start;
my $lmtp = Gatepost::LmtpServer->new(name => 'lmtp')->start;
my @hello = ([send => "220 here ESMTP\r\n"], [expect => qr/^EHLO .*\r\n/m],
    [send => "250-here\r\n250 PIPELINING\r\n"], [expect => qr/^MAIL .*\r\n/m], [send => "250 m\r\n"]);
my $brief = Gatepost::Fake->new(name => 'brief', script => [@hello, [expect => qr/^RCPT .*\r\n/m]])->start;
my $gatepost = Gatepost::Gatepost->new(values => { FREE => $postfix->port, LMTP => $lmtp->port,
    BRIEF => $brief->port, CERT => make_cert() }, config => <<~'END')->start;
	tls main { certificate @CERT@ }
	limits late { soft_errors 2; hard_errors 0; junk_commands 0; error_delay 20ms; auth_failure_delay none }
	limits later { soft_errors 2; hard_errors 0; error_delay 1m }
	default listener { limits late; tls main }
	auth server { source server }
	pool mx { protocol smtp; server p { address 127.0.0.1:@FREE@ } }
	pool out { protocol submission; server p { address 127.0.0.1:@FREE@ } }
	pool lmtp { server l { address 127.0.0.1:@LMTP@ } }
	pool brief { protocol smtp; forward none; server b { address 127.0.0.1:@BRIEF@ } }
	listener mx { protocol smtp; bind 127.0.0.1:@PORT{mx}@; pool mx }
	listener out { protocol submission; bind 127.0.0.1:@PORT{out}@; bind_tls 127.0.0.1:@PORT{tls}@; pool out; auth server }
	listener lmtp { bind 127.0.0.1:@PORT{lmtp}@; pool lmtp; starttls optional }
	listener brief { protocol smtp; bind 127.0.0.1:@PORT{brief}@; pool brief }
	listener later { protocol smtp; bind 127.0.0.1:@PORT{later}@; pool mx; limits later }
	END

my %message = (from => 'a@example.org', to => ['b@example.com'], text => "Subject: x\n\nx\n");

# How many there were since the last call.
sub late ($name) {
	state %before;
	my ($now) = $gatepost->ask('show metrics') =~ /^gatepost_listener_delayed_replies_total\{[^}]*"$name"[^}]*\} (\d+)$/m;
	my $since = $now - ($before{$name} // 0);

	$before{$name} = $now;
	return $since;
}

sub come ($name) {
	my $c = Gatepost::Smtp->new(port => $gatepost->port($name), timeout => 60, tls => scalar($name eq 'tls'));

	$c->expect('500', 'FOO') for 1 .. 2;
	return $c;
}

# On MX and LMTP: STARTTLS, and a mail either way.
for my $name (qw(mx lmtp)) {
	my $hello = $name eq 'mx' ? 'EHLO' : 'LHLO';
	for my $way (qw(send_message send_pipelined)) {
		my $c = come($name);

		$c->expect('250', "$hello c.example.org");
		$c->starttls;
		$c->expect('250', "$hello c.example.org");
		is(late($name), 3, "$name: late up to TLS");
		like(($c->$way(%message))[-1], qr/^250/, "$name, $way: a mail");
		is(late($name), 3, 'likewise, but for the last word: it has been forgiven');
		$c->expect('250', 'NOOP');
		is(late($name), 0, 'it is the end of that');
		like(($c->$way(%message))[-1], qr/^250/, 'another mail');
		$c->quit;
		is(late($name), 0, 'nor is anything of it late');
	}
}

# Logins, and what comes behind them.
for my $name (qw(out tls)) {
	for my $login ([PLAIN => encode_base64("\0ann\0right", '')], [LOGIN => undef, map { encode_base64($_, '') } qw(ann right)]) {
		my ($mechanism, $initial, @lines) = @$login;
		my $c = come($name);

		$c->expect('250', 'EHLO c.example.org');
		if ($name eq 'out') {
			$c->starttls;
			$c->expect('250', 'EHLO c.example.org');
		}
		late('out');
		my @replies = map { $c->cmd($_) } join(' ', 'AUTH', $mechanism, $initial // ()), @lines;
		like($replies[-1], qr/^235/, "$name: AUTH $mechanism");
		is(late('out'), scalar @replies, 'of which each reply is late');
		like(($c->send_pipelined(%message))[-1], qr/^250/, 'and a mail');
		is(late('out'), 3, 'likewise');
		$c->quit;
	}
}

# Octet by octet, and all at once with its end.
my $all = "FOO\r\nFOO\r\nEHLO a\r\nMAIL FROM:<a\@example.org>\r\nRCPT TO:<b\@example.com>\r\nRCPT TO:<unknown\@example.com>\r\n"
    . "NOOP\r\nDATA\r\n";
for my $pieces (0, 1) {
	my $c = Gatepost::Smtp->new(port => $gatepost->port('mx'), timeout => 60);

	$c->send_bytes($_) for $pieces ? split(//, $all) : $all;
	my @codes = map { substr $c->reply, 0, 3 } 1 .. 8;
	$c->send_bytes($_) for $pieces ? split(//, "x: y\r\n\r\nz\r\n.\r\nQUIT\r\n") : "x: y\r\n\r\nz\r\n.\r\nQUIT\r\n";
	push @codes, map { substr $c->reply, 0, 3 } 1 .. 2;
	is("@codes", '500 500 250 250 250 550 250 354 250 221', 'each in its place');
	is(late('mx'), 6, 'and late once');
	is($c->reply, undef, 'up to the end');
}

# A server that is lost, and us that are to go, or the client.
my $c = come('brief');
$c->expect('250', 'HELO a');
$c->expect('250', $_) for 'MAIL FROM:<a@example.org>';
$c->expect('451', $_) for 'RCPT TO:<b@example.com>', 'RCPT TO:<b@example.com>';
$c->expect('250', 'RSET');
is(late('brief'), 5, 'a server that is lost makes no difference');
$c->quit;
my @clients = map { come('later') } 1 .. 3;
$_->send_bytes("NOOP\r\n") for @clients;
wait_for(sub { my $n = () = $gatepost->ask('show sess') =~ /waiting behind refused commands/g; $n == 3 }, 20, 'late replies');
$clients[0]->close;
$gatepost->wait_for_log(qr/later .*client left while waiting behind refused commands/);
$gatepost->signal('TERM');
like($clients[1]->reply, qr/^421 4\.3\.2/, 'who waits is told to go');
is($gatepost->wait_for_end, 0, 'and keeps nobody up');
done_testing;
