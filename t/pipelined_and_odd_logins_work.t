#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Clients' habits around the login, with a real server behind: commands sent
# behind LOGIN, however much and in whatever pieces; CAPABILITY and ID before
# and after it; the forms of names and passwords, empty and in UTF-8.
use v5.36;
use utf8;
use FindBin;
use lib "$FindBin::Bin/lib";
use Encode qw(encode_utf8);
use Gatepost::Process qw(read_file write_file);
use Gatepost::Setup qw(start_imap_farm tls_client);
use MIME::Base64 qw(encode_base64);
use Socket qw(SHUT_WR);
use Test::More;

binmode Test::More->builder->$_, ':encoding(UTF-8)' for qw(output failure_output);

my $farm = start_imap_farm(dovecot => { settings => 'auth_username_chars =' },
    listener => 'starttls optional; plaintext_login yes');
my ($gatepost, @dovecots) = ($farm->{gatepost}, @{ $farm->{dovecots} });
for my $dovecot (@dovecots) {
	my $file = "$dovecot->{dir}/users";
	write_file($file, read_file($file) . encode_utf8("jürgen:{PLAIN}pässwörd €\n田中\@例え.jp:{PLAIN}秘密\n"));
}

sub clear_client { return Gatepost::Imap->new(port => $gatepost->port('imap')) }

# Sends all at once, or a byte at a time; the lines up to the one that answers LAST.
sub talk ($client, $bytes, $last, $way = 'send_bytes') {
	$client->$way($bytes);
	my @lines = eval { $client->lines_until(qr/^$last /) };
	return @lines ? join "\n", @lines : $@;
}

sub is_order ($text, $tags, $name) {
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is(join(' ', $text =~ /^([a-z]) (?:OK|NO|BAD)/mg), $tags, "$name: all are answered, in order")
	    or diag($text);
}

# What is sent behind the login has to reach the server, and its answers the client, in order.
my %openers = (clear => \&clear_client, imaps => sub { tls_client($gatepost) },
    starttls => sub { tls_client($gatepost, 'imap') });
for my $how (sort keys %openers) {
	for my $way (qw(send_bytes send_slowly)) {
		my $name = "$how, " . ($way eq 'send_slowly' ? 'byte by byte' : 'at once');

		my $client = $openers{$how}->();
		my $text = talk($client,
		    qq(a LOGIN user1 pass-1\r\nb LIST "" *\r\nc SELECT INBOX\r\nd LOGOUT\r\n), 'd', $way);
		is_order($text, 'a b c d', "LOGIN, LIST, SELECT, LOGOUT, $name");
		like($text, qr/^a OK.*^\* LIST .*^b OK.*^\* 0 EXISTS.*^c OK.*^\* BYE.*^d OK/ms,
		    "$name: with what belongs to them");
		ok($client->is_closed(10), "$name: LOGOUT ends it");

		$client = $openers{$how}->();
		$text = talk($client,
		    "a CAPABILITY\r\nb ID NIL\r\nc LOGIN user1 wrong\r\nd NOOP\r\ne LOGIN user1 pass-1\r\n"
		    . "f ID NIL\r\ng CAPABILITY\r\n", 'g', $way);
		is_order($text, 'a b c d e f g', "a wrong password in between, $name");
		like($text, qr/^\* ID \("name" "gatepost"\)\nb OK.*^c NO \[AUTHENTICATIONFAILED\].*^e OK/ms,
		    "$name: a refused login does not matter, ID is ours before the login");
		like($text, qr/^e OK.*^\* ID \("name" "Dovecot"\)\nf OK/ms,
		    "$name: and the server's behind it");
		$client->close;

		$client = $openers{$how}->();
		$text = talk($client, "a AUTHENTICATE PLAIN\r\n" . encode_base64("\0user1\0pass-1", '')
		    . "\r\nb NOOP\r\n", 'b', $way);
		like($text, qr/\A\+ ?\n(?:\* CAPABILITY .*\n)?a OK.*\nb OK[^\n]*\z/,
		    "an answer sent before it is asked for, $name");
		$client->close;

		$client = $openers{$how}->();
		$text = talk($client, "a NOOP\r\nb LOGOUT\r\nc NOOP\r\n", 'b', $way);
		is_order($text, 'a b', "LOGOUT before the login, $name");
		is($client->rest(10), '', "$name: what follows it is not answered");
		ok($client->{ended}, "$name: it ends the connection");
	}
}

