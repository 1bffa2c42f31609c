#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# The judge of t/bench/chaos is shown short stories, each with one thing that must not be, and the same without it:
# a user on two servers, mail beside a session, a session that outlives a kick or a move, a login and a mail that
# pass a hold, numbers of connections that are not true, sessions that end since Redis is away, mail that is lost
# or doubled.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::ChaosChecker;
use Test::More;

use constant { LEASE => 10, AT => 1_000_000, PROXY => 'lb1' };

# Of user1: the server's lines, and what the client saw.
sub story (@parts) {
	my %story = (lease => LEASE, logs => { d1 => '', d2 => '' });

	for my $part (@parts) {
		for my $what (keys %$part) {
			if ($what eq 'log') {
				$story{logs}{ $_->[0] } .= $_->[1] for @{ $part->{log} };
			} elsif ($what eq 'stores' || $what eq 'mail_log') {
				$story{$what} = $part->{$what};
			} else {
				push @{ $story{$what} }, @{ $part->{$what} };
			}
		}
	}
	return \%story;
}

sub session ($server, $port, $from, $until, %client) {
	my $login = sprintf '%.6f imap-login: Info: Login: user=<user1>, method=PLAIN, rip=10.0.0.9, rport=%d, mpid=7, ' .
	    "session=<s%d>\n", AT + $from, $port, $port;
	my $end = sprintf "%.6f imap(user1)<7><s%d>: Info: Disconnected: Logged out in=1 out=2\n", AT + $until, $port;

	return { log => [[$server, $login], [$server, $end]], clients => [{ user => 'user1', slot => "user1/$port",
	    protocol => 'imap', proxy => PROXY, from => "10.0.0.9:$port", began => AT + $from, asked => AT + $from,
	    in => AT + $from, out => AT + $until, how => 'left', %client }] };
}

sub delivery ($server, $at) {
	return { log => [[$server, sprintf "%.6f lmtp(user1)<9><x>: Info: msgid=<m1\@chaos>: saved mail to INBOX\n", AT + $at]] };
}

sub order ($what, $asked, $answered, %more) {
	return { orders => [{ what => $what, user => 'user1', server => 'd2', proxy => PROXY, ok => 1,
	    asked => AT + $asked, answered => AT + $answered, %more }] };
}

sub fault ($kind, $from, $until, %more) {
	return { faults => [{ kind => $kind, from => AT + $from, until => AT + $until, %more }] };
}

sub seen ($name, $wanted, @parts) {
	my @found = map { $_->{invariant} } Gatepost::ChaosChecker->new(story(@parts)->%*)->judge;

	is("@found", $wanted, $name);
	return;
}

my $away = fault('Redis killed', 0, 20, splits => 1);

seen('one server', '', session('d1', 1, 0, 50), session('d1', 2, 10, 60));
seen('another server afterwards', '', session('d1', 1, 0, 50), session('d2', 2, 50.5, 60));
seen('two servers at a time', 'I1', session('d1', 1, 0, 50), session('d2', 2, 40, 60));
seen('two servers in a declared window', '', $away, session('d1', 1, 0, 29), session('d2', 2, 5, 40));
seen('two servers beyond the window', 'I1', $away, session('d1', 1, 0, 50), session('d2', 2, 5, 60));
seen('a server that has not heard of the end', '', session('d1', 1, 0, 50, out => AT + 10),
    session('d2', 2, 11, 60));
seen('a server that died', '', fault('server killed', 10, 14, server => 'd1'), session('d1', 1, 0, 50),
    session('d2', 2, 12, 60));
seen('a proxy that was stopped may be late by a lease', '', fault('proxy stopped', 0, 20, proxy => 'lb2'),
    session('d1', 1, 0, 29), session('d2', 2, 18, 60));
seen('and no more than that', 'I1', fault('proxy stopped', 0, 20, proxy => 'lb2'), session('d1', 1, 0, 50),
    session('d2', 2, 18, 60));
seen('mail where the session is', '', session('d1', 1, 0, 50), delivery('d1', 20));
seen('mail beside a session', 'I1', session('d1', 1, 0, 50), delivery('d2', 20));
seen('mail that an ill server had already', '', fault('server stopped', 10, 19, server => 'd2'),
    session('d1', 1, 0, 50), delivery('d2', 20));

seen('a kick', '', session('d1', 1, 0, 10.5, how => 'closed'), order('kick', 10, 10.3), session('d1', 2, 11, 50));
seen('a session outlives a kick', 'I2', session('d1', 1, 0, 50), order('kick', 10, 10.3));
seen('a kick that was not answered well', '', session('d1', 1, 0, 50), order('kick', 10, 10.3, ok => 0));
seen('a session outlives a move', 'I2', session('d1', 1, 0, 50), order('move', 10, 10.3));
seen('a move to where it is', '', session('d2', 1, 0, 50), order('move', 10, 10.3));

