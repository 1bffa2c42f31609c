#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Two servers with an agent each, contrib/gatepost-agent and one that says
# what it is told to: their words decide which share of new sessions a server
# gets, and whether any.  A HAProxy asks the same agents and comes to the same
# verdicts.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::AgentScript;
use Gatepost::Fake;
use Gatepost::Gatepost;
use Gatepost::Haproxy;
use Gatepost::Imap;
use Gatepost::Process qw(read_file test_dir wait_for write_file);
use Test::More;

plan skip_all => 'needs root' if $> != 0;

my $dir = test_dir();
my %servers = map {
	$_ => Gatepost::Fake->new(name => $_, script => [[send => "$_\n"], ['hold']])->start
} qw(a b);

# That of `a` looks at a queue as Postfix has it.
my $queue = "$dir/queue";
mkdir $_ for $queue, map { "$queue/$_" } qw(incoming active deferred deferred/A);
my $script = Gatepost::AgentScript->new(name => 'script',
    options => ['--interval=0', "--queue=$queue", '--cpus=0']);
$script->set_options('--max-active=20');
$script->start;

sub say_of_b ($line) {
	write_file("$dir/line.new", $line);
	rename "$dir/line.new", "$dir/line" or die "$dir/line: $!";
	return;
}
sub teller ($name, @port) {
	return Gatepost::Fake->new(name => $name, @port, script => [[send => sub { read_file("$dir/line") }]]);
}
my $teller = teller('teller');
say_of_b("up ready 100%\n");
$teller->start;

my %agents = (a => $script->port, b => $teller->port);
my $haproxy = Gatepost::Haproxy->new(name => 'haproxy', stats => 1, ways => { map {
	($_ => { to => $servers{$_}->port,
	    send => "weight 4 agent-check agent-addr 127.0.0.1 agent-port $agents{$_} agent-inter 500ms" });
} keys %servers })->start;

sub config ($a, $b) {
	return <<~"END";
	threads 1
	shutdown_timeout 0s
	pool pair {
	    protocol tcp; balance roundrobin
	    server a { address 127.0.0.1:\@A\@; weight 4; $a }
	    server b { address 127.0.0.1:\@B\@; weight 4; $b }
	}
	listener pair { protocol tcp; bind 127.0.0.1:\@PORT{pair}\@; pool pair }
	END
}
my $gatepost = Gatepost::Gatepost->new(values => { map { uc $_ => $servers{$_}->port } keys %servers },
    config => config(map { "agent 127.0.0.1:$agents{$_}; agent_interval 1s" } qw(a b)))->start;

sub open_sessions ($count) {
	return map { Gatepost::Imap->new(port => $gatepost->port('pair'), timeout => 10) } 1 .. $count;
}

