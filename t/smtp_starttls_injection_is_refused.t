#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Bytes in the clear around STARTTLS never count as said on TLS: what a client
# pipelines behind it ends the session, what it said before is forgotten, and
# a server whose reply has more behind it, or that has no TLS where it must,
# gets neither password nor mail.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Cert qw(make_cert);
use Gatepost::Fake;
use Gatepost::Gatepost;
use Gatepost::Process qw(wait_for);
use Gatepost::Smtp;
use Gatepost::Tls qw(client_hello);
use Test::More;

my $cert = make_cert();
my $ehlo = [expect => qr/^EHLO \S+\r\n/m];
my @hello = ([send => "220 fake ESMTP\r\n"], $ehlo);
my @offer = (@hello, [send => "250-fake\r\n250-STARTTLS\r\n250 XCLIENT ADDR NAME LOGIN PROTO HELO PORT\r\n"],
    [expect => qr/^STARTTLS\r\n/m]);
my $all = "250-fake\r\n250-XCLIENT ADDR NAME PORT PROTO HELO LOGIN\r\n250 AUTH PLAIN\r\n";
my %scripts = (
	injects => [@offer, [send => "220 go\r\n$all"], [starttls => $cert], [send => $all], ['hold']],
	injects_reply => [@offer, [send => "220 go\r\n235 in\r\n"], [starttls => $cert], ['hold']],
	has_none => [@hello, [send => $all], ['hold']],
	refuses => [@offer, [send => "454 4.7.0 TLS not available\r\n"], ['hold']],
	knows_none => [@offer, [send => "502 5.5.1 no\r\n"], ['hold']],
	breaks => [@offer, [send => "220 go\r\n250 in the clear\r\n"], ['close']],
	speaks_clear => [@offer, [send => "220 go\r\n"], [expect => qr/\x16\x03/], [send => $all], ['hold']],
	greets_all => [[send => "220 fake\r\n$all"], ['hold']],
);
my (%fakes, %values);
my $config = <<'END';
hostname gate.example.com
tls main { certificate @CERT@ }
default pool { check { kind none }; server_tls starttls { verify no }; retries 0; queue_timeout 0s; login_timeout 5s }
END
for my $name (sort keys %scripts) {
	for my $protocol (qw(smtp submission)) {
		my $id = "${name}_$protocol";
		my $fake = Gatepost::Fake->new(name => $id, script => $scripts{$name})->start;
		my $binds = $protocol eq 'smtp' ? 'bind' : 'bind_tls';
		$fakes{$id} = $fake;
		$values{$id} = $fake->port;
		$config .= <<~"END";
			pool $id { protocol $protocol; server s { address 127.0.0.1:\@$id\@ } }
			listener $id {
			    protocol $protocol; $binds 127.0.0.1:\@PORT{$id}\@; tls main; pool $id; capabilities 8BITMIME
			}
			END
	}
}
my $good = Gatepost::Fake->new(name => 'good', script => [@offer, [send => "220 go\r\n"], [starttls => $cert],
    $ehlo, [send => $all], [expect => qr/^XCLIENT [^\r\n]*\r\n/m], [send => "220 again\r\n"], $ehlo,
    [send => "250 fake\r\n"], [expect => qr/^MAIL FROM:<a\@example\.org>\r\n/m], [send => "250 2.1.0 ok\r\n"],
    ['hold']])->start;
my $judge = Gatepost::Fake->new(name => 'judge', script => [@hello, [send => $all],
    [expect => qr/^XCLIENT [^\r\n]*\r\n/m], [send => "220 again\r\n"], $ehlo, [send => $all],
    [expect => qr/^AUTH PLAIN \S+\r\n/m], [send => "235 in\r\n"], ['hold']])->start;
$config .= <<'END';
pool good { protocol smtp; server s { address 127.0.0.1:@GOOD@ } }
pool judge { protocol submission; server_tls off; server s { address 127.0.0.1:@JUDGE@ } }
listener smtp { bind 127.0.0.1:@PORT{smtp}@; tls main; pool good; capabilities 8BITMIME }
listener submission { bind 127.0.0.1:@PORT{submission}@; tls main; pool judge; capabilities 8BITMIME }
listener clear { protocol submission; bind 127.0.0.1:@PORT{clear}@; tls main; pool judge
                 capabilities 8BITMIME; starttls optional; plaintext_login yes }
END
my $gatepost = Gatepost::Gatepost->new(config => $config, values => { CERT => $cert, %values,
    GOOD => $good->port, JUDGE => $judge->port })->start;

sub client ($port, %option) {
	my $c = Gatepost::Smtp->new(port => $gatepost->port($port), timeout => 10, %option);

	$c->ehlo;
	return $c;
}

