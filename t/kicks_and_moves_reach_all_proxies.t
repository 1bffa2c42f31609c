#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# A user with sessions of three protocols at three proxies is kicked, and is moved: all sessions of all proxies
# end, and no one else's.  How long that takes, from the operator's command to each goodbye, is printed; one of a
# protocol that the proxy does not follow ends in its first quiet half second.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Farm qw(lives);
use Gatepost::Process qw(test_dir);
use IO::Select;
use IO::Socket::UNIX;
use JSON::PP qw(decode_json);
use List::Util qw(max);
use Test::More;
use Time::HiRes qw(time);

use constant { ROUNDS => $ENV{KICK_ROUNDS} // 5, PATIENCE => 30 };

my $farm = Gatepost::Farm->new(users => 2);
my @protocols = qw(imap pop3 sieve);
my $bystander = $farm->come(3, 2);

sub everywhere {
	my %client;
	for my $i (1 .. 3) {
		$client{"lb$i $_"} = $farm->come($i, 1, $_) for @protocols;
	}
	return %client;
}
# Sends the command, and reads what all hear: the answer, when each connection ended, and when the answer came, in ms.
sub hear ($command, %client) {
	my $operator = IO::Socket::UNIX->new(Peer => test_dir() . '/lb1.sock') or die "admin: $!\n";
	my %name = map { fileno $client{$_}->socket => $_ } keys %client;
	my $waiting = IO::Select->new($operator, map { $_->socket } values %client);
	my ($begin, $answer, %took) = (time, '');

	print {$operator} "$command json\n";
	while ($waiting->count && time < $begin + PATIENCE) {
		for my $ready ($waiting->can_read(1)) {
			my $name = $ready == $operator ? 'answer' : $name{fileno $ready};
			next if $ready == $operator ? sysread $ready, $answer, 65_536, length $answer :
			    $client{$name}->fill(time);
			$took{$name} = 1000 * (time - $begin);
			$waiting->remove($ready);
		}
	}
	return (decode_json($answer), \%took, delete $took{answer});
}
my $other = sub { my $at = $farm->where_is(1, 1); (grep { $_ ne $at } $farm->names)[0] };
my %slowest;
for my $round (1 .. ROUNDS) {
	for my $what (qw(kick move)) {
		my %client = everywhere();
		my $to = $other->();
		my ($answer, $took, $answered) = hear($what eq 'kick' ? 'kick user user1' : "user user1 move $to", %client);
		is_deeply([sort keys %$took], [sort keys %client], "$what $round: all sessions of all proxies have ended");
		if ($what eq 'kick') {
			is_deeply($answer, { sessions => 9, proxies => 3, silent => 0 }, 'all proxies have answered');
		} else {
			is_deeply($answer, { user => 'user1@example.com', server => $to, kicked => 9 }, 'the answer counts them');
			is($farm->where_is($_, 1), $to, "lb$_ says where the user is now") for 1 .. 3;
		}
		my $worst = max values %$took;
		$slowest{$what} = max $worst, $slowest{$what} // 0;
		diag(sprintf '%s %d: the last session ended after %.0f ms, the answer came after %.0f ms', $what, $round,
		    $worst, $answered);
	}
}
diag(sprintf 'the slowest %s: %.0f ms', $_, $slowest{$_}) for sort keys %slowest;
ok(lives($bystander), 'who was not meant goes on');
$farm->stop;
done_testing;
