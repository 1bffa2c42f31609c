#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# What operators say of servers outlives reloads, and with `state_file` restarts, too: those that are asked
# for, and kill -9 at any moment, a hundred times: the file is whole each time.  Where the configuration has
# changed it wins, which is told.  A file that is none is told of and kept, and stops nobody.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Gatepost;
use Gatepost::Process qw(test_dir read_file write_file wait_for);
use IO::Socket::UNIX;
use Test::More;
use Time::HiRes qw(sleep);

use constant ROUNDS => 100;

my $path = test_dir() . '/state';

sub config (%server) {
	return "state_file $path\nfarm f {\n"
	    . join('', map { "server $_ { address 127.0.0.1; " . ($server{$_} // '') . " }\n" } qw(d1 d2 d3))
	    . "}\npool imap { farm f; port 1 }\npool own { protocol imap; server d1 { address 127.0.0.1:1 } }\n"
	    . "listener imap { bind 127.0.0.1:\@PORT{imap}\@; starttls off; plaintext_login yes; pool imap }\n";
}

my $gatepost = Gatepost::Gatepost->new(config => config())->start;

sub states () {
	return { map { ("$_->{subject} $_->{what}" => "$_->{in_file}>$_->{now}") }
	    grep { $_->{kind} ne 'overruled' } @{ $gatepost->ask_json('show changes') } };
}

sub restart () {
	$gatepost->stop;
	unlink $gatepost->{log};
	$gatepost->start;
	return;
}

# Reloads and restarts.
is($gatepost->ask('drain f/d1 reason "disk swap"; maintenance imap/d2; maintenance own/d1'), "\n\n", 'set');
my $set = { 'f/d1 state' => 'ready>drain', 'imap/d2 state' => 'ready>maintenance', 'own/d1 state' => 'ready>maintenance' };
is_deeply(states(), $set, 'as they are');
ok($gatepost->reload, 'reload');
is_deeply(states(), $set, 'as they were before');
my ($before) = grep { $_->{subject} eq 'f/d1' } @{ $gatepost->ask_json('show changes') };
restart();
is_deeply(states(), $set, 'behind a restart');
my ($after) = grep { $_->{subject} eq 'f/d1' } @{ $gatepost->ask_json('show changes') };
is_deeply($after, $before, 'with when, by whom and why');
like($after->{why}, qr/disk swap/, 'which was said');

# The configuration wins: at a reload, and at a restart.
$gatepost->configure(config(d1 => 'state maintenance'));
ok($gatepost->reload, 'another state in the file');
$gatepost->wait_for_log(qr/warning: farm f\/d1: the state of the configuration has changed: maintenance holds, and no more drain \(drain by .*disk swap\)/);
my ($lost) = grep { $_->{kind} eq 'overruled' } @{ $gatepost->ask_json('show changes') };
is_deeply([@$lost{qw(subject now)}], ['f/d1', 'maintenance'], 'is told');
is($gatepost->ask('ready f/d1'), '', 'an operator says again');
is(states()->{'f/d1 state'}, 'maintenance>ready', 'and that holds');
$gatepost->configure(config(d1 => 'state drain'));
restart();
is(states()->{'f/d1 state'}, undef, 'the file has changed before a restart: it holds');
$gatepost->wait_for_log(qr/warning: farm f\/d1: .* drain holds, and no more ready/);
is(states()->{'imap/d2 state'}, 'ready>maintenance', 'the others are as they were');
$gatepost->configure(config());
ok($gatepost->reload, 'as at first');

# Files that are none.
for my $bad (["garbage\n", qr/it is no state file/], ["gatepost state 9\nend 0 0\n", qr/version 9/],
    [substr(read_file($path), 0, -9), qr/cut short|sum is wrong/]) {
	my ($text, $pattern) = @$bad;

	$gatepost->signal('KILL');
	$gatepost->wait_for_end;
	write_file($path, $text);
	unlink $gatepost->{log};
	$gatepost->start;
	$gatepost->wait_for_log(qr/error: state_file \Q$path\E: .*$pattern.*; it is kept as \Q$path\E\.bad$/);
	is(read_file("$path.bad"), $text, 'the file is kept');
	is_deeply(states(), {}, 'all is as the configuration says');
}
$gatepost->stop;
my $log = test_dir() . '/main.log';
write_file($path, "garbage\n");
$gatepost->configure("log { target $log }\n" . config());
$gatepost->start;
wait_for(sub { -e $log && read_file($log) =~ /error: state_file .*it is no state file/ }, 10, 'a log of its own to tell');
$gatepost->configure(config());
$gatepost->stop;
$gatepost->start;
is($gatepost->ask('drain f/d3'), '', 'a bad file is replaced');
wait_for(sub { read_file($path) =~ /^farm f d3 drain .*\nend 1 \w+\n\z/m }, 10, 'a good one');

# A place that cannot be written.
my $folder = test_dir() . '/none';
my $command = "$ENV{GATEPOST} -t -c $gatepost->{conf} 2>&1";
$gatepost->configure(config() =~ s/state_file \S+/state_file $folder\/state/r);
my $out = `$command`;
like($out, qr/its folder: No such file/, '-t tells of a folder that is not there');
ok(!$gatepost->reload, 'nor does a reload take it');
mkdir $folder;
ok($gatepost->reload, 'now it does');
wait_for(sub { -s "$folder/state" }, 10, 'the file at the other place');
like(read_file("$folder/state"), qr/^farm f d3 drain /m, 'has it all');
mkdir "$folder/state.new";
is($gatepost->ask('ready f/d3'), '', 'where no file can be made, commands work');
$gatepost->wait_for_log(qr/error: state_file .* cannot be written: .*directory/);
rmdir "$folder/state.new";
$gatepost->wait_for_log(qr/notice: state_file .* is written again/);
$gatepost->configure(config());
ok($gatepost->reload, 'back');

# kill -9 while it writes.
my ($wrong, @seen) = (0);
for my $round (1 .. ROUNDS) {
	my $socket = IO::Socket::UNIX->new(Peer => test_dir() . '/gatepost.sock') // die "socket: $!";
	my $commands = join ';', map { ("drain f/d1 reason $round.$_", "ready f/d1", "drain f/d2 reason $round.$_") } 1 .. 40;

	print {$socket} "$commands\n";
	sleep rand 0.02;
	$gatepost->signal('KILL');
	$gatepost->wait_for_end;
	unlink $gatepost->{log};
	$gatepost->start;
	$wrong++ if $gatepost->log_text =~ /state_file/;
	push @seen, map { "$_->{subject} $_->{why}" } @{ $gatepost->ask_json('show changes') };
}
is($wrong, 0, 'the file is whole, each time');
cmp_ok(scalar @seen, '>', 0, 'and has what was said');
is(scalar(grep { $_ !~ m{^(?:f/d[123]) drain by } } @seen), 0, 'and nothing else');

$gatepost->stop;
done_testing;
