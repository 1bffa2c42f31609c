#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Three proxies whose agents say different weights of the same servers, and a Redis that hangs, and then is
# gone: who is bound nowhere would be on the same server through each of them, by the weights of the
# configuration alone.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Fake;
use Gatepost::Farm;
use Gatepost::Process qw(wait_for);
use Test::More;

use constant { NAMES => 10_000, PIECE => 250, SERVERS => 3, PROXIES => 3 };

my @words = ('10% ready', '60% ready', '100% ready');
my @agent = map { my $line = "$_\n"; Gatepost::Fake->new(name => 'agent' . s/%.*//r, script => [[send => $line]])->start }
    @words;
# What the agent says that the proxy asks of the server.
sub word ($proxy, $server) { return ($proxy + $server) % @words }
my $farm = Gatepost::Farm->new(proxies => PROXIES, servers => SERVERS, users => 1, server => sub ($proxy, $server) {
	return "weight 4; agent 127.0.0.1:${\$agent[word($proxy, $server)]->port}; agent_interval 1s";
});

# Weights as balancers without a hash have them.
sub weights ($i) {
	my %row = map { $_->{svname} => $_ } grep { $_->{pxname} eq 'imap' } stat_rows($i);
	return [map { $row{"d$_"}{weight} } 1 .. SERVERS];
}
sub stat_rows ($i) {
	my ($head, @lines) = split /\n/, $farm->proxy($i)->ask('show stat');
	my @names = split /,/, $head =~ s/^# //r;
	return map { my %row; @row{@names} = split /,/; \%row } @lines;
}
for my $i (1 .. PROXIES) {
	my @wanted = map { my ($percent) = $words[word($i, $_)] =~ /(\d+)/; 4 * $percent / 100 } 1 .. SERVERS;
	wait_for(sub { my $now = weights($i); !grep { abs($now->[$_] - $wanted[$_]) >= 1 } 0 .. SERVERS - 1 }, 30,
	    "the agents' words at lb$i: @wanted");
}
isnt("@{ weights(1) }", "@{ weights(2) }", 'the agents say something else at each proxy');

sub map_of ($i) {
	my @all;
	for (my $n = 0; $n < NAMES; $n += PIECE) {
		push @all, grep { length } split /\n/, $farm->proxy($i)->ask(join ';', map { "where n$_" } $n .. $n + PIECE - 1);
	}
	return \@all;
}
sub maps_are_alike ($what) {
	my @maps = map { map_of($_) } 1 .. PROXIES;
	my %count;

	is(scalar @{ $maps[0] }, NAMES, "$what: all have a place");
	for my $i (2 .. PROXIES) {
		is(scalar(grep { $maps[0][$_] ne $maps[$i - 1][$_] } 0 .. NAMES - 1), 0, "the same at lb1 and lb$i");
	}
	$count{s/ .*//r}++ for @{ $maps[0] };
	is((grep { abs($_ - NAMES / SERVERS) > NAMES / SERVERS / 10 } values %count), 0,
	    'and each server has its share, of the weights that are configured');
	is(scalar keys %count, SERVERS, 'all of them');
	return $maps[0];
}
$farm->redis->signal('STOP');
my $hung = maps_are_alike('Redis hangs');
$farm->await_redis('down');
$farm->redis->signal('CONT');
$farm->redis->kill_now;
$farm->await_redis('down');
my $gone = maps_are_alike('Redis is gone');
is_deeply($gone, $hung, 'it is the same map');
$farm->stop;
$_->kill_now for @agent;
done_testing;
