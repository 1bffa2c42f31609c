#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Real clients read mail by POP3 from real Dovecots: curl, fetchmail and raw
# sessions; the servers learn who the client was, and no credential becomes a
# command.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Cert qw(make_cert);
use Gatepost::Dovecot;
use Gatepost::Fake qw(refusing_port);
use Gatepost::Gatepost;
use Gatepost::Pop3;
use Gatepost::Port qw(free_port own_address);
use Gatepost::Process qw(read_file run_command test_dir wait_for write_file);
use MIME::Base64 qw(encode_base64);
use Test::More;

my $dir = test_dir();
my $host = 'mail.example.com';
my $cert = make_cert(names => [$host, 'localhost', '127.0.0.1']);
my $pop3_port = free_port();
write_file("$dir/masters", "gp:{PLAIN}master-secret\n");
write_file("$dir/$_->[0]", "$_->[1]\n") for ['master-password', 'master-secret'],
    ['shared-password', 'bobs-own'], ['staff', 'user9:{PLAIN}gate-9'];
my $settings = <<"END";
login_log_format_elements = user=<%u> method=%m rip=%r rport=%b lip=%l %c session=<%{session}>
END
sub dovecot ($n, %option) {
	return Gatepost::Dovecot->new(name => "d$n", address => own_address($n), pop3 => 1,
	    pop3_port => $pop3_port, cert => $cert, masters => "$dir/masters", any_user => 'password=bobs-own',
	    settings => $settings, users => 20, %option)->start;
}
my @dovecots = map { dovecot($_) } 1, 2;
my $stranger = dovecot(3, trusted => '192.0.2.0/24');

# A server from before CAPA, and one with UTF8.
my @before = ([send => "+OK hi\r\n"], [expect => qr/^CAPA\r\n/m]);
my $old = Gatepost::Fake->new(name => 'old', script => [@before, [send => "-ERR what?\r\n"],
	[expect => qr/^USER [^\r\n]*\r\n/m], [send => "+OK\r\n"], [expect => qr/^PASS [^\r\n]*\r\n/m],
	[send => "+OK in\r\n"], ['hold']])->start;
my $utf8 = Gatepost::Fake->new(name => 'utf8', script => [@before,
	[send => "+OK\r\nUTF8 USER\r\nSASL PLAIN\r\nIMPLEMENTATION Fake\r\n.\r\n"],
	[expect => qr/^UTF8\r\n/m], [send => "+OK\r\n"], [expect => qr/^AUTH PLAIN \S+\r\n/m],
	[send => "+OK in\r\n"], ['hold']])->start;

my %values = (CERT => $cert, POP3 => $pop3_port, NOBODY => refusing_port(), OLD => $old->port,
    UTF8 => $utf8->port, map { uc $_->{name} => $_->address } @dovecots, $stranger);
my $gatepost = Gatepost::Gatepost->new(values => \%values, config => <<'END')->start;
hostname mail.example.com
users { default_domain example.com; master_separator "*" }
tls main { certificate @CERT@ }
default listener { protocol pop3; tls main; max_errors 50 }
default pool { check { kind none }; protocol pop3; port @POP3@; retries 1 }
farm both { server d1 { address @D1@ }; server d2 { address @D2@ } }
pool pop3 { farm both }
pool secure { farm both; server_tls starttls { verify no } }
pool wary { server d3 { address @D3@ } }
pool demanding { forward xclient; server d3 { address @D3@ } }
pool master { farm both; login master; master_user gp; master_password_file @DIR@/master-password }
pool shared { farm both; login trusted; master_password_file @DIR@/shared-password }
pool down { server s { address 127.0.0.1:@NOBODY@ } }
pool old { server s { address 127.0.0.1:@OLD@ } }
pool utf8 { server s { address 127.0.0.1:@UTF8@ } }
listener pop3 { bind 127.0.0.1:@PORT{pop3}@; bind_tls 127.0.0.1:@PORT{pop3s}@; pool pop3 }
listener secure { bind_tls 127.0.0.1:@PORT{secure}@; pool secure }
listener wary { bind_tls 127.0.0.1:@PORT{wary}@; pool wary }
listener demanding { bind_tls 127.0.0.1:@PORT{demanding}@; pool demanding }
listener down { bind_tls 127.0.0.1:@PORT{down}@; pool down }
auth staff { source file; path @DIR@/staff }
listener master { bind_tls 127.0.0.1:@PORT{master}@; auth staff; pool master }
listener shared { bind_tls 127.0.0.1:@PORT{shared}@; auth staff; pool shared }
listener old { bind_tls 127.0.0.1:@PORT{old}@; pool old; capabilities TOP UIDL }
listener utf8 { bind_tls 127.0.0.1:@PORT{utf8}@; pool utf8 }
END

