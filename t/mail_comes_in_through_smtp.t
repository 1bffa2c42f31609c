#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Mail for the world's port 25 goes through gatepost to Postfixes, one that
# takes XCLIENT and one that wants PROXY headers: each message arrives once,
# Postfix sees the client's own address and its name in EHLO, and relays for
# nobody.  What is announced is what all servers can do.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Cert qw(make_cert);
use Gatepost::Gatepost;
use Gatepost::Port qw(own_address);
use Gatepost::Postfix;
use Gatepost::Process qw(run_command test_dir wait_for write_file);
use Gatepost::Smtp;
use Test::More;

plan skip_all => 'needs root' if $> != 0;

my %servers = (
	xclient => Gatepost::Postfix->new(name => 'xclient', xclient => '127.0.0.1',
	    main => { message_size_limit => 7_000_000 }),
	small => Gatepost::Postfix->new(name => 'small', xclient => '127.0.0.1',
	    main => { message_size_limit => 1_000_000, smtpd_discard_ehlo_keywords => 'dsn, etrn' }),
	proxied => Gatepost::Postfix->new(name => 'proxied', proxy => 1),
);
$_->start for values %servers;
my $gatepost = Gatepost::Gatepost->new(values => { CERT => make_cert(),
    map { uc $_ => $servers{$_}->port } keys %servers }, config => <<'END')->start;
hostname mx.example.com
tls main { certificate @CERT@ }
default pool { check { kind none }; protocol smtp; balance roundrobin }
pool xclient { server xclient { address 127.0.0.1:@XCLIENT@ } }
pool proxied { forward proxy_v2; server proxied { address 127.0.0.1:@PROXIED@ } }
pool two { server xclient { address 127.0.0.1:@XCLIENT@ }; server small { address 127.0.0.1:@SMALL@ } }
default listener { protocol smtp; tls main }
listener xclient { bind 127.0.0.1:@PORT{xclient}@; pool xclient }
listener proxied { bind 127.0.0.1:@PORT{proxied}@; pool proxied }
listener two { bind 127.0.0.1:@PORT{two}@; pool two }
END
my $from = own_address();
my $sent = 0;

sub client ($listener, %option) {
	return Gatepost::Smtp->new(port => $gatepost->port($listener), from => $from, timeout => 20, %option);
}

sub message ($subject) { return "From: alice\@example.org\nSubject: $subject\n\nHello.\n" }

sub send_by_swaks ($listener, $subject) {
	return run_command('swaks', ['swaks', '--server', '127.0.0.1', '--port', $gatepost->port($listener),
	    '--local-interface', $from, '--helo', 'swaks.example.org', '--tls', '--from', 'alice@example.org',
	    '--to', 'bob@example.com,carol@example.com', '--h-Subject', $subject]);
}

sub send_by_curl ($listener, $subject) {
	my $file = write_file(test_dir() . '/mail', message($subject) =~ s/\n/\r\n/gr);

	return run_command('curl', ['curl', '-sSv', '--noproxy', '*', '--max-time', 20, '--interface', $from,
	    '-k', '--ssl-reqd', '--mail-from', 'alice@example.org', '--mail-rcpt', 'bob@example.com',
	    '--mail-rcpt', 'carol@example.com', '-T', $file,
	    'smtp://127.0.0.1:' . $gatepost->port($listener) . '/curl.example.org']);
}

my %senders = (swaks => \&send_by_swaks, curl => \&send_by_curl);
for my $listener (qw(xclient proxied)) {
	my $postfix = $servers{$listener};
	for my $sender (sort keys %senders) {
		my ($status, $output) = $senders{$sender}->($listener, "$sender-$listener");
		is($status, 0, "$listener: $sender sends a mail over STARTTLS") or diag($output);
		my @messages = $postfix->wait_for_messages(qr/^Subject: $sender-$listener$/m, 2);
		is_deeply([sort map { $_->{to} } @messages], [qw(bob@example.com carol@example.com)],
		    "$listener: it is there once for each recipient");
		like($messages[0]{text},
		    qr/^Received: from \Q$sender\E\.example\.org \(unknown \[\Q$from\E\]\)/m,
		    "$listener: Postfix saw the client's address and name");
		like($messages[0]{text}, qr/^\s+by $listener\.example\.net .*\bwith E?SMTP id/m,
		    "$listener: and its protocol");
	}
	my $count = () = $postfix->maillog_lines(qr/: client=unknown\[\Q$from\E\]/);
	is($count, 2, "$listener: as it logs");
	$postfix->wait_until_quiet;
	is(scalar $postfix->messages, 4, "$listener: nothing came twice");
}

