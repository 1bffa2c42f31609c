#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Who is one client, by the prefixes of a block; whom a rule of `access` puts under other limits, at the connect or
# behind the login; what LMTP and TCP hear; how operators see what is counted, and clear it; and a warning, once,
# about one address that holds much of a listener.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Fake;
use Gatepost::Gatepost;
use Gatepost::Imap;
use Gatepost::Port qw(own_address);
use Gatepost::Process qw(raise_descriptors test_dir wait_for write_file);
use Test::More;

raise_descriptors(4096);
my $imap = Gatepost::Fake->new(name => 'imap', script => [
	[send => "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] here\r\n"],
	[expect => qr/^(\S+) AUTHENTICATE.*\r\n/m], [send => sub ($tag) { "$tag OK in\r\n" }], ['hold']])->start;
my $mail = Gatepost::Fake->new(name => 'mail', script => [[send => "220 here ESMTP\r\n"],
	[expect => qr/^EHLO .*\r\n/m], [send => "250 here\r\n"], [expect => qr/^MAIL.*\r\n/m], [send => "250 mail\r\n"],
	[expect => qr/^RCPT.*\r\n/m], [send => "250 rcpt\r\n"], [expect => qr/^RSET\r\n/m], [send => "250 reset\r\n"],
	[expect => qr/^NOOP\r\n/m], [send => "250 noop\r\n"], ['hold']])->start;
my $tcp = Gatepost::Fake->new(name => 'tcp', script => [[send => "here\r\n"], ['hold']])->start;
write_file(test_dir() . '/users', join '', map { "$_:{PLAIN}right\n" } qw(ann bob));
my $gatepost = Gatepost::Gatepost->new(values => { IMAP => $imap->port, MAIL => $mail->port, TCP => $tcp->port,
    OFFICE => own_address(31_002) },
    config => <<'END')->start;
auth file { source file; path @DIR@/users }
default limits { auth_failure_delay none; rate_unit 1h }
limits one { client_connections 1; client_connection_rate 50; user_connections 5; user_client_connections 5 }
limits wide { client_connections 1; ipv4_prefix 24; ipv6_prefix 48 }
limits few { user_connections 1 }
limits local { client_connections 1; client_connection_rate 1; client_auth_rate 1; user_connections 1; user_client_connections 1 }
limits mails { client_message_rate 1; client_recipient_rate 1 }
limits none_at_all { }
limits guests { auth_ban 2 10m 1h }
access rules {
    limit none_at_all { net 192.0.2.77 }
    limit few { user bob }
}
default listener { starttls off; accept_proxy 127.0.0.0/8; plaintext_login yes; max_errors 50; auth file }
pool imap { server s { address 127.0.0.1:@IMAP@ } }
pool mail { protocol smtp; forward none; server s { address 127.0.0.1:@MAIL@ } }
pool lmtp { server s { address 127.0.0.1:@MAIL@ } }
pool tcp { server s { address 127.0.0.1:@TCP@ } }
listener one { protocol imap; bind 127.0.0.1:@PORT{one}@; pool imap; limits one; access rules }
listener wide { protocol imap; bind 127.0.0.1:@PORT{wide}@; pool imap; limits wide }
listener bare { protocol imap; bind 127.0.0.1:@PORT{bare}@; pool imap; access rules }
listener guests { protocol imap; bind 127.0.0.1:@PORT{guests}@; pool imap; limits guests }
listener lmtp { auth none; bind 127.0.0.1:@PORT{lmtp}@; pool lmtp; limits one }
listener tcp { auth none; bind 127.0.0.1:@PORT{tcp}@; pool tcp; limits one }
listener mail { auth none; protocol smtp; bind 127.0.0.1:@PORT{mail}@; pool mail; limits mails }
listener direct { protocol imap; accept_proxy none; bind 127.0.0.1:@PORT{direct}@; pool imap }
limits office { exempt @OFFICE@ }
listener exempt { protocol imap; accept_proxy none; bind 127.0.0.1:@PORT{exempt}@; pool imap; limits office }
listener local { protocol imap; accept_proxy none; bind unix:@DIR@/local.sock; pool imap; limits local }
listener told { protocol imap; bind 127.0.0.1:@PORT{told}@; pool imap }
END

sub come ($listener, $from, %option) {
	my $family = $from =~ /:/ ? 'TCP6' : 'TCP4';
	my $c = Gatepost::Imap->new(port => $gatepost->port($listener), greeting => 0, timeout => 30, %option);

	return $c->send_bytes("PROXY $family $from " . ($family eq 'TCP6' ? '::1' : '127.0.0.1') . " 4711 143\r\n");
}

