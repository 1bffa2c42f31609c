#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Real clients read mail through gatepost from real Dovecots: curl, openssl,
# mbsync and Mail::IMAPClient; and the servers learn who the client was.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Imap;
use Gatepost::Port qw(own_address);
use Gatepost::Process qw(read_file run_command test_dir wait_for write_file);
use Gatepost::Setup qw(start_imap_farm tls_client);
use Mail::IMAPClient;
use Test::More;

my $farm = start_imap_farm(users => 20);
my ($gatepost, $cert) = @$farm{qw(gatepost cert)};
my ($imap, $imaps) = map { $gatepost->port($_) } qw(imap imaps);
my $dir = test_dir();
my $host = 'mail.example.com';
my @curl = ('curl', '-sS', '--max-time', 30, '--cacert', $cert, '-u', 'user1:pass-1',
    map { ('--resolve', "$host:$_:127.0.0.1") } $imap, $imaps);

my $message = "From: a\@example.com\r\nSubject: through the gate\r\n\r\nA line.\r\n";
write_file("$dir/message", $message);

my ($status, $out) = run_command('curl-append',
    [@curl, '--ssl-reqd', '-T', "$dir/message", "imap://$host:$imap/INBOX"]);
is($status, 0, 'curl: APPEND over STARTTLS') or diag($out);
($status, $out) = run_command('curl-fetch', [@curl, "imaps://$host:$imaps/INBOX;UID=1"]);
is($status, 0, 'curl: FETCH over imaps') or diag($out);
is($out, $message, 'curl: the message is the same');
($status, $out) = run_command('curl-starttls', [@curl, '--ssl-reqd', "imap://$host:$imap/INBOX;UID=1"]);
is($out, $message, 'curl: FETCH over STARTTLS');
($status, $out) = run_command('curl-refused',
    [@curl, '-u', 'user1:wrong', "imaps://$host:$imaps/INBOX;UID=1"]);
is($status >> 8, 67, 'curl: a wrong password is a login denied');

# All commands at once: what follows the LOGIN has to reach the server, in order.
write_file("$dir/session", join "\r\n",
    'a LOGIN user1 pass-1', 'b SELECT INBOX', 'c FETCH 1 BODY[TEXT]', 'd LOGOUT', '');
for my $case (['-starttls', 'imap', '-connect', "127.0.0.1:$imap"], ['-connect', "127.0.0.1:$imaps"]) {
	my $name = $case->[0] eq '-starttls' ? 'over STARTTLS' : 'over imaps';
	($status, $out) = run_command("openssl $name",
	    ['openssl', 's_client', '-quiet', '-verify_return_error',
	    '-CAfile', $cert, '-verify_hostname', $host, '-servername', $host, @$case],
	    stdin => "$dir/session");
	like($out, qr/^a OK.*^\* 1 EXISTS.*^b OK.*^A line\.\r\n.*^c OK.*^\* BYE.*^d OK/ms,
	    "openssl $name: a pipelined session") or diag($out);
}

