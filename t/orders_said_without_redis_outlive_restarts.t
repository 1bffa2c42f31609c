#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Operators drain, weigh and bound a server at one of two proxies while Redis gives no answer, and that proxy starts
# anew before it does.  What they said is newer than what Redis has: it holds at both, and is called theirs.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Farm;
use Gatepost::Process qw(wait_for);
use Test::More;
use Time::HiRes qw(time);

use constant APART_S => 3;	# words that are closer come in the order in which Redis hears them

my $farm = Gatepost::Farm->new(proxies => 2, servers => 2, users => 1);
my ($first, $second) = $farm->proxies;
ok($first->configure($farm->config(1) . "state_file \@DIR\@/state\n")->reload, 'the first one has a state file');

sub changes ($proxy) {
	return { map { ("$_->{subject} $_->{what}" => $_) } grep { $_->{kind} ne 'overruled' }
	    @{ $proxy->ask_json('show changes') } };
}
sub await ($proxy, $what, %wanted) {
	my $now;

	return is_deeply(eval { wait_for(sub {
		my $changes = changes($proxy);
		$now = { map { ($_ => $changes->{$_}{now}) } keys %$changes };
		"@{[map { \"$_=$wanted{$_}\" } sort keys %wanted]}" eq "@{[map { \"$_=$now->{$_}\" } sort keys %$now]}" && $now;
	}, 30, $what) } // $now, \%wanted, "$proxy->{name}: $what");
}

# Redis has a word of each, which takes it back.
my %said = ('f/d1 state' => 'drain', 'f/d1 weight' => 7, 'imap/d1 max_connections' => 9);
$second->ask('drain d1; set weight imap/d1 7; set maxconn server imap/d1 9');
await($first, 'all is heard', %said);
$second->ask('ready d1; set weight imap/d1 1; set maxconn server imap/d1 0');
await($_, 'and is taken back') for $first, $second;
my $older = time;

$farm->redis->signal('STOP');
$farm->await_redis('down');
wait_for(sub { time > $older + APART_S }, 60, 'the words to be old');
$first->ask("$_ reason alone") for 'drain d1', 'set weight imap/d1 7', 'set maxconn server imap/d1 9';
await($first, 'said without Redis', %said);
$first->stop;
$first->start;
await($first, 'and kept by the state file', %said);
$farm->redis->signal('CONT');
$farm->await_redis('up');
await($second, 'it is told when Redis answers', %said);
await($first, 'and still so', %said);
for my $proxy ($first, $second) {
	my $changes = changes($proxy);
	is((grep { $_->{why} !~ /alone/ } values %$changes), 0, "$proxy->{name}: with the reason");
}
is((grep { $_->{who} !~ /^uid \d+ \(pid \d+\) at lb1$/ } values %{ changes($second) }), 0, 'and who said so, where');

# Who starts anew tells nobody's words as its own.
$second->stop;
$second->start;
await($second, 'read from Redis', %said);
is((grep { $_->{who} !~ /^uid \d+ \(pid \d+\) at lb1$/ } values %{ changes($second) }), 0, 'as they were said');
$first->ask('ready d1; set weight imap/d1 1; set maxconn server imap/d1 0');
await($_, 'taken back') for $first, $second;
$farm->stop;
done_testing;
