#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Two thousand idle sessions are listed again and again, while others come and go and talk: each of the two
# thousand is told once each time, talkers are answered, and operators who vanish within an answer leave
# nothing behind.  Tells how long it takes.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Imap;
use Gatepost::Process qw(raise_descriptors read_file test_dir wait_for write_file);
use Gatepost::Setup qw(start_imap_farm);
use IO::Socket::UNIX;
use List::Util qw(max min);
use Test::More;
use Time::HiRes qw(time);

use constant { IDLE => 2_000, ROUNDS => 20 };

raise_descriptors(4_096);
# the crowd stays before the login, and the talkers go through
my $farm = start_imap_farm(dovecots => 1, listener => 'starttls optional; plaintext_login yes; login_timeout 10m');
my $gatepost = $farm->{gatepost};
my @crowd = map { Gatepost::Imap->new(port => $gatepost->port('imap'), from => '127.0.0.9') } 1 .. IDLE;
is(scalar @crowd, IDLE, 'all are connected');
my @constant = sort map { $_->{session} } @{ $gatepost->ask_json('show sess client 127.0.0.9') };
is(scalar @constant, IDLE, 'and listed');

# A child has sessions come and go; another one talks without a pause.
sub child ($work) {
	my $pid = fork // die "fork: $!";
	return $pid if $pid;
	$SIG{TERM} = sub { require POSIX; POSIX::_exit(0) };
	eval { $work->(); 1 } or print STDERR $@;
	require POSIX;
	POSIX::_exit(1);
}
my @children = (child(sub {
	my @open;
	while (1) {
		push @open, Gatepost::Imap->new(port => $gatepost->port('imap'));
		$open[-1]->login_as(1 + @open % 9) if rand() < 0.3;
		(splice @open, int rand @open, 1)->close if @open > 20;
	}
}), child(sub {
	my $talker = Gatepost::Imap->new(port => $gatepost->port('imap'));
	my ($slowest, $count) = (0, 0);
	$talker->login_as(10);
	while (1) {
		my $start = time;
		die 'no answer' unless $talker->cmd('NOOP') =~ / OK/;
		$slowest = max($slowest, time - $start);
		next if ++$count % 10;
		write_file(test_dir() . '/talked.new', "$slowest $count\n");
		rename test_dir() . '/talked.new', test_dir() . '/talked' or die "talked: $!";
	}
}));
sub talked {
	my $file = test_dir() . '/talked';
	return split ' ', -e $file ? read_file($file) : '0 0';
}
wait_for(sub { (talked())[1] >= 10 }, 20, 'the talker to talk');

my (@wrong, @times);
for my $round (1 .. ROUNDS) {
	my $start = time;
	my $answer = $gatepost->ask($round % 2 ? 'show sess json' : 'show sess all json', 60);
	push @times, time - $start;
	my (%seen, %crowd);
	for my $session (@{ JSON::PP::decode_json($answer) }) {
		push @wrong, "twice: $session->{session}" if $seen{ $session->{session} }++;
		$crowd{ $session->{session} } = 1 if $session->{client} =~ /^127\.0\.0\.9\b/;
	}
	push @wrong, "round $round: " . keys %crowd if join(' ', sort keys %crowd) ne "@constant";
}
is_deeply(\@wrong, [], 'nobody is told twice, none of the crowd is missing');
my $before = (talked())[1];
wait_for(sub { (talked())[1] >= $before + 10 }, 20, 'the talker to go on');

# How long a worker was at work without a look at the others: that of all is the longest of each.
sub longest_turn { return ($gatepost->ask('show info') =~ /^Longest_turn_us: (\d+)$/m)[0] }
my $turn = longest_turn();
my %turn = $gatepost->ask('show metrics') =~ /^gatepost_loop_longest_turn_seconds\{thread="(\w+)"\} (\S+)$/mg;
is_deeply([sort keys %turn], [0, 1, 'control'], 'each thread has a longest turn');
my $longest = sprintf '%.0f', 1_000_000 * max(@turn{0, 1});
cmp_ok($turn, '>', 0, 'a worker had one');
cmp_ok($longest, '>=', $turn, 'as the metrics tell');
cmp_ok($longest, '<=', longest_turn(), 'of all workers');
diag(sprintf '%d sessions listed in %.0f to %.0f ms; the talker waited for at most %.0f ms, turns took %.1f ms at most',
    IDLE, 1000 * min(@times), 1000 * max(@times), 1000 * (talked())[0], $turn / 1000);

# Operators who ask and go: before, within and behind the answer.  The first of several that cannot be
# written tells that they have gone, while the next one is under way.
my @questions = ('show sess', 'show sess all', 'who client', 'user user1', 'users', 'kick user nobody');
for my $round (1 .. 200) {
	my $socket = IO::Socket::UNIX->new(Peer => test_dir() . '/gatepost.sock') or die "socket: $!";
	print {$socket} join(';', ('show cli level', $questions[$round % @questions]) x (1 + $round % 4)), "\n";
	$socket->flush;
	sysread $socket, my $part, 100 if $round % 3 == 0;
	close $socket;
}
is($gatepost->ask_json('kick client 127.0.0.9 reason "the end"')->{sessions}, IDLE, 'all are ended');
is(scalar(grep { $_->rest !~ /^\* BYE / } @crowd), 0, 'and hear so');
kill TERM => @children;
is_deeply([map { waitpid $_, 0; $? } @children], [0, 0], 'the children had nothing to complain of');
ok($gatepost->is_running, 'gatepost still runs');
$gatepost->stop;
$_->stop for @{ $farm->{dovecots} };
done_testing;
