#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# contrib/gatepost-agent beside a real Postfix, as the user of its unit: each
# part of the load, the drain and its end, what is kept between two calls,
# and what it says when it cannot tell.
use v5.36;
use Fcntl qw(:flock);
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::AgentScript;
use Gatepost::Postfix;
use Gatepost::Process qw(read_file test_dir wait_for write_file);
use Gatepost::Smtp;
use Test::More;

plan skip_all => 'needs root' if $> != 0;

my $dir = test_dir();

sub agent ($name, @options) {
	return Gatepost::AgentScript->new(name => $name, options => ['--interval=0', @options]);
}

# So many mails are taken by POSTFIX.
sub send_mails ($postfix, $count) {
	my $client = Gatepost::Smtp->new(address => $postfix->address, port => $postfix->port, timeout => 20);

	$client->ehlo;
	for my $number (1 .. $count) {
		my $reply = $client->send_message(from => 'alice@example.org', to => ['bob@example.com'],
		    text => "Subject: $number\n\nHello.\n");
		die "not taken: $reply" if $reply !~ /^250 /;
	}
	$client->close;
	return;
}

sub count_in ($postfix, $queue) {
	return scalar grep { -f } map { glob "$_/* $_/*/*" } "$postfix->{dir}/queue/$queue";
}

my $postfix = Gatepost::Postfix->new(name => 'mx', main => { in_flow_delay => 0 })->start;
my @here = ("--queue=$postfix->{dir}/queue", "--config=$postfix->{dir}/conf", '--queue-interval=0');
my @queue_only = (@here, '--cpus=0', '--min-free=0');
my $queue = agent('queue', @queue_only, '--max-age=1000000');

my $sent;	# when the last mails were

subtest 'a server at rest' => sub {
	is($queue->line, 'up ready 100% queue:0 age:0 # load 0.00: incoming 0 of 1000; deferred 0',
	    'is free');
};

subtest 'messages that other sites hold up' => sub {
	chmod 0, "$postfix->{dir}/mail";
	send_mails($postfix, 3);
	wait_for(sub { count_in($postfix, 'deferred') == 3 }, 20, 'three deferred messages');
	chmod 0700, "$postfix->{dir}/mail";
	is($queue->line, 'up ready 100% queue:0 age:0 # load 0.00: incoming 0 of 1000; deferred 3',
	    'are told, and are no load');
};

subtest 'the active queue' => sub {
	$postfix->configure(virtual_destination_rate_delay => '600s');
	$postfix->reload;
	send_mails($postfix, 4);
	$sent = time;
	wait_for(sub { count_in($postfix, 'active') == 3 && count_in($postfix, 'incoming') == 0 }, 20,
	    'three messages to wait for their turn');
	is($queue->line, 'up ready 100% queue:3 age:0 # load 0.00: active 3 of 20000; deferred 3',
	    'is counted');
	is($queue->line('--max-active=4'),
	    'up ready 25% queue:3 age:0 # load 0.75: active 3 of 4; deferred 3',
	    'and is a part of its limit');
};

subtest 'the incoming queue' => sub {
	my ($manager) = grep { read_file("/proc/$_/comm") eq "qmgr\n" } $postfix->children;

	# all others are older than these
	wait_for(sub { time > $sent + 3 }, 20, 'three seconds to pass');
	kill 'STOP', $manager or die "no qmgr: $!";
	$sent = time;
	send_mails($postfix, 5);
	is($queue->line('--max-incoming=10') =~ s/age:\d+/age:N/r,
	    'up ready 50% queue:8 age:N # load 0.50: incoming 5 of 10; deferred 3', 'is a part of its limit');
	like($queue->line('--max-incoming=100'), qr/^up ready 95% queue:8 /, 'of a larger one, too');
	like($queue->line('--max-incoming=100', '--max-active=4'), qr/^up ready 25% .*: active 3 of 4;/,
	    'the largest part counts');
	like($queue->line('--max-incoming=5'), qr/^up ready 5% .* # load 1\.00: incoming 5 of 5;/,
	    'a full load leaves 5%');
	like($queue->line('--max-incoming=4'), qr/^up ready 5% queue:7 .* # load 1\.00: incoming 4 of 4;/,
	    'what is beyond is not counted');
};