# What is announced: what gatepost itself does and what all servers of the pool have, once each was asked.
my ($c, $offered);
wait_for(sub {
	$c = client('two');
	$offered = $c->ehlo;
	$c->quit;
	return ($offered->{SIZE} // 0) == 1_000_000;
}, 20, 'the offer of the first client of two servers');
is(join(' ', sort keys %$offered), '8BITMIME CHUNKING ENHANCEDSTATUSCODES PIPELINING SIZE SMTPUTF8 STARTTLS',
    'what servers announce is offered before any mail went to them');
ok(!$_->maillog_lines(qr/(?:lost connection|improper).* from localhost/), "$_->{name} was asked politely")
    for values %servers;
for my $n (1, 2) {	# in turn
	$c = client('two');
	$c->ehlo;
	like($c->send_message(from => 'alice@example.org', to => ['dan@example.com'],
	    text => message("turn $n")), qr/^250 /, "mail $n to two servers is taken");
	$c->quit;
}
is($servers{$_}->wait_for_messages(qr/^Subject: turn \d$/m)->{to}, 'dan@example.com', "one of them by $_")
    for qw(xclient small);
$c = client('two');
$offered = $c->ehlo;
is($offered->{SIZE}, 1_000_000, 'SIZE is that of the server with the smallest');
is(join(' ', sort keys %$offered), '8BITMIME CHUNKING ENHANCEDSTATUSCODES PIPELINING SIZE SMTPUTF8 STARTTLS',
    'no keyword that one has not, none between servers, and no AUTH');
like($c->cmd('HELO client'), qr/^250 mx\.example\.com$/, 'who says HELO is told nothing');
$c->ehlo;
$c->starttls;
ok(!exists $c->ehlo->{STARTTLS}, 'no STARTTLS on TLS');
like($c->cmd('STARTTLS'), qr/^503 /, 'which is refused there');
$c->quit;

# Before a transaction, within one, and with a server at hand.
my @refused = ('VRFY bob@example.com', 'EXPN list', 'ETRN example.com', 'XCLIENT ADDR=192.0.2.7',
    'XFORWARD ADDR=192.0.2.7', 'XSOMETHING', 'SOMETHING', 'AUTH PLAIN AGEAYg==');
for my $listener (qw(xclient proxied)) {
	$c = client($listener);
	$c->ehlo;
	for my $state ('before a mail', 'within a mail', 'after a mail') {
		like($c->cmd('MAIL FROM:<alice@example.org>'), qr/^250 /, "$listener, $state")
		    if $state eq 'within a mail';
		like($c->cmd($_), qr/^5\d\d 5\./, "$listener, $state: $_ is refused") for @refused[0 .. 4];
		$c->cmd('RSET') if $state eq 'within a mail';
	}
	like($c->cmd('NOOP'), qr/^250 /, "$listener: the session goes on");
	$c->quit;
	$c = client($listener);
	$c->ehlo;
	like($c->cmd($_), qr/^5\d\d 5\./, "$listener: $_ is refused") for @refused[5 .. 7];
	like($c->send_message(from => 'alice@example.org', to => ['eve@example.net'], text => ''),
	    qr/^554 5\.7\.1 .*Relay access denied/, "$listener: nothing is relayed");
	like($c->cmd($_), qr/^5\d\d 5\./, "$listener: $_ is refused by then") for @refused[5 .. 7];
	$c->quit;
	ok(!$servers{$listener}->maillog_lines(qr/192\.0\.2\.7|XSOMETHING|improper command/),
	    "$listener: Postfix heard of none of it");
}

my $event = $gatepost->wait_for_event(message => { listener => 'proxied', status => 'accepted' });
is($event->{from}, 'alice@example.org', 'the message event has the sender');
is($event->{to}, 'bob@example.com, carol@example.com', 'and the recipients');
is($event->{client}, $from, 'and the client');
ok($servers{proxied}->maillog_lines(qr/: \Q$1\E: client=/), 'and what Postfix calls it')
    if $event->{reply} =~ /queued as (\w+)/ or fail("no queue id in $event->{reply}");

$gatepost->stop;
$_->stop_quietly for values %servers;
done_testing;