my $hold = order('hold', 10, 10.3, until => AT + 15);
seen('a login after a hold', '', $hold, session('d1', 1, 12, 50, in => AT + 15.2));
seen('a login passes a hold', 'I3', $hold, session('d1', 1, 12, 50));
seen('a login that was there before', '', $hold, session('d1', 1, 10.2, 50));
my $long_hold = order('hold', 10, 10.3, until => AT + 40);
seen('mail after a hold', '', $long_hold, delivery('d1', 41));
seen('mail passes a hold', 'I3', $long_hold, delivery('d1', 30));

sub count ($at, $connections) {
	return { counts => [{ proxy => 'lb2', at => AT + $at, rows => [{ proxy => PROXY, server => 'd1',
	    protocol => 'imap', connections => $connections }] }] };
}
seen('a true number', '', session('d1', 1, 0, 50), count(20, 1));
seen('a number that is too large', 'I4', session('d1', 1, 0, 50), count(20, 2));
seen('a number that is too small', 'I4', session('d1', 1, 0, 50), count(20, 0));
seen('of a proxy that has crashed', '', session('d1', 1, 0, 15, how => 'closed'),
    fault('proxy killed', 15, 18, proxy => PROXY), count(22, 1));
seen('told by one that was ill itself', '', session('d1', 1, 0, 50), fault('proxy stopped', 15, 19, proxy => 'lb2'),
    count(20, 2));
seen('a lease later', 'I4', session('d1', 1, 0, 15, how => 'closed'),
    fault('proxy killed', 15, 18, proxy => PROXY), count(30, 1));

seen('a session ends while Redis is away', 'I5', $away, session('d1', 1, 0, 10, how => 'closed'));
seen('after that its user was on two servers', '', $away, session('d1', 1, 0, 21, how => 'closed'),
    session('d2', 2, 5, 60));
seen('with its server', '', $away, fault('server killed', 10, 14, server => 'd1'),
    session('d1', 1, 0, 10, how => 'closed'));
seen('with another server', 'I5', $away, fault('server killed', 10, 14, server => 'd2'),
    session('d1', 1, 0, 10, how => 'closed'));
seen('with its proxy', '', fault('proxy killed', 10, 14, proxy => PROXY), session('d1', 1, 0, 10, how => 'closed'));
seen('with another proxy', 'I5', fault('proxy killed', 10, 14, proxy => 'lb2'),
    session('d1', 1, 0, 10, how => 'closed'));

seen('as the clock of its proxy jumps', 'I5', fault('proxy clock', 5, 12, proxy => PROXY),
    session('d1', 1, 0, 10, how => 'closed'));
seen('by a proxy that was cut off from the server', '', fault('server cut off', 5, 9, proxy => 'lb2', server => 'd1'),
    session('d1', 1, 0, 10, how => 'closed'));
seen('by one that was cut off from another server', 'I5', fault('server cut off', 5, 9, proxy => 'lb2',
    server => 'd2'), session('d1', 1, 0, 10, how => 'closed'));

my $mail = { mails => [{ id => 'm1', to => ['user1'] }] };
seen('a mail', '', $mail, { stores => { d1 => { user1 => ['m1'] } } });
seen('a lost mail', 'mail', $mail, { stores => { d1 => { user1 => ['m2'] } } });
seen('a mail in two stores', 'mail', $mail, { stores => { d1 => { user1 => ['m1'] }, d2 => { user1 => ['m1'] } } });
seen('a mail that was in doubt', '', $mail, { stores => { d1 => { user1 => ['m1'] }, d2 => { user1 => ['m1'] } } },
    { mail_log => <<'END' });
Nov 29 13:00:00 mx postfix/cleanup[3]: ABC: message-id=<m1@chaos>
Nov 29 13:00:01 mx postfix/lmtp[4]: ABC: to=<user1@example.com>, status=deferred (lost connection while sending end of data)
END

# In seconds, by cause.
my $checker = Gatepost::ChaosChecker->new(story(fault('proxy killed', 10, 14, proxy => PROXY),
    session('d1', 1, 0, 10, how => 'closed', slot => 'a'), session('d1', 2, 12, 60, slot => 'a', proxy => 'lb2'),
    { clients => [{ user => 'user1', slot => 'a', proxy => 'lb3', began => AT + 10.5, out => AT + 11, how => 'refused' }] })->%*);
$checker->judge;
my ($back, $locked) = $checker->delays;
is_deeply($back, { 'proxy killed' => [2] }, 'who was sent away is back after two seconds');
is_deeply($locked, { 'proxy killed' => [1.5] }, 'and was locked out since the first try at a proxy that was there');
done_testing;