# The qmgr stands still from here on: five messages grow old.
subtest 'the age of the oldest incoming message' => sub {
	my $aged = agent('aged', @queue_only);
	my $kept = agent('kept', @queue_only, '--queue-interval=3600');
	my ($first) = $kept->line =~ /age:(\d+)/ or die 'no age';
	my $age;

	ok($first <= time - $sent, 'is not that of those in other queues');
	wait_for(sub { ($age) = $aged->line =~ /age:(\d+)/; $age > $first + 1 }, 20,
	    'the messages to grow older');
	send_mails($postfix, 20);
	my $line = $aged->line('--max-age=50');
	my ($later) = $line =~ /age:(\d+)/;
	is($line,
	    sprintf('up ready %.0f%% queue:28 age:%d # load %.2f: oldest incoming %d of 50 s; deferred 3',
	    100 * (1 - $later / 50), $later, $later / 50, $later), 'is a part of its limit');
	ok($later >= $age, 'and not that of younger ones');
	like($aged->line('--max-age=1'), qr/^up ready 5% .*: oldest incoming \d+ of 1 s;/,
	    'and may be beyond it');
	like($kept->line, qr/ age:$first /, 'is not asked for again within --queue-interval');
};

subtest 'a postqueue that fails or hangs' => sub {
	my $load = qr/load 0\.0[23]: incoming 25 of 1000/;
	my $line = qr/^up ready 9[78]% queue:28 # $load; age not known: postqueue failed; /;

	like($queue->line('--config=/nonexistent'), $line, 'leaves out the age');
	$postfix->freeze;
	like($queue->line('--timeout=1'), $line, 'and is not waited for');
	$postfix->thaw;
	like($queue->line, qr/^up ready \d+% queue:\d+ age:/, 'until it answers again');
};

# A file system of the call's own, of which a file takes so many MiB.
sub disk_line ($agent, $used, @options) {
	my $store = "$agent->{dir}/store";

	mkdir $store;
	$agent->{prepare} = "mount -t tmpfs -o size=64m none $store; head -c ${used}m /dev/zero >$store/file";
	return $agent->line("--store=$store", @options);
}

subtest 'free space' => sub {
	my $disk = agent('disk', '--cpus=0', '--min-free=32m');
	my $at = "free at $disk->{dir}/store, least is 32m";

	is(disk_line($disk, 0), "up ready 100% # load 0.00: 64m $at", 'twice the minimum is no load');
	is(disk_line($disk, 16), "up ready 50% # load 0.50: 48m $at", 'less is one');
	is(disk_line($disk, 32), "up ready 5% # load 1.00: 32m $at", 'up to the minimum');
	is(disk_line($disk, 33), "up drain # load 1.03: 31m $at", 'below it, the server is drained at once');
	is(disk_line($disk, 28), "up drain # load 0.88: 36m $at", 'and is so until there is more');
	is(disk_line($disk, 24), "up ready 25% # load 0.75: 40m $at", 'namely this');
	write_file("$disk->{dir}/df", "#!/bin/sh\nexec sleep 30\n");
	chmod 0755, "$disk->{dir}/df";
	$disk->{prepare} = "mount --bind $disk->{dir}/df \$(command -v df)";
	my @hanging = map { $disk->line("--store=$disk->{dir}/store", '--timeout=1') } 1 .. 3;
	is($hanging[1], "up ready 5% # load 1.00: $disk->{dir}/store hangs",
	    'a hanging file system is full load');
	is($hanging[2], "up drain # load 1.00: $disk->{dir}/store hangs", 'and so a drain, in the end');
	like(disk_line($disk, 63, '--min-free=0'), qr/^up ready 100% /,
	    'without a minimum it does not count');
	like($queue->line('--min-free=999t'), qr{^up drain .* free at \Q$postfix->{dir}\E/queue, least is },
	    'the queue needs space, too');
	like($queue->line, qr/^up ready /, 'and is back with it');
};

sub load_line ($agent, $load, @options) {
	write_file("$agent->{dir}/loadavg", "$load 0.00 0.00 1/99 4711\n");
	$agent->{prepare} = "mount --bind $agent->{dir}/loadavg /proc/loadavg";
	return $agent->line(@options);
}

