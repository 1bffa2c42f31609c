#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# gsasl and curl log in by proofs that Dovecot's auth server leads, whatever
# gatepost knows of them: it passes on what is said, and hears who it was.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Cert qw(make_cert);
use Gatepost::Dovecot;
use Gatepost::Gatepost;
use Gatepost::Imap;
use Gatepost::Login qw(offer);
use Gatepost::Port qw(free_port own_address);
use Gatepost::Postfix;
use Gatepost::Process qw(read_file run_command test_dir wait_for write_file);
use MIME::Base64 qw(decode_base64 encode_base64);
use Test::More;

plan skip_all => 'needs root' if $> != 0;

my $dir = test_dir();
my @proofs = qw(CRAM-MD5 SCRAM-SHA-256 SCRAM-SHA-1 DIGEST-MD5);
my ($imap_port, $pop3_port) = (free_port(), free_port());
write_file("$dir/masters", "gp:{PLAIN}master-secret\n");
write_file("$dir/master-password", "master-secret\n");
my $dovecot = Gatepost::Dovecot->new(name => 'd1', address => own_address(1), port => $imap_port, pop3 => 1,
    pop3_port => $pop3_port, users => 9, masters => "$dir/masters", any_user => 'password=shared')->start;
my $postfix = Gatepost::Postfix->new(name => 'told', xclient => '127.0.0.1', sasl => {})->start;
my $judge = Gatepost::Dovecot->new(name => 'judge', auth => 1, users => 9,
    settings => "auth_mechanisms = plain login @{[map { lc } @proofs]} anonymous\n",
    user_lines => "there\@example.org:{PLAIN}pass-5:::::: user=user5\n")->start;
my $gatepost = Gatepost::Gatepost->new(values => { IMAP => $imap_port, POP3 => $pop3_port,
    D1 => $dovecot->address, TOLD => $postfix->port, CERT => make_cert(), SOCKET => $judge->auth_socket },
    config => <<'END')->start;
hostname mail.example.com
tls main { certificate @CERT@ }
default auth { source dovecot; socket unix:@SOCKET@ }
auth judge { }
auth some { domains example.org }
auth few { mechanisms SCRAM-SHA-1 }
default pool { check { kind none }; login master; master_user gp; master_password_file @DIR@/master-password }
pool imap { server d1 { address @D1@:@IMAP@ } }
pool pop3 { server d1 { address @D1@:@POP3@ } }
pool own { protocol imap; login password; server d1 { address @D1@:@IMAP@ } }
pool submission { login xclient; server told { address 127.0.0.1:@TOLD@ } }
default listener { starttls off; plaintext_login yes; auth judge; max_errors 50 }
listener imap { bind 127.0.0.1:@PORT{imap}@; pool imap }
listener pop3 { bind 127.0.0.1:@PORT{pop3}@; pool pop3 }
listener submission { bind 127.0.0.1:@PORT{submission}@; pool submission }
listener some { protocol imap; bind 127.0.0.1:@PORT{some}@; pool imap; auth some }
listener few { protocol imap; bind 127.0.0.1:@PORT{few}@; pool imap; auth few }
listener own { protocol imap; bind 127.0.0.1:@PORT{own}@; pool own }
END

# What the greeting says.
sub offered ($listener) {
	my $client = Gatepost::Imap->new(port => $gatepost->port($listener));
	my @names = $client->greeting =~ /\bAUTH=(\S+?)(?=[\s\]])/g;

	$client->close;
	return join ' ', @names;
}
wait_for(sub { offered('imap') =~ /SCRAM/ }, 20, 'the list of the auth server');
is(offered('imap'), 'PLAIN LOGIN CRAM-MD5 SCRAM-SHA-256 SCRAM-SHA-1 DIGEST-MD5 ANONYMOUS',
    'all is offered that it lists');
is(offered('few'), 'SCRAM-SHA-1', 'or what is written');
is(offered('own'), 'PLAIN LOGIN', 'but no proofs where servers want passwords');

