#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# SIGTERM, and a reload that drops a listener and its pool: the sessions
# concerned hear a BYE, spread over close_spread, those in IDLE and those with
# nothing under way first; one in the middle of an answer hears the rest of it
# before; where there is no boundary the end comes without words.  Nobody else
# is disturbed.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Cert qw(make_cert);
use Gatepost::Fake;
use Gatepost::Gatepost;
use Gatepost::Imap;
use Gatepost::Port qw(free_port own_address);
use Gatepost::Process qw(wait_for);
use IO::Select;
use Test::More;
use Time::HiRes qw(sleep time);

use constant { IDLE => 24, SPREAD => 2, LITERAL => 60 };

my @login = ([send => "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] ready\r\n"],
    [expect => qr/^(\S+) AUTHENTICATE PLAIN \S+\r\n/m],
    [send => sub ($tag) { "$tag OK [CAPABILITY IMAP4rev1 IDLE] in\r\n" }]);
# a byte now and then, for longer than close_spread, with something like a response in between
my $literal = substr "\r\n* 1 EXISTS\r\nx OK done\r\n" x 10, 0, LITERAL;
my @trickle = map { my $byte = $_; [send => sub { sleep 0.1; $byte }] } split //, $literal;
my %scripts = (
	idle => [@login, [expect => qr/IDLE\r\n/], [send => "+ idling\r\n"], [expect => qr/DONE\r\n/],
	    [send => "i OK done\r\n"], [expect => qr/^(\S+) NOOP\r\n/m],
	    [send => sub ($tag) { "$tag OK noop\r\n" }], ['hold']],
	literal => [@login, [expect => qr/FETCH[^\r\n]*\r\n/],
	    [send => sprintf("* 1 FETCH (BODY[] {%d}\r\n", LITERAL)],
	    @trickle, [send => ")\r\nf OK done\r\n"], ['hold']],
	owing => [@login, [expect => qr/SEARCH[^\r\n]*\r\n/],
	    [send => sub { sleep SPREAD + 2; "* SEARCH 1\r\ns OK done\r\n" }],
	    ['hold']],
	half => [@login, [expect => qr/NOOP\r\n/], [send => "* 2 EXI"], ['hold']],
	blind => [@login, [expect => qr/COMPRESS DEFLATE\r\n/], [send => "c OK deflating\r\n"], ['hold']],
);
my $cert = make_cert();
my %values = (CERT => $cert, SPREAD => SPREAD, A => own_address(0), B => own_address(1));
$values{"SERVER_$_"} = free_port() for sort keys %scripts;
for my $kind (sort keys %scripts) {
	for my $place ('A', $kind eq 'idle' ? 'B' : ()) {
		Gatepost::Fake->new(name => "$kind$place", address => $values{$place},
		    port => $values{"SERVER_$kind"},
		    script => $scripts{$kind})->start;
	}
}

# name => [kind, servers]
sub config ($settings, %pools) {
	my $config = "$settings\ntls main { certificate \@CERT\@ }\n";
	for my $name (sort keys %pools) {
		my ($kind, @places) = @{ $pools{$name} };
		my $servers = join "\n", map { "server $_ { address \@$_\@ }" } @places;
		$config .= <<~"END";
			pool $name {
			    protocol imap; port \@SERVER_$kind\@; balance leastconn
			    close_spread \@SPREAD\@s
			    $servers
			}
			listener $name {
			    protocol imap; bind_tls 127.0.0.1:\@PORT{$name}\@; tls main
			    pool $name
			}
			END
	}
	return $config;
}

my $gatepost;

sub client ($listener, $command, $answer = undef) {
	my $client = Gatepost::Imap->new(port => $gatepost->port($listener), tls => 1);
	$client->login('user1', 'x');
	$client->send_bytes("$command\r\n");
	like($client->line, $answer, "$listener: $command") if defined $answer;
	return $client;
}

sub idle_client ($listener) {
	my $client = client($listener, 'i IDLE');
	$client->lines_until(qr/^\+ idling/);
	return $client;
}

# Reads on until all these have ended; when each did, since BEGAN.
sub watch_ends ($began, $seconds, @clients) {
	my %open = map { fileno($_->socket) => $_ } @clients;

	while (%open && time < $began + $seconds) {
		for my $socket (IO::Select->new(map { $_->socket } values %open)->can_read(0.5)) {
			my $client = $open{ fileno $socket };
			1 while $client->fill(time + 0.001);
			next unless $client->{ended};
			$client->{after} = time - $began;
			delete $open{ fileno $socket };
		}
	}
	return;
}

