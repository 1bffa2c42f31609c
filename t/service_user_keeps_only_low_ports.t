#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Started as root with `user`: every thread is that user, with no right but
# that to low ports, which a reload still can open.  A file that only root
# can read is an error, at the start and for -t, that names the file: a
# certificate, the configuration itself, and what it includes.  So is a folder
# that it cannot write to, where a file is to be made.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Cert qw(make_cert);
use Gatepost::Gatepost;
use Gatepost::Imap;
use Gatepost::Process qw(read_file run_command test_dir write_file);
use Test::More;

plan skip_all => 'needs root' if $> != 0;

my ($uid, $gid) = (getpwnam 'nobody')[2, 3];
my $dir = test_dir();
chmod 0777, $dir;

# Ports below 1024 that nobody has here.
my @low = grep { !defined Gatepost::Imap->new(port => $_, greeting => 0) } 700 .. 1000;
my $cert = make_cert();
my $listeners = 'listener a { protocol tcp; bind 127.0.0.1:@A@; pool t }';
my $config = <<'END';
user nobody
tls main { certificate @CERT@ }
pool t { protocol tcp; server s { address 127.0.0.1:9 } }
END
# after a change of user the leak checker may not look at its own process
my $gatepost = Gatepost::Gatepost->new(config => $config . $listeners, env => { ASAN_OPTIONS => 'detect_leaks=0' },
    values => { CERT => $cert, A => $low[0], B => $low[1] });

my ($status, $text);

# -t and a start refuse a file, or a folder, that only root can read.
sub are_refused ($path, $pattern, $what) {
	my $mode = (stat $path)[2] & 0777;
	my %run = (check => '-t', start => '-f');

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	chmod $mode & 0700, $path;
	for my $name (sort keys %run) {
		unlink test_dir() . "/$name.log";
		($status, $text) = run_command($name, [$ENV{GATEPOST}, $run{$name}, '-c', $gatepost->{conf}]);
		is($status >> 8, 1, "$what: $name refuses it");
		like($text, $pattern, "$what: $name names the file, at its place");
	}
	chmod $mode, $path;
	return;
}

my $conf = $gatepost->{conf};
my $included = write_file("$dir/included.conf", "# nothing\n");
mkdir "$dir/conf.d";
write_file("$dir/conf.d/a.conf", "# nothing\n");
are_refused($cert, qr/^\Q$conf\E:\d+:\d+: \Q$cert\E: Permission denied$/m, 'a certificate');
are_refused($conf, qr/^cannot open \Q$conf\E: Permission denied$/m, 'the configuration');
like($text, qr/^\Q$conf\E:\d+:6: the user nobody must be able to read the configuration/m,
    'and why it matters');
$gatepost->configure("include included.conf\ninclude conf.d/*.conf\n" . $config . $listeners);
are_refused($included, qr/^\Q$conf\E:\d+:9: include: cannot open \Q$included\E: Permission denied$/m,
    'what it includes');
are_refused("$dir/conf.d",
    qr{^\Q$conf\E:\d+:9: include: cannot look up \Q$dir\E/conf\.d/\*\.conf: Permission denied$}m,
    'a folder of what it includes');

# As in a container whose root has no such right to pass on, or built without libcap-ng.
SKIP: {
	skip 'all ports are free to everybody here', 4
	    if read_file('/proc/sys/net/ipv4/ip_unprivileged_port_start') <= $low[0];
	for my $option ('-t', '-f') {
		($status, $text) = run_command("capless$option", ['setpriv', '--bounding-set=-net_bind_service',
		    $ENV{GATEPOST}, $option, '-c', $conf]);
		is($status >> 8, 1, "$option refuses a low port without the capability");
		like($text, qr/^\Q$conf\E:\d+:\d+: cannot listen at .*; .*ports below 1024/m, "$option tells why");
	}
}

# What the user may not make is told with what it may not read.
mkdir "$dir/closed", 0755;
$gatepost->configure("pid_file \@DIR\@/closed/pid\n" .
    "tls other { certificate \@DIR\@/missing.pem }\n" . $config .
    "listener a { protocol tcp; bind 127.0.0.1:\@A\@ unix:\@DIR\@/closed/socket; pool t }");
for my $option ('-t', '-f') {
	($status, $text) = run_command("closed$option", [$ENV{GATEPOST}, $option, '-c', $conf]);
	is($status >> 8, 1, "$option refuses folders that the user cannot write to");
	like($text, qr{^\Q$conf\E:\d+:10: \Q$dir\E/closed/pid: Permission denied$}m, "$option names the pid file");
	like($text, qr{: cannot listen at unix:\Q$dir\E/closed/socket: Permission denied$}m,
	    "$option names the socket");
	like($text, qr{^\Q$conf\E:\d+:25: \Q$dir\E/missing\.pem: No such file}m, "$option names the certificate");
}
$gatepost->configure("include included.conf\ninclude conf.d/*.conf\n" . $config . $listeners);

$gatepost->start;
ok(Gatepost::Imap->new(port => $low[0], greeting => 0), 'a low port is open');
for my $task (glob '/proc/' . $gatepost->pid . '/task/*') {
	my $is = read_file("$task/status");
	my ($name) = $is =~ /^Name:\s+(.*)/m;

	like($is, qr/^Uid:\s+$uid\s+$uid\s+$uid\s+$uid$/m, "$name: the user");
	like($is, qr/^Gid:\s+$gid\s+$gid\s+$gid\s+$gid$/m, "$name: its group");
	like($is, qr/^Groups:\s*(?:$gid)?\s*$/m, "$name: and no other groups");
	like($is, qr/^Cap$_:\s+0*400$/m, "$name: $_: low ports only") for qw(Prm Eff);
	like($is, qr/^CapAmb:\s+0+$/m, "$name: nothing that programs would inherit");
	like($is, qr/^NoNewPrivs:\s+1$/m, "$name: nothing to be gained");
}

$gatepost->configure("include included.conf\n" . $config . $listeners .
    "\nlistener b { protocol tcp; bind 127.0.0.1:\@B\@; pool t }");
ok($gatepost->reload, 'a reload opens another low port');
ok($gatepost->log_lines(qr/reloaded: listeners: 1 kept, b new; pools: 1 kept/), 'and says what it did');
ok(Gatepost::Imap->new(port => $low[1], greeting => 0), 'which serves');
$gatepost->stop;

($status, $text) = run_command('other', ['setpriv', '--reuid=65533', '--clear-groups', $ENV{GATEPOST}, '-f', '-c',
    $gatepost->{conf}]);
is($status >> 8, 1, 'another user cannot become it');
like($text, qr/only root can become the user nobody/, 'and is told so');
done_testing;