my $runs = 0;
sub gsasl ($listener, $mechanism, $user, $password, @option) {
	my $protocol = $listener eq 'submission' ? '--smtp' : '--imap';

	return run_command('gsasl-' . ++$runs, ['gsasl', '--verbose', $protocol, '--no-starttls', '--connect',
	    '127.0.0.1:' . $gatepost->port($listener), '--mechanism', $mechanism, '--service',
	    $listener eq 'submission' ? 'smtp' : 'imap', '--hostname', 'mail.example.com', '--realm', '',
	    '--authentication-id', $user, '--password', $password, @option],
	    stdin => '/dev/null', seconds => 30);
}
for my $listener (qw(imap submission)) {
	for my $mechanism (@proofs) {
		my $logins = () = $gatepost->events('login');
		my ($status, $out) = gsasl($listener, $mechanism, 'user1', 'pass-1');

		is($status, 0, "gsasl to $listener by $mechanism") or diag($out);
		my $event = ($gatepost->wait_for_events('login', $logins + 1))[-1];
		is($event->{user}, 'user1', "$listener, $mechanism: who it was is known");
		($status, $out) = gsasl($listener, $mechanism, 'user1', 'wrong');
		isnt($status, 0, "$listener, $mechanism: not with another password");
		like($out, qr/AUTHENTICATIONFAILED|535/, 'and hears so') or diag($out);
		($status, $out) = gsasl($listener, $mechanism, 'nobody', 'pass-1');
		isnt($status, 0, "$listener, $mechanism: nor a stranger");
	}
}
my ($status, $out) = gsasl('few', 'SCRAM-SHA-1', 'user2', 'pass-2');
is($status, 0, 'gsasl by what is written') or diag($out);
wait_for(sub { $dovecot->log_lines(qr/Login: user=<user1>/) == @proofs }, 10, 'the logins of user1');
pass('the server let all of them in');
($status, $out) = gsasl('imap', 'ANONYMOUS', '', '', '--anonymous-token', 'x');
is($status, 0, 'gsasl as nobody') or diag($out);
ok($gatepost->wait_for_event(login => { user => 'anonymous' }), 'who is called anonymous');

for my $case ([imap => 'CRAM-MD5'], [pop3 => 'CRAM-MD5']) {
	my ($protocol, $mechanism) = @$case;

	($status, $out) = run_command("curl-$protocol-$mechanism", ['curl', '-sSv', '--noproxy', '*',
	    '--max-time', 20, '-u', 'user3:pass-3', '--login-options', "AUTH=$mechanism",
	    "$protocol://127.0.0.1:" . $gatepost->port($protocol) . '/']);
	is($status, 0, "curl at $protocol by $mechanism") or diag($out);
	like($out, qr/> (?:\S+ AUTHENTICATE|AUTH) $mechanism/, 'by that indeed');
}

# Only users of a domain; and nobody is named in the log before the answer.
($status, $out) = gsasl('some', 'SCRAM-SHA-256', 'user4', 'pass-4');
isnt($status, 0, 'a user of no domain is none of this source');
like($out, qr/AUTHENTICATIONFAILED/, 'and hears what all hear');
($status, $out) = gsasl('some', 'SCRAM-SHA-256', 'there@example.org', 'pass-5');
isnt($status, 0, 'nor one whom it calls by a name of no domain');

# What breaks off leaves nothing; others' exchanges are not the worse.
my @clients = map { Gatepost::Imap->new(port => $gatepost->port('imap')) } 1 .. 4;
my $failed = () = $gatepost->events('login_failed');
$_->send_bytes("x AUTHENTICATE CRAM-MD5\r\n") for @clients;
my @challenges = map { decode_base64($_->line =~ s/^\+ //r) } @clients;
is(scalar keys %{{ map { $_ => 1 } @challenges }}, 4, 'each has a challenge of its own');
$clients[0]->send_bytes("*\r\n");
like($clients[0]->line, qr/^x BAD/, 'one breaks off');
$clients[1]->send_bytes("no base64\r\n");
like($clients[1]->line, qr/^x BAD/, 'one sends what is no base64');
$clients[2]->send_bytes(encode_base64('x' x 9000, '') . "\r\n");
like($clients[2]->line, qr/^x NO \[AUTHENTICATIONFAILED\]/, 'one a long answer');
$clients[3]->send_bytes(encode_base64("user1 \0\r\n\t" . '0' x 32, '') . "\r\n");
like($clients[3]->line, qr/^x NO \[AUTHENTICATIONFAILED\]/, 'and one any bytes');
like($_->cmd('LOGIN user1 pass-1'), qr/ OK/, 'all log in at last') for @clients;
$_->close for @clients;
my @told = $gatepost->wait_for_events('login_failed', $failed + 2);
ok(grep({ !defined $_->{user} } @told), 'who was not named yet has no name in the log');

# The auth server goes in the middle of an exchange.
my $client = Gatepost::Imap->new(port => $gatepost->port('imap'));
$client->send_bytes("x AUTHENTICATE CRAM-MD5\r\n");
like($client->line, qr/^\+ /, 'an exchange has begun');
$judge->kill_now;
$client->send_bytes(encode_base64('user1 ' . '0' x 32, '') . "\r\n");
like($client->line, qr/^x NO \[UNAVAILABLE\]/, 'whose end nobody can tell: no guess was wrong');
$client->close;

unlike($gatepost->log_text, qr/pass-\d|wrong|-secret/, 'no password is told anywhere');
$gatepost->stop;
$dovecot->stop;
$postfix->stop_quietly;
done_testing;
