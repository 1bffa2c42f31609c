#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# A server is drained and flushed at one of three proxies, with a flush_script that does its work, one that fails,
# and one that hangs: in each case all users of all proxies are elsewhere afterwards, none of their sessions is
# left, and all get in again; the operator reads how many scripts have failed, and the log whose.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Farm qw(lives);
use Gatepost::Process qw(read_file test_dir wait_for write_file);
use Test::More;

use constant { USERS => 18, PARALLEL => 3, PATIENCE_S => 3 };

my $dir = test_dir();
write_file("$dir/flush", <<"END");
#!/bin/sh
echo "begin \$GATEPOST_USER \$GATEPOST_OLD_SERVER \$GATEPOST_NEW_SERVER" >>$dir/flushed
. $dir/deed
echo "end \$GATEPOST_USER" >>$dir/flushed
END
chmod 0755, "$dir/flush";
my $farm = Gatepost::Farm->new(users => USERS, farm => 'flush_script @DIR@/flush; flush_timeout 1h');
my %session;
for my $n (1 .. USERS) {
	$session{"$n $_"} = $farm->come($_, $n) for 1 .. 3;
}

sub homes { return { map { $_->{user} =~ s/\@.*//r => $_->{server} } @{ $farm->proxy(3)->ask_json('users') } } }
# The most that ran at once.
sub most_at_once {
	my ($now, $most) = (0, 0);
	for (split /\n/, read_file("$dir/flushed")) {
		$now += /^begin/ ? 1 : -1;
		$most = $now if $now > $most;
	}
	return $most;
}

my $turn = 0;
sub flush ($server, $what, $deed, $fails) {
	my $before = homes();
	my @there = sort grep { $before->{$_} eq $server } keys %$before;

	cmp_ok(scalar @there, '>', PARALLEL, "$what: $server has users");
	unlink "$dir/flushed";
	write_file("$dir/deed", "$deed\n");
	$farm->proxy(1)->ask("drain $server");
	wait_for(sub { $farm->proxy(2)->ask('where nobody') !~ /^$server / &&
	    (grep { $_->{server} eq $server && $_->{state} =~ /drain/ } @{ $farm->proxy(2)->ask_json('show servers') }) },
	    30, "$server to be drained at the other proxies");
	my $answer = $farm->proxy(2)->ask_json("flush $server parallel ${\PARALLEL}", 120);
	my $after = homes();
	my $count = @there;
	my $script_failed = $fails ? $count : 0;
	is_deeply($answer, { server => $server, users => $count, moved => $count, stayed => 0, failed => 0,
	    kicked => 3 * $count, script_failed => $script_failed }, 'the operator reads how it went, at all proxies');
	ok($farm->proxy(2)->wait_for_log(qr/ has flushed $server: $count users moved, 0 stayed, 0 failed, \d+ sessions ended, flush_script failed for $script_failed$/),
	    'and so does the log');
	is_deeply([grep { $after->{$_} eq $server } keys %$after], [], 'nobody is there any more');
	is_deeply([grep { $before->{$_} ne $server && $after->{$_} ne $before->{$_} } keys %$after], [], 'others stay');
	my @begun = map { /^begin (\w+)\@example\.com $server d\d$/ ? $1 : "odd: $_" } grep { /^begin/ } split /\n/, read_file("$dir/flushed");
	is_deeply([sort @begun], \@there, 'the script has run once for each');
	for my $key (sort keys %session) {
		my ($n, $i) = split / /, $key;
		if (grep { $_ eq "user$n" } @there) {
			like($session{$key}->rest, qr/^\* BYE/m, "$key: hears so");
			$session{$key} = $farm->come($i, $n);
		} else {
			ok(lives($session{$key}), "$key: goes on");
		}
	}
	is_deeply(homes(), $after, 'and all get in, there') or diag($what);
	$farm->proxy(1)->ask("ready $server");
	wait_for(sub { !grep { $_->{server} eq $server && $_->{state} =~ /drain/ } @{ $farm->proxy(2)->ask_json('show servers') } },
	    30, "$server to be ready again");
	return @there;
}
sub logs ($pattern) { return scalar $farm->proxy(2)->log_lines($pattern) }

my @there = flush('d1', 'a script that works', 'true', 0);
cmp_ok(most_at_once(), '<=', PARALLEL, 'no more at once than was asked for');
is(logs(qr/flush_script of farm f: /), 0, 'nothing is wrong in the log');

@there = flush('d2', 'a script that fails', 'exit 1', 1);
is(logs(qr/error: flush_script of farm f: exit code 1, user user\d+\@example\.com$/), scalar @there, 'the log says whose');

# there is the time for two lines of a script, on a busy machine, too
$farm->{farm} =~ s/1h/${\PATIENCE_S}s/;
ok($farm->reload, 'less patience with scripts');
@there = flush('d3', 'a script that hangs', 'exec sleep 1000', 1);
is(logs(qr/error: flush_script of farm f: killed after ${\PATIENCE_S}000 ms, user user\d+\@example\.com$/), scalar @there,
    'the log says whose was killed');
like($farm->proxy(2)->ask('flush d9'), qr/^No such server\.$/, 'a server that there is not');
like($farm->proxy(2)->ask('flush d1 parallel 0'), qr/^'flush' takes a server/, 'a number that is none');
$farm->stop;
done_testing;
