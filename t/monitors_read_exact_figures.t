#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Figures after so many logins are exactly so many, in each form: HAProxy's CSV, typed lines, JSON, Prometheus.
# The real programs read them: prometheus-haproxy-exporter from the socket, promtool the metrics.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Port qw(free_port);
use Gatepost::Process qw(read_file test_dir wait_for write_file);
use Gatepost::Setup qw(start_imap_farm tls_client);
use HTTP::Tiny;
use List::Util qw(sum);
use Test::More;

use constant { LOGINS => 12, OPEN => 5, WRONG => 3 };

my $pool = 'check { kind tcp; interval 1s; fast_interval 200ms; down_interval 200ms }';
my $farm = start_imap_farm(dovecots => 2, users => LOGINS, pool => $pool,
    listener => 'starttls optional; plaintext_login yes');
my $gatepost = $farm->{gatepost};

# As strict readers take it: each row has as many fields as the header.
sub parse_line ($line) {
	my @fields;

	push @fields, $1 // $2 while $line =~ /\G(?:"((?:[^"]|"")*)"|([^,"]*)),/gc;
	is(pos($line), length $line, 'a row ends behind a comma') if pos($line) != length $line;
	return @fields;
}

sub stat_rows ($command = 'show stat') {
	my ($head, @lines) = split /\n/, $gatepost->ask($command);
	my @names = parse_line($head =~ s/^# //r);
	my %rows;

	for my $line (grep { length } @lines) {
		my @fields = parse_line($line);
		@fields == @names or fail(@names . ' columns, but ' . @fields . ": $line");
		my %row;
		@row{@names} = @fields;
		$rows{"$row{pxname}/$row{svname}"} = \%row;
	}
	return \%rows;
}

sub figures_are ($row, $wanted, $what) {
	return is_deeply({ map { $_ => $row->{$_} } keys %$wanted }, $wanted, $what);
}

my $rows = stat_rows();
is_deeply([sort keys %$rows], ['imap/BACKEND', 'imap/FRONTEND', 'imap/d1', 'imap/d2'], 'a row for each');
# the start has looked whether somebody listens
wait_for(sub {
	my $front = stat_rows()->{'imap/FRONTEND'};
	return $front->{stot} >= keys %{ $gatepost->{ports} } && $front->{scur} == 0;
}, 10, 'that to be over');
$gatepost->ask('clear counters all');
is(stat_rows()->{'imap/FRONTEND'}{stot}, 0, 'nothing has happened yet');

my @clients;
for my $n (1 .. LOGINS) {
	my $client = $n % 2 ? tls_client($gatepost) : Gatepost::Imap->new(port => $gatepost->port('imap'));

	$client->login("user$n", "pass-$n");
	$client->append('INBOX', "Subject: x\r\n\r\n" . 'x' x 10_000);
	push @clients, $client;
	(shift @clients)->close if @clients > OPEN;
}
for my $n (1 .. WRONG) {
	my $client = Gatepost::Imap->new(port => $gatepost->port('imap'));

	eval { $client->login("user$n", 'wrong') };
	$client->close;
}
wait_for(sub { stat_rows()->{'imap/FRONTEND'}{scur} == OPEN }, 10, 'the others are gone');

$rows = stat_rows();
my ($front, $back, @servers) = map { $rows->{"imap/$_"} } qw(FRONTEND BACKEND d1 d2);
figures_are($front, { stot => LOGINS + WRONG, conn_tot => LOGINS + WRONG, scur => OPEN, status => 'OPEN',
    mode => 'tcp', protocol => 'imap', type => 0, iid => 1, sid => 0, logins => LOGINS,
    failed_logins => WRONG, ssl_sess => LOGINS / 2, ssl_failed_handshake => 0, accepted => LOGINS + WRONG },
    'of the listener');
cmp_ok($front->{smax}, '>=', OPEN + 1, 'the most at a time');
cmp_ok($front->{smax}, '<=', OPEN + 2, 'and no more');
figures_are($back, { stot => LOGINS, scur => OPEN, status => 'UP', type => 1, iid => 2, act => 2, bck => 0,
    weight => 2, econ => 0, eresp => 0, refused => WRONG, lbtot => LOGINS + WRONG, chkdown => 0,
    qcur => 0, wretr => 0, wredis => 0, srv_abrt => 0 }, 'of the pool');
is($back->{$_}, $servers[0]{$_} + $servers[1]{$_}, "$_ of the pool is that of its servers")
    for qw(stot scur bin bout lbtot tries bytes_up refused);
is($servers[0]{status}, 'UP', 'a server that is checked');
like($servers[0]{check_status}, qr/^(?:\* )?L4OK$/, 'and how');
cmp_ok($back->{bin}, '>', LOGINS * 10_000, 'octets to the servers are counted while sessions last');
is($back->{bin}, $front->{bin}, 'at both ends');
cmp_ok($back->{lastsess}, '<=', 60, 'when the last one came');

# The other forms tell the same.
my ($typed) = $gatepost->ask('show stat imap 4 1 typed') =~ /^S\.2\.1\.7\.stot\.1:MCP:u64:(\d+)$/m;
is($typed, $servers[0]{stot}, 'typed');

sub values_of ($fields) {
	return map { ($_->{field}{name} => $_->{value}{value}) } @$fields;
}

my ($json) = grep { $_->{svname} eq 'BACKEND' } map { { values_of($_) } } @{ $gatepost->ask_json('show stat') };
is($json->{stot}, LOGINS, 'JSON');
is($gatepost->ask('show stat nonsense 7 -1'), "No such proxy.\n", 'a name that there is not');
like($gatepost->ask('show stat imap 2 -1 up'), qr/^imap,BACKEND,.*,UP \(2\/2\),/m, 'how many are up');

sub metric ($text, $name) {
	my ($value) = $text =~ /^\Q$name\E (\S+)$/m;
	return $value;
}

my $metrics = $gatepost->ask('show metrics');
write_file(test_dir() . '/metrics', $metrics);
is(system('promtool check metrics < ' . test_dir() . '/metrics'), 0, 'promtool has nothing to say');
is(metric($metrics, 'haproxy_frontend_sessions_total{proxy="imap"}'), LOGINS + WRONG, 'of HAProxy\'s names');
is(metric($metrics, 'haproxy_server_status{proxy="imap",server="d1",state="UP"}'), 1, 'states');
is(metric($metrics, 'haproxy_server_sessions_total{proxy="imap",server="d2"}'), $servers[1]{stot}, 'a server');
is(metric($metrics, 'gatepost_listener_logins_total{proxy="imap"}'), LOGINS, 'of our own');
is(metric($metrics, 'gatepost_listener_tls_handshake_seconds_count{proxy="imap"}'), LOGINS / 2, 'handshakes');
is(metric($metrics, 'gatepost_listener_ends_total{proxy="imap",reason="done"}'), LOGINS - OPEN, 'ends')
    or diag(grep { /ends_total.* [1-9]/ } split /^/m, $metrics);
is(sum(map { metric($metrics, "gatepost_server_login_time_seconds_count{proxy=\"imap\",server=\"$_\"}") }
    qw(d1 d2)), LOGINS, 'times of logins');

# A reload keeps what was counted, and what is no more is forgotten, but by its pool.
$gatepost->reload;
is(stat_rows()->{'imap/BACKEND'}{stot}, LOGINS, 'counters outlive a reload');
$gatepost->{config} =~ s/^\s*server d2 \{.*?\}\n//ms or die;
$gatepost->configure($gatepost->{config});
$gatepost->reload;
wait_for(sub { !grep { /d2/ } keys %{ stat_rows() } }, 10, 'the server has left');
wait_for(sub { stat_rows()->{'imap/BACKEND'}{stot} == LOGINS }, 10, 'its sessions count on');
is(stat_rows()->{'imap/BACKEND'}{stot}, LOGINS, 'the pool has lost none of its sessions');

# A second later the sampler has seen it.
my $history;
wait_for(sub { @{ $history = $gatepost->ask_json('show history imap/d1') } >= 2 }, 10, 'some history');
is($history->[-1]{sessions}, stat_rows()->{'imap/d1'}{scur}, 'its last second');

# The exporter of HAProxy's makers, on our socket.
my $port = free_port();
my $exporter = Gatepost::Process->new(name => 'exporter', command => ['prometheus-haproxy-exporter',
    '--haproxy.scrape-uri=unix:' . test_dir() . '/gatepost.sock',
    "--web.listen-address=127.0.0.1:$port"])->start;
my $exported = '';
wait_for(sub {
	$exported = HTTP::Tiny->new->get("http://127.0.0.1:$port/metrics")->{content};
	return $exported =~ /^haproxy_up/m;
}, 20, 'the exporter answers');
is(metric($exported, 'haproxy_up'), 1, 'the exporter understands');
is(metric($exported, 'haproxy_frontend_sessions_total{frontend="imap"}'), LOGINS + WRONG, 'and tells the same');
is(metric($exported, 'haproxy_backend_up{backend="imap"}'), 1, 'states too');
is(metric($exported, 'haproxy_exporter_csv_parse_failures_total'), 0, 'it could read all of it');
$exporter->kill_now;

$_->close for @clients;
$farm->{dovecots}[0]->stop;
wait_for(sub { stat_rows()->{'imap/d1'}{status} eq 'DOWN' }, 20, 'a server goes down');
my $down = stat_rows();
figures_are($down->{'imap/d1'}, { chkdown => 1, health => 'down', admin_state => 'ready', check_status =>
    $down->{'imap/d1'}{check_status} }, 'what is told of a server that is down');
like($down->{'imap/d1'}{health_reason}, qr/L4CON: connection refused/, 'and why');
wait_for(sub { stat_rows()->{'imap/BACKEND'}{chkdown} == 1 }, 10, 'the pool is down');
is(stat_rows()->{'imap/BACKEND'}{status}, 'DOWN', 'and says so');

is($gatepost->ask('clear counters'), '', 'maxima begin anew');
figures_are(stat_rows()->{'imap/FRONTEND'}, { smax => 0, stot => LOGINS + WRONG }, 'counters do not');
is($gatepost->ask('operator; clear counters all'), "\nPermission denied\n", 'not by everybody');
is($gatepost->ask('clear counters all'), '', 'all begins anew');
figures_are(stat_rows()->{'imap/FRONTEND'}, { stot => 0, bin => 0, logins => 0 }, 'at 0');
figures_are(stat_rows()->{'imap/BACKEND'}, { stot => 0, chkdown => 0 }, 'and the pool');
ok($gatepost->wait_for_log(qr/notice: .*all counters are cleared/), 'and the log tells who did it');

my %info = map { split /: /, $_, 2 } grep { /: / } split /\n/, $gatepost->ask('show info');
is($info{Name}, 'gatepost', 'the process');
like($info{Version}, qr/^2\.6\.99-gatepost-\d/, 'a version that tools take');
is($info{Pid}, $gatepost->pid, 'its number');
is(scalar(grep { tr/:// != 1 } grep { !/^Uptime: / && length } split /\n/, $gatepost->ask('show info')), 0,
    'one colon a line');
my %info_json = values_of($gatepost->ask_json('show info'));
is($info_json{Nbthread}, 2, 'as JSON');
done_testing;