sub shares ($count) {
	my %got = (a => 0, b => 0);

	for my $client (open_sessions($count)) {
		$got{ $client->greeting // 'nobody' }++;
		$client->close;
	}
	return join ' ', map { "$_$got{$_}" } sort keys %got;
}

# The new sessions' shares, as "a4 b2".
sub goes_to ($wanted, $what) {
	my ($a, $b) = $wanted =~ /^a(\d+) b(\d+)$/;
	my $got;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	ok(eval { wait_for(sub { ($got = shares($a + $b)) eq $wanted }, 20, $wanted) }, "$what: $wanted")
	    or diag("last: $got");
	return;
}

# HAProxy's columns about a server, all of them.
sub haproxy_agrees ($name, %column) {
	my $row;
	my $is_so = eval {
		wait_for(sub {
			$row = $haproxy->stat($name);
			return !grep { ($row->{$_} // '') !~ $column{$_} } keys %column;
		}, 20, 'HAProxy');
	};

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	ok($is_so, 'HAProxy agrees') or diag(join ' ', map { "$_=$row->{$_}" } sort keys %$row);
	return;
}

# And gatepost's own, which are HAProxy's.
sub tells ($name, %column) {
	my $row;
	my $is_so = eval {
		wait_for(sub {
			my ($head, @lines) = map { [split /,/, $_, -1] } split /\n/, $gatepost->ask('show stat') =~ s/^# //r;
			for my $line (@lines) {
				my %row;
				@row{@$head} = @$line;
				$row = \%row if $row{svname} eq $name;
			}
			return !grep { ($row->{$_} // '') !~ $column{$_} } keys %column;
		}, 20, 'gatepost');
	};

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	ok($is_so, 'gatepost tells') or diag(join ' ', map { "$_=$row->{$_}" } sort keys %column);
	return;
}

# Both have asked at least once after what was said last: HAProxy asks each half second.
sub is_asked_again () {
	my $before = $teller->connections;
	return wait_for(sub { $teller->connections >= $before + 6 }, 20, 'more questions');
}

sub add_active ($count) {
	write_file("$queue/active/4F00000000$_", '') for 1 .. $count;
	return;
}

sub logs ($pattern, $what, $count = 1) {
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	ok(eval { $gatepost->wait_for_log($pattern, 20, $count) }, $what) or diag($@);
	return;
}

my $ready = qr/^(?:UP|no check)$/;

goes_to('a4 b4', 'two servers of the same weight');
say_of_b("50%\n");
goes_to('a4 b2', 'half of it');
my %numbers = map { $_ => qr/^1$/ } qw(agent_rise agent_fall agent_health);
tells('b', %numbers, agent_status => qr/^L7OK$/, agent_code => qr/^0$/, agent_duration => qr/^\d+$/,
    agent_desc => qr/^answers as it should$/, '-' => qr/^-$/);
haproxy_agrees('b', status => $ready, weight => qr/^2$/);
add_active(15);
goes_to('a2 b4', 'the script on the other one sees three quarters of its load');
haproxy_agrees('a', status => $ready, weight => qr/^1$/);
say_of_b("weight:1\n");
# HAProxy 2.6 has no word for it
goes_to('a3 b3', 'a weight of its own');

my ($before) = grep { $_->greeting eq 'b' } my @all = open_sessions(4);
say_of_b("drain # queue full\n");
logs(qr/notice: pair\/b: its agent says drain \(queue full\)$/, 'a drain and its reason are logged');
goes_to('a4 b0', 'a drain sends nobody new there');
haproxy_agrees('b', status => qr/^DRAIN/);
say_of_b("100% # queue still full\n");
is_asked_again();
goes_to('a4 b0', 'and stays where it is not mentioned');
haproxy_agrees('b', status => qr/^DRAIN/);
ok(!$before->is_closed(0.1), 'who was there stays');
say_of_b("ready\n");
goes_to('a2 b8', 'it ends by ready, and the percentage was kept meanwhile');
haproxy_agrees('b', status => $ready, weight => qr/^4$/);
is(scalar $gatepost->log_lines(qr/ pair\/b: its agent says drain/), 1, 'each change has one line');
is(scalar $gatepost->log_lines(qr/ pair\/b: its agent says ready$/), 1, 'and its end one');
$_->close for @all;

say_of_b("down # disk is failing\n");
logs(qr/warning: pair\/b: its agent says down \(disk is failing\)$/, 'down and its reason are logged');
goes_to('a4 b0', 'down');
haproxy_agrees('b', status => qr/^DOWN/, last_agt => qr/disk is failing/, agent_status => qr/^L7STS$/,
    agent_health => qr/^0$/);
tells('b', %numbers, status => qr/^DOWN \(agent\)$/, last_agt => qr/disk is failing/, agent_status => qr/^L7STS$/,
    agent_health => qr/^0$/);
$teller->kill_now;
logs(qr/notice: pair\/b: its agent is not heeded: connection refused$/, 'an agent that is gone is told');
is(shares(4), 'a4 b0', 'and what it said holds');
tells('b', agent_status => qr/^L4CON$/, status => qr/^DOWN \(agent\)$/);
$gatepost->ask('disable agent pair/b');
tells('b', map { $_ => qr/^$/ } keys %numbers, 'agent_status', 'agent_code');
$gatepost->ask('enable agent pair/b');
haproxy_agrees('b', status => qr/^DOWN/);
say_of_b("ready 100%\n");
$teller = teller('successor', port => $agents{b})->start;
logs(qr/notice: pair\/b: its agent is heeded again$/, 'as is its coming back');
is_asked_again();
is(shares(4), 'a4 b0', 'down ends by no other word than up');
haproxy_agrees('b', status => qr/^DOWN/);
say_of_b("up");
logs(qr/notice: pair\/b: its agent is not heeded: its line has no end$/, 'a line without its end is none');
is(shares(4), 'a4 b0', 'it changes nothing');
haproxy_agrees('b', status => qr/^DOWN/);
say_of_b("up\n");
goes_to('a1 b4', 'up');
haproxy_agrees('b', status => $ready);

say_of_b("maxconn:2\n");
haproxy_agrees('b', slim => qr/^2$/);
is_asked_again();
@all = open_sessions(8);
is((grep { $_->greeting eq 'b' } @all), 2, 'maxconn bounds the sessions of a server');
say_of_b("maxconn:0\n");
is_asked_again();
is((grep { $_->greeting eq 'b' } open_sessions(5)), 4, 'until it does no more');
$_->close for @all;

write_file($script->state_path('maintenance'), "new disk\n");
logs(qr/notice: pair\/a: its agent says maintenance/, 'maintenance is logged');
goes_to('a0 b4', 'the script says maintenance');
haproxy_agrees('a', status => qr/^MAINT/);
ok($gatepost->configure(config('', "agent 127.0.0.1:$agents{b}"))->reload, 'a reload takes its agent away');
goes_to('a4 b4', 'and what it said');
$gatepost->stop;
$_->kill_now for $haproxy, $teller, $script, values %servers;
done_testing;
