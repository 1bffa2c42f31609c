#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# The process that takes over knows what operators have said to the old one: states and weights of servers, with
# and without a state file, listeners that are closed, bounds; what the file says anew wins.  One process at a
# time writes the state file.  HTTP goes on at its address, and visits are answered by the new process from the
# next connection on.  If the new one fails, all is the old one's again.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Fake;
use Gatepost::Gatepost;
use Gatepost::Http qw(http);
use Gatepost::Imap;
use Gatepost::Process qw(read_file test_dir wait_for);
use IO::Select;
use IO::Socket::INET;
use IO::Socket::UNIX;
use Test::More;

my $server = Gatepost::Fake->new(name => 'server', script => [[send => "hello\r\n"], ['hold']])->start;
my $state = test_dir() . '/state';

sub config ($more = '', %server) {
	my $many = join '', map { "server m$_ { address 127.0.0.1 }\n" } 1 .. 200;
	my $servers = join '', map { "server $_ { address 127.0.0.1; " . ($server{$_} // '') . " }\n" } qw(d1 d2 d3);

	return <<~"END";
		$more
		shutdown_timeout 60s
		pool t { protocol tcp; server s { address 127.0.0.1:\@SERVER\@ } }
		farm f { $servers }
		pool own { protocol imap; port 1; farm f }
		farm many { $many }
		pool many { protocol imap; port 1; farm many }
		listener t { protocol tcp; bind 127.0.0.1:\@PORT{t}\@; pool t }
		listener shut { protocol tcp; bind 127.0.0.1:\@PORT{shut}\@; pool t }
		admin {
		    socket \@DIR\@/gatepost.sock { level admin }
		    http 127.0.0.1:\@PORT{http}\@
		}
		END
}

my $gatepost = Gatepost::Gatepost->new(config => config(), values => { SERVER => $server->port })->start;

sub states () {
	return { map { ("$_->{subject} $_->{what}" => "$_->{in_file}>$_->{now}") }
	    grep { $_->{kind} eq 'server' || $_->{kind} eq 'service' } @{ $gatepost->ask_json('show changes') } };
}

sub frontend ($name) {
	my ($row) = grep { $_->{listener} eq $name } @{ $gatepost->ask_json('show listeners') };
	return $row;
}

# Is anybody let in?
sub is_open ($name) {
	my $client = eval { Gatepost::Imap->new(port => $gatepost->port($name), greeting => 0) } // return 0;
	my $greeting = eval { $client->line(10) } // '';
	$client->close;
	return $greeting =~ /^hello/ ? 1 : 0;
}

# What the process at a socket of its own answers.
sub ask_at ($path, $line) {
	my $socket = IO::Socket::UNIX->new(Peer => $path) // return "$path: $!";
	print {$socket} "$line\n";
	return join '', <$socket>;
}

# A connection that stays for further visits.
sub visit ($socket) {
	my $answer = '';

	print {$socket} "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
	while ($answer !~ /\r\n\r\n/ || length($answer =~ s/.*?\r\n\r\n//sr) < ($answer =~ /^content-length: (\d+)/mi)[0]) {
		IO::Select->new($socket)->can_read(10) or return "nothing in 10 s after: $answer";
		sysread $socket, $answer, 4096, length $answer or return "the end after: $answer";
	}
	return $answer;
}
my $visitor = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $gatepost->port('http')) // die "http: $!";
like(visit($visitor), qr{^HTTP/1\.1 200}, 'a visit');
like(visit($visitor), qr{^HTTP/1\.1 200(?!.*connection: close)}is, 'and another on the same connection');

# Without a state file.
is($gatepost->ask('drain f/d1 reason "disk swap"; maintenance f/d2; set weight own/d3 7'), "\n\n", 'states and a weight');
is($gatepost->ask('drain f/d3 over 1h'), '', 'a drain that takes an hour');
# more than fits into one message
is($gatepost->ask(join '; ', map { "drain many/m$_ reason \"" . 'x' x 40 . '"' } 1 .. 200), "\n" x 199, 'many states');
is($gatepost->ask('disable frontend shut reason "for now"'), '', 'a listener is closed');
is($gatepost->ask('set maxconn frontend t 77; set maxconn global 555'), "\n", 'bounds');
my $said = states();
is(scalar keys %$said, 204, 'all changes') or diag explain $said;
my ($before) = grep { $_->{subject} eq 'f/d1' } @{ $gatepost->ask_json('show changes') };
is(is_open('shut'), 0, 'closed it is');
my @bounds = map { frontend($_) } qw(t shut);

sub is_the_same ($what) {
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is_deeply(states(), $said, "$what: states and weights");
	my ($after) = grep { $_->{subject} eq 'f/d1' } @{ $gatepost->ask_json('show changes') };
	is_deeply($after, $before, "$what: when, by whom and why");
	my ($drain) = grep { $_->{server} eq 'own/d3' } @{ $gatepost->ask_json('show drain') };
	ok($drain && ($drain->{seconds_to_go} // 0) > 3000, "$what: a server is left within an hour") or diag explain $drain;
	is(is_open('t'), 1, "$what: a listener is open");
	is(is_open('shut'), 0, "$what: the other is closed");
	like($gatepost->ask('show stat 1 1 -1') . $gatepost->ask('show info'), qr/^Maxconn: 555$/m, "$what: the bound of all");
	my ($row) = map { [split /,/] } grep { /^t,FRONTEND,/ } split /\n/, $gatepost->ask('show stat');
	is($row->[6], 77, "$what: the bound of a listener");
	return;
}

is_the_same('before');
my $pid = $gatepost->pid;
ok($gatepost->upgrade, 'an upgrade');
isnt($gatepost->pid, $pid, 'by another process');
is_the_same('after the upgrade');
like(visit($visitor), qr{^HTTP/1\.1 200.*connection: close}is, 'the old process ends connections for visits with its answer');
my $port = $gatepost->port('http');
like(http("http://127.0.0.1:$port/api/v1/show/info")->{body}, qr/\b${\$gatepost->pid}\b/, 'the new one is visited');
like(ask_at(test_dir() . "/gatepost.sock.$pid", 'show info'), qr/^Pid: $pid$/m, 'the old one is asked at its own socket');
like(ask_at(test_dir() . "/gatepost.sock.$pid", 'reload'), qr/^reload failed, nothing changed: (?:an upgrade is under way|another process has taken the place of this one)/,
    'it reloads no more, and says why');
like(ask_at(test_dir() . "/gatepost.sock.$pid", 'upgrade'), qr/^The upgrade failed, nothing changed: process \d+ serves already/,
    'and upgrades no more');
is($gatepost->ask('enable frontend shut'), '', 'the closed listener can be opened');
is(is_open('shut'), 1, 'and is');
is($gatepost->ask('disable frontend shut'), '', 'and closed');

# Two upgrades in a row, while the first old process lives; now there is a state file, and a file that says more.
$gatepost->configure(config("state_file $state", d2 => 'state drain'));
my $second = $gatepost->pid;
ok($gatepost->upgrade, 'another upgrade');
delete $said->{'f/d2 state'};
is_the_same('after two upgrades');
$gatepost->wait_for_log(qr/f\/d2: the state of the configuration has changed: drain holds/);
wait_for(sub { -s $state && read_file($state) =~ /f d3/ }, 10, 'the state file of the new process');

# The one before writes no more, though it has been told something.
my $third = $gatepost->pid;
my $replaced = $gatepost->upgrade;
ok($replaced, 'a third upgrade');
is_the_same('after three upgrades');
is(ask_at(test_dir() . "/gatepost.sock.$third", 'ready f/d1'), "\n", 'the process before is told something');
unlike(ask_at(test_dir() . "/gatepost.sock.$third", 'show changes'), qr{f/d1}, 'and has heard it');
$replaced->signal('TERM');
is($replaced->wait_for_end, 0, 'it ends');
like(read_file($state), qr/f d1 drain\b/, 'and has not written that');
is($gatepost->ask('set weight own/d1 9'), "\n" x 0, 'so is the new one');
wait_for(sub { read_file($state) =~ /f d1 drain\b.*\b9 1\b/ }, 10, 'what the new one was told, in the file');
is_deeply([grep { /^f/ } sort keys %{ states() }], ['f/d1 state', 'f/d1 weight', 'f/d3 state', 'f/d3 weight'], 'only the new one heard it');

# A new process that dies soon after it has begun to serve, with other words in the file.
my $serving = $gatepost->pid;
my $old = $gatepost->upgrade;
ok($old, 'a fourth upgrade');
is($gatepost->ask('set weight own/d1 5; enable frontend shut; disable frontend t'), "\n\n", 'the fifth process is told something');
is(is_open('t'), 0, 'and obeys');
wait_for(sub { read_file($state) =~ /f d1 drain 5/ }, 10, 'it writes that');
kill 'KILL', $gatepost->pid;
$gatepost->wait_for_log(qr/upgrade failed, process $serving serves again/);
$gatepost->{pid} = $serving;
wait_for(sub { read_file($state) =~ /f d1 drain\b.*\b9 1\b/ }, 10, 'the file to be the old process\'s again');
wait_for(sub { is_open('t') }, 10, 'the listener that was closed by the dead one');
is(is_open('shut'), 0, 'and that which was opened by it is closed');
is(http("http://127.0.0.1:$port/healthz")->{status}, 200, 'HTTP is answered');
$said->{'f/d1 weight'} = '1>9';
$before = (grep { $_->{subject} eq 'f/d1' } @{ $gatepost->ask_json('show changes') })[0];
is_the_same('after a failed upgrade');

$gatepost->stop;
like(read_file($state), qr/f d1 drain\b.*\b9 1\b/, 'the state file at the end');
$server->kill_now;
done_testing;