sub client ($name = 'pop3s', %option) {
	return Gatepost::Pop3->new(port => $gatepost->port($name), tls => $name ne 'pop3', timeout => 20, %option);
}

# To both servers, whichever the user is on.
sub deliver ($user, $message) { $_->deliver($user, $message) for @dovecots; return }
my $message = "Subject: through the gate\r\n\r\nA line.\r\n.\r\n..dots\r\n";
deliver("user$_", $message) for 1 .. 4;

# What is offered is what both servers have, and what our own side does in this state.
my $offer = sub ($client) { return join ' ', $client->list('CAPA') };
my $clear = client('pop3');
like($clear->greeting, qr/^\+OK mail\.example\.com ready\.$/, 'the greeting has no timestamp');
wait_for(sub { $offer->(client('pop3')) =~ /PIPELINING/ }, 10, 'what the servers announce');
$clear = client('pop3');
my $offered = $offer->($clear);
like($offered, qr/\b$_\b/, "in the clear: $_") for qw(TOP UIDL PIPELINING RESP-CODES AUTH-RESP-CODE STLS);
unlike($offered, qr/USER|SASL|XCLIENT|IMPLEMENTATION/, 'in the clear: no way to log in');
like($clear->cmd('USER user1'), qr/^-ERR \[AUTH\]/, 'nor is one taken');
$clear->starttls;
$offered = $offer->($clear);
like($offered, qr/\bUSER\b.*\bSASL PLAIN LOGIN\b/, 'behind STLS: USER and SASL');
unlike($offered, qr/STLS/, 'behind STLS: none');
like($clear->user_pass('user1', 'pass-1'), qr/^\+OK Logged in/, 'USER and PASS: the words of the server');
is_deeply([$clear->list('RETR 1')], [split /\r\n/, $message], 'the mail is the same');
like($clear->cmd('QUIT'), qr/^\+OK/, 'QUIT');
ok($clear->is_closed, 'ends it');

# Real clients.
my @curl = ('curl', '-sS', '--max-time', 30, '--cacert', $cert,
    map { ('--resolve', "$host:$_:127.0.0.1") } map { $gatepost->port($_) } qw(pop3 pop3s));
my %url = (pop3 => "pop3://$host:" . $gatepost->port('pop3') . '/1',
    pop3s => "pop3s://$host:" . $gatepost->port('pop3s') . '/1');
for my $mechanism (qw(PLAIN LOGIN)) {
	for my $scheme (sort keys %url) {
		my ($status, $out) = run_command("curl-$mechanism-$scheme", [@curl, '--ssl-reqd',
		    '--login-options', "AUTH=$mechanism", '-u', 'user2:pass-2', $url{$scheme}]);
		is($out, $message, "curl: AUTH $mechanism, $scheme") or diag($status);
	}
}
my ($status, $out) = run_command('curl-refused', [@curl, '-u', 'user2:wrong', $url{pop3s}]);
is($status >> 8, 67, 'curl: a wrong password is a login denied') or diag($out);

write_file("$dir/fetchmailrc", <<"END");
poll localhost protocol pop3 port @{[$gatepost->port('pop3')]}
	auth password user user3 password pass-3 keep sslproto 'TLS1.2+' sslcertck sslcertfile $cert
	mda "cat >>$dir/fetched"
END
chmod 0600, "$dir/fetchmailrc";
($status, $out) = run_command('fetchmail', ['fetchmail', '-v', '--nodetach', '--nosyslog',
    '-f', "$dir/fetchmailrc", '--idfile', "$dir/fetchids", '--pidfile', "$dir/fetchmail.pid"],
    env => { HOME => $dir, FETCHMAILHOME => $dir });
