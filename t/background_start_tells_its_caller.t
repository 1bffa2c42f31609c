#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Without -f gatepost goes into the background: its caller gets status 0 when
# it serves, or the errors and status 1.  The service manager is told all states.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Imap;
use Gatepost::Port qw(free_port);
use Gatepost::Process qw(read_file run_command test_dir wait_for write_file);
use IO::Socket::UNIX;
use Socket qw(SOCK_DGRAM);
use Test::More;

my $dir = test_dir();
my $port = free_port();
my $config = <<"END";
pid_file $dir/pid
threads 1
log { target ./log }
pool t { protocol tcp; server s { address 127.0.0.1:9 } }
listener t { protocol tcp; bind 127.0.0.1:$port; pool t }
END
write_file("$dir/gatepost.conf", $config);

my $manager = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Local => "$dir/notify") or die "notify: $!";
sub told () {
	$manager->recv(my $text, 1000);
	return $text;
}

# With a relative name: the background process goes on finding it.
chdir $dir or die "$dir: $!";
my ($status, $text) = run_command('start', [$ENV{GATEPOST}, '-c', 'gatepost.conf'], env => { NOTIFY_SOCKET => "$dir/notify" });
is($status, 0, 'the caller gets status 0');
is($text, '', 'and no words');
my ($pid) = read_file("$dir/pid") =~ /^(\d+)$/;
ok($pid, 'there is a pid file by then');
ok(Gatepost::Imap->new(port => $port, greeting => 0), 'and it serves');
is(told(), "READY=1\nSTATUS=1 thread, 1 listener", 'the manager is told that it is ready');
is(readlink "/proc/$pid/cwd", '/', 'it holds no folder');
is(readlink "/proc/$pid/fd/$_", '/dev/null', "nor descriptor $_ of the terminal") for 0 .. 2;
my ($session) = read_file("/proc/$pid/stat") =~ /\) \S+ \d+ \d+ (\d+)/;
is($session, $pid, 'it has a session of its own');

($status, $text) = run_command('again', [$ENV{GATEPOST}, '-c', "$dir/gatepost.conf"]);
is($status >> 8, 1, 'a second start gets status 1');
like($text, qr/gatepost\.conf:\d+:\d+: cannot listen at 127\.0\.0\.1:$port: Address already in use/, 'and says why');

kill HUP => $pid;
like(told(), qr/^RELOADING=1\nMONOTONIC_USEC=\d+$/, 'a reload begins');
like(told(), qr/^READY=1\n/, 'and ends');
kill TERM => $pid;
like(told(), qr/^STOPPING=1\n/, 'it stops');
wait_for(sub { !-e "/proc/$pid" }, 10, 'its end');
ok(!-e "$dir/pid", 'the pid file is gone');
like(read_file("$dir/log"), qr/started: 1 thread, 1 listener\n.*reloaded.*stopped\n$/s, 'the log tells it all');

chdir '/';
done_testing;
