#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Started as root with `user`: every thread is that user, with no right but
# that to low ports, which a reload still can open.  A file that only root
# can read is an error, at the start and for -t, that names the file.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Cert qw(make_cert);
use Gatepost::Gatepost;
use Gatepost::Imap;
use Gatepost::Process qw(read_file run_command test_dir);
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

chmod 0600, $cert;
my ($status, $text) = run_command('check', [$ENV{GATEPOST}, '-t', '-c', $gatepost->{conf}]);
is($status >> 8, 1, '-t refuses what only root can read');
like($text, qr/\Q$gatepost->{conf}\E:\d+:\d+: \Q$cert\E: Permission denied/, 'and names the file, at its place');
($status, $text) = run_command('start', [$ENV{GATEPOST}, '-f', '-c', $gatepost->{conf}]);
is($status >> 8, 1, 'so does a start');
like($text, qr/\Q$cert\E: Permission denied/, 'with the same words');

chmod 0644, $cert;
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

$gatepost->configure($config . $listeners . "\nlistener b { protocol tcp; bind 127.0.0.1:\@B\@; pool t }");
ok($gatepost->reload, 'a reload opens another low port');
ok($gatepost->log_lines(qr/reloaded: listeners: 1 kept, b new; pools: 1 kept/), 'and says what it did');
ok(Gatepost::Imap->new(port => $low[1], greeting => 0), 'which serves');
$gatepost->stop;

($status, $text) = run_command('other', ['setpriv', '--reuid=65533', '--clear-groups', $ENV{GATEPOST}, '-f', '-c',
    $gatepost->{conf}]);
is($status >> 8, 1, 'another user cannot become it');
like($text, qr/only root can become the user nobody/, 'and is told so');
done_testing;
