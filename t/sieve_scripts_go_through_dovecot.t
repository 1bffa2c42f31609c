#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Users put, list, get and activate their Sieve scripts through gatepost, at
# real Dovecots with Pigeonhole, by hand and with sieve-connect; the servers
# learn who the client was, and one user is at one server, however the name
# is written.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Cert qw(make_cert);
use Gatepost::Dovecot;
use Gatepost::Gatepost;
use Gatepost::Port qw(free_port own_address);
use Gatepost::Process qw(read_file run_command test_dir wait_for write_file);
use Gatepost::Sieve;
use Test::More;

my $dir = test_dir();
my ($port, $sieve_port) = map { free_port() } 1 .. 2;
my $host = 'mail.example.com';
my $cert = make_cert(names => [$host, qw(localhost 127.0.0.1)]);
write_file("$dir/masters", "gp:{PLAIN}master-secret\n");
write_file("$dir/master-password", "master-secret\n");
write_file("$dir/users", "user3:{PLAIN}gate-3\n");

# d2 has another list of extensions than d1.
my $settings = <<"END";
auth_username_format = %Ln
login_log_format_elements = user=<%u> rip=%r rport=%{rport} session=<%{session}>
END
my %extensions = (d1 => 'fileinto vacation envelope', d2 => 'imap4flags fileinto vacation');
my @dovecots = map { Gatepost::Dovecot->new(name => "d$_", address => own_address($_), port => $port,
    sieve_port => $sieve_port, users => 30, cert => $cert, masters => "$dir/masters",
    settings => "$settings\nplugin {\n  sieve_extensions = $extensions{\"d$_\"}\n}\n")->start } 1, 2;

my $config = <<'END';
hostname mail.example.com
tls main { certificate @CERT@ }
auth staff { source file; path @DIR@/users }
users { case lower; default_domain example.com; master_separator "*" }
farm f {
    affinity 15m
    server d1 { address @D1@:@SERVER_PORT@ }
    server d2 { address @D2@:@SERVER_PORT@ }
}
default pool { check { kind none }; protocol sieve; farm f; retries 0; server_tls starttls { verify no } }
pool sieve { }
pool master { login master; master_user gp; master_password_file @DIR@/master-password }
default listener { protocol sieve; tls main }
listener sieve {
    bind 127.0.0.1:@PORT{sieve}@
    bind_tls 127.0.0.1:@PORT{sieves}@
    pool sieve
}
listener master { bind_tls 127.0.0.1:@PORT{master}@; pool master; auth staff }
END
my $gatepost = Gatepost::Gatepost->new(config => $config, values => { CERT => $cert,
    SERVER_PORT => $sieve_port, map { uc $_->{name} => $_->address } @dovecots })->start;

sub client ($name = 'sieve', %option) {
	return Gatepost::Sieve->new(port => $gatepost->port($name), tls => $name ne 'sieve', %option);
}

# Logs in through TLS; the client.
sub log_in ($user, $password, $name = 'sieves', %option) {
	my $client = client($name, %option);
	my $reply = $client->authenticate($user, $password);
	die "login of $user: $reply\n" unless $reply =~ /^OK/;
	return $client;
}

# The name of the server that a session of this client went to.
sub server_of ($client) {
	my $event = $gatepost->wait_for_event(login => { client_port => $client->socket->sockport });
	return $event->{server} =~ s{.*/}{}r;
}

# The words behind SIEVE in a greeting.
sub extensions ($greeting) {
	my ($words) = $greeting =~ /^"SIEVE" "(.*)"$/m;
	return split / /, $words // '';
}