subtest 'the load average' => sub {
	my $busy = agent('busy', "--store=$dir", '--min-free=0', '--cpus=2');

	is(load_line($busy, '0.00'), 'up ready 100% # load 0.00: load average 0.00 of 2', 'may be none');
	is(load_line($busy, '1.50'), 'up ready 25% # load 0.75: load average 1.50 of 2',
	    'is a part of the CPUs');
	like(load_line($busy, '1.50', '--cpus=3'), qr/^up ready 50% /, 'of which there may be more');
	like(load_line($busy, '1.50', '--cpus=0'), qr/^up ready 100% /, 'or may not count');

	my @over = map { load_line($busy, '3.00') =~ /^up (\w+) 5% # load 1\.50: / } 1 .. 2;
	push @over, load_line($busy, '1.99') =~ /^up (\w+) 5% # load 0\.99/,
	    map({ load_line($busy, '2.00') =~ /^up (\w+)(?: 5%)? # load 1\.00: / } 1 .. 4);
	is("@over", 'ready ready ready ready ready drain drain', 'three full samples in a row are a drain');
	like(load_line($busy, '1.60'), qr/^up drain # load 0\.80: /, 'which stays at 0.8');
	like(load_line($busy, '1.58'), qr/^up ready 21% # load 0\.79: /, 'and ends below it');
	like(load_line($busy, '3.00'), qr/^up ready 5% /, 'samples are counted anew then');
};

subtest 'between two samples' => sub {
	my $slow = agent('slow', "--store=$dir", '--min-free=0', '--cpus=2', '--interval=3600');
	my $first = load_line($slow, '1.00');

	is(load_line($slow, '9.00'), $first, 'the answer stays');
	like(load_line($slow, '9.00', '--interval=0'), qr/ 9\.00 of 2$/, 'and changes with the next one');

	my $state = $slow->state_path('state');
	open my $lock, '>>', $slow->state_path('lock') or die "lock: $!";
	flock $lock, LOCK_EX or die "lock: $!";
	like(load_line($slow, '1.00', '--interval=0'), qr/ 9\.00 of 2$/, 'while one is taken,
	    the last one is told');
	my $past = time - 100;
	write_file($state, read_file($state) =~ s/^sampled \K\d+/$past/mr);
	like(load_line($slow, '1.00', '--interval=0'), qr/^up drain # no sample for 10\d s$/,
	    'and if none comes, the server is drained');
	unlink $state;
	my ($code, $text) = $slow->run('--timeout=1');
	like($text, qr/^error # the first sample takes too long$/m, 'without any,
	    it is waited for') or diag($code);
	close $lock;
	like(load_line($slow, '1.00'), qr/ 1\.00 of 2$/, 'and all is well again');
	write_file($state, read_file($state) =~ s/^sampled \K\d+/time + 1000/emr);
	like(load_line($slow, '2.00'), qr/ 2\.00 of 2$/, 'a sample of the future is none');
};

subtest 'maintenance' => sub {
	my $path = $queue->state_path('maintenance');

	write_file($path, "new disk \e[31m\nsecond line\n");
	is($queue->line, 'maint # new disk [31m', 'is said while the file is there, with its reason');
	write_file($path, '');
	is($queue->line, 'maint # the file maintenance is there', 'or without');
	unlink $path;
	like($queue->line, qr/^up ready /, 'and ends with it');
};

subtest 'what cannot be told' => sub {
	for my $folder ('/nonexistent', '/root') {
		my ($code, $text) = $queue->run("--queue=$folder");

		is($code, 1, "the queue $folder is an error");
		like($text, qr{^error # \Q$folder\E/incoming: .*$}m, 'that says so');
		like($text, qr{^gatepost-agent: \Q$folder\E/incoming: .*$}m, 'on standard error, too');
	}
	my ($code, $text) = $queue->run('--store=/nonexistent', '--min-free=1');
	like($text, qr{^error # /nonexistent: no free space can be told$}m,
	    'a store that is not there is one');
	($code, $text) = $queue->run('--state=/nonexistent/state');
	like($text, qr{^error # /nonexistent/state/lock: }m, 'and no place for its state');
	for my $option (qw(--max-active=0 --max-age=x --min-free=5% --min-free= --cpus=-1 --interval=-1 --what
	    what)) {
		($code, $text) = $queue->run($option);
		is($code, 2, "$option is refused");
		unlike($text, qr/^(?:up|error)/m, 'without an answer');
	}
};

subtest 'the summary of options' => sub {
	my ($code, $text) = $queue->run('--help');
	my $page = read_file("$FindBin::Bin/../doc/gatepost-agent.8");
	my @names = $text =~ /^  --([a-z-]+)/mg;

	is($code, 0, '--help');
	is_deeply([sort @names], [sort $page =~ /^\.It Fl -([a-z-]+)/mg], 'names what the man page does');
};

done_testing;
