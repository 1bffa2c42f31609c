#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Operators who shut their side and read late hear all of a large answer, and thousands of lines are all
# answered; who asks much and reads nothing fills no memory, keeps nobody waiting, and is left in the end.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Gatepost;
use Gatepost::Process qw(test_dir wait_for);
use IO::Socket::UNIX;
use Test::More;

use constant { SERVERS => 60, LINES => 3_000 };

my $servers = join "\n", map { "server s$_ { address 127.0.0.1:1 }" } 1 .. SERVERS;
my $gatepost = Gatepost::Gatepost->new(config => <<"END")->start;
pool big { protocol tcp
$servers
}
listener big { protocol tcp; bind 127.0.0.1:\@PORT{big}@; pool big }
END

sub connect_to ($gatepost) {
	my $socket = IO::Socket::UNIX->new(Peer => test_dir() . '/gatepost.sock') or die "socket: $!";
	$socket->autoflush(1);
	return $socket;
}
sub drain ($socket) {
	local $/;
	local $SIG{ALRM} = sub { die 'no end of the answer' };
	alarm 60;
	my $text = <$socket>;
	alarm 0;
	return $text;
}
sub used ($gatepost) { return $gatepost->ask('show info') =~ /^PoolUsed_bytes: (\d+)$/m ? $1 : die 'no figure' }

# it is known to have been asked when what it did not take is kept
my $late = connect_to($gatepost);
print {$late} "show stat json\n";
shutdown $late, 1;
wait_for(sub { used($gatepost) > 100_000 }, 20, 'the answer to be kept');
my $answer = drain($late);
like($answer, qr/\]\n\n\z/, 'who has shut his side and reads late hears the end');
is(scalar(() = $answer =~ /"name":"svname"/g), SERVERS + 2, '… and all before it');

for my $command ('show version', 'show sess') {
	my $socket = connect_to($gatepost);
	my $pid = fork // die "fork: $!";
	if (!$pid) {
		print {$socket} "prompt\n", "$command\n" x LINES;
		shutdown $socket, 1;
		require POSIX;
		POSIX::_exit(0);
	}
	is(scalar(() = drain($socket) =~ /^> /mg), LINES + 1, LINES . " lines of $command are answered");
	waitpid $pid, 0;
}

# A line of a thousand large answers, of which none is read.
my $hog = connect_to($gatepost);
print {$hog} 'set timeout cli 2;' . join(';', ('show stat json') x 1000) . "\n";
wait_for(sub { used($gatepost) > 100_000 }, 20, 'an answer to be kept');
is($gatepost->ask('show cli level'), "admin\n", 'another operator is answered') for 1 .. 20;
cmp_ok(used($gatepost), '<', 8_000_000, 'few are made before those before them are read');
wait_for(sub { used($gatepost) == 0 }, 30, 'the hog to be left');
pass('who reads nothing is left');

my $before = $gatepost->fd_count;
my @silent = map { connect_to($gatepost) } 1 .. 5;
print {$_} "set timeout cli 1;show version\n" for @silent;
like(drain($_), qr/^\n\d/, 'an answer, and its end') for @silent;
wait_for(sub { $gatepost->fd_count <= $before }, 30, 'those who do not close to be left');
pass('who hears the end and does not close is left');

# What is said of the connection itself.
like($gatepost->ask('help prompt'), qr/^  prompt +: /, 'help knows prompt');
is($gatepost->ask('set severity-output number;get weight big/x;get weight big/s1'),
    "\n[3]: No such server.\n\n1 (initial 1)\n", 'errors, and nothing else, have a number before them');
is($gatepost->ask('set timeout cli 5m;set timeout cli 1x'), "\nInvalid timeout value.\n", 'times');
like($gatepost->ask('shwo stat'), qr/better match:\n  show stat /, 'a slip in the first word');
unlike($gatepost->ask('shwo stat'), qr/  set weight/, 'what is not near is not told');
like($gatepost->ask('show stta'), qr/better match:\n  show stat /, 'a slip in the second: the nearest is first');
$gatepost->stop;
done_testing;
