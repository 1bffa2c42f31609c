#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# A client in IDLE is told of a message as it arrives, and its DONE ends the IDLE.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Setup qw(start_imap_farm tls_client);
use Test::More;

my $farm = start_imap_farm(dovecot => { settings => 'mailbox_idle_check_interval = 1 s' });
my $gatepost = $farm->{gatepost};
my @clients = map { tls_client($gatepost, $_) } qw(imap imaps);

for my $n (1, 2) {
	my $client = $clients[$n - 1];
	$client->login_as($n);
	$client->cmd('SELECT INBOX');
	$client->send_bytes("i IDLE\r\n");
	like(($client->lines_until(qr/^\+/))[-1], qr/^\+/, "user$n: IDLE begins");
}
# Which server has the user is the balancer's business: the other copy is seen by nobody.
for my $dovecot (@{ $farm->{dovecots} }) {
	$dovecot->deliver("user$_", "Subject: hello\r\n\r\nuser$_\r\n") for 1, 2;
}
for my $n (1, 2) {
	my $client = $clients[$n - 1];
	like(($client->lines_until(qr/EXISTS/, 20))[-1], qr/^\* 1 EXISTS$/,
	    "user$n: the message is announced");
	$client->send_bytes("DONE\r\n");
	like(($client->lines_until(qr/^i /))[-1], qr/^i OK/, "user$n: DONE ends the IDLE");
	like($client->fetch_body(1), qr/^user$n\r$/m, "user$n: and the message can be read");
	$client->close;
}

$gatepost->stop;
$_->stop for @{ $farm->{dovecots} };
done_testing;