# The servers are asked at the start: what both can do is offered.
my %servers_with;
for my $dovecot (@dovecots) {
	my $direct = Gatepost::Sieve->new(address => $dovecot->address, port => $sieve_port);
	$servers_with{$_}++ for extensions($direct->greeting);
	$direct->close;
}
my $common = join ' ', sort grep { $servers_with{$_} == 2 } keys %servers_with;
my $greeting;
isnt($common, join(' ', sort keys %servers_with), 'the servers have not the same extensions');
ok(eval { wait_for(sub {
	$greeting = client()->greeting;
	return $common eq join ' ', sort(extensions($greeting));
}, 10, "the extensions $common"); 1 }, 'clients are offered what both have') or diag($greeting);
like($greeting, qr/^"IMPLEMENTATION" "gatepost"\n.*^"STARTTLS"\n.*^"VERSION" "1\.0"\nOK "/ms, 'and our own');
like($greeting, qr/^"SASL" ""$/m, 'no mechanism before TLS');
unlike($greeting, qr/XCLIENT/, 'no XCLIENT');

my $client = client('sieve', from => own_address(5));
like($client->authenticate('user1', 'pass-1'), qr/^NO \(ENCRYPT-NEEDED\)/, 'no password before TLS');
like($client->starttls, qr/^"SASL" "PLAIN LOGIN"\n.*^OK "/ms, 'capabilities come again behind STARTTLS');
is($client->cmd('NOOP "sync"'), 'OK (TAG "sync") "NOOP completed."', 'and nothing else');
is($client->authenticate('user1', 'wrong'), 'NO "Authentication failed."', 'a wrong password');
is($client->authenticate('user1', 'pass-1'), 'OK "Logged in."', 'the right one');
my $script = "require [\"fileinto\"];\r\nfileinto \"{5+}\";\r\n";
like($client->put('mine', $script), qr/^OK/, 'PUTSCRIPT');
like($client->cmd('SETACTIVE "mine"'), qr/^OK/, 'SETACTIVE');
like($client->cmd('LISTSCRIPTS'), qr/^"mine" ACTIVE\nOK/, 'LISTSCRIPTS');
$client->send_bytes("GETSCRIPT \"mine\"\r\n");
is($client->line, sprintf('{%d}', length $script), 'GETSCRIPT');
is($client->take_bytes(length $script), $script, 'brings the same bytes');
like($client->response, qr/^\nOK/, 'and an OK');
like($client->put('bad', "nonsense\r\n"), qr/^NO/, 'a script that the server does not take');

# What the server's log says of the client.
my $server = server_of($client);
my ($store) = grep { $_->{name} eq $server } @dovecots;
my $event = $gatepost->wait_for_event(login => { client_port => $client->socket->sockport });
my $line = $store->wait_for_log(qr/managesieve-login: Info: Login: user=<user1>/);
my ($address, $client_port) = (own_address(5), $client->socket->sockport);
like($line, qr/rip=\Q$address\E, rport=$client_port, session=<$event->{session}>/,
    'the server knows address, port and session') or diag($line);
$line = $store->wait_for_log(qr/managesieve-login: Info:.*auth failed.*user=<user1>/);
like($line, qr/rip=\Q$address\E, rport=$client_port, session=<$event->{session}>/,
    'of a wrong password, too') or diag($line);
like($client->cmd('LOGOUT'), qr/^OK/, 'LOGOUT');
ok($client->is_closed, 'ends the session');

# Facts M1: what is piped behind STARTTLS is never run inside TLS.
$client = client();
$client->send_bytes("STARTTLS\r\nNOOP \"x\"\r\n");
like($client->response, qr/^BYE/, 'plaintext behind STARTTLS ends the session');
ok($client->is_closed, 'and the connection');
$gatepost->wait_for_event(session => { client_port => $client->socket->sockport,
    reason => qr/injection/ });

# sieve-connect insists on a certificate that it can verify.
sub sieve_connect ($name, @arguments) {
	return run_command("sieve-connect-$name", ['sieve-connect', '--4', '--server', '127.0.0.1',
	    '--tlshostname', $host, '--port', $gatepost->port('sieve'), '--passwordfd', 0, '--noclearchan',
	    '--tlscafile', $cert, @arguments], stdin => "$dir/password");
}

write_file("$dir/password", "pass-2\n");
write_file("$dir/theirs.sieve", $script);
my @tasks = (['--upload', '--localsieve', "$dir/theirs.sieve", '--remotesieve', 'theirs'],
    ['--activate', '--remotesieve', 'theirs'], ['--list'],
    ['--download', '--remotesieve', 'theirs', '--localsieve', "$dir/back.sieve"]);
for my $task (@tasks) {
	my $name = substr $task->[0], 2;
	my ($status, $out) = sieve_connect($name, '--user', 'user2', @$task);
	is($status, 0, "sieve-connect: $name") or diag($out);
	like($out, qr/"theirs" ACTIVE/, 'and the script is the active one') if $name eq 'list';
}
is(read_file("$dir/back.sieve") =~ s/\r//gr, $script =~ s/\r//gr, 'what was put is what is got');
my ($status) = sieve_connect('refused', '--user', 'user1', '--list');
isnt($status, 0, 'sieve-connect: a wrong password');
($status) = sieve_connect('distrustful', '--user', 'user2', '--list',
    '--tlscafile', make_cert(name => $host));
isnt($status, 0, 'sieve-connect: a certificate of others');

# One user by many names is at one server, whoever else is where.
my (%home, %users);
for my $n (4 .. 15) {
	my $client = log_in("user$n", "pass-$n");
	push @{ $users{ $home{$n} = server_of($client) } }, $n;
	$client->close;
}
is(scalar keys %users, 2, 'users are on both servers');
for my $n (4 .. 9) {
	for my $name ("USER$n", "User$n\@example.com", "user$n*gp") {
		my $client = log_in($name, $name =~ /\*/ ? 'master-secret' : "pass-$n");
		is(server_of($client), $home{$n}, "$name: where user$n is");
		$client->close;
	}
}

# The user file decides, and the server takes the master user's word.
is(client('master')->authenticate('user3', 'pass-3'), 'NO "Authentication failed."',
    'login master: the server\'s password is none');
$client = log_in('user3', 'gate-3', 'master');
like($client->put('third', $script), qr/^OK/, 'login master: PUTSCRIPT');
($store) = grep { $_->{name} eq server_of($client) } @dovecots;
ok(-e "$store->{dir}/mail/user3/sieve/third.sieve", 'in the user\'s own home');
$client->close;

# A server that is not there is no wrong password.
my ($gone, $left) = map { $users{ $_->{name} }[0] } @dovecots;
$dovecots[0]->stop_quietly;
$client = client('sieves');
like($client->authenticate("user$gone", "pass-$gone"), qr/^NO \(TRYLATER\) "/, 'its server is down: later');
like($client->authenticate("user$left", "pass-$left"), qr/^OK/, 'who is elsewhere is served');
$client->close;
$dovecots[0]->start;
$client = log_in("user$gone", "pass-$gone");
is(server_of($client), 'd1', 'back again, on the same server');
$client->close;

# One that is told to go hears it in its own words.
my $idle = client('sieves');
$gatepost->signal('TERM');
like($idle->response, qr/^BYE \(TRYLATER\) "/, 'a shutdown before the login');
unlike($gatepost->log_text . read_file($gatepost->{access_log}), qr/pass-\d|gate-\d|master-secret|AHBhc3Mt/,
    'no password is told anywhere');

$gatepost->stop;
$_->stop for @dovecots;
done_testing;