is($status, 0, 'fetchmail: STLS, and a mail') or diag($out);
like($out, qr/POP3> STLS/, 'fetchmail said STLS');
like(read_file("$dir/fetched"), qr/^A line\.$/m, 'fetchmail: the mail is ours');

# The servers see the client, not the proxy: with TLS to them, and without.
my $from = own_address(7);
for my $name (qw(pop3s secure)) {
	my $n = $name eq 'secure' ? 5 : 6;
	my $client = client($name, from => $from);
	my $port = $client->socket->sockport;
	like($client->auth("user$n", "pass-$n"), qr/^\+OK/, "$name: AUTH PLAIN");
	my $event = $gatepost->wait_for_event(login => { user => qr/^user$n\b/ });
	my $seen = wait_for(sub { (map { $_->log_lines(qr/Login: user=<user$n>/) } @dovecots)[0] }, 10,
	    'the login');
	like($seen, qr/\brip=\Q$from\E, rport=$port\b/, "$name: the server knows the client's address and port");
	like($seen, qr/session=<\Q$event->{session}\E>/, "$name: and the session id of the log");
	like($seen, $name eq 'secure' ? qr/TLS/ : qr/secured/, "$name: TLS where it is wanted");
	$client->cmd('QUIT');
}
like(client('wary')->auth('user1', 'pass-1'), qr/^\+OK/, 'a server that does not trust us is told nothing');
like(client('demanding')->auth('user1', 'pass-1'), qr/^-ERR \[SYS\/TEMP\]/,
    'and does not do where it must be told');
ok($gatepost->wait_for_log(qr/refused: \+OK You are not from trusted IP .* while telling the address/),
    'which the log tells');

# A wrong password, and another try; all in one go; in pieces.
my $client = client();
like($client->user_pass('user4', 'wrong'), qr/^-ERR \[AUTH\] Authentication failed\.$/, 'a wrong password');
my $words = client()->user_pass('nobody', 'wrong');
is($words, '-ERR [AUTH] Authentication failed.', 'an unknown user hears the same');
like($client->user_pass('user4', 'pass-4'), qr/^\+OK/, 'another try');
$client->close;
$client = client();
$client->send_bytes("CAPA\r\nUSER user4\r\nPASS pass-4\r\nSTAT\r\nQUIT\r\n");
like($client->rest, qr/^\.\r\n\+OK.*\r\n\+OK Logged in\.\r\n\+OK 1 \d+\r\n\+OK/m, 'all in one go');
$client = client();
$client->send_slowly("AUTH PLAIN\r\n");
is($client->line, '+ ', 'AUTH PLAIN in turns');
$client->send_slowly(encode_base64("\0user4\0pass-4"));
like($client->line, qr/^\+OK/, 'and in pieces');
like($client->cmd('STAT'), qr/^\+OK 1 /, 'the session works');
$client->close;

# A master user, and names that are one user's.
my %server;
for my $user ('bob', 'Bob@example.com', 'bob*gp') {
	my $before = $gatepost->events('login');
	my $password = $user =~ /gp/ ? 'master-secret' : 'bobs-own';
	like(client()->user_pass($user, $password), qr/^\+OK/, "$user logs in");
	wait_for(sub { $gatepost->events('login') > $before }, 10, 'the event');
	my $event = ($gatepost->events('login'))[-1];
	$server{ $event->{server} }{ $event->{user} } = 1;
}
is(scalar keys %server, 1, 'one server has them all') or diag(explain(\%server));
is(scalar keys %{ (values %server)[0] }, 1, 'as one user');
like(client()->auth('gp', 'master-secret', 'user1'), qr/^\+OK/, 'a master user by SASL');
for my $name (qw(master shared)) {
	like(client($name)->user_pass('user9', 'gate-9'), qr/^\+OK/, "a file judges, and pool $name logs in");
	like(client($name)->user_pass('user9', 'pass-9'), qr/^-ERR \[AUTH\]/, 'and the file alone judges');
}
my %used = map { $_->{server} => 1 } $gatepost->events('login');
ok($used{'pop3/d1'} && $used{'pop3/d2'}, 'both servers are used') or diag(explain(\%used));

