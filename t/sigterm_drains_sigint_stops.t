#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# SIGTERM: for shutdown_delay clients are still taken, then none is, sessions
# go on for shutdown_timeout, then they are ended.  A second SIGTERM hurries,
# SIGINT does not wait.  The exit status is 0 each time.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Fake;
use Gatepost::Gatepost;
use Gatepost::Imap;
use Gatepost::Process qw(wait_for);
use Test::More;
use Time::HiRes qw(time);

my $echo = [([expect => qr/(.*)\n/], [send => sub ($word) { "$word\n" }]) x 20];
my $server = Gatepost::Fake->new(name => 'echo', script => $echo)->start;

sub start_gatepost ($settings) {
	return Gatepost::Gatepost->new(values => { SERVER => $server->port }, config => "$settings\n" . <<'END')->start;
pool t { protocol tcp; server s { address 127.0.0.1:@SERVER@ } }
listener t { protocol tcp; bind 127.0.0.1:@PORT{t}@; pool t }
END
}

sub connect_to ($gatepost) { return Gatepost::Imap->new(port => $gatepost->port('t'), greeting => 0) }

sub is_served ($client, $what) {
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is(eval { $client->send_bytes("word\n"); $client->line(5) } // $@, 'word', $what);
}

sub ends_well ($gatepost, $what) {
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is($gatepost->wait_for_end(20), 0, $what);
	$gatepost->check_reports;
}

# A drain that waits for its session.
my $gatepost = start_gatepost('shutdown_timeout 1h');
my $client = connect_to($gatepost);
is_served($client, 'a session');
$gatepost->signal('TERM');
$gatepost->wait_for_log(qr/draining: \d+ sessions?; idle ones are told to go, others have 3600 s/);
wait_for(sub { !connect_to($gatepost) }, 10, 'the listener to close');
is_served($client, 'goes on while draining');
$gatepost->signal('HUP');
like($gatepost->wait_for_log(qr/reload failed/), qr/gatepost is stopping/, 'a reload is refused by now');
$client->close;
ends_well($gatepost, 'ends with its last session');

# shutdown_delay, and the second signal.
$gatepost = start_gatepost("shutdown_delay 1h\nshutdown_timeout 1h");
$client = connect_to($gatepost);
is_served($client, 'a session');
$gatepost->signal('TERM');
$gatepost->wait_for_log(qr/clients are accepted for another 3600 s/);
my $late = connect_to($gatepost);
is_served($late, 'clients are still accepted during shutdown_delay');
$gatepost->signal('TERM');
$gatepost->wait_for_log(qr/\d+ sessions? told to go/);
ends_well($gatepost, 'the second SIGTERM ends it');

# The deadline.
$gatepost = start_gatepost('shutdown_timeout 500ms');
$client = connect_to($gatepost);
is_served($client, 'a session');
my $before = time;
$gatepost->signal('TERM');
ends_well($gatepost, 'ends although there is a session');
cmp_ok(time - $before, '>=', 0.5, 'but not before shutdown_timeout');

for my $signal (qw(INT QUIT)) {
	$gatepost = start_gatepost("shutdown_delay 1h\nshutdown_timeout 1h");
	$client = connect_to($gatepost);
	is_served($client, 'a session');
	$gatepost->signal($signal);
	ends_well($gatepost, "SIG$signal ends it at once");
}

$server->kill_now;
done_testing;
