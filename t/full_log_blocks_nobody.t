#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Both logs are FIFOs that nobody reads, standard error is a pipe that nobody
# reads: clients are served as fast as before, a reload and the end do not
# wait.  When somebody reads again, the log tells how much was lost and goes on.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Fcntl qw(F_SETFD);
use Gatepost::Fake;
use Gatepost::Gatepost;
use Gatepost::Imap;
use Gatepost::Process qw(test_dir wait_for);
use IO::Handle;
use POSIX qw(mkfifo);
use Test::More;
use Time::HiRes qw(time);

use constant {
	SESSIONS => 600,	# at the least; a line of 90 bytes and one of 300 each: twice that fills a FIFO
	SECONDS => 4,		# at the least; a full log is waited for a second, only then lines are lost
	MAY_BE_SLOW => 6,	# the machine has other work too
	F_SETPIPE_SZ => 1031,
};

my $dir = test_dir();
my $server = Gatepost::Fake->new(name => 'server', script => [[send => "hello\n"], ['hold']])->start;
my $rest = <<'END';
pool t { protocol tcp; server s { address 127.0.0.1:@SERVER@ } }
listener t { protocol tcp; bind 127.0.0.1:@PORT{t}@; pool t }
END

# How many sessions took long from connecting to the server's word.
sub count_slow ($gatepost) {
	my ($slow, $start) = (0, time);
	for (my $n = 0; $n < SESSIONS || time - $start < SECONDS; $n++) {
		my $begin = time;
		my $client = Gatepost::Imap->new(port => $gatepost->port('t'), timeout => 20) or die "connect: $!";
		$client->greeting eq 'hello' or die 'not served';
		$slow++ if time - $begin > 0.5;
		$client->close;
	}
	return $slow;
}

sub ends_soon ($gatepost) {
	my $begin = time;
	$gatepost->signal('TERM');
	is($gatepost->wait_for_end(20), 0, 'it ends');
	cmp_ok(time - $begin, '<', 8, 'without waiting for readers');
	return;
}

mkfifo("$dir/$_", 0600) or die "mkfifo: $!" for qw(main access);
my $gatepost = Gatepost::Gatepost->new(values => { SERVER => $server->port }, config => <<"END" . $rest)->start;
shutdown_timeout 0s
log { target $dir/main }
log access { target $dir/access; format json }
END
cmp_ok(count_slow($gatepost), '<=', MAY_BE_SLOW, 'FIFOs without a reader: nobody is kept waiting');
$gatepost->signal($_) for qw(USR1 HUP);
cmp_ok(count_slow($gatepost), '<=', MAY_BE_SLOW, 'nor after they were opened anew, and a reload');

# A reader: what was kept, the word about what was lost, then new lines.
my %text;
for my $log (qw(main access)) {
	open my $reader, '<', "$dir/$log" or die "$log: $!";
	$reader->blocking(0);
	$text{$log} = '';
	my $has = sub ($pattern) {
		wait_for(sub {
			sysread $reader, $text{$log}, 1 << 20, length $text{$log};
			$text{$log} =~ $pattern;
		}, 10, "$pattern in $log");
	};
	ok($has->(qr/\blog: [1-9]\d* lines were lost\b/), "$log: the loss is told");
	my $client = Gatepost::Imap->new(port => $gatepost->port('t'));
	my $port = $client->socket->sockport;
	$client->close;
	ok($has->($log eq 'access' ? qr/"client_port":$port\b/ : qr/lost\b.*while relaying/s), "$log: and it goes on");
}
my @lines = split /\n/, $text{access};
my $whole = grep { /^\{.*\}$/ } @lines;
is($whole, @lines, 'no line is torn');
ends_soon($gatepost);
$gatepost->check_reports;

# Standard error is a full pipe.
pipe my $nobody, my $full or die "pipe: $!";
$gatepost = Gatepost::Gatepost->new(name => 'piped', values => { SERVER => $server->port },
    config => "shutdown_timeout 0s\n$rest", log => '/dev/fd/' . fileno $full);
fcntl $full, F_SETFD, 0 or die "fcntl: $!";		# the child opens it by its number
fcntl $full, F_SETPIPE_SZ, 4096 or die "fcntl: $!";
$gatepost->start;
$gatepost->{log} = "$dir/nothing";			# nor does the library read it
cmp_ok(count_slow($gatepost), '<=', MAY_BE_SLOW, 'a full standard error: nobody is kept waiting');
ends_soon($gatepost);

$server->kill_now;
done_testing;
