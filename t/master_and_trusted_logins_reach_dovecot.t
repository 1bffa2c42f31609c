#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# A user file decides, and Dovecot is logged in to as a master user or with a
# password it shares with its proxies; the file's extra fields send users
# elsewhere, under other names and with other passwords, or nowhere.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Dovecot;
use Gatepost::Gatepost;
use Gatepost::Imap;
use Gatepost::Port qw(free_port own_address);
use Gatepost::Process qw(read_file test_dir wait_for write_file);
use Test::More;
use Time::HiRes qw(time);

my $dir = test_dir();
my $port = free_port();
write_file("$dir/masters", "gp:{PLAIN}master-secret\n");
write_file("$dir/master-password", "master-secret\n");
write_file("$dir/shared-password", "shared-secret\n");
my @dovecots = map { Gatepost::Dovecot->new(name => "d$_", address => own_address($_), port => $port,
    users => 20,
    masters => "$dir/masters", any_user => 'password=shared-secret allow_real_nets=127.0.0.0/8')->start } 1, 2;

# These ask their proxies for no password; of the second one gatepost is none.
my @asking_none = map { Gatepost::Dovecot->new(name => $_->[0], users => 0, settings => <<"END")->start }
passdb {
  driver = static
  args = nopassword=y allow_real_nets=$_->[1]
}
END
    ['here', '127.0.0.0/8'], ['elsewhere', '192.0.2.0/24'];

# Passwords that the servers do not know.
sub hashed ($n, $salt) { return '{CRYPT}' . crypt("gate-$n", $salt) }
my @lines = (
	'user1:' . hashed(1, '$2b$10$abcdefghijklmnopqrstuu'),
	'user2:' . hashed(2, '$y$j9T$abcdefghijklmnopqrstu.'),
	'user3:{PLAIN}gate-3',
	'user4:{PLAIN}gate-4:server=d1',
	'user5:{PLAIN}gate-5:server=d2',
	"user6:{PLAIN}gate-6:host=@{[$dovecots[1]->address]} port=$port",
	'user7:{PLAIN}gate-7:destuser=user17',
	'user8:{PLAIN}gate-8:pass=pass-8',
	'user9:{PLAIN}gate-9:master=gp pass=master-secret',
	'user10:{PLAIN}gate-10:pool=shared',
	'user11:{PLAIN}gate-11:nologin reason=Moving',
	'user12:{PLAIN}gate-12:allow_nets=10.0.0.0/8',
	'user13:{PLAIN}gate-13:allow_nets=10.0.0.0/8,127.0.0.0/8',
	'user14:{PLAIN}gate-14:delay_until=' . int(time + 3),
	'user15::nopassword',
);
# Most have a password that takes its time, which is what strangers are to take.
push @lines, map { "other$_:" . (split /:/, $lines[0])[1] } 1 .. 30;
write_file("$dir/users", join '', map { "$_\n" } @lines);
my $config = <<'END';
auth staff { source file; path @DIR@/users }
farm f {
    affinity 15m
    server d1 { address @D1@:@SERVER_PORT@ }
    server d2 { address @D2@:@SERVER_PORT@ }
}
default pool { protocol imap; farm f }
pool master { login master; master_user gp; master_password_file @DIR@/master-password }
pool shared { login trusted; master_password_file @DIR@/shared-password }
pool own { }
pool here { login trusted; farm none; server s { address 127.0.0.1:@HERE@ } }
pool elsewhere { login trusted; farm none; server s { address 127.0.0.1:@ELSEWHERE@ } }
default listener { protocol imap; starttls off; plaintext_login yes; auth staff; max_errors 50 }
listener master { bind 127.0.0.1:@PORT{master}@; pool master }
listener shared { bind 127.0.0.1:@PORT{shared}@; pool shared }
listener here { bind 127.0.0.1:@PORT{here}@; pool here }
listener elsewhere { bind 127.0.0.1:@PORT{elsewhere}@; pool elsewhere }
listener own { bind 127.0.0.1:@PORT{own}@; pool own }
END
my $gatepost = Gatepost::Gatepost->new(config => $config, values => { SERVER_PORT => $port,
    HERE => $asking_none[0]->port, ELSEWHERE => $asking_none[1]->port,
    map { uc $_->{name} => $_->address } @dovecots })->start;

sub client ($name) { return Gatepost::Imap->new(port => $gatepost->port($name)) }

# A server for each login of the mailbox.
sub servers_that_saw ($mailbox) {
	return map { ($_) x $_->log_lines(qr/Login: user=<\Q$mailbox\E>/) } @dovecots;
}

# Logs in as user N and finds that mailbox of the server it says; the server's name.
my %logins;
sub log_in ($name, $n, $mailbox = "user$n", $password = "gate-$n") {
	my $client = client($name);
	my $before = $logins{$mailbox}++;
	my $reply = $client->cmd("LOGIN user$n $password");
	return $reply unless $reply =~ / OK/;
	wait_for(sub { servers_that_saw($mailbox) > $before }, 10, "the login of $mailbox");
	my $server = $gatepost->wait_for_event(login => {
	    listener => $name, user => "user$n", client_port => $client->socket->sockport })->{server};
	$client->close;
	return $server =~ s{.*/}{}r;
}

