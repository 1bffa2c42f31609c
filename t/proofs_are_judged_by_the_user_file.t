#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# gsasl, curl, swaks and msmtp log in by CRAM-MD5 and SCRAM-SHA-256, before a
# Dovecot and a Postfix that are shown no user's password.  What is offered
# is what all users of the file have what it needs for, or what is written;
# nobody learns who exists.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Cert qw(make_cert);
use Gatepost::Dovecot;
use Gatepost::Gatepost;
use Gatepost::Imap;
use Gatepost::Port qw(free_port own_address);
use Gatepost::Postfix;
use Gatepost::Process qw(read_file run_command test_dir wait_for write_file);
use MIME::Base64 qw(decode_base64 encode_base64);
use Test::More;

plan skip_all => 'needs root' if $> != 0;

my $dir = test_dir();
my $port = free_port();
write_file("$dir/masters", "gp:{PLAIN}master-secret\n");
write_file("$dir/master-password", "master-secret\n");
write_file("$dir/shared-password", "shared-secret\n");
my $dovecot = Gatepost::Dovecot->new(name => 'd1', address => own_address(1), port => $port, users => 9,
    masters => "$dir/masters", any_user => 'password=shared-secret allow_real_nets=127.0.0.0/8')->start;
my $postfix = Gatepost::Postfix->new(name => 'told', xclient => '127.0.0.1', sasl => {})->start;

sub kept_line ($scheme, $user, $password) {
	my ($status, $out) = run_command("doveadm-$scheme-$user", ['doveadm', 'pw', '-s', $scheme, '-p',
	    $password]);
	return "$user:$out";
}
my $slow = 'user3:' . crypt('gate-3', '$2b$06$abcdefghijklmnopqrstuu') . "\n";
write_file("$dir/clear", "user1:{PLAIN}gate-1\nuser2:{CLEARTEXT}sec ret,=2C\nlocked:!\n");
write_file("$dir/kept", join '', map { kept_line('SCRAM-SHA-256', "user$_", "gate-$_") } 1, 4, 5);
my $long = 'gate-' . 'x' x 70;		# more than a block of MD5
write_file("$dir/cram", kept_line('CRAM-MD5', 'user1', 'gate-1') . kept_line('CRAM-MD5', 'user2', $long));
write_file("$dir/mixed", "user1:{PLAIN}gate-1\n$slow");
my $gatepost = Gatepost::Gatepost->new(values => { SERVER_PORT => $port, D1 => $dovecot->address,
    TOLD => $postfix->port, CERT => make_cert() }, config => <<'END')->start;
hostname mail.example.com
tls main { certificate @CERT@ }
default auth { source file }
auth clear { path @DIR@/clear }
auth kept { path @DIR@/kept }
auth cram { path @DIR@/cram }
auth mixed { path @DIR@/mixed }
auth written { path @DIR@/mixed; mechanisms SCRAM-SHA-256 CRAM-MD5 }
farm f { server d1 { address @D1@:@SERVER_PORT@ } }
pool master {
    protocol imap; farm f
    login master; master_user gp; master_password_file @DIR@/master-password
}
pool shared { protocol imap; farm f; login trusted; master_password_file @DIR@/shared-password }
pool own { protocol imap; farm f }
pool told { protocol submission; login xclient; server told { address 127.0.0.1:@TOLD@ } }
default listener { protocol imap; starttls off; plaintext_login yes; max_errors 50 }
listener clear { bind 127.0.0.1:@PORT{clear}@; pool shared; auth clear }
listener kept { bind 127.0.0.1:@PORT{kept}@; pool master; auth kept }
listener cram { bind 127.0.0.1:@PORT{cram}@; pool shared; auth cram }
listener mixed { bind 127.0.0.1:@PORT{mixed}@; pool shared; auth mixed }
listener written { bind 127.0.0.1:@PORT{written}@; pool shared; auth written }
listener own { bind 127.0.0.1:@PORT{own}@; pool own; auth clear }
listener mail {
    protocol submission; starttls required; tls main; plaintext_login no
    bind 127.0.0.1:@PORT{mail}@; pool told; auth clear
}
END

# What the greeting says.
sub offered ($listener) {
	my $client = Gatepost::Imap->new(port => $gatepost->port($listener));
	my @names = $client->greeting =~ /\bAUTH=(\S+?)(?=[\s\]])/g;
	my $disabled = $client->greeting =~ /\bLOGINDISABLED\b/;

	$client->close;
	return join ' ', @names, $disabled ? 'LOGINDISABLED' : ();
}
is(offered('clear'), 'PLAIN LOGIN CRAM-MD5 SCRAM-SHA-256', 'all passwords in the clear: all is offered');
is(offered('kept'), 'PLAIN LOGIN SCRAM-SHA-256', 'SCRAM keys are kept: no CRAM-MD5');
is(offered('cram'), 'PLAIN LOGIN CRAM-MD5', 'and the other way round');
is(offered('mixed'), 'PLAIN LOGIN', 'a user with bcrypt: no proofs');
is(offered('written'), 'CRAM-MD5 SCRAM-SHA-256 LOGINDISABLED', 'what is written is offered');
is(offered('own'), 'PLAIN LOGIN', 'servers want the password: no proofs');

