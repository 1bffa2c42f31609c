#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# While gatepost reloads a hundred times, up to 500 clients a second connect:
# each gets its greeting; none is refused or reset.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Cert qw(make_cert);
use Gatepost::Gatepost;
use Gatepost::Port qw(free_port);
use Gatepost::SteadyClients;
use Test::More;

use constant { RELOADS => 100, RATE => 500, BURST => 10, BURSTS_A_RELOAD => 3 };

my %values = (CERT => make_cert(), SERVER => free_port());
my $gatepost = Gatepost::Gatepost->new(values => \%values, config => <<'END')->start;
tls main { certificate @CERT@ }
pool imap { port @SERVER@; server s1 { address 127.0.0.1 } }
listener imap { bind 127.0.0.1:@PORT{imap}@; tls main; pool imap }
END

my $clients = Gatepost::SteadyClients->new(port => $gatepost->port('imap'), rate => RATE, burst => BURST)->start;
my $good = 0;
for (1 .. RELOADS) {
	$good++ if $gatepost->reload;
	$clients->wait_for_bursts(BURSTS_A_RELOAD);
}

my ($connects, $seconds, $errors) = $clients->stop;
diag(sprintf '%d reloads and %d connects in %.1f s', $good, $connects, $seconds);
is($good, RELOADS, 'all reloads succeed');
cmp_ok($connects, '>=', RELOADS * BURSTS_A_RELOAD * BURST, 'clients connected meanwhile');
is($errors, '', 'no connect failed');

$gatepost->stop;
done_testing;
