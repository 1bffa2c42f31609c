#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# What an attacker may send before the login: each kind of rubbish is
# answered or ends the connection, in whatever pieces it comes; nothing of it
# reaches a server, a terminal or, of secrets, a log; others are served.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Cert qw(make_cert);
use Gatepost::Fake;
use Gatepost::Gatepost;
use Gatepost::Imap;
use Gatepost::Process qw(read_file wait_for);
use IO::Select;
use MIME::Base64 qw(encode_base64);
use Socket qw(SHUT_WR SOL_SOCKET SO_LINGER);
use Test::More;
use Time::HiRes qw(time);

my $secret = 'sup3r-secret';
my $fake = Gatepost::Fake->new(name => 'server', script => [
	[send => "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] ready\r\n"],
	[expect => qr/^(\S+) AUTHENTICATE[^\r\n]*\r\n/m],
	[send => sub ($tag) { "$tag NO [AUTHENTICATIONFAILED] no\r\n" }], ['hold'] ])->start;
my $gatepost = Gatepost::Gatepost->new(values => { CERT => make_cert(), SERVER => $fake->port },
	config => <<'END')->start;
threads 1
log { target stderr; level debug }
tls main { certificate @CERT@ }
pool imap { port @SERVER@; server s1 { address 127.0.0.1 } }
listener imap {
    bind 127.0.0.1:@PORT{imap}@; bind_tls 127.0.0.1:@PORT{imaps}@
    tls main; starttls optional; plaintext_login yes; pool imap
}
END

sub client ($port = 'imap') { return Gatepost::Imap->new(port => $gatepost->port($port), timeout => 10) }

# All that comes back for PIECES, sent one by one, up to the end of the connection.
sub exchange (@pieces) {
	my $client = client();

	for my $piece (@pieces) {
		eval { $client->send_bytes($piece); 1 } or last;
	}
	shutdown $client->{socket}, SHUT_WR;
	my $answer = $client->rest(10);
	my $ended = $client->{ended};
	$client->close;
	return $ended ? $answer : "$answer(and no end)";
}

sub is_alive ($what) {
	my $client = client();
	return ok(eval { $client->cmd('NOOP') =~ / OK/ }, "$what: others are served");
}

client()->close;	# the one thread has all the descriptors that it keeps by now
my $descriptors = $gatepost->fd_count;