# A mail of 6 MiB, each line with a dot in front.
my $big = "Subject: big\r\n\r\n" . join '', map { '.' x ($_ % 3) . "$_ " . 'x' x 64 . "\r\n" } 1 .. 85_000;
deliver('user8', $big);
$client = client('secure');
like($client->auth('user8', 'pass-8'), qr/^\+OK/, 'another user');
my $fetched = join '', map { "$_\r\n" } $client->list('RETR 1');
cmp_ok(length $fetched, '>', 6_000_000, 'a big mail');
ok($fetched eq $big, 'is intact');
$client->close;

# No credential is a command: of those with a line's end nothing reaches a server.
$client = client('old');
for my $password ("p\r\nDELE 1", "p\nDELE 1", "p\rDELE 1", "p\0DELE 1") {
	like($client->auth('alice', $password), qr/^-ERR/, 'AUTH PLAIN with a command in the password');
}
like($client->auth("a\r\nDELE 1", 'p'), qr/^-ERR/, 'AUTH PLAIN with a command in the name');
$client->cmd('AUTH LOGIN ' . encode_base64('alice', ''));
like($client->cmd(encode_base64("p\r\nDELE 1", '')), qr/^-ERR/, 'AUTH LOGIN with a command in the password');
is($old->connections, 0, 'no server has heard of it');
like($client->auth('al ice', 'p'), qr/^-ERR \[SYS\/TEMP\]/, 'a name with a blank is no argument of USER');
ok($gatepost->wait_for_log(qr/user or password do not fit in USER and PASS/), 'which the log tells');
like($client->auth('alice', 'p w'), qr/^\+OK in$/, 'a good login at a server with USER and PASS only');
my @received = map { $old->received($_) } 1 .. $old->connections;
is($received[-1], "CAPA\r\nUSER alice\r\nPASS p w\r\n", 'which gets what it shall');
unlike("@received", qr/DELE|al ice/, 'and no more on any connection');
$client->close;

# UTF8 is what the server must hear of before the login.
wait_for(sub { $offer->(client('utf8')) =~ /UTF8 USER/ }, 10, 'UTF8 to be offered');
$client = client('utf8');
unlike($offer->($client), qr/IMPLEMENTATION/, 'what the server is, is not told');
like($client->cmd('UTF8'), qr/^\+OK/, 'UTF8 before the login');
like($client->auth('alice', 'wonder'), qr/^\+OK in$/, 'and a login');
like($utf8->received($utf8->connections), qr/^CAPA\r\nUTF8\r\nAUTH PLAIN /, 'the server has heard of it');
$client->close;
like(client()->cmd('UTF8'), qr/^-ERR/, 'no UTF8 where the servers have none');

like(client('down')->user_pass('user1', 'pass-1'), qr/^-ERR \[SYS\/TEMP\]/, 'no server to be had');

# Plaintext behind STLS is not run inside TLS; a name from before it is gone.
$clear = client('pop3');
$clear->send_bytes("STLS\r\nCAPA\r\n");
unlike($clear->rest(5), qr/^\+OK/m, 'a command behind STLS: no go-ahead');
ok($clear->{ended}, 'a command behind STLS: the session ends');
$clear = client('pop3');
like($clear->cmd('USER mallory'), qr/^-ERR/, 'USER before STLS is refused');
$clear->starttls;
like($clear->cmd('PASS pass-1'), qr/^-ERR/, 'and PASS behind it has no name');
like($clear->cmd('USER user1'), qr/^\+OK/, 'a name inside TLS');
like($clear->cmd('XCLIENT ADDR=192.0.2.1'), qr/^-ERR/, 'a client cannot claim to be another');
$clear->close;

unlike($gatepost->log_text . read_file($gatepost->{access_log}),
    qr/pass-\d|gate-\d|master-secret|bobs-own|wonder/, 'no password is told anywhere');

# Who is between two commands before the login hears why it has to go.
$client = client();
$client->cmd('NOOP');
$gatepost->stop;
is($client->rest, "-ERR [SYS/TEMP] Please connect again.\r\n", 'the last words before a login');
$_->stop for @dovecots, $stranger;
done_testing;
