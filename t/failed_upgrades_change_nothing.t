#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# What may be wrong with a program that is to take over: it is not there, it ends, it hangs, its configuration has
# an error, it dies soon after it has begun to serve.  Each time the old process goes on, with its sessions,
# sockets and files, and says why.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Fake;
use Gatepost::Gatepost;
use Gatepost::Imap;
use Gatepost::Process qw(read_file test_dir wait_for write_file);
use Test::More;

my $dir = test_dir();
my $program = "$dir/gatepost-installed";

# A shell script, or the good program.
sub install ($script = undef) {
	if (defined $script) {
		write_file("$program.new", "#!/bin/sh\n$script\n");
		chmod 0755, "$program.new";
	} else {
		symlink $ENV{GATEPOST}, "$program.new" or die "$program.new: $!";
	}
	rename "$program.new", $program or die "$program: $!";
	return;
}

install();
my $server = Gatepost::Fake->new(name => 'server', script => [[send => "hello\r\n"], ['hold']])->start;
my $good = <<'END';
pool t { protocol tcp; server s { address 127.0.0.1:@SERVER@ } }
listener t { protocol tcp; bind 127.0.0.1:@PORT{t}@ unix:@DIR@/t.sock; pool t }
admin { socket @DIR@/gatepost.sock { level admin } }
END
my $gatepost = Gatepost::Gatepost->new(config => $good, program => $program,
    values => { SERVER => $server->port })->start;
my $pid = $gatepost->pid;
my $session = Gatepost::Imap->new(port => $gatepost->port('t'));
my $descriptors;

# Nothing has changed but the log.
sub is_as_before ($what) {
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $client = Gatepost::Imap->new(port => $gatepost->port('t'));
	is($client->{greeting} =~ s/\s+\z//r, 'hello', "$what: a client is served");
	$client->close;
	ok(!$session->is_closed(0), "$what: the session lives");
	ok(-S "$dir/t.sock", "$what: the unix socket is there");
	like($gatepost->ask('show version'), qr/^\d/, "$what: operators are answered");
	is_deeply([glob "$dir/gatepost.sock.*"], [], "$what: at no other socket");
	is(read_file($gatepost->{pid_file}), "$pid\n", "$what: the pid file names the old process");
	state $ended = 0;
	$gatepost->wait_for_events('session', ++$ended);
	$descriptors //= $gatepost->fd_count;
	wait_for(sub { $gatepost->fd_count <= $descriptors }, 10,
	    "$what: $descriptors open descriptors again");
	return;
}

# No upgrade, and a line of the log that says why.
sub fails ($what, $why, $ask = 0) {
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	if ($ask) {
		like($gatepost->ask('upgrade', 30), $why, "$what: whoever asked hears why");
	} else {
		ok(!$gatepost->upgrade(30), "$what: no upgrade");
		ok($gatepost->log_lines($why), "$what: the log says why") or $gatepost->show_log;
	}
	is_as_before($what);
	return;
}

is_as_before('before all');
install('echo a library is missing >&2; exit 7');
fails('a program that ends', qr/upgrade failed, nothing changed: it ended with status 7/);
ok($gatepost->log_lines(qr/error: upgrade: a library is missing/), 'what it wrote is in the log');
fails('the same by a command', qr/^The upgrade failed, nothing changed: it ended with status 7\.$/, 1);
install('kill -SEGV $$');
fails('a program that crashes', qr/upgrade failed, nothing changed: it was killed by signal 11/);
unlink $program;
fails('no program', qr/upgrade failed, nothing changed: cannot run \Q$program\E: No such file/);

install();
$gatepost->configure($good =~ s/pool t \}$/pool u }/mr);
fails('a bad configuration', qr/upgrade failed, nothing changed: it ended with status 1/);
ok($gatepost->log_lines(qr/error: upgrade: .*gatepost\.conf:\d+:\d+: .*\bu\b/), 'its error is in the log');
# bound by nobody before, and then not bound any more
my $other = Gatepost::Fake->new(name => 'other', script => [['hold']])->start;
$gatepost->configure($good . 'listener o { protocol tcp; bind 127.0.0.1:' . $other->port . '; pool t }');
fails('a port that is taken', qr/error: upgrade: .*cannot listen at .*: Address already in use/);
$gatepost->configure($good);

install('exec sleep 60');
$gatepost->signal('USR2');
$gatepost->wait_for_log(qr/upgrade: process \d+ starts/, 10, 6);
like($gatepost->ask('upgrade'), qr/^The upgrade failed, nothing changed: an upgrade is under way already/,
    'an upgrade during an upgrade is refused');
ok(!$gatepost->reload, 'so is a reload');
$gatepost->wait_for_log(qr/upgrade failed, nothing changed: it was not ready within 10 s/, 20);
is_as_before('a program that hangs');
ok($gatepost->reload, 'a reload is possible again');

# It serves, then dies.
install();
my $old = $gatepost->upgrade;
ok($old, 'a good program takes over');
ok(-S "$dir/gatepost.sock.$pid", 'the old one can be asked at its own socket');
kill 'KILL', $gatepost->pid;
$gatepost->wait_for_log(qr/upgrade failed, process $pid serves again: it was killed by signal 9/);
$gatepost->{pid} = $pid;
wait_for(sub { read_file($gatepost->{pid_file}) == $pid && !-e "$dir/gatepost.sock.$pid" }, 10, 'the pid file');
is_as_before('a program that dies while it serves');

$session->close;
$gatepost->stop;
ok(!-e "$dir/t.sock" && !-e "$dir/gatepost.sock" && !-e $gatepost->{pid_file}, 'the files are removed at the end');
$server->kill_now;
$other->kill_now;
done_testing;
