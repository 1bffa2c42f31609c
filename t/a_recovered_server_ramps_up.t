#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# A server that was down and is up again gets few new sessions at first, and
# its whole share when slow_start is over: by turns, and by the fewest
# connections, where it would get all new ones at once.  Without slow_start it
# has its share with the first session.  What its agent says bounds the share
# from the beginning.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Fake;
use Gatepost::Gatepost;
use Gatepost::Imap;
use Gatepost::Port qw(free_port);
use Gatepost::Process qw(read_file test_dir wait_for write_file);
use List::Util qw(max sum0);
use Test::More;

# Sessions of a round; those of `fewest` stay, since it counts them.
my %round = (turns => 24, fewest => 4, advised => 24, hasty => 24);
my %port = map { $_ => free_port() } qw(old back);

sub server ($name) {
	return Gatepost::Fake->new(name => $name, port => $port{$name},
	    script => [[send => "$name\n"], ['hold']])->start;
}

sub agent_says ($word) {
	my $line = test_dir() . '/line';

	write_file("$line.new", "$word\n");
	rename "$line.new", $line or die "$line: $!";
	return;
}

my $old = server('old');
my $back = server('back');
agent_says('100%');
my $agent = Gatepost::Fake->new(name => 'agent',
    script => [[send => sub { read_file(test_dir() . '/line') }]])->start;
my $gatepost = Gatepost::Gatepost->new(config => <<'END',
default pool {
    protocol tcp; slow_start 8s
    check { interval 200ms; fast_interval 100ms; down_interval 100ms; rise 2; fall 2; timeout 2s }
}
pool turns {
    balance roundrobin
    server old { address 127.0.0.1:@OLD@; weight 10 }; server back { address 127.0.0.1:@BACK@; weight 10 }
}
pool fewest {
    balance leastconn
    server old { address 127.0.0.1:@OLD@; weight 10 }; server back { address 127.0.0.1:@BACK@; weight 10 }
}
pool advised {
    balance roundrobin
    server old { address 127.0.0.1:@OLD@; weight 10 }
    server back { address 127.0.0.1:@BACK@; weight 10; agent 127.0.0.1:@AGENT@; agent_interval 1s }
}
pool hasty {
    balance roundrobin; slow_start 0s
    server old { address 127.0.0.1:@OLD@; weight 10 }; server back { address 127.0.0.1:@BACK@; weight 10 }
}
default listener { protocol tcp }
listener turns { bind 127.0.0.1:@PORT{turns}@; pool turns }
listener fewest { bind 127.0.0.1:@PORT{fewest}@; pool fewest }
listener advised { bind 127.0.0.1:@PORT{advised}@; pool advised }
listener hasty { bind 127.0.0.1:@PORT{hasty}@; pool hasty }
END
    values => { OLD => $port{old}, BACK => $port{back}, AGENT => $agent->port })->start;
my @pools = sort keys %round;
my @held;

# How many of a round's sessions the server that is back gets.
sub share_of_back ($pool) {
	my $count = 0;

	for (1 .. $round{$pool}) {
		my $client = Gatepost::Imap->new(port => $gatepost->port($pool), timeout => 20);
		$count++ if ($client->greeting // '') eq 'back';
		$pool eq 'fewest' ? push @held, $client : $client->close;
	}
	return $count;
}

# It goes down and comes up again.
my $times = 0;
sub recover () {
	$times++;
	$back->kill_now;
	$gatepost->wait_for_log(qr{\b$_/back is down}, 20, $times) for @pools;
	is(share_of_back($_), 0, "$_: nobody goes to a server that is down") for @pools;
	$back = server('back');
	$gatepost->wait_for_log(qr{\b$_/back is up again}, 20, $times) for @pools;
	return;
}

# Rounds of all these pools, until each has had one with so many sessions for the server that is back.
sub rounds_until (%wanted) {
	my %rounds;

	wait_for(sub {
		push @{ $rounds{$_} }, share_of_back($_) for sort keys %wanted;
		return !grep { max(@{ $rounds{$_} }) < $wanted{$_} } keys %wanted;
	}, 40, 'the whole share of ' . join ', ', %wanted);
	diag(sprintf '%-7s sessions of %d each that it got: %s', $_, $round{$_}, "@{ $rounds{$_} }")
	    for sort keys %rounds;
	return \%rounds;
}

# In the order of coming.
sub ramps_up ($pool, $rounds) {
	my @counts = $rounds->{$pool}->@*;
	my $part = int(@counts / 5) || 1;
	my ($early, $late) = map { sum0(@$_) } [@counts[0 .. $part - 1]], [@counts[-$part .. -1]];

	cmp_ok(1.5 * $early, '<', $late, "$pool: few come at first, more later");
	return;
}

my $half = 12;
# two workers, each with turns of its own
cmp_ok(share_of_back('turns'), '>=', $half - 2, 'at the start of gatepost nobody is slow');
recover();
cmp_ok(share_of_back('hasty'), '>=', $half - 2, 'hasty: at once as many as to the other one');
my $rounds = rounds_until(turns => $half, fewest => 3, advised => $half);
ramps_up($_, $rounds) for qw(turns fewest advised);

agent_says('50%');
ok(wait_for(sub { share_of_back('advised') == 8 }, 20, 'a third'), 'its agent wants half of that');
recover();
$rounds = rounds_until(advised => 8);
ramps_up('advised', $rounds);
cmp_ok(share_of_back('advised'), '<=', 9, 'advised: a third of all and not more');
$_->close for @held;
$gatepost->stop;
done_testing;