# More behind the login than is kept while it is under way.
for my $how (sort keys %openers) {
	my $client = $openers{$how}->();
	my $message = "Subject: large\r\n\r\n" . join '',
	    map { sprintf "%08d of the large message\r\n", $_ } 1 .. 10_000;
	my $length = length $message;
	my $text = talk($client,
	    "a LOGIN user2 pass-2\r\nb APPEND INBOX {$length+}\r\n$message\r\nc SELECT INBOX\r\n", 'c');
	is_order($text, 'a b c', "$how: $length octets behind the LOGIN");
	my ($count) = $text =~ /^\* (\d+) EXISTS/m;
	ok($client->fetch_body($count // 1) eq $message, "$how: arrive whole");
	$client->close;
}

# A client that closes its half behind all it has to say.
my $client = clear_client();
$client->send_bytes("a LOGIN user1 pass-1\r\nb NOOP\r\nc LOGOUT\r\n");
shutdown $client->socket, SHUT_WR;
is_order($client->rest(20), 'a b c', 'half-closed behind LOGOUT');
ok($client->{ended}, 'half-closed behind LOGOUT: the connection ends');

# CAPABILITY before and after the login: what is only for before is gone.
$client = tls_client($gatepost);
my ($before) = $client->cmd('CAPABILITY');
like($before, qr/^\* CAPABILITY IMAP4rev1 .*\bAUTH=PLAIN\b/,
    'CAPABILITY before the login tells how to log in');
my @reply = $client->cmd('LOGIN user3 pass-3');
my ($told) = grep { /CAPABILITY/ } @reply;
like($told, qr/\bCONDSTORE\b/, 'the login brings the server\'s');
unlike($told, qr/\bAUTH=|\bSTARTTLS\b|\bLOGINDISABLED\b/, 'without what is for before the login');
my ($after) = $client->cmd('CAPABILITY');
is_deeply([sort split ' ', $after =~ s/.*?CAPABILITY //r =~ s/\].*//r],
    [sort split ' ', $told =~ s/.*?CAPABILITY //r =~ s/\].*//r], 'CAPABILITY behind it tells the same');
$client->close;

# Outlook: no initial response, one line each way; it may think better of it.
$client = tls_client($gatepost);
for my $step (["x AUTHENTICATE LOGIN", qr/^\+ VXNlcm5hbWU6$/], ['*', qr/^x BAD/],
    ['y AUTHENTICATE LOGIN', qr/^\+ VXNlcm5hbWU6$/],
    [encode_base64('user4', ''), qr/^\+ UGFzc3dvcmQ6$/],
    [encode_base64('wrong', ''), qr/^y NO \[AUTHENTICATIONFAILED\]/],
    ['z AUTHENTICATE login', qr/^\+ VXNlcm5hbWU6$/], [encode_base64('user4', ''), qr/^\+ UGFzc3dvcmQ6$/]) {
	$client->send_bytes("$step->[0]\r\n");
	like($client->line, $step->[1], "AUTHENTICATE LOGIN: $step->[0]");
}
like(talk($client, encode_base64('pass-4', '') . "\r\n", 'z'), qr/^z OK/m, 'AUTHENTICATE LOGIN: logged in');
$client->close;

# Names and passwords beyond ASCII, in every form.
for my $case (['jürgen', 'pässwörd €'], ['田中@例え.jp', '秘密']) {
	my ($user, $password) = map { encode_utf8($_) } @$case;
	my ($n, $m) = (length $user, length $password);
	my %forms = (
		quoted => qq(a LOGIN "$user" "$password"\r\n),
		literals => "a LOGIN {$n+}\r\n$user {$m+}\r\n$password\r\n",
		plain => 'a AUTHENTICATE PLAIN ' . encode_base64("\0$user\0$password", '') . "\r\n",
		login => 'a AUTHENTICATE LOGIN ' . encode_base64($user, '') . "\r\n"
		    . encode_base64($password, '') . "\r\n",
	);
	for my $form (sort keys %forms) {
		my $client = tls_client($gatepost);
		like(talk($client, $forms{$form}, 'a'), qr/^a OK/m, "$case->[0]: logs in ($form)");
		$client->close;
	}
	ok(eval { $gatepost->wait_for_event(session => { user => $case->[0] }) }, "$case->[0]: is in the log")
	    or diag($@);
}

# Nothing, in its forms: refused, and the client may try again.
my %empty = (
	'two empty strings' => qq(LOGIN "" ""),
	'an empty password' => 'LOGIN user1 ""',
	'an empty name' => 'LOGIN "" pass-1',
	'two literals of nothing' => "LOGIN {0+}\r\n {0+}\r\n",
	'a literal of nothing as password' => "LOGIN user1 {0+}\r\n",
	'an empty PLAIN' => 'AUTHENTICATE PLAIN =',
	'PLAIN with nothing in it' => 'AUTHENTICATE PLAIN ' . encode_base64("\0\0", ''),
	'LOGIN with an empty name' => "AUTHENTICATE LOGIN =\r\n" . encode_base64('pass-1', ''),
);
for my $what (sort keys %empty) {
	my $client = tls_client($gatepost);
	like(talk($client, "a $empty{$what}\r\n", 'a'), qr/^a (?:NO \[AUTHENTICATIONFAILED\]|BAD)/m,
	    "$what: refused");
	like($client->cmd('LOGIN user1 pass-1'), qr/ OK/, "$what: and the right one is taken then");
	$client->close;
}
$client = tls_client($gatepost);
$client->send_bytes("a LOGIN {5}\r\n");
like($client->line, qr/^\+/, 'synchronising literals: the name is asked for');
$client->send_bytes("user1 {0}\r\n");
like($client->line, qr/^\+/, 'synchronising literals: and nothing at all');
like(talk($client, "\r\n", 'a'), qr/^a NO \[AUTHENTICATIONFAILED\]/m,
    'synchronising literals: which is no password');
$client->close;

$gatepost->stop;
$_->stop for @dovecots;
done_testing;
