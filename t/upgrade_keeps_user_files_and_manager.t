#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# The process that takes over is the service user with no more rights than the old one, listens at a low port that
# it was given, opens another one later, and has the limit of open files; the service manager hears which process
# serves; operators ask the new one, and the old one beside it.  A session that is under way stays where it is;
# killed, the old one leaves the new one alone.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Fake;
use Gatepost::Gatepost;
use Gatepost::Imap;
use Gatepost::Process qw(read_file test_dir wait_for);
use IO::Select;
use IO::Socket::UNIX;
use Socket qw(SOCK_DGRAM);
use Test::More;

plan skip_all => 'needs root' if $> != 0;

my $dir = test_dir();
chmod 0777, $dir;
my $manager = IO::Socket::UNIX->new(Local => "$dir/notify", Type => SOCK_DGRAM) // die "notify: $!";
chmod 0777, "$dir/notify";

# Ports below 1024 that nobody has here.
my @low = grep { !defined Gatepost::Imap->new(port => $_, greeting => 0) } 700 .. 1000;
my $server = Gatepost::Fake->new(name => 'server', script => [[send => "hello\r\n"], ['hold']])->start;
my $config = <<'END';
user nobody
shutdown_timeout 60s
pool t { protocol tcp; server s { address 127.0.0.1:@SERVER@ } }
listener t { protocol tcp; bind 127.0.0.1:@A@ unix:@DIR@/t.sock; pool t }
END
# after a change of user the leak checker may not look at its own process
my $gatepost = Gatepost::Gatepost->new(config => $config, limits => { nofile => 3000 },
    env => { ASAN_OPTIONS => 'detect_leaks=0', NOTIFY_SOCKET => "$dir/notify" },
    values => { A => $low[0], B => $low[1], SERVER => $server->port })->start;

# What the manager hears next.
sub hears () {
	my $text = '';
	IO::Select->new($manager)->can_read(10) and sysread $manager, $text, 4096;
	return $text;
}

# Of a process: who it is, what it may, how many files; not what it does.
sub rights ($pid) {
	return join '', read_file("/proc/$pid/status") =~ /^((?:Uid|Gid|Groups|Cap\w+|NoNewPrivs):.*\n)/mg,
	    read_file("/proc/$pid/limits") =~ /^(Max open files.*\n)/m;
}

like(hears(), qr/^READY=1\n/, 'the first process is ready');
my $before = rights($gatepost->pid);
my $session = Gatepost::Imap->new(port => $low[0]);
is($session->greeting, 'hello', 'a session');
my $pid = $gatepost->pid;
my $old = $gatepost->upgrade;
ok($old, 'an upgrade');
# two processes tell, in any order
my $heard = join "\n", hears(), hears();
like($heard, qr/^MAINPID=${\$gatepost->pid}$/m, 'the manager hears which process serves now');
like($heard, qr/^READY=1$/m, 'and from that process that it is ready');
is(rights($gatepost->pid), $before, 'its rights are those of the old one');

my $client = Gatepost::Imap->new(port => $low[0]);
is($client->greeting, 'hello', 'the low port serves');
$client->close;
is(Gatepost::Imap->new(path => "$dir/t.sock")->greeting, 'hello', 'so does the unix socket');
$gatepost->configure($config . 'listener u { protocol tcp; bind 127.0.0.1:@B@; pool t }');
ok($gatepost->reload, 'a reload opens another low port');
is(Gatepost::Imap->new(port => $low[1])->greeting, 'hello', 'which serves');

sub peer_of ($path) {
	my $socket = IO::Socket::UNIX->new(Peer => $path) // return "$path: $!";
	return (unpack 'iii', getsockopt $socket, 1, 17)[0];
}

is(peer_of("$dir/gatepost.sock.$pid"), $pid, 'operators reach the old process at a socket of its own');
like(Gatepost::Gatepost::ask({ %$gatepost, name => "gatepost" }, 'show version'), qr/^\d/, 'and the new one');
wait_for(sub { $gatepost->log_lines(qr/draining: \d+ sessions? may stay/) }, 20, 'the end of the trial');
ok(!$session->is_closed(0), 'the session lives on');
is(peer_of("$dir/gatepost.sock.$pid"), $pid, 'the old process can still be asked');
kill 'KILL', $pid;
ok($session->is_closed(10), 'killed, it takes its session with it');
is(Gatepost::Imap->new(port => $low[0])->greeting, 'hello', 'and the new one serves');

# It is as good as the first one.
my $second = $gatepost->upgrade;
ok($second, 'another upgrade');
is(rights($gatepost->pid), $before, 'the rights are the same');
$second->signal('TERM');
is($second->wait_for_end, 0, 'a process that was replaced ends when it is told to');
is(Gatepost::Imap->new(port => $low[1])->greeting, 'hello', 'the third one serves');
$gatepost->stop;
ok(!-e "$dir/t.sock", 'and removes the unix socket');
$server->kill_now;
done_testing;
