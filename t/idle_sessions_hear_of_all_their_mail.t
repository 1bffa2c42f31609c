#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# 200 sessions of 40 users in IDLE, before three servers with a store of their
# own each: mail that is delivered on the user's one server is told to all of
# the user's sessions, and to nobody else's.  LOGOUT in IDLE is the server's
# to judge, and a session ends as it says.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Setup qw(start_imap_farm tls_client);
use Test::More;

use constant { USERS => 40, SESSIONS => 200 };

# looks for mail by itself, where the kernel has too few watches for so many
my $farm = start_imap_farm(dovecots => 3, users => USERS,
    dovecot => { settings => 'mailbox_idle_check_interval = 1 s' });
my ($gatepost, @dovecots) = ($farm->{gatepost}, @{ $farm->{dovecots} });

my @clients;
for my $i (0 .. SESSIONS - 1) {
	my $client = tls_client($gatepost, $i % 3 ? 'imaps' : 'imap', timeout => 60);
	$client->{user} = 1 + $i % USERS;
	$client->login_as($client->{user});
	$client->cmd('SELECT INBOX');
	$client->send_bytes("idle IDLE\r\n");
	$client->lines_until(qr/^\+/);
	push @clients, $client;
}
is(scalar @clients, SESSIONS, 'all are in IDLE');

# Where each user is, as the servers tell.
my %home;
for my $dovecot (@dovecots) {
	$home{$_}{ $dovecot->{name} } = $dovecot
	    for map { /user=<user(\d+)>/ } $dovecot->log_lines(qr/Login: user=</);
}
is_deeply([map { scalar keys %{ $home{$_} // {} } } 1 .. USERS], [(1) x USERS], 'each user is on one server');

# Every other user gets mail.
my @lucky = grep { $_ % 2 } 1 .. USERS;
for my $n (@lucky) {
	$_->deliver("user$n", "Subject: for $n\n\nHello\n") for values %{ $home{$n} };
}
my @deaf;
for my $client (grep { $_->{user} % 2 } @clients) {
	push @deaf, "user$client->{user}: $@" unless eval { $client->lines_until(qr/^\* 1 EXISTS$/); 1 };
}
is_deeply(\@deaf, [], 'all sessions of those who got mail are told');

my @wrong;
for my $client (@clients) {
	$client->send_bytes("DONE\r\n");
	my @lines = eval { $client->lines_until(qr/^idle /) };
	my $is_told = grep { /EXISTS/ } @lines;
	push @wrong, "user$client->{user}: @lines" if ($lines[-1] // '') !~ /^idle OK/
	    || ($is_told && $client->{user} % 2 == 0);
}
is_deeply(\@wrong, [], 'the others are not, and all can leave IDLE');

# LOGOUT in IDLE: some servers end the session, others say BAD and go on.
my $client = shift @clients;
$client->send_bytes("idle IDLE\r\n");
$client->lines_until(qr/^\+/);
$client->send_bytes("z LOGOUT\r\n");
like(($client->lines_until(qr/^(?:idle|z) /))[-1], qr/^idle BAD/,
    'LOGOUT in IDLE: what the server says of it');
$client->send_bytes("y LOGOUT\r\n");
my @lines = $client->lines_until(qr/^y /);
like(join("\n", @lines), qr/^\* BYE .*^y OK/ms, 'LOGOUT behind it ends the session');
ok($client->is_closed(10), 'and the connection');

$_->close for @clients;
$gatepost->stop;
$_->stop for @dovecots;
done_testing;