my (@here, $crowd);
sub is_welcome ($listener, $from, $what) {
	my $c = come($listener, $from);

	push @here, $c;
	like($c->line, qr/^(?:\* OK|220|here)/, $what);
	return $c;
}
# Its last words name the address that it came from.
sub is_crowd ($listener, $from, $what) {
	my $address = $from =~ s/^::ffff://r;

	return like(come($listener, $from)->rest, qr/$crowd from \Q$address\E\.?\r\n\z/, $what);
}

$crowd = qr/^\* BYE \[LIMIT\] Too many connections/;
is_welcome('one', '192.0.2.1', 'an address');
is_crowd('one', '192.0.2.1', 'the same');
is_crowd('one', '::ffff:192.0.2.1', 'the same, as IPv6 writes it');
is_welcome('one', '192.0.2.2', 'its neighbour');
is_welcome('one', '2001:db8::1', 'an IPv6 address');
is_crowd('one', '2001:db8::ffff', 'its neighbour, of the same /64');
is_welcome('one', '2001:db8:0:1::1', 'the next /64');
is_welcome('wide', '192.0.2.1', 'by another prefix, and another block: an address');
is_crowd('wide', '192.0.2.200', 'its /24');
is_welcome('wide', '192.0.3.1', 'the next one');
is_welcome('wide', '2001:db8::1', 'a /48');
is_crowd('wide', '2001:db8:0:ffff::1', 'of it');
is_welcome('wide', '2001:db8:1::1', 'the next one');
is_welcome('one', '192.0.2.77', "a rule's limits: $_") for 1 .. 3;

$crowd = qr/^421 4\.7\.0 \S+ Error: too many connections/;
is_welcome('lmtp', '192.0.2.3', 'LMTP');
is_crowd('lmtp', '192.0.2.3', 'LMTP: one too many');
is_welcome('tcp', '192.0.2.4', 'TCP');
is(come('tcp', '192.0.2.4')->rest, '', 'TCP: one too many hears nothing');

# Rates of mails: the session stays, and the server has heard nothing of what was refused.
my $c = is_welcome('mail', '192.0.2.5', 'a mail');
for my $step (['EHLO client.example.org', qr/^250/], ['MAIL FROM:<a@example.org>', qr/^250/],
    ['RCPT TO:<b@example.com>', qr/^250/],
    ['RCPT TO:<c@example.com>', qr/^450 4\.7\.1 Error: too many recipients from 192\.0\.2\.5$/],
    ['RSET', qr/^250/], ['MAIL FROM:<a@example.org>', qr/^450 4\.7\.1 Error: too much mail from 192\.0\.2\.5$/],
    ['NOOP', qr/^250/]) {
	like(($c->send_bytes("$step->[0]\r\n")->lines_until(qr/^\d{3} /))[-1], $step->[1], $step->[0]);
}

# Users: a rule that needs to know them gives them limits of their own, also where the listener has none.
sub log_in ($listener, $from, $user) {
	my $in = come($listener, $from);

	push @here, $in;
	return ($in->send_bytes("a LOGIN $user right\r\n")->lines_until(qr/^(?:a |\* BYE)/))[-1];
}
for my $listener (qw(one bare)) {
	my $net = $listener eq 'one' ? '203.0.113' : '198.51.100';

	like(log_in($listener, "$net.1", 'bob'), $listener eq 'one' ? qr/^a OK/ : qr/^a NO \[LIMIT\]/,
	    "$listener: a user under limits of a rule");
	like(log_in($listener, "$net.2", 'bob'), qr/^a NO \[LIMIT\] Too many sessions of this user/, "$listener: his second session");
	like(log_in($listener, "$net.$_", 'ann'), qr/^a OK/, "$listener: another user") for 3, 4;
}

# By a unix socket all come from the same place, which is nobody's: only users count.
for my $step (['ann', qr/^a OK/], ['ann', qr/^a NO \[LIMIT\] Too many sessions of this user/], ['bob', qr/^a OK/]) {
	my $in = Gatepost::Imap->new(path => test_dir() . '/local.sock', timeout => 30);

	push @here, $in;
	like(($in->send_bytes("a LOGIN $step->[0] right\r\n")->lines_until(qr/^a /))[-1], $step->[1],
	    "by a unix socket: $step->[0]");
}