my $runs = 0;
sub gsasl ($listener, $mechanism, $user, $password, @option) {
	return run_command('gsasl-' . ++$runs, ['gsasl', '--verbose', '--imap', '--no-starttls', '--connect',
	    '127.0.0.1:' . $gatepost->port($listener), '--mechanism', $mechanism,
	    '--authentication-id', $user, '--password', $password, @option],
	    stdin => '/dev/null', seconds => 30);
}

my %ways = (
	clear => [[user1 => 'gate-1'], [user2 => 'sec ret,=2C']],
	kept => [[user1 => 'gate-1'], [user4 => 'gate-4']],
	cram => [[user1 => 'gate-1'], [user2 => $long]],
	mixed => [[user1 => 'gate-1'], [user3 => 'gate-3']],
	written => [[user1 => 'gate-1']],
);
my %logins;
for my $listener (sort keys %ways) {
	for my $mechanism (grep { $_ ne 'LOGINDISABLED' } split / /, offered($listener)) {
		for my $case (@{ $ways{$listener} }) {
			my ($user, $password) = @$case;
			my $name = "gsasl to $listener by $mechanism as $user";
			my ($status, $out) = gsasl($listener, $mechanism, $user, $password);
			is($status, 0, $name) or diag($out);
			$logins{$user}++;
			($status, $out) = gsasl($listener, $mechanism, $user, "$password!");
			isnt($status, 0, "$name: not with another password");
			like($out, qr/AUTHENTICATIONFAILED/, "$name: and hears so") or diag($out);
		}
	}
}
for my $user (sort keys %logins) {
	wait_for(sub { $dovecot->log_lines(qr/Login: user=<$user>/) == $logins{$user} }, 10,
	    "$logins{$user} logins of $user");
	pass("$user was logged in as often as gsasl said");
}
for my $case (['written', 'SCRAM-SHA-256', 'user3', 'gate-3'], ['written', 'CRAM-MD5', 'user3', 'gate-3'],
    ['clear', 'SCRAM-SHA-256', 'locked', ''], ['clear', 'SCRAM-SHA-256', 'nobody', 'gate-1']) {
	my ($listener, $mechanism, $user, $password) = @$case;
	my ($status, $out) = gsasl(@$case);
	isnt($status, 0, "$mechanism: $user of $listener has not what it needs");
	like($out, qr/AUTHENTICATIONFAILED/, 'and hears what all hear') or diag($out);
}
my ($status, $out) = gsasl('clear', 'SCRAM-SHA-256', 'user1', 'gate-1', '--authorization-id', 'user2');
isnt($status, 0, 'nobody acts for another') or diag($out);
($status, $out) = gsasl('clear', 'SCRAM-SHA-256', 'user1', 'gate-1', '--authorization-id', 'user1');
is($status, 0, 'but for oneself') or diag($out);

# curl at IMAP, and the senders at submission, after STARTTLS.
($status, $out) = run_command('curl', ['curl', '-sSv', '--noproxy', '*', '--max-time', 20, '-u',
    'user1:gate-1', '--login-options', 'AUTH=CRAM-MD5',
    'imap://127.0.0.1:' . $gatepost->port('clear') . '/']);
is($status, 0, 'curl at IMAP by CRAM-MD5') or diag($out);
like($out, qr/AUTHENTICATE CRAM-MD5/, 'by that indeed');

my $mail = write_file("$dir/mail", "From: user1\@example.com\r\nSubject: by SUBJECT\r\n\r\nHello.\r\n");
my %senders = (
	swaks => sub ($subject, $mechanism, $password) {
		return ['swaks', '--server', '127.0.0.1', '--port', $gatepost->port('mail'),
		    '--helo', 'laptop', '--tls', '--auth', $mechanism, '--auth-user', 'user1',
		    '--auth-password', $password, '--from', 'user1@example.com', '--to', 'bob@example.com',
		    '--h-Subject', $subject];
	},
	curl => sub ($subject, $mechanism, $password) {
		return ['curl', '-sSv', '--noproxy', '*', '--max-time', 20, '-k', '--ssl-reqd', '--user',
		    "user1:$password", '--login-options', "AUTH=$mechanism",
		    '--mail-from', 'user1@example.com', '--mail-rcpt', 'bob@example.com', '-T', $mail,
		    'smtp://127.0.0.1:' . $gatepost->port('mail') . '/laptop'];
	},
	msmtp => sub ($subject, $mechanism, $password) {
		return ['msmtp', '-C', '/dev/null', '--host=127.0.0.1', '--port=' . $gatepost->port('mail'),
		    '--domain=laptop', '--tls=on', '--tls-certcheck=off', '--auth=' . lc $mechanism,
		    '--user=user1', "--passwordeval=printf %s '$password'", '--from=user1@example.com',
		    'bob@example.com'];
	},
);
for my $case ([swaks => 'CRAM-MD5'], [curl => 'CRAM-MD5'], [msmtp => 'CRAM-MD5'],
    [msmtp => 'SCRAM-SHA-256'], [swaks => 'PLAIN']) {
	my ($sender, $mechanism) = @$case;
	my $subject = "$sender-$mechanism";
	write_file($mail, read_file($mail) =~ s/^Subject: .*?\r$/Subject: $subject\r/mr);
	($status, $out) = run_command($subject, $senders{$sender}->($subject, $mechanism, 'gate-1'),
	    stdin => $mail);
	is($status, 0, "$sender sends by $mechanism") or diag($out);
	my $message = $postfix->wait_for_messages(qr/^Subject: $subject\r?$/m);
	like($message->{text}, qr/^Received: from laptop .*\bwith ESMTPA id/ms,
	    "$sender by $mechanism: the server believes the login");
	($status, $out) = run_command("$subject-wrong", $senders{$sender}->($subject, $mechanism, 'wrong'),
	    stdin => $mail);
	isnt($status, 0, "$sender by $mechanism: not with another password");
	like($out, qr/535/, 'and hears so') or diag($out);
}