my %home;
for my $n (1 .. 3) {
	$home{$n} = log_in('master', $n);
	like($home{$n}, qr/^d[12]\z/, "user$n: by a master user");
	is(log_in('shared', $n), $home{$n}, "user$n: by a shared password, on the same server");
	like(client('own')->cmd("LOGIN user$n gate-$n"), qr/^\S+ NO \[AUTHENTICATIONFAILED\]/,
	    "user$n: not by the own password, which the server does not know");
}
is(log_in('master', 4), 'd1', 'server=d1');
is(log_in('shared', 5), 'd2', 'server=d2');
is(log_in('master', 6), 'd2', 'host= of a server');
my $client = client('shared');
$client->login('user7', 'gate-7');
my $store = wait_for(sub { (servers_that_saw('user17'))[0] }, 10, 'the login of user17');
$store->deliver('user17', "Subject: to user17\r\n\r\nHello\r\n");
like(join("\n", $client->cmd('SELECT INBOX')), qr/^\* 1 EXISTS/m, 'destuser=: that one\'s mail');
$client->close;
like(log_in('own', 8), qr/^d[12]\z/, 'pass=: where the server wants another password');
like(log_in('own', 9), qr/^d[12]\z/, 'master= and pass=');
like(log_in('own', 10), qr/^d[12]\z/, 'pool=: where the server knows the proxy');
like(client('own')->cmd('LOGIN user11 gate-11'), qr/^\S+ NO \[CONTACTADMIN\] Moving\z/,
    'nologin, and its reason');
like(client('own')->cmd('LOGIN user11 wrong'), qr/^\S+ NO \[AUTHENTICATIONFAILED\]/,
    'which is for those only who know the password');
like(client('shared')->cmd('LOGIN user12 gate-12'), qr/^\S+ NO \[AUTHENTICATIONFAILED\]/,
    'allow_nets: from elsewhere');
like(log_in('shared', 13), qr/^d[12]\z/, 'allow_nets: from there');
my $began = time;
like(log_in('shared', 14), qr/^d[12]\z/, 'delay_until');
diag(sprintf 'delay_until: served %.1f s after it was asked', time - $began);
cmp_ok(time, '>=', (split /delay_until=/, $lines[13])[1], 'and not before');
like(log_in('own', 15, 'user15', 'pass-15'), qr/^d[12]\z/, 'nopassword: the server judges');
like(client('own')->cmd('LOGIN user15 wrong'), qr/^\S+ NO \[AUTHENTICATIONFAILED\]/, 'and may say no');
like(client($_)->cmd('LOGIN user15 anything'), qr/^\S+ NO \[UNAVAILABLE\]/,
    "nopassword with pool $_: nobody would have checked it") for qw(master shared);

# Servers that ask for no password, where there is no master_password_file.
like(client('here')->cmd('LOGIN user3 gate-3'), qr/^\S+ OK/, 'trusted without a password of the proxy');
ok($asking_none[0]->wait_for_log(qr/Login: user=<user3>/), 'the server lets the user in');
like(client('here')->cmd('LOGIN user3 wrong'), qr/^\S+ NO \[AUTHENTICATIONFAILED\]/, 'but with the user\'s');
like(client('elsewhere')->cmd('LOGIN user3 gate-3'), qr/^\S+ NO \[UNAVAILABLE\]/,
    'not where the server takes us for none of its proxies: the user is not told that the password is wrong');
ok($gatepost->wait_for_log(qr/warning: .*: our own login fails: refused by the server: .*AUTHENTICATIONFAILED/),
    'but we are');
ok(!$asking_none[1]->log_lines(qr/Login: user=/), 'and nobody is let in');

# Nobody learns who exists: the same words, and about the same time.
my (%took, %heard);
$client = client('master');
for (1 .. 7) {
	for my $user (qw(user1 stranger)) {
		my $begin = time;
		my $reply = $client->cmd("LOGIN $user wrong") =~ s/^\S+//r;
		push @{ $took{$user} }, time - $begin;
		$heard{$reply}++;
	}
}
is(scalar keys %heard, 1, 'wrong passwords and unknown users hear the same') or diag(explain(\%heard));
diag(sprintf 'wrong password: %.1f ms, unknown user: %.1f ms (medians)',
    map { 1000 * (sort { $a <=> $b } @{ $took{$_} })[3] } qw(user1 stranger));

$client->close;

# The secrets are in nothing that is printed.
my $printed = `$ENV{GATEPOST} -T -c $gatepost->{conf} 2>&1`;
is($?, 0, '-T');
like($printed, qr/master_password_file\s+\S*master-password/, '-T names the file');
unlike($printed . $gatepost->log_text . read_file($gatepost->{access_log}),
    qr/master-secret|shared-secret|gate-\d|pass-\d/, 'no password is told anywhere');

# What would let in everybody is refused.
for my $auth ('', 'auth staff anybody') {
	my $open = $config =~ s/plaintext_login yes; auth staff/plaintext_login yes; $auth/r;
	$gatepost->configure("auth anybody { source server }\n$open");
	ok(!$gatepost->reload, 'master users need an auth that decides for all: ' . ($auth || 'none'));
}
like($gatepost->log_text, qr/nobody would check the password/, 'the log says why');

$gatepost->stop;
$_->stop for @dovecots, @asking_none;
done_testing;