# What operators see.
my $tables = $gatepost->ask('show table');
like($tables, qr{^# table: limits/one, type: ip, size:1048576, used:\d+$}m, 'a block of limits is a table');
like($tables, qr{^# table: limits/one/users, type: string}m, 'its users are another');
unlike($tables, qr{limits/none_at_all}, 'a block without limits is none');
my %rows = map { $_->{client} => $_ } @{ $gatepost->ask_json('show table limits/one') };
is_deeply($rows{'192.0.2.1'}, { client => '192.0.2.1', connections => 1, connection_rate => 3, tls_rate => undef,
    auth_rate => undef, message_rate => undef, recipient_rate => undef }, 'a client');
ok($rows{'2001:db8::/64'}, 'a network');
ok(!$rows{'192.0.2.77'}, 'not who is under other limits');
like($gatepost->ask('show table limits/one key 192.0.2.1'),
    qr/^0x1: key=192\.0\.2\.1 use=0 exp=0 conn_cur=1 conn_rate\(3600000\)=3$/m, 'as HAProxy tells it');
is_deeply($gatepost->ask_json('show table limits/one/users'), [{ user => 'ann', sessions => 2 }], 'users');
is_deeply([sort map { $_->{user_client} } @{ $gatepost->ask_json('show table limits/one/user_clients') }],
    ['ann 203.0.113.3', 'ann 203.0.113.4'], 'users by client');
is($gatepost->ask('operator; clear table limits/one'), "\nPermission denied\n", 'operators alone clear nothing');
is($gatepost->ask('clear table limits/one key 192.0.2.1'), '', 'a key is cleared');
%rows = map { $_->{client} => $_ } @{ $gatepost->ask_json('show table limits/one') };
is_deeply([@{ $rows{'192.0.2.1'} }{qw(connections connection_rate)}], [1, 0], 'but for who is there');
is($rows{'192.0.2.2'}{connection_rate}, 1, 'others are as they were');
like($gatepost->ask('clear table limits/one/users'), qr/kick user/, 'sessions are not cleared');
for my $password (qw(wrong1 wrong2)) {
	push @here, come('guests', '192.0.2.9')->send_bytes("a LOGIN ann $password\r\n");
	$here[-1]->lines_until(qr/^(?:a |\* BYE)/);
}
wait_for(sub { grep { $_->{banned} } @{ $gatepost->ask_json('show table failed_logins') } }, 10, 'a ban');
like(come('guests', '192.0.2.9')->rest, qr/^\* BYE \[LIMIT\] Too many failed logins/, 'who is banned');
is($gatepost->ask('clear table failed_logins key 192.0.2.9'), '', 'is forgiven');
is_deeply($gatepost->ask_json('show table failed_logins key 192.0.2.9'), [], 'all of it');
is_welcome('guests', '192.0.2.9', 'and comes in');
my $again = come('guests', '192.0.2.9')->send_bytes("a LOGIN ann wrong3\r\n");
like(($again->lines_until(qr/^(?:a |\* BYE)/))[-1], qr/^a NO/, 'one more failure is the first one');
is_welcome('guests', '192.0.2.9', 'of which there may be some');

# One address with much of a listener.
my $large = own_address(31_001);
my $pattern = qr/\Q$large\E holds about 100 of \d+ connections of listener direct: .*accept_proxy/;
push @here, map { Gatepost::Imap->new(port => $gatepost->port('direct'), from => $_ % 2 ? $large : own_address(31_100 + $_),
    timeout => 30) } 1 .. 180;
# some of the others may share its cells, and are counted with it
is(scalar $gatepost->log_lines(qr/holds about/), 0, '90 connections of an address are no news');
push @here, map { Gatepost::Imap->new(port => $gatepost->port('direct'), from => $large, timeout => 30) } 1 .. 30;
$gatepost->wait_for_log($pattern, 20);
is(scalar $gatepost->log_lines(qr/holds about/), 1, 'more are, once');
push @here, map { my $in = come('told', '192.0.2.10'); $in->line; $in } 1 .. 120;
is(scalar $gatepost->log_lines(qr/holds about/), 1, 'not of a client that a balancer tells of');
push @here, map { Gatepost::Imap->new(port => $gatepost->port('exempt'), from => own_address(31_002), timeout => 30) } 1 .. 120;
is(scalar $gatepost->log_lines(qr/holds about/), 1, 'nor of one that is exempt from limits');
$_->close for @here;
$gatepost->stop;
done_testing;
