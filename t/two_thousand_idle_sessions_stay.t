#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Two thousand clients in IDLE, a quarter of them on TLS, outstay the login
# timeout and all answer afterwards.  Tells what a session costs.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Imap;
use Gatepost::Process qw(raise_descriptors);
use Gatepost::Setup qw(start_imap_farm tls_client);
use Test::More;
use Time::HiRes qw(time);

use constant { PLAIN => 1_500, TLS => 500, USERS => 100, LOGIN_TIMEOUT => 5 };

raise_descriptors(4_096);
my $farm = start_imap_farm(users => USERS,
    listener => sprintf 'starttls optional; plaintext_login yes; login_timeout %ds', LOGIN_TIMEOUT);
my $gatepost = $farm->{gatepost};

sub idle_client ($client, $n) {
	$client->login_as(1 + $n % USERS);
	$client->cmd('SELECT INBOX');
	$client->send_bytes("idle IDLE\r\n");
	$client->lines_until(qr/^\+/);
	return $client;
}

my $empty = $gatepost->memory;
my @clients = map { idle_client(Gatepost::Imap->new(port => $gatepost->port('imap')), $_) } 1 .. PLAIN;
my $with_plain = $gatepost->memory;
push @clients, map { idle_client(tls_client($gatepost), $_) } 1 .. TLS;
my $with_tls = $gatepost->memory;
is(scalar @clients, PLAIN + TLS, 'all are logged in and idle');
diag(sprintf 'PSS a session: plain %.1f KiB, TLS %.1f KiB (a sanitizer build needs more)',
    ($with_plain - $empty) / PLAIN, ($with_tls - $with_plain) / TLS);
cmp_ok($gatepost->fd_count, '>=', 2 * (PLAIN + TLS), 'each has a connection on both sides');

# One more client that does not log in shows when the login timeout has passed for all.
my $silent = Gatepost::Imap->new(port => $gatepost->port('imap'));
ok($silent->is_closed(LOGIN_TIMEOUT + 10), 'a client that does not log in is gone after the timeout');

my $answers = 0;
for my $client (@clients) {
	eval {
		$client->send_bytes("DONE\r\n");
		$client->lines_until(qr/^idle OK/);
		$answers++ if $client->cmd('NOOP') =~ / OK/;
	} or diag($@);
}
is($answers, PLAIN + TLS, 'all answer afterwards');

$_->close for @clients;
Gatepost::Process::wait_for(sub { $gatepost->event_lines('session') >= PLAIN + TLS }, 30,
    'the ends of all sessions');
cmp_ok($gatepost->fd_count, '<', 200, 'no descriptor is left over');

$gatepost->stop;
$_->stop for @{ $farm->{dovecots} };
done_testing;