sub are_told ($clients, $name) {
	my @after = sort { $a <=> $b } map { $_->{after} // 999 } @$clients;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is(scalar(grep { $_->{in} =~ /\A\* BYE [^\r\n]*\r\n\z/ } @$clients), scalar @$clients,
	    "$name: each is told, and nothing else")
	    or diag(explain([map { $_->{in} } @$clients]));
	cmp_ok($after[-1], '<', SPREAD + 2, "$name: all within close_spread, or a little more");
	cmp_ok($after[-1] - $after[0], '>', SPREAD / 2, "$name: not all at once");
	my $most = 0;
	for my $start (@after) {
		my $within = grep { $_ >= $start && $_ < $start + SPREAD / 8 } @after;
		$most = $within if $within > $most;
	}
	cmp_ok($most, '<=', @after / 2, "$name: but spread") or diag("@after");
}

# A reload drops one of the listeners and its pool; a server that leaves another pool keeps its sessions.
my %pools = (kept => ['idle', 'A'], dropped => ['idle', 'A'], shrunk => ['idle', 'A', 'B'],
    owing => ['owing', 'A']);
$gatepost = Gatepost::Gatepost->new(name => 'reloaded', values => \%values,
    config => config('shutdown_timeout 1s', %pools))->start;
my %clients = map { my $name = $_; $name => [map { idle_client($name) } 1 .. IDLE] } qw(kept dropped shrunk);
my $owing = client('owing', 's SEARCH ALL');
my $events = $gatepost->events('session');
delete $pools{$_} for qw(dropped owing);
$pools{shrunk} = ['idle', 'A'];
$gatepost->configure(config('shutdown_timeout 1s', %pools));
my $began = time;
ok($gatepost->reload, 'a reload');
watch_ends($began, SPREAD + 10, @{ $clients{dropped} }, $owing);
are_told($clients{dropped}, 'a dropped pool');
like($owing->{in}, qr/\A\* SEARCH 1\r\ns OK done\r\n\* BYE [^\r\n]*\r\n\z/,
    'a command under way is answered first');
ok(!defined Gatepost::Imap->new(port => $gatepost->port('dropped'), greeting => 0), 'nobody new is taken');
my @told;
wait_for(sub { (@told = grep { $_->{reason} eq 'sent away' } $gatepost->events('session')) > IDLE }, 10, 'the log');
is(scalar @told, IDLE + 1, 'the log tells of these and of no others');
my $answering = 0;
for my $client (@{ $clients{kept} }, @{ $clients{shrunk} }) {
	$client->send_bytes("DONE\r\n");
	$answering++ if eval { $client->line eq 'i OK done' && $client->cmd('NOOP') =~ / OK/ };
}
is($answering, 2 * IDLE, 'all others are where they were');
$_->close for map { @$_ } values %clients;
$gatepost->stop;

# SIGTERM, with all kinds of sessions.
$gatepost = Gatepost::Gatepost->new(name => 'stopped', values => \%values,
    config => config('shutdown_timeout 9s',
    map { $_ => [$_, 'A'] } keys %scripts))->start;
my @idle = map { idle_client('idle') } 1 .. IDLE;
my $literal_client = client('literal', 'f FETCH 1 BODY[]');
$literal_client->take_bytes(length sprintf "* 1 FETCH (BODY[] {%d}\r\n", LITERAL);
$owing = client('owing', 's SEARCH ALL');
my $half = client('half', 'n NOOP');
is($half->take_bytes(7), '* 2 EXI', 'half a response has come');
my $blind = client('blind', 'c COMPRESS DEFLATE', qr/^c OK/);
$began = time;
$gatepost->signal('TERM');
watch_ends($began, 40, @idle, $literal_client, $owing, $half, $blind);
are_told(\@idle, 'SIGTERM');
like($literal_client->{in}, qr/\A\Q$literal)\E\r\nf OK done\r\n\* BYE [^\r\n]*\r\n\z/,
    'SIGTERM: a literal comes whole, then the BYE');
like($owing->{in}, qr/\A\* SEARCH 1\r\ns OK done\r\n\* BYE [^\r\n]*\r\n\z/,
    'SIGTERM: a command under way is answered first');
cmp_ok($_->{after} // 999, '<', 9, 'SIGTERM: and the session does not wait for shutdown_timeout')
    for $literal_client, $owing;
is($_->[1]{in}, '', "SIGTERM: behind $_->[0] not a word")
    for ['half a response', $half], ['COMPRESS', $blind];
ok($half->{ended} && $half->{after} >= 9, 'SIGTERM: with half a response it ends when time is up');
ok($blind->{ended} && $blind->{after} < 9, 'SIGTERM: with COMPRESS it ends when nothing passes');
is($gatepost->wait_for_end(20), 0, 'gatepost ends well');
$gatepost->check_reports;
done_testing;
