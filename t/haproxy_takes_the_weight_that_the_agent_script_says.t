#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# A real HAProxy asks contrib/gatepost-agent, and follows it: weight, drain,
# maintenance and the way back; an error changes nothing.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::AgentScript;
use Gatepost::Haproxy;
use Gatepost::Port qw(free_port);
use Gatepost::Process qw(test_dir wait_for write_file);
use Test::More;

plan skip_all => 'needs root' if $> != 0;

# A queue as Postfix has it.
my $queue = test_dir() . '/queue';
mkdir $_ for $queue, map { "$queue/$_" } qw(incoming active deferred deferred/A);

my $agent = Gatepost::AgentScript->new(name => 'agent',
    options => ['--interval=0', "--queue=$queue", '--cpus=0']);
$agent->set_options;
$agent->start;

my %send = (plain => '', talking => 'agent-send how\ are\ you?\n');
my $haproxy = Gatepost::Haproxy->new(name => 'haproxy', stats => 1, ways => { map {
	my $check = "agent-check agent-addr 127.0.0.1 agent-port @{[$agent->port]} agent-inter 500ms";
	($_ => { to => free_port(), send => "weight 200 $check $send{$_}" });
} keys %send })->start;

# Until all of these columns of the server match.
sub shows ($name, $what, %column) {
	my $row;
	my $is_so = eval {
		wait_for(sub {
			$row = $haproxy->stat($name);
			return !grep { ($row->{$_} // '') !~ $column{$_} } keys %column;
		}, 20, $what);
	};

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	ok($is_so, "$name: $what") or diag(join ' ', map { "$_=$row->{$_}" } sort keys %column);
	return;
}

sub add_active ($count) {
	write_file("$queue/active/4F00000000$_", '') for 1 .. $count;
	return;
}

my %good = (status => qr/^(?:UP|no check)$/, agent_status => qr/^L7OK$/);

for my $name (sort keys %send) {
	add_active(5);
	$agent->set_options('--max-active=20');
	shows($name, 'the weight is the percentage', %good, weight => qr/^150$/,
	    last_agt => qr/^via agent : up \(queue:5\)$/);
	add_active(10);
	shows($name, 'and follows the queue', %good, weight => qr/^100$/);
	$agent->set_options('--max-active=5');
	shows($name, 'a full load is a drain', status => qr/^DRAIN/, agent_status => qr/^L7OK$/);
	$agent->set_options('--max-active=40');
	shows($name, 'which ends', %good, weight => qr/^150$/);
	write_file($agent->state_path('maintenance'), "new disk\n");
	shows($name, 'maintenance', status => qr/^MAINT/);
	unlink $agent->state_path('maintenance');
	shows($name, 'and its end', %good, weight => qr/^150$/);
	$agent->set_options('--queue=/nonexistent');
	shows($name, 'an error is told and changes nothing', status => $good{status}, weight => qr/^150$/,
	    last_agt => qr/^agent reports an error : error$/);
	unlink glob "$queue/active/*";
}
$haproxy->kill_now;
done_testing;
