#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Users log in by all protocols and mechanisms, rightly and wrongly, with everything traced and a log at level
# debug: what they say is there, but no password, proof or token, nor mail.  Traces of a user and of a client
# come to the operator who asks, outlive reloads, and end with their time, by command or with the operator.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Dovecot;
use Gatepost::Fake;
use Gatepost::Gatepost;
use Gatepost::Imap;
use Gatepost::Login qw(log_in);
use Gatepost::Port qw(free_port own_address);
use Gatepost::Process qw(read_file test_dir wait_for write_file);
use Digest::MD5 qw(md5_hex);
use IO::Socket::UNIX;
use MIME::Base64 qw(encode_base64);
use Test::More;

my $dir = test_dir();
my ($password, $wrong, $token) = ('Gei5-Xo0uYae', 'Wae6-aiCh9', 'tok3n.' . 'Zz9' x 20);
my $mail = Gatepost::Fake->new(name => 'mail', script => [
	[send => "220 relay ESMTP\r\n"], map({ [expect => qr/EHLO.*\n/], [send => "250-relay\r\n250 8BITMIME\r\n"] } 1),
	[expect => qr/MAIL.*\n/], [send => "250 OK\r\n"], [expect => qr/RCPT.*\n/], [send => "250 OK\r\n"],
	[expect => qr/DATA.*\n/], [send => "354 go\r\n"], [expect => qr/\n\.\r\n/], [send => "250 taken\r\n"],
	['hold']])->start;
my $dovecot = Gatepost::Dovecot->new(name => 'dovecot', pop3 => 1, sieve_port => free_port(),
    relay_port => $mail->port, user_lines => "bob:{PLAIN}$password\n",
    settings => "auth_mechanisms = plain login xoauth2 oauthbearer\n"
    . "mail_plugins = zlib\nprotocol imap {\n  mail_plugins = zlib imap_zlib\n}\n")->start;
write_file("$dir/masters", "gp:{PLAIN}shared-Ohd4\n");
my $trusting = Gatepost::Dovecot->new(name => 'trusting', pop3 => 1, masters => "$dir/masters",
    any_user => 'password=unused')->start;
my $echo = Gatepost::Fake->new(name => 'echo', script => [
	[send => "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] ready\r\n"],
	[expect => qr/^(\S+) (AUTH.*?)\r\n/m],
	[send => sub ($tag, $line) { "* $line\r\n$tag NO [AUTHENTICATIONFAILED] $line and $password\r\n" }],
	['hold']])->start;
write_file("$dir/users", "bob:{PLAIN}$password\n");
write_file("$dir/shared", "shared-Ohd4\n");

my $config = <<'END';
log { target stderr; level debug }
hostname mail.example.com
default listener { starttls off; plaintext_login yes; max_errors 50 }
default pool { check { kind none } }
pool imap { protocol imap; server d { address 127.0.0.1:@IMAP@ } }
pool pop3 { protocol pop3; server d { address 127.0.0.1:@POP3@ } }
pool sieve { protocol sieve; server d { address 127.0.0.1:@SIEVE@ } }
pool submission { protocol submission; server d { address 127.0.0.1:@SUBMISSION@ } }
pool echo { protocol imap; server e { address 127.0.0.1:@ECHO@ } }
pool told { protocol imap; login master; master_user gp; master_password_file @DIR@/shared
            server d { address 127.0.0.1:@TRUSTING@ } }
pool told_pop3 { protocol pop3; login master; master_user gp; master_password_file @DIR@/shared
            server d { address 127.0.0.1:@TRUSTING_POP3@ } }