# Begins an exchange, which the client cannot end.
sub scram_challenge ($client, $user) {
	$client->send_bytes('x AUTHENTICATE SCRAM-SHA-256 ' . encode_base64("n,,n=$user,r=abc", '') . "\r\n");
	my ($challenge) = $client->line =~ /^\+ (.*)/;
	return decode_base64($challenge);
}
my $client = Gatepost::Imap->new(port => $gatepost->port('kept'));
my ($rounds_of_file) = read_file("$dir/kept") =~ /\{SCRAM-SHA-256\}(\d+),/;
my (%salt, %heard);
for my $user (('user1', 'stranger', 'other') x 2) {
	my $challenge = scram_challenge($client, $user);
	my ($nonce, $salt, $rounds) = $challenge =~ /^r=(abc[^,]{24}),s=([^,]{24}),i=(\d+)\z/;
	ok(defined $rounds, "$user: is challenged") or diag($challenge);
	is($rounds, $rounds_of_file, "$user: with the rounds of the file");
	$salt{$user}{$salt} = 1;
	$client->send_bytes(encode_base64("c=biws,r=$nonce,p=" . encode_base64('x' x 32, ''), '') . "\r\n");
	$heard{$client->line}++;
}
is(keys $salt{$_}->%*, 1, "$_: the salt is the same each time") for sort keys %salt;
is(scalar(keys %{{ map { %$_ } values %salt }}), 3, 'and another for each name');
is(scalar keys %heard, 1, 'wrong proofs and unknown users hear the same') or diag(explain(\%heard));
$client->close;
$client = Gatepost::Imap->new(port => $gatepost->port('clear'));
%heard = ();
for my $user (qw(user1 stranger locked)) {
	$client->send_bytes("x AUTHENTICATE CRAM-MD5\r\n");
	like(decode_base64($client->line =~ s/^\+ //r), qr/^<[^<>\@]+\@mail\.example\.com>\z/,
	    "$user: a challenge");
	$client->send_bytes(encode_base64("$user " . '0' x 32, '') . "\r\n");
	$heard{$client->line}++;
}
is(scalar keys %heard, 1, 'so with CRAM-MD5') or diag(explain(\%heard));

# In the middle of an exchange the file changes, and what is offered, for those who come then.
my $challenge = scram_challenge($client, 'user1');
rename write_file("$dir/clear.new", read_file("$dir/clear") . $slow), "$dir/clear" or die "rename: $!";
wait_for(sub { offered('clear') eq 'PLAIN LOGIN' }, 30, 'the changed file to be taken');
pass('a user with bcrypt has come: no proofs are offered any more');
$client->send_bytes("*\r\n");
like($client->line, qr/^x BAD/, 'who is in the middle may break off');
like($client->cmd('LOGIN user3 gate-3'), qr/ OK/, 'and log in otherwise');
$client->close;

# A reload in the middle.
$client = Gatepost::Imap->new(port => $gatepost->port('kept'));
my ($nonce) = scram_challenge($client, 'user1') =~ /^r=([^,]+)/;
ok($gatepost->reload, 'a reload in the middle');
$client->send_bytes(encode_base64("c=biws,r=$nonce,p=" . encode_base64('x' x 32, ''), '') . "\r\n");
like($client->line, qr/^x NO \[AUTHENTICATIONFAILED\]/, 'the exchange goes on');
$client->close;

unlike($gatepost->log_text . read_file($gatepost->{access_log}), qr/gate-\d|sec ret|-secret/,
    'no password is told anywhere');

# What cannot be is told by -t.
my $bad = "auth proofs { path $dir/clear; mechanisms CRAM-MD5 }\n$gatepost->{config}"
    =~ s/pool own; auth clear/pool own; auth proofs/r;
write_file("$dir/bad.conf", $gatepost->fill_in($bad));
($status, $out) = run_command('check', [$ENV{GATEPOST}, '-t', '-c', "$dir/bad.conf"]);
isnt($status, 0, 'proofs only, and servers that want passwords');
like($out, qr/nobody could log in at listener own/, 'the error says so') or diag($out);

$gatepost->stop;
$dovecot->stop;
$postfix->stop_quietly;
done_testing;
