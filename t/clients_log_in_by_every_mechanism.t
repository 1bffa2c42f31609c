#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# curl and Mail::IMAPClient by each mechanism, imapfilter, mutt and mbsync at
# their daily work: with STARTTLS and on TLS, before three Dovecots with a
# store of their own each.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Process qw(read_file run_command test_dir write_file);
use Gatepost::Setup qw(start_imap_farm tls_client);
use Mail::IMAPClient;
use Test::More;

my $farm = start_imap_farm(dovecots => 3);
my ($gatepost, $cert) = @$farm{qw(gatepost cert)};
my ($imap, $imaps) = map { $gatepost->port($_) } qw(imap imaps);
my $dir = test_dir();
my $host = 'mail.example.com';
my $message = "From: a\@example.com\r\nSubject: through the gate\r\n\r\nA line.\r\n";

# Each user has a message.
for my $n (1 .. 10) {
	my $client = tls_client($gatepost);
	$client->login_as($n);
	like($client->append('INBOX', $message), qr/ OK/, "user$n has mail");
	$client->cmd('LOGOUT');
	$client->close;
}

# curl: what is said for each of its ways, as it tells itself.
my @curl = ('curl', '-sSv', '--max-time', 30, '--cacert', $cert, '-u', 'user1:pass-1',
    map { ('--resolve', "$host:$_:127.0.0.1") } $imap, $imaps);
my %ways = (
	'AUTH=PLAIN' => qr/^> A\d+ AUTHENTICATE PLAIN AHVzZXIxAHBhc3MtMQ==/m,
	'AUTH=LOGIN' => qr/^> A\d+ AUTHENTICATE LOGIN dXNlcjE=.*^< \+ UGFzc3dvcmQ6.*^> cGFzcy0x/ms,
	'AUTH=*' => qr/^> A\d+ AUTHENTICATE /m,
);
for my $way (sort keys %ways) {
	for my $url ("imap://$host:$imap", "imaps://$host:$imaps") {
		my $name = join ' ', 'curl', $way, $url =~ /^(\w+)/;
		my ($status, $out) = run_command($name =~ s/\W+/-/gr, [@curl, '--ssl-reqd', '--sasl-ir',
		    '--login-options', $way, "$url/INBOX;UID=1"]);
		is($status, 0, "$name: works") or diag($out);
		like($out, $ways{$way}, "$name: is what was said");
		like($out, qr/^A line\./m, "$name: the message");
	}
}
my ($status, $out) = run_command('curl-refused', [@curl, '-u', 'user1:wrong', '--login-options', 'AUTH=LOGIN',
    "imaps://$host:$imaps/INBOX"]);
is($status >> 8, 67, 'curl: a wrong password by AUTHENTICATE LOGIN is a login denied') or diag($out);

# imapfilter: its own Lua; it moves a message by what it says, and looks at the result.
for my $case ([2, $imap, ''], [3, $imaps, 'ssl = "auto",']) {
	my ($n, $port, $ssl) = @$case;
	write_file("$dir/imapfilter.lua", <<~"END");
		options.timeout = 30
		account = IMAP { server = "localhost", port = $port, $ssl
		    username = "user$n", password = "pass-$n" }
		account:create_mailbox("Filtered")
		found = account.INBOX:contain_subject("through the gate")
		found:move_messages(account.Filtered)
		exist = account.Filtered:check_status()
		print("filtered " .. exist)
		END
	($status, $out) = run_command("imapfilter-$n",
	    ['imapfilter', '-v', '-t', $cert, '-c', "$dir/imapfilter.lua"],
	    env => { HOME => $dir });
	is($status, 0, "imapfilter at $port: works") or diag($out);
	like($out, qr/^filtered 1$/m, "imapfilter at $port: moved the message") or diag($out);
}