sub injections { return scalar(() = $gatepost->log_lines(qr/starttls injection/)) }

my $hello = client_hello();
for my $port (qw(smtp submission)) {
	my $before = injections();

	my %together = (
		'S1, a command behind STARTTLS' => "STARTTLS\r\nEHLO inj\r\n",
		'S1, a whole transaction' => "STARTTLS\r\nEHLO inj\r\nMAIL FROM:<a\@example.org>\r\nDATA\r\n",
		'S3, half a command and a ClientHello' => "STARTTLS\r\nNO$hello",
		'S4, a ClientHello' => "STARTTLS\r\n$hello",
	);
	for my $what (sort keys %together) {
		my $c = client($port);
		is($c->send_bytes($together{$what})->rest, "554 5.5.0 Nothing may follow STARTTLS.\r\n",
		    "$port: $what: refused, and nothing else was run");
		ok($c->{ended}, "$port: $what: the session ends");
	}
	ok(wait_for(sub { injections() - $before == keys %together }, 10, 'lines in the log'),
	    "$port: the log tells of each");

	my $c = client($port);
	$c->send_bytes("STARTTLS\r\n")->send_bytes("NOOP\r\n");
	unlike($c->rest, qr/^250/m, "$port: S2, a command in a second segment is not run");
	ok($c->{ended}, "$port: S2: the session ends");

	$c = client($port);
	$c->expect('220', 'STARTTLS');
	unlike($c->send_bytes("NOOP\r\n")->rest, qr/^250/m, "$port: nor one behind the go-ahead");
	ok($c->{ended}, "$port: and that session ends");

	$c = client($port)->starttls;
	like($c->cmd('MAIL FROM:<a@example.org>'), qr/^503 /, "$port: S5, EHLO is forgotten");
	like($c->cmd('FAKE'), qr/^5\d\d /, "$port: and nothing else comes");
	$c->ehlo;
	like($c->cmd('STARTTLS'), qr/^503 /, "$port: there is no second STARTTLS");
	$c->close;
}

my $c = client('smtp');
$c->expect('250', 'MAIL FROM:<a@example.org>');
like($c->cmd('STARTTLS'), qr/^503 /, 'S5, STARTTLS within a mail is refused');
$c->close;
$c = client('clear');
like($c->auth('anna', 'secret'), qr/^235 /, 'S5, logged in in the clear, where this is allowed,');
like($c->cmd('STARTTLS'), qr/^503 /, 'there is no STARTTLS any more');
$c->close;
$c = client('clear');
$c->expect('334', 'AUTH PLAIN');
like($c->cmd('STARTTLS'), qr/^501 5\.5\.2 /, 'S6, STARTTLS as an answer to AUTH PLAIN is none to it');
like($c->cmd('NOOP'), qr/^250 /, 'S6: the session goes on in the clear');
$c->expect('334', 'AUTH LOGIN');
is($c->cmd('STARTTLS'), '334 UGFzc3dvcmQ6', 'S6, as an answer to AUTH LOGIN it is a name in base64');
like($c->cmd('STARTTLS='), qr/^501 5\.5\.2 /, 'S6: and no password');
like($c->cmd('NOOP'), qr/^250 /, 'S6: the session goes on in the clear');
$c->close;

# Towards servers.
for my $name (sort keys %scripts) {
	my $id = "${name}_smtp";
	$c = client($id);
	like($c->cmd('MAIL FROM:<a@example.org>'), qr/^451 4\.3\.\d /,
	    "$name: the client may try again later");
	like($c->cmd('NOOP'), qr/^250 /, "$name: and go on");
	$c->close;
	unlike($fakes{$id}->received, qr/XCLIENT|MAIL|AUTH|\.org/i, "$name: no mail was sent there");

	$id = "${name}_submission";
	$c = client($id, tls => 1);
	like($c->auth('anna', 'secret'), qr/^454 4\.7\.0 /, "$name: the password is not called wrong");
	like($c->cmd('NOOP'), qr/^250 /, "$name: the session goes on");
	$c->close;
	unlike($fakes{$id}->received, qr/XCLIENT|MAIL|AUTH|anna|YW5uYQ/i,
	    "$name: no password was sent there");
}

$c = client('smtp');
like($c->cmd('MAIL FROM:<a@example.org>'), qr/^250 2\.1\.0 /, 'a good server is spoken to');
$c->close;
like($good->received, qr/^XCLIENT [^\r\n]*HELO=client\.example\.org.*^MAIL FROM/ms, 'on TLS');

$gatepost->stop;
done_testing;
