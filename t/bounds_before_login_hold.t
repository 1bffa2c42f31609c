#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# What a client can make us keep and wait for before its login is bounded:
# lines, literals, tags, errors, time.  What can be refused without losing
# step is refused and the session goes on; what cannot ends it with a BYE.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Cert qw(make_cert);
use Gatepost::Gatepost;
use Gatepost::Imap;
use Gatepost::Port qw(free_port);
use Gatepost::Process qw(wait_for);
use IO::Select;
use Test::More;
use Time::HiRes qw(time);

use constant { LINE => 8_192, LITERALS => 4_096, LOGIN_TIMEOUT => 3, PACE => 0.1 };

my $gatepost = Gatepost::Gatepost->new(values => { CERT => make_cert(), SERVER => free_port(),
    TIMEOUT => LOGIN_TIMEOUT }, config => <<'END')->start;
tls main { certificate @CERT@ }
pool imap { port @SERVER@; server s { address 127.0.0.1 } }
default listener { tls main; pool imap; starttls optional; plaintext_login yes }
listener imap { bind 127.0.0.1:@PORT{imap}@; bind_tls 127.0.0.1:@PORT{imaps}@ }
listener brief {
    protocol imap; bind 127.0.0.1:@PORT{brief}@; bind_tls 127.0.0.1:@PORT{briefs}@
    login_timeout @TIMEOUT@s
}
END

sub client ($name = 'imap') {
	return Gatepost::Imap->new(port => $gatepost->port($name), tls => scalar($name =~ /s$/),
	    timeout => 20);
}

# The whole of what is said to BYTES, with a NOOP behind it where the session is to go on.
sub goes_on ($bytes, $pattern, $name) {
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	for my $port (qw(imap imaps)) {
		my $client = client($port);
		$client->send_bytes($bytes);
		$client->send_bytes("after NOOP\r\n");
		my @lines = eval { $client->lines_until(qr/^after /) };
		like(join("\n", @lines), qr/\A${pattern}after OK[^\n]*\z/, "$port: $name") or diag($@);
		$client->close;
	}
}

sub ends ($bytes, $pattern, $name) {
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	for my $port (qw(imap imaps)) {
		my $client = client($port);
		$client->send_bytes($bytes);
		like($client->rest, qr/\A$pattern\z/, "$port: $name");
		ok($client->{ended} && !defined $client->{error}, "$port: $name: the end, and no reset");
		$client->close;
	}
}

# Lines.
my $pad = sub ($text, $length) { $text . 'x' x ($length - length($text) - 2) . "\r\n" };
goes_on($pad->('a XYZZY ', LINE), qr/a BAD [^\n]*\n/, 'the longest line');
ends($pad->('a XYZZY ', LINE + 1), qr/\* BYE [^\r\n]*\r\n/, 'a longer one');
ends('a XYZZY ' . 'x' x (256 * 1024), qr/\* BYE [^\r\n]*\r\n/, 'one that does not end');
ends('x' x 100_000, qr/\* BYE [^\r\n]*\r\n/, 'one that never comes to its command');

# Literals: before they are sent where the client asks, at once where it does not.
my $bad = qr/a (?:BAD|NO) [^\n]*\n/;
my $all = 'x' x LITERALS;
goes_on("a XYZZY {${\LITERALS}+}\r\n$all\r\n", $bad, 'the largest literal');
for my $size (LITERALS + 1, 2**31, 2**32 + 5, '9223372036854775808', '9' x 40) {
	goes_on("a LOGIN {$size}\r\n", qr/a NO \[TOOBIG\][^\n]*\n/,
	    "a literal of $size is refused before it is sent");
	ends("a LOGIN {$size+}\r\n", qr/\* BYE [^\r\n]*\r\n/,
	    "one of $size that is sent at once ends the session");
}
goes_on("a LOGIN {4000+}\r\n${\('u' x 4000)} {97}\r\n", qr/a NO \[TOOBIG\][^\n]*\n/,
    'all literals of a command count');
ends("a LOGIN {4000+}\r\n${\('u' x 4000)} {97+}\r\n", qr/\* BYE [^\r\n]*\r\n/,
    'also those that are sent at once');
ends('a XYZZY' . " {1+}\r\nx" x 10_000, qr/\* BYE [^\r\n]*\r\n/, 'many small ones count as well');
ends('a XYZZY' . " {0+}\r\n" x 10_000, qr/\* BYE [^\r\n]*\r\n/, 'so do the lines between empty ones');

# Tags: what is not said back cannot be made long.
goes_on('t' x 63 . " NOOP\r\n", qr/t{63} OK [^\n]*\n/, 'the longest tag');
goes_on('t' x $_ . " NOOP\r\n", qr/\* BAD [^\n]*\n/, "a tag of $_ is not said back") for 64, 1_000;

