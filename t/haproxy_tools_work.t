#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# HAProxy's own tools operate a gatepost, unmodified: hatop at a terminal, whose keys change states and weights;
# the one-liners of monitoring; the steps of Ansible's module; the exporter for Prometheus.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Fake;
use Gatepost::Gatepost;
use Gatepost::Imap;
use Gatepost::Port qw(free_port);
use Gatepost::Process qw(test_dir wait_for);
use IO::Pty;
use IO::Select;
use IO::Socket::INET;
use POSIX qw(WNOHANG);
use Test::More;

my $fake = Gatepost::Fake->new(name => 'fake', script => [[send => "hello\n"], ['hold']])->start;
my $gatepost = Gatepost::Gatepost->new(values => { TO => $fake->port }, config => <<'END')->start;
pool pair {
    protocol tcp
    check { kind tcp; interval 1s; rise 1; fall 2 }
    server a { address 127.0.0.1:@TO@; weight 4 }
    server b { address 127.0.0.1:@TO@; weight 4 }
}
listener pair { protocol tcp; bind 127.0.0.1:@PORT{pair}@; pool pair }
END
my $socket = test_dir() . '/gatepost.sock';

# The state of a server as Nagios' plugins find it.
sub status ($server) {
	local $ENV{SERVER} = $server;
	return qx(echo 'show stat' | socat -t 20 stdio 'unix-connect:$socket' \\
	    | awk -F, '\$1 == "pair" && \$2 == ENVIRON["SERVER"] { printf "%s", \$18 }');
}
wait_for(sub { status('a') eq 'UP' && status('b') eq 'UP' }, 60, 'the servers to be up');
is(status('FRONTEND'), 'OPEN', 'a listener');
is(status('BACKEND'), 'UP', 'a pool');

# Ansible's community.general.haproxy: state=disabled shutdown_sessions wait, then enabled; drain asks for the version.
my $client = Gatepost::Imap->new(port => $gatepost->port('pair'), timeout => 60);
is($client->greeting, 'hello', 'a session');
like($gatepost->ask('show info'), qr/^Version: (?:[2-9]|\d\d+)\./m, 'a version that knows of drain');
for my $server (qw(a b)) {
	is($gatepost->ask("get weight pair/$server; disable server pair/$server"), "4 (initial 4)\n\n", 'disabled');
	wait_for(sub { status($server) =~ /MAINT/ }, 60, "$server in MAINT");
	is($gatepost->ask("get weight pair/$server; enable server pair/$server"), "4 (initial 4)\n\n", 'enabled');
	wait_for(sub { status($server) =~ /^UP/ }, 60, "$server to be UP");
	is($gatepost->ask("set server pair/$server state drain"), '', 'drained');
	wait_for(sub { status($server) =~ /DRAIN/ }, 60, "$server in DRAIN");
	is($gatepost->ask("set server pair/$server state ready"), '', 'ready');
}
$client->close;
is($gatepost->ask('set maxconn frontend pair 7; set maxconn global 70'), "\n", 'bounds');
like($gatepost->ask('show info'), qr/^Maxconn: 70$/m, 'as they are told');
like($gatepost->ask('show stat'), qr/^pair,FRONTEND,(?:[^,]*,){4}7,/m, 'and the listener\'s');
is($gatepost->ask('disable frontend pair'), '', 'the listener is closed');
is(status('FRONTEND'), 'STOP', 'as it is told');
is($gatepost->ask('enable frontend pair'), '', 'and open');

# hatop
my $terminal = IO::Pty->new;
$terminal->set_winsize(40, 160);
my $screen = '';
my $pid = fork // die "fork: $!";
if ($pid == 0) {
	$terminal->make_slave_controlling_terminal;
	my $slave = $terminal->slave;
	$slave->set_winsize(40, 160);
	open STDIN, '<&', $slave or die;
	open STDOUT, '>&', $slave or die;
	open STDERR, '>&', $slave or die;
	@ENV{qw(TERM HOME)} = ('xterm', test_dir());
	exec 'hatop', '-s', $socket, '-i', '1' or die "hatop: $!";
}
$terminal->close_slave;