mkdir "$dir/maildir";
for my $case ([STARTTLS => $imap], [IMAPS => $imaps]) {
	my ($type, $port) = @$case;
	write_file("$dir/mbsyncrc", <<~"END");
		IMAPAccount gatepost
		Host localhost
		Port $port
		User user1
		Pass pass-1
		SSLType $type
		CertificateFile $cert

		IMAPStore far
		Account gatepost

		MaildirStore near
		Path $dir/maildir/$type/
		Inbox $dir/maildir/$type/INBOX

		Channel all
		Far :far:
		Near :near:
		Patterns *
		Create Near
		Sync Pull
		SyncState *
		END
	mkdir "$dir/maildir/$type";
	($status, $out) = run_command("mbsync $type",
	    ['mbsync', '-c', "$dir/mbsyncrc", '-a'], env => { HOME => $dir });
	is($status, 0, "mbsync: pull over $type") or diag($out);
	my @pulled = glob "$dir/maildir/$type/INBOX/{new,cur}/*";
	is(scalar @pulled, 1, "mbsync: one message over $type") or diag($out);
	like(read_file($pulled[0] // ''), qr/^A line\./m, "mbsync: it is ours over $type");
}

for my $case ([Starttls => $imap], [Ssl => $imaps]) {
	my ($type, $port) = @$case;
	my $client = Mail::IMAPClient->new(Server => '127.0.0.1', Port => $port,
	    User => 'user1', Password => 'pass-1',
	    Timeout => 20,
	    $type => [SSL_ca_file => $cert, SSL_verifycn_name => $host, SSL_hostname => $host]);
	ok($client && $client->IsAuthenticated, "Mail::IMAPClient: login with $type") or diag("$@");
	$client->select('INBOX');
	like($client->body_string(1), qr/^A line\./m, "Mail::IMAPClient: the message with $type");
	ok($client->logout, "Mail::IMAPClient: logout with $type");
}

# The servers see the client, not the proxy.
my $from = own_address(7);
my $client = tls_client($gatepost, 'imaps', from => $from);
my $port = $client->socket->sockport;
my $reply = $client->login_as(2);
like($reply, qr/^a001 OK \[CAPABILITY [^]]*\bIDLE\b/,
    'the reply to LOGIN brings the capabilities of the server');
my $event = $gatepost->wait_for_event(login => { user => 'user2' });
my $seen = wait_for(sub { (map { $_->log_lines(qr/Login: user=<user2>/) } @{ $farm->{dovecots} })[0] }, 10,
    'the server to log the login');
like($seen, qr/\brip=\Q$from\E,/, 'the server is told the address of the client');
like($seen, qr/session=<\Q$event->{session}\E>/, 'and the session id of the log');
$client->cmd('LOGOUT');
ok($client->is_closed, 'LOGOUT ends the connection');
$event = $gatepost->wait_for_event(session => { session => $event->{session} });
is($event->{user}, 'user2', 'the session event names the user');
like($event->{server}, qr/\bd[12]\b/, 'the session event names the server');
ok(length $event->{reason}, 'the session event gives a reason');
like(join(' ', values %$event), qr/\Q$from\E/, 'the session event names the client');
like(join(' ', values %$event), qr/\b$port\b/, 'the session event names the port of the client');

# Each way to say a name and a password; a refused client may try again.
$client = tls_client($gatepost);
like($client->cmd('LOGIN user3 wrong'), qr/ NO \[AUTHENTICATIONFAILED\]/, 'a wrong password is refused');
ok(eval { $gatepost->wait_for_event(login_failed => { user => qr/^~[0-9a-f]+$/ }) },
    'and logged at once, without what may be a mistyped password') or diag($@);
like($client->cmd("LOGIN {5+}\r\nuser3 {6+}\r\npass-3"), qr/ OK/, 'LOGIN with literals on the second try');
$client->close;
$client = tls_client($gatepost);
$client->send_bytes("l LOGIN {5}\r\n");
like($client->line, qr/^\+/, 'LOGIN with a synchronising literal: go on');
$client->send_bytes(qq(user3 "pass-3"\r\n));
like(($client->lines_until(qr/^l /))[-1], qr/^l OK/, 'LOGIN with a synchronising literal');
$client->close;
$client = tls_client($gatepost);
$client->send_slowly("x AUTHENTICATE PLAIN AHVzZXIzAHBhc3MtMw==\r\n");
like(($client->lines_until(qr/^x /))[-1], qr/^x OK/,
    'AUTHENTICATE PLAIN with an initial response, byte by byte');
$client->close;
$client = tls_client($gatepost);
$client->send_bytes("x AUTHENTICATE PLAIN\r\n");
like($client->line, qr/^\+ ?$/, 'AUTHENTICATE PLAIN: an empty challenge');
$client->send_bytes("*\r\n");
like($client->line, qr/^x BAD/, 'AUTHENTICATE PLAIN: * cancels');
$client->send_bytes("y AUTHENTICATE PLAIN\r\n");
$client->line;
$client->send_bytes("AHVzZXIzAHBhc3MtMw==\r\n");
like(($client->lines_until(qr/^y /))[-1], qr/^y OK/, 'AUTHENTICATE PLAIN in two steps');
$client->close;
$client = tls_client($gatepost);
$client->send_bytes("x AUTHENTICATE LOGIN\r\n");
like($client->line, qr/^\+ VXNlciBuYW1l|^\+ VXNlcm5hbWU6/, 'AUTHENTICATE LOGIN asks for the user');
$client->send_bytes("dXNlcjM=\r\n");
like($client->line, qr/^\+ UGFzc3dvcmQ/, 'AUTHENTICATE LOGIN asks for the password');
$client->send_bytes("cGFzcy0z\r\n");
like(($client->lines_until(qr/^x /))[-1], qr/^x OK/, 'AUTHENTICATE LOGIN');
$client->close;

# A user stays with one server, the users are shared among all.
my %server_of;
for my $round (1, 2) {
	for my $n (1 .. 20) {
		my $client = tls_client($gatepost);
		$client->login_as($n);
		$client->cmd('LOGOUT');
		$client->close;
	}
}
$gatepost->wait_for_event(session => { user => 'user20' });
$server_of{ $_->{user} }{ $_->{server} } = 1 for $gatepost->events('login');
is(scalar(grep { keys %$_ != 1 } values %server_of), 0, 'each user has always been on the same server')
    or diag(explain(\%server_of));
my %used = map { %$_ } values %server_of;
is(scalar keys %used, 2, 'both servers are used');

$gatepost->stop;
$_->stop for @{ $farm->{dovecots} };
done_testing;
