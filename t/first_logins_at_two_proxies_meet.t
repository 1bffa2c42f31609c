#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Users log in for the first time at two proxies at the same instant, which would choose different servers: the
# Dovecots' logs say that each was on one of them only.  CLUSTER_FIRST_LOGINS=10000 for more of them.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Farm;
use Gatepost::Process qw(wait_for);
use Test::More;

use constant { USERS => $ENV{CLUSTER_FIRST_LOGINS} // 1000, AT_ONCE => 50, SERVERS => 2 };

# each proxy drains another server, by its file, and so chooses the other one
my $farm = Gatepost::Farm->new(proxies => SERVERS, servers => SERVERS, users => USERS,
    # a machine that is busy elsewhere is no Redis that is gone
    cluster => 'timeout 10s',
    server => sub ($proxy, $server) { $proxy == $server ? 'state drain' : '' });
my $refused = 0;
for (my $first = 1; $first <= USERS; $first += AT_ONCE) {
	my @users = grep { $_ <= USERS } $first .. $first + AT_ONCE - 1;
	my %client = map { $_ => [map { $farm->client($_) } 1 .. SERVERS] } @users;

	for my $n (@users) {
		$_->send_bytes("a LOGIN user$n pass-$n\r\n") for $n % 2 ? @{ $client{$n} } : reverse @{ $client{$n} };
	}
	for my $n (@users) {
		for my $client (@{ $client{$n} }) {
			my $reply = ($client->lines_until(qr/^a /))[-1];
			next if $reply =~ /^a OK/;
			diag("user$n: $reply") if $refused++ < 10;
		}
	}
	$_->close for map { @$_ } values %client;
}
is($refused, 0, 'all ' . 2 * USERS . ' logins succeed');
my %at;
my $read = sub {
	%at = ();
	for my $name ($farm->names) {
		$at{$_}{$name}++ for $farm->dovecot($name)->log_text =~ /Login: user=<(user\d+)>/g;
	}
	my $logins = 0;
	$logins += $_ for map { values %$_ } values %at;
	return $logins >= 2 * USERS - $refused;
};
wait_for($read, 60, 'the Dovecots to have logged all');
my @split = grep { keys %{ $at{$_} } > 1 } sort keys %at;
is(scalar keys %at, USERS, 'all users were seen');
is(scalar @split, 0, 'and none of them at two servers') or diag("@split[0 .. ($#split > 20 ? 20 : $#split)]");
my %used;
$used{$_}++ for map { keys %$_ } values %at;
diag(sprintf '%d users logged in at two proxies at once: %d are on two servers; %s', USERS, scalar @split,
    join ', ', map { "$used{$_} on $_" } sort keys %used);
is(scalar keys %used, SERVERS, 'both servers are in use: either proxy may be the first');
is($farm->redis_at($_)->{local_decisions}, 0, "lb$_ has decided nothing by itself") for 1 .. SERVERS;
$farm->stop;
done_testing;
