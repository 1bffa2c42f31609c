#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# A reload that fails late, when its files are opened or its ports bound, has
# no effect at all: its new ports are closed again, its logs are not used.  An
# empty file drops nothing.
# Ports, memory and descriptors stay the same over many reloads.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Cert qw(make_cert);
use Gatepost::Gatepost;
use Gatepost::Imap;
use Gatepost::Port qw(free_port);
use Gatepost::Process qw(test_dir wait_for write_file);
use IO::Socket::INET;
use Test::More;

my $good = <<'END';
tls main { certificate @CERT@ }
pool t { protocol tcp; server s { address 127.0.0.1:@SERVER@ } }
listener t { protocol tcp; bind_tls 127.0.0.1:@PORT{t}@; tls main; pool t }
END
my $new = <<'END';
listener new { protocol tcp; bind 127.0.0.1:@NEW@ unix:@DIR@/new.sock; pool t }
END
my $port = free_port();
my $gatepost = Gatepost::Gatepost->new(config => $good, values => { CERT => make_cert(), SERVER => free_port(),
    NEW => $port, TAKEN => free_port() },
    # a sanitizer keeps freed memory: little enough to see what grows
    env => { ASAN_OPTIONS => join ':', $ENV{ASAN_OPTIONS} // (), 'quarantine_size_mb=1' })->start;
my $dir = test_dir();

sub is_open ($port) { return defined Gatepost::Imap->new(port => $port, greeting => 0) }

sub fails ($config, $pattern, $what) {
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$gatepost->configure($config);
	ok(!$gatepost->reload, "$what: the reload fails");
	ok($gatepost->log_lines(qr/\Q$gatepost->{conf}\E:\d+:\d+: $pattern/), "$what: with the place and the reason");
	ok(!is_open($port), "$what: its new port is closed");
	ok(!-e "$dir/new.sock", "$what: its unix socket is gone");
	ok(is_open($gatepost->port('t')), "$what: the old one serves");
}

my $taken = IO::Socket::INET->new(Listen => 1, ReuseAddr => 1, LocalAddr => '127.0.0.1',
    LocalPort => $gatepost->{values}{TAKEN}) or die "listen: $!";
fails("${good}${new}tls other { certificate /nonexistent.pem }", qr{/nonexistent\.pem: No such file},
    'a certificate that is missing');
fails("${good}${new}listener x { protocol tcp; bind 127.0.0.1:\@TAKEN\@; pool t }",
    qr{cannot listen at .*: Address already in use}, 'a port that is taken');
fails("log { target $dir/other.log }\n${good}${new}log access { target /nonexistent/access }",
    qr{/nonexistent/access: No such file}, 'a log that cannot be opened');
ok(!-s "$dir/other.log", 'and nothing was written to the other one');

write_file($gatepost->{conf}, '');
ok(!$gatepost->reload, 'an empty file: the reload fails');
ok($gatepost->log_lines(qr/\Q$gatepost->{conf}\E: there is no listener/), 'an empty file: with the reason');
ok(is_open($gatepost->port('t')), 'an empty file: the listener serves');

$gatepost->configure($good . $new);
ok($gatepost->reload, 'without the error it is taken');
ok(is_open($port), 'and the new port is open');
ok(-S "$dir/new.sock", 'the unix socket too');
$gatepost->configure("threads 5\n$good");
ok($gatepost->reload, 'back again');
ok($gatepost->log_lines(qr/threads has changed: that needs a restart/), 'what needs a restart is told');
ok(!-e "$dir/new.sock", 'the unix socket is removed');

$gatepost->configure($good);
$gatepost->reload for 1 .. 20;
my ($descriptors, $memory) = ($gatepost->fd_count, $gatepost->memory('Rss'));
$gatepost->reload for 1 .. 100;
ok(wait_for(sub { $gatepost->fd_count <= $descriptors }, 10, 'descriptors to come back'),
    'a hundred reloads keep no descriptor');
cmp_ok($gatepost->memory('Rss') - $memory, '<', 2_000, 'and no memory (KiB)');

$gatepost->stop;
done_testing;
