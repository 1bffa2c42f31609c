#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Three proxies, three Dovecots with a store each and Redis, while processes die and networks part: no user is on
# two servers, no kick and no hold is passed by, no session ends since Redis is away, no mail is lost.  A short run of
# t/bench/chaos; CHAOS_SECONDS=600 CHAOS_KINDS='single sentinel cluster' makes long ones of it, with all faults.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

plan skip_all => 'needs root' if $> != 0;

use constant { SHORT => 25, USERS => 25, LEASE => 5, LEASE_LONG => 10 };

my $seconds = $ENV{CHAOS_SECONDS} // SHORT;
my @more = $seconds > SHORT ? ('--lease', LEASE_LONG)
    : ('--lease', LEASE, '--only', '^(?:proxy killed|server cut off|Redis (?:stopped|cut off))$');

for my $kind (split ' ', $ENV{CHAOS_KINDS} // 'single') {
	# not killed with us: it ends what it has started
	open my $chaos, '-|', "$FindBin::Bin/bench/chaos", '--kind', $kind, '--seconds', $seconds,
	    '--users', $ENV{CHAOS_USERS} // USERS, '--seed', $ENV{CHAOS_SEED} // int rand 1e6, @more or die "chaos: $!\n";
	my $text = join '', <$chaos>;
	close $chaos;
	my $status = $?;

	is($status, 0, "a cluster whose Redis is of kind $kind keeps its promises");
	like($text, qr/^## Violations: 0$/m, 'all of them');
	$status == 0 && $seconds == SHORT ? note($text) : diag($text);
}
done_testing;