# The answer is the same in one piece, cut in two at each byte, and byte by byte.
my $response = encode_base64("\0user\0$secret", '');
my %dialogues = (
	'LOGIN with literals' => ["a LOGIN {4}\r\nuser {12}\r\n$secret\r\nb LOGOUT\r\n",
	    qr/^\+ OK\r\n\+ OK\r\na NO \[AUTHENTICATIONFAILED\] [^\r\n]*\r\n\* BYE [^\r\n]*\r\nb OK [^\r\n]*\r\n\z/],
	'LOGIN with literals at once' => ["a LOGIN {4+}\r\nuser \"$secret\"\r\nb LOGOUT\r\n",
	    qr/^a NO \[AUTHENTICATIONFAILED\] [^\r\n]*\r\n\* BYE [^\r\n]*\r\nb OK [^\r\n]*\r\n\z/],
	'AUTHENTICATE' => ["a AUTHENTICATE PLAIN\r\n$response\r\nb ID (\"a\" NIL)\r\nc LOGOUT\r\n",
	    qr/^\+ \r\na NO \[A[^\r\n]*\r\n\* ID [^\r\n]*\r\nb OK [^\r\n]*\r\n\* BYE [^\r\n]*\r\nc OK [^\r\n]*\r\n\z/],
);
for my $what (sort keys %dialogues) {
	my ($bytes, $wanted) = @{ $dialogues{$what} };
	my @wrong = grep { exchange(substr($bytes, 0, $_), substr $bytes, $_) !~ $wanted } 0 .. length $bytes;
	is("@wrong", '', "$what: cut in two at any byte the answer is the same");
	like(exchange(split //, $bytes), $wanted, "$what: byte by byte too");
}

# name => [what is sent, what may come back (before a BYE)]
my $bye = qr/\A\* BYE [^\r\n]*\r\n\z/;
my %rubbish = (
	'a line of 1 MiB' => ['a NOOP ' . 'x' x 1_048_576 . "\r\n", $bye],
	'a line of 1 MiB without a blank' => ['x' x 1_048_576, $bye],
	'parentheses' => ['a ID ' . '(' x 1_048_576, $bye],
	'short parentheses' => ['a ID ' . '(' x 8000 . "\r\n", qr/\Aa BAD [^\r\n]*\r\n\z/],
	'a literal of 4 GiB at once' => ["a LOGIN {4294967295+}\r\n" . 'x' x 1000, $bye],
	'a literal beyond 64 bits' => ["a LOGIN {99999999999999999999+}\r\nx", $bye],
	'a literal beyond 64 bits, asked for' => ["a LOGIN {99999999999999999999}\r\n",
	    qr/\Aa NO \[TOOBIG\] [^\r\n]*\r\n\z/],
	'a literal that wraps' => ["a LOGIN {18446744073709551615}\r\n", qr/\Aa NO \[TOOBIG\] [^\r\n]*\r\n\z/],
	'a negative literal' => ["a LOGIN {-1}\r\n", qr/\Aa BAD [^\r\n]*\r\n\z/],
	'a literal as tag' => ["{3}\r\nabc NOOP\r\n", qr/\A\* BAD [^\r\n]*\r\n(?:\w+ OK |\* BAD )[^\r\n]*\r\n\z/],
	'a literal as verb' => ["a {4+}\r\nNOOP\r\n", qr/\Aa BAD [^\r\n]*\r\n\z/],
	'a literal without a blank behind' => ["a LOGIN {4+}\r\nuser{4+}\r\npass\r\n", qr/\Aa BAD [^\r\n]*\r\n\z/],
	'many empty literals' => ['a LOGIN' . " {0+}\r\n" x 3000 . "\r\n", qr/\A(?:a BAD|\* BYE) [^\r\n]*\r\n\z/],
	'NULs' => ["\0" x 10_000, $bye],
	'a NUL in a tag' => ["a\0%n NOOP\r\n", $bye],
	'a format string as tag' => ["%n%s%s NOOP\r\n", qr/\A\* BAD [^\r\n]*\r\n\z/],
	'format strings' => ["a \%n\%s\%s\r\n", qr/\Aa BAD [^%\r\n]*\r\n\z/],
	'a format string as user' => ["a LOGIN \"\%n\%s\%1000000d\" x\r\n", qr/\Aa NO [^\r\n]*\r\n\z/],
	'a control sequence as user' => ["a LOGIN \"\e[2J\e]0;x\a\" x\r\n", qr/\Aa NO [^\r\n]*\r\n\z/],
	'a line end in a user' => ["a LOGIN {6+}\r\nx\r\nb y \"z\"\r\n", qr/\Aa BAD [^\r\n]*\r\n\z/],
	'a line end in a response' => ["a AUTHENTICATE PLAIN " . encode_base64("\0u\r\nL NOOP\0p", '') . "\r\n",
	    qr/\Aa BAD [^\r\n]*\r\n\z/],
	'HTTP' => ["GET / HTTP/1.1\r\nHost: x\r\n\r\na NOOP\r\n", $bye],
	'HTTP in lower case' => ["post / HTTP/1.1\r\nHost: x\r\n\r\na NOOP\r\n", $bye],
	'SMTP' => ["EHLO x\r\nMAIL FROM:<a\@b>\r\n", qr/\A(?:\S+ BAD [^\r\n]*\r\n){2}\z/],
	'a TLS hello in the clear' => ["\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" . 'x' x 500, $bye],
	'STARTTLS within AUTHENTICATE' => ["a AUTHENTICATE LOGIN\r\nb STARTTLS\r\n",
	    qr/\A\+ \S+\r\na BAD [^\r\n]*\r\n\z/],
	'nothing but line ends' => ["\r\n" x 20, qr/\A(?:\* BAD [^\r\n]*\r\n)*\* BYE [^\r\n]*\r\n\z/],
	'binary after the verb' => ['a NOOP ' . join('', map { chr } 0 .. 9, 11 .. 255) . "\r\n",
	    qr/\Aa BAD [^\r\n]*\r\n\z/],
);
for my $what (sort keys %rubbish) {
	my ($bytes, $wanted) = @{ $rubbish{$what} };
	my $client = client();

	eval { $client->send_bytes($bytes) };
	shutdown $client->{socket}, SHUT_WR;
	like($client->rest(10), $wanted, "$what: is answered as it should be");
	ok($client->{ended}, "$what: ends");
	$client->close;
}
is_alive('after rubbish');

# base64 of each length, rightly and wrongly padded: it is refused, or a login that fails.
my $wrong = 0;
for my $n (0 .. 64) {
	my $text = substr(encode_base64("\0u\0" . 'p' x 64, ''), 0, $n);
	for my $padding ('', '=', '==', '===', '*', '====') {
		my $answer = exchange("a AUTHENTICATE PLAIN\r\n$text$padding\r\nb NOOP\r\n");
		$wrong++ if $answer !~ /\A\+ \r\na (?:BAD|NO) [^\r\n]*\r\nb OK [^\r\n]*\r\n\z/;
	}
}
is($wrong, 0, 'base64 of 0 to 64 bytes with any padding is judged, and the session goes on');

my $client = client();
$client->send_bytes("a LOGIN user $secret\r\n" x 1000);
shutdown $client->{socket}, SHUT_WR;
my $answer = $client->rest(10);
is(scalar(() = $answer =~ /^a NO /mg), 5, 'of 1000 pipelined LOGINs five are tried');
like($answer, qr/\* BYE Too many/, 'and the client hears why');

# Hundreds of connections that reset or half-close after each byte of a dialogue.
my $dialogue = "a STARTTLS\r\n";
for my $bytes ($dialogue, $dialogues{'LOGIN with literals'}[0], $dialogues{AUTHENTICATE}[0]) {
	for my $n (0 .. length $bytes) {
		for my $way ('half', 'reset', 'close') {
			my $one = client();
			eval { $one->send_bytes(substr $bytes, 0, $n) };
			shutdown $one->{socket}, SHUT_WR if $way eq 'half';
			setsockopt $one->{socket}, SOL_SOCKET, SO_LINGER, pack 'ii', 1, 0 if $way eq 'reset';
			$one->close;
		}
	}
}
is_alive('after connections cut at each byte');

# TLS: each prefix of a hello, plaintext, and bytes flipped.
for my $bytes ("a NOOP\r\n", "GET / HTTP/1.1\r\n\r\n", "\0" x 1000, "\x16\x03\x01\xff\xff" . 'x' x 70_000,
	map { substr("\x16\x03\x01\x00\x2e\x01\x00\x00\x2a\x03\x03" . 'r' x 32, 0, $_) } 1 .. 43) {
	my $one = Gatepost::Imap->new(port => $gatepost->port('imaps'), greeting => 0, timeout => 10);
	eval { $one->send_bytes($bytes) };
	shutdown $one->{socket}, SHUT_WR;
	$answer = $one->rest(10);
	$wrong++ if !$one->{ended} || $answer =~ /OK|BAD|BYE/;
	$one->close;
}
is($wrong, 0, 'what is no TLS hello ends the connection without a word in the clear');
is_alive('after broken hellos');
for my $words (qr/TLS failed: \S.* while starting TLS with the client/,
	qr/client lost: connection reset by peer while waiting for a command/,
	qr/protocol error while reading an endless command/, qr/protocol error while reading another protocol/,
	qr/too many errors while waiting for a command/, qr/too many errors while logging in/) {
	ok(eval { $gatepost->wait_for_log($words) }, "the log tells how a connection broke: $words") or diag($@);
}

ok(eval { wait_for(sub { $gatepost->fd_count <= $descriptors + 2 }, 10, 'descriptors') },
    'no descriptor is left behind') or diag($gatepost->fd_count . " of $descriptors");
$gatepost->stop;
my $logs = $gatepost->log_text . read_file($gatepost->{access_log});
unlike($logs, qr/\Q$secret\E|\Q$response\E/, 'no password is in a log at level debug');
is(scalar(() = $logs =~ /[^\x20-\x7e\n]/g), 0, 'nothing in a log speaks to a terminal');
my @sent = map { $fake->received($_) } 1 .. $fake->connections;
is(scalar(grep { /[^\x20-\x7e\r\n]|NOOP/ } @sent), 0, 'no server was sent a control character or a foreign command');
done_testing;
