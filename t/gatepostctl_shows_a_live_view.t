#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# gatepostctl top: one frame where there is no terminal; on one a view that follows, sorts, fits another size,
# tells when gatepost is gone, and leaves the terminal as it was.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::FakeCockpit qw(ctl ctl_apart ctl_program info_json on_terminal stat_json);
use Gatepost::Process qw(test_dir write_file);
use JSON::PP qw(decode_json);
use Test::More;

my $dir = test_dir();
my $stat = "$dir/stat";

sub set_stat ($sessions) {
	write_file("$stat.new", stat_json(
	    { pxname => 'in', svname => 'FRONTEND', status => 'OPEN', scur => $sessions, rate => 3 },
	    { pxname => 'imap', svname => 'b1', status => 'UP', scur => 5, smax => 9, rate => 1, weight => 1,
	      bin => $sessions * 1_000_000 },
	    { pxname => 'imap', svname => 'b2', status => 'UP', scur => $sessions, rate => 2, weight => 1 },
	    { pxname => 'imap', svname => 'b3', status => 'DOWN', scur => 0, rate => 0, weight => 1,
	      check_status => 'L4CON', last_chk => 'Connection refused' },
	    { pxname => 'imap', svname => 'BACKEND', status => 'UP', scur => 12, rate => 3 }));
	rename "$stat.new", $stat or die "$stat: $!";
	return;
}

set_stat(7);
my $fake = Gatepost::FakeCockpit->new(answers => { 'show stat json' => \$stat, 'show info json' => info_json(
	Name => 'gatepost', Version => '0.1.0', node => 'lb1', Uptime => '0d 0h01m08s', CurrConns => 12, Maxconn => 1000,
	CurrSslConns => 4, ConnRate => 3, MaxConnRate => 8, CumConns => 99) })->start;

my ($status, $text) = ctl($fake->path, 'top');
is($status, 0, 'without a terminal');
like($text, qr/^gatepost 0\.1\.0 on lb1, up 0d 0h01m08s/, 'one frame');
like($text, qr/^sessions 12 of 1000, TLS 4, new 3/m, 'sessions');
like($text, qr/^servers: 2 up, 1 down/m, 'servers');
like($text, qr/^  b3 +DOWN .* L4CON +Connection refused /m, 'checks');
like($text, qr/listener in.*pool imap.*b1.*b2.*b3/s, 'listeners and pools, and their servers below');
unlike($text, qr/\e/, 'nothing for a terminal');
($status, $text) = ctl_apart($fake->path, 'top', '--json');
is_deeply([sort keys %{ decode_json($text) }], [qw(info stat)], 'the figures as JSON');

# Reads until the pattern has come, behind what was read before.
sub read_until ($pty, $text, $pattern) {
	my $from = length $$text;

	local $SIG{ALRM} = sub { die "in vain for $pattern: $$text" };
	alarm 30;
	while (substr($$text, $from) !~ $pattern) {
		sysread $pty, $$text, 65536, length $$text or die "ended: $$text";
	}
	alarm 0;
	return;
}

my @command = (ctl_program(), '-s', $fake->path, 'top');
($text, $status) = on_terminal(\@command, columns => 120, talk => sub ($pty, $pid) {
	my $seen = '';

	read_until($pty, \$seen, qr/b3/);
	syswrite $pty, 's';
	read_until($pty, \$seen, qr/sort: sessions.*imap\/b2.*imap\/b1.*imap\/b3/s);
	syswrite $pty, 's' for 1 .. 3;
	read_until($pty, \$seen, qr/sort: trouble.*imap\/b3.*imap\/b/s);
	syswrite $pty, 's';
	set_stat(4321);
	read_until($pty, \$seen, qr/b1 .* \d+(?:\.\d)?[GM] .*b2 .*4\.3k/s);
	pass('it follows what gatepost tells, and shows what passes in a second');
	Gatepost::FakeCockpit::resize($pty, 30, 10);
	read_until($pty, \$seen, qr/up 0d …\e\[0m/);
	$fake->kill_now;
	read_until($pty, \$seen, qr/nobody listens/);
	syswrite $pty, 'q';
	return $seen;
});
is($status, 0, 'q ends it');
like($text, qr/^\e\[\?1049h\e\[\?25l.*\e\[\?25h\e\[\?1049l\z/s, 'the terminal is as it was');
like($text, qr/\e\[1;31mDOWN\e\[0m/, 'states have their colours');

$fake->start;
($text, $status) = on_terminal(\@command, talk => sub ($pty, $pid) {
	my $seen = '';

	read_until($pty, \$seen, qr/b3/);
	kill TERM => $pid;
	return $seen;
});
like($text, qr/\e\[\?25h\e\[\?1049l\z/, 'a signal leaves the terminal as it was, too');
($status, $text) = ctl("$dir/none", 'top');
is($status >> 8, 3, 'without a gatepost');
done_testing;