# mutt: sends, and keeps its copy in a folder of the server.
for my $case ([4, "imap://user4\@localhost:$imap", 'plain:login'],
    [5, "imaps://user5\@localhost:$imaps", 'login']) {
	my ($n, $url, $authenticators) = @$case;
	write_file("$dir/muttrc", <<~"END");
		set folder = "$url/"
		set record = "$url/INBOX"
		set spoolfile = "$url/INBOX"
		set imap_pass = "pass-$n"
		set imap_authenticators = "$authenticators"
		set ssl_force_tls = yes
		set ssl_starttls = yes
		set certificate_file = "$cert"
		set ssl_ca_certificates_file = "$cert"
		set sendmail = "/bin/true"
		set copy = yes
		set from = "user$n\@example.com"
		END
	write_file("$dir/body", "Written with mutt.\n");
	($status, $out) = run_command("mutt-$n", ['mutt', '-n', '-F', "$dir/muttrc", '-s', 'from mutt', '--',
	    'b@example.com'], stdin => "$dir/body", env => { HOME => $dir, TERM => 'dumb' });
	is($status, 0, "mutt at $url: sends") or diag($out);
	my $client = tls_client($gatepost);
	$client->login_as($n);
	like(join("\n", $client->cmd('SELECT INBOX')), qr/^\* 2 EXISTS$/m,
	    "mutt at $url: its copy is on the server");
	like($client->fetch_body(2), qr/^Written with mutt\.\r\n/m, "mutt at $url: and whole");
	$client->close;
}

# mbsync: a message each way.
for my $case ([6, $imap, 'STARTTLS'], [7, $imaps, 'IMAPS']) {
	my ($n, $port, $type) = @$case;
	my $near = "$dir/near$n";
	mkdir $_ or die "$_: $!" for $near, map { "$near/INBOX$_" } '', '/new', '/cur', '/tmp';
	write_file("$near/INBOX/new/1.1.here", "From: b\@example.com\nSubject: up\n\nFrom below.\n");
	write_file("$dir/mbsyncrc", <<~"END");
		IMAPAccount gatepost
		Host localhost
		Port $port
		User user$n
		Pass pass-$n
		AuthMechs LOGIN
		SSLType $type
		CertificateFile $cert

		IMAPStore far
		Account gatepost

		MaildirStore near
		Path $near/
		Inbox $near/INBOX

		Channel all
		Far :far:
		Near :near:
		Patterns *
		Create Both
		Sync All
		SyncState *
		END
	($status, $out) = run_command("mbsync-$n", ['mbsync', '-c', "$dir/mbsyncrc", '-a'],
	    env => { HOME => $dir });
	is($status, 0, "mbsync with $type: works") or diag($out);
	is(scalar(grep { read_file($_) =~ /^A line\./m } glob "$near/INBOX/{new,cur}/*"), 1,
	    "mbsync with $type: pulls");
	my $client = tls_client($gatepost);
	$client->login_as($n);
	$client->cmd('SELECT INBOX');
	like($client->fetch_body(2), qr/^From below\.\r\n/m, "mbsync with $type: pushes");
	$client->close;
}

# Mail::IMAPClient, by its mechanisms.
for my $case ([8, 'LOGIN'], [9, 'PLAIN'], [10, undef]) {
	my ($n, $mechanism) = @$case;
	my $name = 'Mail::IMAPClient ' . ($mechanism // 'LOGIN command');
	my $client = Mail::IMAPClient->new(Server => '127.0.0.1', Port => $imaps, User => "user$n",
	    Password => "pass-$n", Timeout => 20, (defined $mechanism ? (Authmechanism => $mechanism) : ()),
	    Ssl => [SSL_ca_file => $cert, SSL_verifycn_name => $host, SSL_hostname => $host]);
	ok($client && $client->IsAuthenticated, "$name: login") or diag("$@"), next;
	$client->select('INBOX');
	like($client->body_string(1), qr/^A line\./m, "$name: the message");
	ok($client->logout, "$name: logout");
}

# No user has been on two servers.
my %servers_of;
for my $dovecot (@{ $farm->{dovecots} }) {
	$servers_of{$_}{ $dovecot->{name} } = 1
	    for map { /user=<([^>]+)>/ } $dovecot->log_lines(qr/Login: user=</);
}
is(scalar keys %servers_of, 10, 'all users have been there') or diag(explain(\%servers_of));
is(scalar(grep { keys %$_ != 1 } values %servers_of), 0, 'each on one server') or diag(explain(\%servers_of));

$gatepost->stop;
$_->stop for @{ $farm->{dovecots} };
done_testing;
