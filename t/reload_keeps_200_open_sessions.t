#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# A reload with 200 sessions open, some in IDLE: all live on, those on a server
# that the new configuration drops too; new clients see the new certificate, the
# new listener and only the server that is left.  A bad file changes nothing.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Cert qw(cert_fingerprint make_cert);
use Gatepost::Imap;
use Gatepost::Process qw(wait_for);
use Gatepost::Setup qw(imap_config start_imap_farm tls_client);
use Test::More;

use constant { SESSIONS => 200, CLOSE => 'close_spread 1s' };

my $farm = start_imap_farm(users => SESSIONS, pool => CLOSE);
my ($gatepost, $cert) = @$farm{qw(gatepost cert)};
my $old = cert_fingerprint($cert);

my @clients;
for my $n (1 .. SESSIONS) {
	my $client = tls_client($gatepost, $n % 2 ? 'imap' : 'imaps');
	$client->login_as($n);
	if ($n % 4 == 0) {
		$client->cmd('SELECT INBOX');
		$client->send_bytes("idle IDLE\r\n");
		$client->lines_until(qr/^\+/);
		$client->{idles} = 1;
	}
	push @clients, $client;
}
is($clients[0]->fingerprint, $old, 'the first certificate is shown');
my @on_second = $farm->{dovecots}[1]->log_lines(qr/Login: user=/);
cmp_ok(scalar @on_second, '>', 0, 'some sessions are on the server that will be dropped');

sub answering {
	my $count = 0;
	for my $client (@clients) {
		if (delete $client->{idles}) {
			$client->send_bytes("DONE\r\n");
			eval { $client->lines_until(qr/^idle OK/) } or next;
		}
		$count++ if eval { $client->cmd('NOOP') =~ / OK/ };
	}
	return $count;
}

# A file with an error: refused, and nothing has changed.
$gatepost->configure(imap_config(pool => CLOSE, listener => 'no_such_directive 1'));
ok(!$gatepost->reload, 'a bad file is refused');
ok($gatepost->log_lines(qr/\Q$gatepost->{conf}\E:\d+:\d+: .*no_such_directive/), 'with its place');
is(tls_client($gatepost)->fingerprint, $old, 'and the old configuration still serves');

make_cert(path => $cert, names => [qw(mail.example.com localhost 127.0.0.1)], kind => 'rsa');
my $new = cert_fingerprint($cert);
isnt($new, $old, 'there is a new certificate');
$gatepost->configure(imap_config(dovecots => 1, pool => CLOSE)
    . 'listener late { protocol imap; bind_tls 127.0.0.1:@PORT{late}@; tls main; pool imap }');
ok($gatepost->reload, 'a good file is taken');
$gatepost->wait_for_port('late');

is(tls_client($gatepost, $_)->fingerprint, $new, "a new client of $_ sees the new certificate")
    for qw(imap imaps);
my $late = Gatepost::Imap->new(port => $gatepost->port('late'), tls => 1);
is($late->fingerprint, $new, 'a new listener serves');
$late->login_as(1);

for my $n (1 .. 20) {
	my $client = tls_client($gatepost);
	$client->login_as($n);
	$client->close;
}
is(scalar(my @now = $farm->{dovecots}[1]->log_lines(qr/Login: user=/)), scalar @on_second,
    'no new session on the dropped server');
is(answering(), SESSIONS, 'all sessions answer, those on the dropped server too');

# With the last one gone, the listener goes too, while its sessions stay.
$gatepost->configure(imap_config(pool => CLOSE));
ok($gatepost->reload, 'back to the first configuration');
ok(wait_for(sub { !defined Gatepost::Imap->new(port => $gatepost->port('late'), greeting => 0) }, 10,
    'the dropped listener to close'), 'a dropped listener closes');
like($late->cmd('NOOP'), qr/ OK/, 'its session goes on');
is(answering(), SESSIONS, 'all others still answer');

$_->close for @clients, $late;
$gatepost->stop;
$_->stop for @{ $farm->{dovecots} };
done_testing;
