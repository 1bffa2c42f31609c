#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# gatepostctl doctor beside a real gatepost: its limits, its configuration, certificates, names, Redis; and what
# a farm that is made up tells of servers and pools.  Kernels that are made up are those of
# t/unit/ctl/checks_machine_test.c.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Cert qw(make_cert);
use Gatepost::Fake qw(refusing_port);
use Gatepost::FakeCockpit qw(ctl ctl_apart info_json stat_json);
use Gatepost::Gatepost;
use Gatepost::Process qw(test_dir write_file);
use JSON::PP qw(decode_json encode_json);
use Test::More;

my $dir = test_dir();
my $redis = Gatepost::Fake->new(name => 'redis', script => [[expect => qr/PING\r\n/], [send => "-NOAUTH no\r\n"], ['hold']])
    ->start;
my $cert = make_cert(days => 90);
my $config = <<~'END';
	max_connections 500
	tls main { certificate @CERT@ }
	pool imap { port 1; server b1 { address 127.0.0.1 } server b2 { address localhost } }
	auth users { source redis; redis redis://user:secret@127.0.0.1:@REDIS@/1; key "user:$user" }
	listener imap { bind 127.0.0.1:@PORT{imap}@; tls main; pool imap; auth users }
	END
my %values = (CERT => $cert, REDIS => $redis->port);
my $gatepost = Gatepost::Gatepost->new(config => $config, values => \%values)->start;
my $conf = $gatepost->{conf};

# Findings of the checks, by their names: [grade, text, remedies].
sub examine ($socket, @words) {
	my ($status, $out, $err) = ctl_apart($socket, '-c', $conf, '--json', 'doctor');
	my %found;

	push @{ $found{ $_->{check} } }, [$_->{grade}, $_->{finding}, map { $_->{do} } @{ $_->{remedies} }]
	    for @{ decode_json($out) };
	return ($status >> 8, \%found);
}

sub finds ($found, $check, $grade, $text, $what) {
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	ok(scalar(grep { $_->[0] eq $grade && "@$_" =~ $text } @{ $found->{$check} }), $what)
	    or diag(explain($found->{$check}));
	return;
}

my ($status, $found) = examine("$dir/gatepost.sock");
finds($found, 'gatepost', 'ok', qr/runs, pid $gatepost->{pid}\b/, 'who runs');
finds($found, 'configuration', 'ok', qr/is good/, 'its configuration');
finds($found, 'open files', 'ok', qr/max_connections needs 1000/, 'its limit of open files');
finds($found, 'files in use', 'ok', qr/^ok [1-9]\d* of \d+ are/, 'those in use');
finds($found, 'certificates', 'ok', qr/expires in (?:89|90) days/, 'a good certificate');
finds($found, 'DNS', 'ok', qr/^ok servers with names: 1, which resolve/, 'a name that resolves');
finds($found, 'Redis', 'ok', qr/^ok 127\.0\.0\.1:\d+ answers/, 'Redis that answers, even if it asks who we are');
my $tells = $gatepost->ask('help show stat') =~ /^\s+show stat\b/m;
finds($found, 'servers', $tells ? 'ok' : 'unknown', qr/./, 'servers, as far as gatepost tells of them');
unlike(join('', map { map { "@$_" } @$_ } values %$found), qr/secret/, 'no secret is told');
is($status, scalar(grep { grep { $_->[0] eq 'wrong' } @$_ } values %$found) ? 1 : 0, 'the exit status goes by what is wrong');

# people read the same
($status, my $text) = ctl("$dir/gatepost.sock", '-c', $conf, 'doctor');
like($text, qr/^ok     certificates +the first of 1 expires/m, 'lines for people');
like($text, qr/^\d+ wrong, \d+ to look at, \d+ not known, \d+ fine$/m, 'and a sum');

# worse and worse
my $bad = $config =~ s/address localhost/address nobody.invalid/r;
$gatepost->{values} = { CERT => make_cert(days => 5), REDIS => refusing_port() };
$gatepost->configure($bad);
($status, $found) = examine("$dir/gatepost.sock");
is($status, 1, 'something is wrong');
finds($found, 'certificates', 'note', qr/expires in [45] days.*renew/, 'a certificate that ends soon');
finds($found, 'DNS', 'wrong', qr/nobody\.invalid cannot be resolved.*dig nobody/, 'a name that is none');
finds($found, 'Redis', 'wrong', qr/nobody answers at 127\.0\.0\.1:\d+/, 'Redis that is away');
$gatepost->configure("max_connections 1000000\nnonsense 1\n");
($status, $found) = examine("$dir/gatepost.sock");
finds($found, 'configuration', 'wrong', qr/there is no listener.*gatepost -t -c/, 'a configuration with an error');
finds($found, 'certificates', 'unknown', qr/without a good configuration/, 'of which nothing is known then');
$gatepost->stop;
($status, $found) = examine("$dir/gatepost.sock");
is($status, 1, 'no gatepost runs');
finds($found, 'gatepost', 'wrong', qr/does not answer: .*systemctl status/, 'and it says so');
ok($found->{'time wait'} && $found->{swap}, 'and looks at the machine all the same');

# more than its limit carries
$gatepost->{values} = \%values;
my $small = Gatepost::Gatepost->new(name => 'small', config => $config =~ s/500/5000/r, values => \%values,
    limits => { nofile => '2000:2000' });
if ($> == 0) {
	# root would raise it: who may not is another user
	$small->{command} = ['setpriv', '--bounding-set=-sys_resource', '--inh-caps=-sys_resource', '--', @{ $small->{command} }];
}
$small->start;
$conf = $small->{conf};
($status, $found) = examine("$dir/small.sock");
finds($found, 'open files', 'wrong', qr/2000 may be open: 1000 sessions instead of the 5000.*LimitNOFILE=20000/,
    'a limit of open files that does not carry max_connections');
$small->stop;

# a farm in trouble
my @row = (svname => 'BACKEND', status => 'UP');
my $fake = Gatepost::FakeCockpit->new(answers => {
	'show info json' => info_json(Pid => $$, CurrConns => 900, Maxconn => 1000),
	'show stat json' => stat_json(
		{ pxname => 'imap', svname => 'd1', status => 'UP', weight => 1 },
		{ pxname => 'imap', svname => 'd2', status => 'DOWN', weight => 1, check_status => 'L4CON', last_chk => 'refused' },
		{ pxname => 'imap', @row },
		{ pxname => 'pop3', svname => 'd1', status => 'MAINT', weight => 1 }, { pxname => 'pop3', @row },
		{ pxname => 'mx', svname => 'm1', status => 'UP', weight => 1 },
		{ pxname => 'mx', svname => 'm2', status => 'no check', weight => 1 }, { pxname => 'mx', @row }),
})->start;
($status, $found) = examine($fake->path);
is($status, 1, 'a server is down');
finds($found, 'servers', 'wrong', qr/imap\/d2 is DOWN: L4CON refused.*check now imap\/d2/, 'which, and why');
finds($found, 'pools', 'note', qr/pool imap has no spare: one server of 2/, 'a pool without a spare');
finds($found, 'pools', 'wrong', qr/pool pop3: none of its 1 servers/, 'a pool without anybody');
is(scalar(grep { "@$_" =~ /pool mx/ } @{ $found->{pools} }), 0, 'a pool that is well is not told of');
finds($found, 'sessions', 'wrong', qr/900 of max_connections 1000/, 'nearly full');

# Servers that checks are content with, beside their neighbours: each is told of what it has, or of nothing.
my @calm = (recent_sessions => 100, recent_failures => 1, recent_refused => 2, recent_login_ms => 20);
my @fresh = (last_failure_age => 5);
for my $case (
	['well', [@calm], 0, undef],
	['an old story', [@calm, recent_failures => 50, last_failure => 'timed out', last_failure_age => 200], 0, undef],
	['as refused as the others', [@calm, recent_refused => 3, last_failure => 'refused: NO', @fresh], 0, undef],
	['hanging', [@calm, recent_failures => 20, last_failure => 'timed out while logging in', @fresh], 0,
	    qr/failed 20 of 120 logins .*timed out.*processes are taken.*on d2: doveadm log errors.*maintenance d2/],
	['failing since a while', [@calm, recent_failures => 5, failures_in_row => 5,
	    last_failure => 'connection lost: closed while logging in', @fresh], 0, qr/failed 5 of 105 logins.*cuts logins off/],
	['failing now and then', [@calm, recent_failures => 5, failures_in_row => 2, last_failure => 'TLS failed', @fresh], 0, undef],
	['stuck', [@calm, recent_failures => 20, last_failure => 'timed out while logging in', @fresh], 4,
	    qr/lets 4 of 6 sessions wait.*storage hangs/],
	['stuck, and nobody comes', [recent_sessions => 0], 4, qr/lets 4 of 6 sessions wait.*storage hangs/],
	['at its limit', [@calm, recent_failures => 20, last_failure => 'temporary failure: NO [LIMIT] max', @fresh], 0,
	    qr/limit for each user.*login_trusted_networks/],
	['refusing', [@calm, recent_refused => 60, last_failure => 'refused: NO [AUTHENTICATIONFAILED]', @fresh], 0,
	    qr/refused 60 of 160 logins.*master password/],
	['slow', [@calm, recent_login_ms => 900], 0, qr/takes 900 ms for a login, its neighbours 20/],
) {
	my ($name, $fields, $waiting, $words) = @$case;
	my $cockpit = Gatepost::FakeCockpit->new(name => 'farm', path => "$dir/farm.sock", answers => {
		'show info json' => info_json(Pid => $$, CurrConns => 1, Maxconn => 1000),
		'who server json' => encode_json([{ server => 'imap/d2', sessions => 6, waiting => $waiting }]) . "\n",
		'show stat json' => stat_json(
			{ pxname => 'imap', svname => 'd1', status => 'UP', weight => 1, @calm },
			{ pxname => 'imap', svname => 'd2', status => 'UP', weight => 1, @$fields },
			{ pxname => 'imap', @row }),
	})->start;

	($status, $found) = examine($cockpit->path);
	my @sick = grep { $_->[0] ne 'ok' } @{ $found->{servers} };
	if (defined $words) {
		like("@{ $sick[0] // [] }", $words, "a server that is $name");
	} else {
		is_deeply(\@sick, [], "a server that is $name");
	}
	$cockpit->kill_now;
}
# each sign of a check has its words
for my $case (['L4CON', 'connection refused while connecting', qr/nothing listens there/],
	['L4TOUT', 'timed out while connecting', qr/no packet comes back.*ping -c3 10\.1\.0\.12 /],
	['L6RSP', 'certificate has expired while starting TLS', qr/has expired.*a new certificate|has expired.*certbot/],
	['L6RSP', 'hostname mismatch while starting TLS', qr/for other names/],
	['L6RSP', 'self-signed certificate while starting TLS', qr/authority that we trust/],
	['* L7TOUT', 'timed out while reading greeting', qr/says nothing/],
	['L7RSP', 'connection reset by peer while asking for TLS', qr/breaks connections off/],
	['L7STS', 'a NO [AUTHENTICATIONFAILED] no while logging in', qr/refuses the account of the check/],
	['L7OK', '', qr/; see why/],
) {
	my $cockpit = Gatepost::FakeCockpit->new(name => 'down', path => "$dir/down.sock", answers => {
		'show info json' => info_json(Pid => $$, CurrConns => 1, Maxconn => 1000),
		'show stat json' => stat_json({ pxname => 'imap', svname => 'd2', status => 'DOWN', weight => 1,
		    check_status => $case->[0], last_chk => $case->[1], addr => '10.1.0.12:143' }),
	})->start;

	($status, $found) = examine($cockpit->path);
	like("@{ $found->{servers}[0] } ", $case->[2], "$case->[0] $case->[1]");
	$cockpit->kill_now;
}
done_testing;
