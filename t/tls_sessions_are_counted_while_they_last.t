#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# `show info` and the metrics tell how many sessions have TLS now, by whichever way it began, and how many
# handshakes made new keys, with clients and with servers: of those that resume a session none is.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Cert qw(make_cert);
use Gatepost::Imap;
use Gatepost::Process qw(test_dir wait_for);
use Gatepost::Setup qw(start_imap_farm tls_client);
use IO::Socket::SSL;
use Test::More;

my $farm = start_imap_farm(dovecots => 1, users => 3, pool => 'server_tls starttls { verify no }',
    dovecot => { cert => make_cert(path => test_dir() . '/server.pem') }, listener => 'starttls optional; plaintext_login yes');
my $gatepost = $farm->{gatepost};

sub info ($name) { return ($gatepost->ask('show info') =~ /^$name: (\d+)$/m)[0] }
sub shows ($name, $count) { return wait_for(sub { info($name) == $count }, 20, "$name of $count, not " . info($name)) }

wait_for(sub { ref $gatepost->ask_json('show history imap/d1') eq 'ARRAY' }, 20,
    'the first second, which has no rates, to be over');
is(info('CurrSslConns'), 0, 'none yet');
my $plain = Gatepost::Imap->new(port => $gatepost->port('imap'));
$plain->login('user1', 'pass-1');
is(info('CurrSslConns'), 0, 'a session without');
my @clients = (tls_client($gatepost), tls_client($gatepost, 'imap'), tls_client($gatepost));
is(info('CurrSslConns'), 3, 'TLS from the first byte, and STARTTLS, before the login');
$clients[$_]->login("user$_", "pass-$_") for 1, 2;
is(info('CurrSslConns'), 3, 'and behind it');
like($gatepost->ask('show metrics'), qr/^haproxy_process_current_ssl_connections 3$/m, 'as a metric');
wait_for(sub { info('SslFrontendMaxKeyRate') > 0 && info('SslBackendMaxKeyRate') > 0 }, 20,
    'the second in which keys were made to be over');
$gatepost->ask('clear counters all');
is(info('CurrSslConns'), 3, 'who is there is counted, whatever was cleared');
is(info($_), 0, "$_ begins anew") for 'CumSslConns', 'SslFrontendMaxKeyRate', 'SslBackendMaxKeyRate';

(shift @clients)->close;
ok(shows('CurrSslConns', 2), 'one has left before its login');
$plain->close;
(shift @clients)->close;
ok(shows('CurrSslConns', 1), 'one has left, and one without TLS');
$gatepost->reload;
is(info('CurrSslConns'), 1, 'over a reload');

# what fails is no session
my $broken = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $gatepost->port('imaps'));
print {$broken} 'x' x 100;
$broken->flush;
1 while sysread $broken, my $alert, 100;
is(info('CurrSslConns'), 1, 'a handshake that failed');

# sessions that resume another one's keys make none
my $context = IO::Socket::SSL::SSL_Context->new(SSL_verify_mode => SSL_VERIFY_NONE, SSL_session_cache_size => 1,
    SSL_version => 'TLSv1_2') or die $SSL_ERROR;
sub resuming () {
	my $client = IO::Socket::SSL->new(PeerAddr => '127.0.0.1', PeerPort => $gatepost->port('imaps'),
	    SSL_reuse_ctx => $context) or die "TLS: $SSL_ERROR";
	my $greeting = <$client>;
	return $client;
}
resuming()->close;
wait_for(sub { info('SslFrontendMaxKeyRate') == 1 }, 20, 'its key');
my @resumed = map { resuming() } 1 .. 5;
is(info('CurrSslConns'), 6, 'five that resume');
is((grep { $_->get_session_reused } @resumed), 5, 'as they do');
wait_for(sub { info('MaxSslRate') >= 1 && info('SslRate') == 0 }, 20, 'their second to be over');
is(info('SslFrontendMaxKeyRate'), 1, 'have made no keys');
$_->close for @resumed, @clients;
ok(shows('CurrSslConns', 0), 'all have left');
done_testing;