# ID up to its legal size, 30 names and values, all of it escaped; not more.
my $pair = '"' . '\\\\' x 30 . '" "' . '\\"' x 1_024 . '"';
goes_on('a ID (' . join(' ', ($pair) x 30) . ")\r\n", qr/\* ID [^\n]*\na OK [^\n]*\n/, 'the largest ID');
goes_on('a ID (' . join(' ', ('"n" "v"') x 31) . ")\r\n", qr/a BAD [^\n]*\n/, 'an ID of 31 pairs');
ends('a ID ("' . 'x' x 200_000, qr/\* BYE [^\r\n]*\r\n/, 'an ID that does not end');

# max_errors
{
	my $client = client();
	$client->send_bytes(join '', map { "e$_ XYZZY\r\n" } 1 .. 20);
	my $said = $client->rest;
	is(scalar(() = $said =~ /^e\d+ BAD/mg), 5, 'max_errors: so many are answered');
	like($said, qr/\r\n\* BYE [^\r\n]*\r\n\z/, 'max_errors: and then it ends');
	$client = client();
	$client->send_bytes("w$_ LOGIN {9999}\r\n") for 1 .. 20;
	like($client->rest, qr/\* BYE [^\r\n]*\r\n\z/, 'max_errors: literals that are too large count');
	$client = client();
	$client->send_bytes("n$_ NOOP\r\n") for 1 .. 50;
	like(($client->lines_until(qr/^n50 /))[-1], qr/ OK/, 'max_errors: good commands do not');
	$client->close;
}

# One login_timeout for all, however busy the client is with it: all of these run at once.
my %slow = (
	'says nothing' => ['brief', sub ($client, $i) { }],
	'says nothing on TLS' => ['briefs', sub ($client, $i) { }],
	'sends a byte now and then' => ['brief', sub ($client, $i) { $client->send_bytes('x') }],
	'sends a byte now and then on TLS' => ['briefs', sub ($client, $i) { $client->send_bytes('x') }],
	'sends commands' => ['brief', sub ($client, $i) { $client->send_bytes("c$i NOOP\r\n") }],
	'sends a literal slowly' => ['brief',
	    sub ($client, $i) { $client->send_bytes($i ? 'x' : "a LOGIN {4000+}\r\n") }],
	'thinks about its password' => ['brief',
	    sub ($client, $i) { $client->send_bytes("a AUTHENTICATE PLAIN\r\n") unless $i }],
	'never begins its handshake' => ['briefs', undef],
	'sends its handshake slowly' => ['briefs', undef,
	    "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" . 'r' x 100],
	'begins TLS and stops' => ['brief',
	    sub ($client, $i) { $client->send_bytes("s STARTTLS\r\n") unless $i }],
);
my %at;
for my $what (sort keys %slow) {
	my ($port, $act, $raw) = @{ $slow{$what} };
	my $client = defined $act ? client($port)
	    : Gatepost::Imap->new(port => $gatepost->port($port), greeting => 0, timeout => 20);
	$at{$what} = { client => $client, began => time, act => $act, raw => $raw };
}
sub act ($slow, $i) {
	my $client = $slow->{client};
	return eval {
		$slow->{act}->($client, $i) if $slow->{act};
		$client->send_bytes(substr $slow->{raw}, $i, 1) if defined $slow->{raw} && $i < length $slow->{raw};
		1;
	};
}
my ($next, $deadline, $i) = (time, time + 30, 0);
while ((my @slow = grep { !exists $_->{took} } values %at) && time < $deadline) {
	my $acts = time >= $next;
	for my $slow (@slow) {
		my $went = !$acts || act($slow, $i);
		1 while $slow->{client}->fill(time + 0.001);
		$slow->{took} = time - $slow->{began} if $slow->{client}{ended} || !$went;
	}
	($next, $i) = (time + PACE, $i + 1) if $acts;
	my $select = IO::Select->new(map { exists $_->{took} ? () : $_->{client}->socket } @slow);
	$select->can_read($next > time ? $next - time : 0) if $select->count;
}
for my $what (sort keys %at) {
	my ($took, $said) = ($at{$what}{took} // 'forever', $at{$what}{client}{in});
	ok($took ne 'forever' && $took > LOGIN_TIMEOUT - 0.5 && $took < LOGIN_TIMEOUT + 5,
	    "a client that $what is gone after login_timeout") or diag($took);
	next if $what =~ /handshake|begins TLS/;
	like($said, qr/^\* BYE [^\r\n]*\r\n\z/m, "a client that $what is told");
}
wait_for(sub {
	keys %slow == grep { $_->{listener} eq 'brief' && $_->{reason} eq 'login timeout' } $gatepost->events('session');
}, 20, 'the log to tell of each');
pass('the log tells of each');

$gatepost->stop;
done_testing;