# What hatop paints must be read, or else it stops.
sub look () {
	while (IO::Select->new($terminal)->can_read(0)) {
		sysread $terminal, $screen, 65536, length $screen or last;
	}
	return $screen;
}
sub await_screen ($pattern, $what) {
	return ok(eval { wait_for(sub { look() =~ $pattern }, 60, $what); 1 }, $what) || diag($screen);
}
my %key = (down => "\eOB", f4 => "\eOS", f7 => "\e[18~", f9 => "\e[20~", f10 => "\e[21~");
sub press ($name) { return syswrite $terminal, $key{$name} // $name }
sub becomes ($check, $what) {
	return ok(eval { wait_for(sub { look(); $check->() }, 60, $what); 1 }, "hatop: $what") || diag($screen);
}


# What it paints behind all keys before, and their commands: they are done when it shows what this one asks for.
sub paints ($key, $pattern) {
	my $from = length $screen;

	press($key);
	wait_for(sub { substr(look(), $from) =~ $pattern }, 60, "hatop to heed $key");
	return substr $screen, $from;
}

# The numbers of the row that it is at, which it paints when it comes back from its help; and "" at a title.
sub row () {
	paints('?', qr/Online Help/);
	my $painted = paints('1', qr/NAME/) . paints('?', qr/Online Help/);

	paints('1', qr/NAME/);
	return $painted =~ m{\[#(\d+/#\d+)\]} ? $1 : '';
}

await_screen(qr/pair/, 'hatop shows the pool');
my ($wanted) = map { my @fields = split /,/; "$fields[27]/#$fields[28]" }
    grep { /^pair,a,/ } split /\n/, $gatepost->ask('show stat');
my $row = '';
for (1 .. 12) {
	last if ($row = row()) eq $wanted;
	press('down');
}
is($row, $wanted, 'hatop finds the first server');
press('f10');
becomes(sub { status('a') eq 'MAINT' }, 'F10 disables');
press('f9');
becomes(sub { status('a') =~ /^UP/ }, 'F9 enables');
press('f7');
becomes(sub { $gatepost->ask('get weight pair/a') eq "5 (initial 4)\n" }, 'F7 gives it more weight');
press('f4');
becomes(sub { $gatepost->ask('get weight pair/a') eq "4 (initial 4)\n" }, 'F4 gives it that of the file');
press('q');
becomes(sub { waitpid($pid, WNOHANG) == $pid }, 'q ends it');
is($?, 0, 'well');
unlike($screen, qr/runtime error|Traceback/, 'without an error');

# the exporter
my $port = free_port();
my $exporter = Gatepost::Process->new(name => 'exporter', command => ['prometheus-haproxy-exporter',
    '--haproxy.timeout=60s', "--haproxy.scrape-uri=unix:$socket", "--web.listen-address=127.0.0.1:$port"])->start;
sub scraped () {
	my $http = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port) or return '';

	print {$http} "GET /metrics HTTP/1.0\r\n\r\n";
	local $/;
	return scalar <$http>;
}
wait_for(sub { scraped() =~ /^haproxy_up 1$/m }, 60, 'the exporter');
like(scraped(), qr/^haproxy_server_up\{backend="pair",server="a"\} 1$/m, 'a server is up');
is($gatepost->ask('disable server pair/a; set weight pair/b 9'), "\n", 'changes');
my $metrics = scraped();
like($metrics, qr/^haproxy_server_up\{backend="pair",server="a"\} 0$/m, 'it is not');
like($metrics, qr/^haproxy_server_weight\{backend="pair",server="b"\} 9$/m, 'another weight');
like($metrics, qr/^haproxy_backend_up\{backend="pair"\} 1$/m, 'the pool is up');
like($metrics, qr/^haproxy_exporter_csv_parse_failures_total 0$/m, 'no line that it does not understand');
done_testing;