auth file { source file; path @DIR@/users; mechanisms PLAIN CRAM-MD5 SCRAM-SHA-256 APOP }
listener imap { bind 127.0.0.1:@PORT{imap}@; pool imap }
listener pop3 { bind 127.0.0.1:@PORT{pop3}@; pool pop3 }
listener sieve { bind 127.0.0.1:@PORT{sieve}@; pool sieve }
listener submission { bind 127.0.0.1:@PORT{submission}@; pool submission }
listener echo { protocol imap; bind 127.0.0.1:@PORT{echo}@; pool echo }
listener proof { protocol imap; bind 127.0.0.1:@PORT{proof}@; pool told; auth file }
listener apop { protocol pop3; bind 127.0.0.1:@PORT{apop}@; pool told_pop3; auth file }
END
my $gatepost = Gatepost::Gatepost->new(values => { IMAP => $dovecot->port, POP3 => $dovecot->pop3_port,
    SIEVE => $dovecot->{sieve_port}, SUBMISSION => $dovecot->submission_port, ECHO => $echo->port,
    TRUSTING => $trusting->port, TRUSTING_POP3 => $trusting->pop3_port },
    config => $config)->start;

sub main_log () { return $gatepost->log_text }
sub traced ($pattern) { return wait_for(sub { main_log() =~ $pattern }, 10, "$pattern in the log") }

