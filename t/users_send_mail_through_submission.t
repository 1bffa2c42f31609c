#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Users send mail through ports 587 and 465, logged in with the common
# clients: the mail server judges the password, or gatepost does and tells
# the server by XCLIENT who it is.  Nothing is taken before the login, no
# password before TLS.  Dovecot's submission service hears of the session too.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Cert qw(make_cert);
use Gatepost::Dovecot;
use Gatepost::Gatepost;
use Gatepost::Port qw(own_address);
use Gatepost::Postfix;
use Gatepost::Process qw(run_command test_dir write_file);
use Gatepost::Smtp;
use MIME::Base64 qw(encode_base64);
use Test::More;

plan skip_all => 'needs root' if $> != 0;

# The first judges passwords; the second only wants a SASL socket to be there, for a bug of Postfix 3.7.
my %servers = (
	judging => Gatepost::Postfix->new(name => 'judging', xclient => '127.0.0.1',
	    sasl => { 'anna@example.com' => 'sec ret+=', ben => 'secret' }),
	told => Gatepost::Postfix->new(name => 'told', xclient => '127.0.0.1', sasl => {}),
);
my $relay = Gatepost::Postfix->new(name => 'relay', xclient => '127.0.0.1',
    main => { mynetworks => '127.0.0.0/8', smtpd_client_port_logging => 'yes' });
my $dovecot = Gatepost::Dovecot->new(name => 'dovecot', relay_port => $relay->port, settings => <<'END');
login_log_format_elements = user=<%u> rip=%r rport=%b lport=%a session=<%{session}>
END
$_->start for values %servers, $relay, $dovecot;
my $users = write_file(test_dir() . '/users', "anna\@example.com:{PLAIN}sec ret+=\nben:{PLAIN}secret\n");
my %values = (CERT => make_cert(), USERS => $users, DOVECOT => $dovecot->submission_port,
    map { uc $_ => $servers{$_}->port } keys %servers);
my $gatepost = Gatepost::Gatepost->new(values => \%values, config => <<'END')->start;
hostname mail.example.com
tls main { certificate @CERT@ }
auth staff { source file; path @USERS@; mechanisms PLAIN LOGIN }
pool judging { protocol submission; server judging { address 127.0.0.1:@JUDGING@ } }
pool told { protocol submission; login xclient; server told { address 127.0.0.1:@TOLD@ } }
pool dovecot { protocol submission; server d { address 127.0.0.1:@DOVECOT@ } }
default listener { protocol submission; tls main }
listener judging { bind 127.0.0.1:@PORT{judging}@; bind_tls 127.0.0.1:@PORT{judgings}@; pool judging }
listener told { bind 127.0.0.1:@PORT{told}@; bind_tls 127.0.0.1:@PORT{tolds}@; pool told; auth staff }
listener dovecot { bind_tls 127.0.0.1:@PORT{dovecots}@; pool dovecot }
END
my $from = own_address();

sub text ($subject) { return "From: anna\@example.com\nSubject: $subject\n\nHello.\n" }
sub bare_client ($port, %option) {
	return Gatepost::Smtp->new(port => $gatepost->port($port), from => $from, timeout => 20, %option);
}
sub client ($port) {
	my $c = bare_client($port, tls => $port =~ /s$/ ? 1 : 0);
	$c->ehlo;
	$c->starttls->ehlo if $port !~ /s$/;
	return $c;
}

sub by_swaks ($port, $subject, $password, $mechanism) {
	return run_command('swaks', ['swaks', '--server', '127.0.0.1', '--port', $gatepost->port($port),
	    '--local-interface', $from, '--helo', 'laptop', $port =~ /s$/ ? '--tlsc' : '--tls',
	    '--auth', $mechanism, '--auth-user', 'anna@example.com', '--auth-password', $password,
	    '--from', 'anna@example.com', '--to', 'bob@example.com', '--h-Subject', $subject]);
}

sub by_msmtp ($port, $subject, $password, $mechanism) {
	return run_command('msmtp', ['msmtp', '-C', '/dev/null', '--host=127.0.0.1',
	    '--port=' . $gatepost->port($port), "--source-ip=$from", '--domain=laptop', '--tls=on',
	    '--tls-certcheck=off', '--tls-starttls=' . ($port =~ /s$/ ? 'off' : 'on'),
	    '--auth=' . lc $mechanism, '--user=anna@example.com', "--passwordeval=printf %s '$password'",
	    '--from=anna@example.com', 'bob@example.com'],
	    stdin => write_file(test_dir() . '/mail.msmtp', text($subject)));
}