# One that asks for a trace and reads it, up to a pattern.
sub open_trace ($command) {
	my $socket = IO::Socket::UNIX->new(Peer => "$dir/gatepost.sock") or die "connect: $!";
	my ($before) = $gatepost->ask('show trace') =~ tr/\n//;

	print {$socket} "$command\n";
	$socket->flush;
	wait_for(sub { $gatepost->ask('show trace') =~ tr/\n// > $before }, 10, $command);
	return { socket => $socket, text => '' };
}
sub read_trace ($trace, $pattern) {
	local $SIG{ALRM} = sub { die "no $pattern in:\n$trace->{text}" };
	alarm 10;
	while ($trace->{text} !~ $pattern) {
		sysread $trace->{socket}, $trace->{text}, 65536, length $trace->{text} or last;
	}
	alarm 0;
	return $trace->{text} =~ $pattern;
}

is($gatepost->ask('trace client 127.0.0.0/8 for 20m to log'), '', 'a trace to the log');
is($gatepost->ask_json('show trace')->[0]{of}, 'client 127.0.0.0/8', 'is listed');

my $good = 0;
sub try_login ($protocol, $listener, $mechanism, %option) {
	for my $secret ($password, $wrong) {
		my (undef, $is_good, $c) = log_in(protocol => $protocol, port => $gatepost->port($listener),
		    tls => 'clear', mechanism => $mechanism, user => 'bob', password => $secret, %option);
		$good += $is_good;
		is($is_good, $secret eq $password ? 1 : 0, "$listener, $mechanism: as it should be")
		    unless $option{password};
		$c->close;
	}
	return;
}
for my $protocol (qw(imap pop3 sieve submission)) {
	try_login($protocol, $protocol, '') if Gatepost::Login::has_native($protocol);
	for my $mechanism (qw(PLAIN LOGIN)) {
		try_login($protocol, $protocol, $mechanism);
		try_login($protocol, $protocol, $mechanism, in_turns => 1);
	}
}
try_login('imap', 'proof', $_) for qw(CRAM-MD5 SCRAM-SHA-256);
try_login('imap', 'imap', $_, password => $token) for qw(XOAUTH2 OAUTHBEARER);

# APOP
for my $secret ($password, $wrong) {
	my $c = Gatepost::Imap->new(port => $gatepost->port('apop'));
	my ($timestamp) = $c->greeting =~ /(<.*>)/;

	like($c->send_bytes('APOP bob ' . md5_hex("$timestamp$secret") . "\r\n")->line,
	    $secret eq $password ? qr/^\+OK/ : qr/^-ERR/, 'APOP');
	$c->close;
}

# passwords where they do not belong, and servers that repeat them
my $c = Gatepost::Imap->new(port => $gatepost->port('imap'));
$c->cmd("$password");
$c->cmd("LOGON bob $password");
$c->cmd("LOGIN $password x");
$c->send_bytes("x AUTHENTICATE PLAIN\r\n")->line;
$c->send_bytes(encode_base64("\0bob\0$password", '') . "\r\n")->line;
$c->close;
$c = Gatepost::Imap->new(port => $gatepost->port('echo'));
$c->cmd("LOGIN bob $password");
$c->close;
$c = Gatepost::Imap->new(port => $gatepost->port('imap'));
$c->send_bytes("a LOGIN {3}\r\n")->line;
$c->send_bytes("bob {" . length($password) . "}\r\n")->line;
$c->send_bytes("$password\r\n")->lines_until(qr/^a /);
$c->cmd('NOOP');
$c->send_bytes("b APPEND INBOX {38+}\r\nSubject: private-1\r\n\r\nprivate-2 text\r\n\r\n")->lines_until(qr/^b /);
$c->cmd('SELECT INBOX');
$c->send_bytes("d FETCH 1:* (ENVELOPE BODY[])\r\n")->lines_until(qr/^d /);
$c->cmd('LOGOUT');
$c->close;

# behind COMPRESS, in blocks that are stored as they are, once traced all along, once from then on
sub compressed () {
	my $c = Gatepost::Imap->new(port => $gatepost->port('imap'));
	$c->cmd("LOGIN bob $password");
	like($c->cmd('COMPRESS DEFLATE'), qr/ OK/, 'COMPRESS');
	return $c;
}
sub say_stored ($c) {
	my $text = "e NOOP\r\nf SEARCH SUBJECT private-5\r\nh SEARCH SUBJECT private-5\r\n";
	$c->send_bytes(pack('Cvv', 0, length $text, ~length($text) & 0xffff) . $text);
	return;
}
my $stored = compressed();
say_stored($stored);
traced(qr/ user=bob back=imap\/d server C: \[69 octets\]/);

# a mail by submission, read by pop3
my (undef, undef, $s) = log_in(protocol => 'submission', port => $gatepost->port('submission'), tls => 'clear',
    mechanism => 'PLAIN', user => 'bob', password => $password);
for my $line ('MAIL FROM:<a@example.com>', 'RCPT TO:<b@example.com>', 'DATA',
    "Subject: private-3\r\n\r\nprivate-4\r\n.", 'QUIT') {
	like($s->send_bytes("$line\r\n")->line, qr/^[23]/, 'a mail is sent');
}
$s->close;
my (undef, undef, $p) = log_in(protocol => 'pop3', port => $gatepost->port('pop3'), tls => 'clear',
    mechanism => 'PLAIN', user => 'bob', password => $password);
$p->send_bytes("RETR 1\r\n")->lines_until(qr/^\.$/);
$p->send_bytes("QUIT\r\n")->line;
$p->close;

traced(qr/ pop3 127\.0\.0\.1 user=bob back=pop3\/d server S: \+OK/);
my $log = main_log();
like($log, qr/notice: trace 1: [0-9a-f]{16} imap 127\.0\.0\.1 client C: \S+ LOGIN \[\d+ octets\]$/m, 'a login');
like($log, qr/ client C: AUTH \[\d+ octets\]\n/, 'SASL');
like($log, qr/ user=bob back=imap\/d server C: \S+ NOOP\n/, 'a command, by the server\'s side');
like($log, qr/ user=bob client C: b APPEND INBOX \{38\+\}\n.* client C: \[38 octets\]/, 'a literal by its size')
    or diag($log =~ /^(.*APPEND.*)$/mg);
like($log, qr/ client C: MAIL FROM:<a\@example\.com>\n/, 'an envelope');
like($log, qr/ client C: \[\d+ octets of mail\]\n/, 'a mail by its size');
like($log, qr/ server S: \[\d+ octets that repeat a secret\]\n/, 'a server that repeats the password');

is($gatepost->ask('trace off'), '', 'the trace is over');
is_deeply($gatepost->ask_json('show trace'), [], 'none is listed');

# one user's, at the console, over a reload, of a session that is there already
my $running = Gatepost::Imap->new(port => $gatepost->port('imap'));
$running->cmd("LOGIN bob $password");
my $user = open_trace('trace user bob for 1h');
$running->cmd('NOOP');
ok(read_trace($user, qr/ user=bob(?: back=imap\/d)? client C: \S+ NOOP\n/), 'a session that was there');
my $other = Gatepost::Imap->new(port => $gatepost->port('imap'));
$other->cmd('LOGIN user1 pass-1');
$other->cmd('NOOP');
ok($gatepost->reload, 'a reload');
my $new = Gatepost::Imap->new(port => $gatepost->port('imap'));
$new->cmd("LOGIN bob $password");
ok(read_trace($user, qr/ server C: L AUTHENTICATE \[\d+ octets\]\n.* server S: L OK/s), 'a new one, with its server');
$new->cmd("LIST \"\" *");
ok(read_trace($user, qr/ client C: \S+ LIST "" \*\n/), 'and what it does');
my $refused = Gatepost::Imap->new(port => $gatepost->port('imap'));
$refused->cmd("LOGIN bob $wrong");
ok(read_trace($user, qr/ client S: \S+ NO \[AUTHENTICATIONFAILED\] \[\d+ octets\]\n/), 'and that it is refused');
unlike($user->{text}, qr/user1/, 'nobody else\'s');
my $stored_port = $stored->socket->sockport;
wait_for(sub { grep { $_->{client} =~ /:$stored_port$/ } @{ $gatepost->ask_json('show sess all idle 1s') } }, 10,
    'a silence, behind which a line might begin');
say_stored($stored);
ok(read_trace($user, qr/ user=bob back=imap\/d server C: \[69 octets\]/), 'compressed octets are counted');
like($gatepost->ask('show trace'), qr/^ *2 +"?user bob"? +console/m, 'it is listed');
$gatepost->ask('trace off 2');
ok(read_trace($user, qr/The trace is over: by an operator\.\n/), 'ends by command');

# a client's, which leaves
my $client = open_trace('trace client ' . own_address(7));
my $from = Gatepost::Imap->new(port => $gatepost->port('imap'), from => own_address(7));
$from->cmd('CAPABILITY');
ok(read_trace($client, qr/ client S: \* OK .*\n.* client C: \S+ CAPABILITY\n/), 'from the greeting on');
close $client->{socket};
wait_for(sub { $from->cmd('NOOP'); $gatepost->ask('show trace') !~ /own|client/ }, 10, 'the end of that trace');
my $short = open_trace('trace user bob for 1s');
ok(read_trace($short, qr/The trace is over: its time is up\.\n/), 'ends with its time');
like($gatepost->ask('trace user bob for ever'), qr/^A trace takes /, 'a bad time');
like($gatepost->ask('trace client bob'), qr/^Which client\?/, 'no client');

# a storm of lines is bounded
my $storm = open_trace('trace user bob for 1h');
$running->send_bytes(join '', map { "s$_ NOOP\r\n" } 1 .. 2000);
$running->lines_until(qr/^s2000 OK/);
wait_for(sub { $gatepost->ask_json('show trace')->[0]{dropped} > 0 }, 10, 'lines that are too many');
$gatepost->ask('trace off');
ok(read_trace($storm, qr/\d+ lines were too many/), 'and told of');

$_->close for $running, $other, $new, $refused, $from, $stored;
$gatepost->stop;
my $all = main_log() . read_file("$dir/gatepost.access.json")
    . join '', map { $_->{text} } $user, $client, $short, $storm;
my @secrets = map({ ($_, encode_base64($_, '') =~ s/=+$//r, encode_base64("\0bob\0$_", '') =~ s/=+$//r,
    unpack 'H*', $_) } $password, $wrong, $token, 'shared-Ohd4');
for my $secret (@secrets, qw(private-1 private-2 private-3 private-4 private-5), 'AUTHENTICATE PLAIN A') {
	my ($line) = $all =~ /^(.*\Q$secret\E.*)$/m;
	is($line, undef, "no `$secret` anywhere");
}
$_->kill_now for $mail, $echo;
$_->stop_quietly for $dovecot, $trusting;
done_testing;