sub by_curl ($port, $subject, $password, $mechanism) {
	my $file = write_file(test_dir() . '/mail.curl', text($subject) =~ s/\n/\r\n/gr);
	my $scheme = $port =~ /s$/ ? 'smtps' : 'smtp';

	return run_command('curl', ['curl', '-sSv', '--noproxy', '*', '--max-time', 20, '--interface', $from,
	    '-k', '--ssl-reqd', '--user', "anna\@example.com:$password", '--login-options', "AUTH=$mechanism",
	    '--mail-from', 'anna@example.com', '--mail-rcpt', 'bob@example.com', '-T', $file,
	    "$scheme://127.0.0.1:" . $gatepost->port($port) . '/laptop']);
}

my %senders = (swaks => \&by_swaks, msmtp => \&by_msmtp, curl => \&by_curl);
for my $port (qw(judging judgings told tolds)) {
	my $postfix = $servers{$port =~ s/s$//r};
	for my $sender (sort keys %senders) {
		my $mechanism = $port =~ /s$/ ? 'LOGIN' : 'PLAIN';
		my $subject = "$sender-$port";
		my ($status, $output) = $senders{$sender}->($port, $subject, 'sec ret+=', $mechanism);
		is($status, 0, "$port: $sender sends with $mechanism") or diag($output);
		my $message = $postfix->wait_for_messages(qr/^Subject: $subject$/m);
		like($message->{text},
		    qr/^Received: from laptop \(unknown \[\Q$from\E\]\).*\bwith ESMTPA id/ms,
		    "$port: Postfix knows the client");
		($status, $output) = $senders{$sender}->($port, "bad-$subject", 'wrong', $mechanism);
		isnt($status, 0, "$port: not with a wrong password");
		like($output, qr/\b535\b/, "$port: and $sender hears so");
	}
	my @lines = $postfix->maillog_lines(qr/: client=.*sasl_username=anna\@example\.com$/);
	is(scalar @lines, $port =~ /s$/ ? 6 : 3, "$port: and the user");
}
is(scalar $servers{told}->maillog_lines(qr/sasl_method=XCLIENT/), 6, 'told by XCLIENT it is');
is(scalar $_->messages, 6, 'nothing came twice') for values %servers;

my $event = $gatepost->wait_for_event(message => { listener => 'told', status => 'accepted' });
my $login = $gatepost->wait_for_event(login => { session => $event->{session} });
is($login->{user}, 'anna@example.com', 'a message event has the session of a login');
is($event->{$_->[0]}, $_->[1], "and the $_->[0]") for [user => 'anna@example.com'], [client => $from],
    [from => 'anna@example.com'], [to => 'bob@example.com'], [server => 'told/told'],
    [accepted => 1], [refused => 0];
my ($queue_id) = $event->{reply} =~ /^250 2\.0\.0 .*queued as (\w+)$/;
ok($queue_id, 'and the reply') or diag($event->{reply});
my ($size) = $servers{told}->wait_for_maillog(qr/\b\Q$queue_id\E: from=/) =~ /\bsize=(\d+)/;
ok($event->{size} > 30 && $event->{size} < $size, "and the size: $event->{size}, with Received lines $size");

for my $port (qw(judging told)) {
	my $c = bare_client($port);
	my $offered = $c->ehlo;
	ok(!exists $offered->{AUTH}, "$port: before TLS there is no AUTH");
	is($c->auth('anna@example.com', 'sec ret+='), '530 5.7.0 Send STARTTLS first.',
	    "$port: nor is it taken");
	like($c->cmd('MAIL FROM:<anna@example.com>'), qr/^530 5\.7\.0 /, "$port: nor is MAIL");
	$c->starttls;
	like($c->auth('ben', 'secret'), qr/^503 /, "$port: TLS begins without EHLO");
	is($c->ehlo->{AUTH}, 'PLAIN LOGIN', "$port: then AUTH is there");
	like($c->cmd('MAIL FROM:<anna@example.com>'), qr/^530 5\.7\.0 /, "$port: no MAIL before AUTH");
	like($c->cmd('RCPT TO:<bob@example.com>'), qr/^503 /, "$port: nor RCPT");
	is($c->cmd('AUTH LOGIN'), '334 VXNlcm5hbWU6', "$port: AUTH LOGIN asks for the name");
	like($c->cmd('*'), qr/^501 5\.7\.0 /, "$port: and is cancelled");
	like($c->cmd('AUTH PLAIN'), qr/^334 ?$/, "$port: AUTH PLAIN without an initial response");
	like($c->cmd('A=B='), qr/^501 5\.5\.2 /, "$port: what is no base64 is told");
	like($c->cmd('AUTH CRAM-MD5'), qr/^504 5\.5\.4 /, "$port: as is another mechanism");
	like($c->auth('ben', 'wrong'), qr/^535 5\.7\.8 /, "$port: a wrong password");
	like($c->auth('nobody', 'wrong'), qr/^535 5\.7\.8 /, "$port: and a wrong name look the same");
	$c->cmd('AUTH LOGIN ' . encode_base64('ben', ''));
	like($c->cmd(encode_base64('secret', '')), qr/^235 2\.7\.0 /,
	    "$port: the right one is good, by then");
	like($c->auth('anna@example.com', 'sec ret+='), qr/^503 5\.5\.1 /, "$port: but only once");
	like($c->cmd($_), qr/^5\d\d /, "$port: $_ is refused")
	    for 'STARTTLS', 'XCLIENT LOGIN=anna', 'VRFY ben';
	$offered = $c->ehlo('again');
	ok(!exists $offered->{$_}, "$port: after the login there is no $_") for qw(AUTH STARTTLS XCLIENT);
	like($c->send_message(from => 'ben@example.com', to => ['far@example.net'],
	    text => text("far-$port")), qr/^250 /, "$port: who is logged in may relay");
	my @replies = $c->send_pipelined(from => 'ben@example.com', to => [qw(bob@example.com
	    unknown@example.com carol@example.com)], text => text("many-$port"));
	is(join(' ', map { substr $_, 0, 3 } @replies), '250 250 550 250 354 250',
	    "$port: in a pipeline, too");
	$servers{$port}->wait_for_messages(qr/^Subject: many-$port$/m, 2);
	$event = $gatepost->wait_for_event(message => { listener => $port, accepted => 2 });
	is("$event->{to}; $event->{refused}", 'bob@example.com, carol@example.com; 1',
	    "$port: its event tells the recipients that were taken");
	$c->quit;
	ok($servers{$port}->wait_for_maillog(qr/: client=unknown\[\Q$from\E\], .*sasl_username=ben/),
	    "$port: Postfix knows who it was");
	like($gatepost->wait_for_event(session => { listener => $port, user => 'ben' })->{reason}, qr/^done$/,
	    "$port: the session is done");
}

# Dovecot's own submission service, and a Postfix behind it.
my $c = client('dovecots');
my $port = $c->socket->sockport;
like($c->auth('user1', 'wrong'), qr/^535 /, 'dovecot: a wrong password');
like($c->auth('user1', 'pass-1'), qr/^235 /, 'dovecot: a login');
like($c->send_message(from => 'user1@example.com', to => ['far@example.com'], text => text('dovecot')),
    qr/^250 /, 'dovecot: and a mail');
$login = $gatepost->wait_for_event(login => { listener => 'dovecot', client_port => $port });
like($dovecot->wait_for_log(qr/submission-login: Info: Login: user=<user1>/),
    qr/rip=\Q$from\E, rport=$port, lport=\d+, session=<$login->{session}>/,
    'dovecot: it knows address, port and session');
like($relay->wait_for_messages(qr/^Subject: dovecot$/m)->{text},
    qr/^Received: from client\.example\.org \(\[\Q$from\E\]\)/m, 'dovecot: as the mail tells');
$c->quit;

unlike($gatepost->log_text . join('', $gatepost->event_lines), qr/secret|sec ret|c2VjcmV0|c2VjIHJldCs9/,
    'no log has a password');
my $failures = 2 * (6 + 2) + 1;
is(scalar(() = $gatepost->wait_for_events('login_failed', $failures)), $failures, 'each failed login is an event');

$gatepost->stop;
$_->stop_quietly for values %servers, $relay, $dovecot;
done_testing;
