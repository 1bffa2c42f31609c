#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# One listener on IPv4, IPv6, both at once, unix sockets, one interface and an
# address this machine does not have: all of them serve, and the log knows
# where the client came from.  TCP has one socket for each thread.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Fake;
use Gatepost::Gatepost;
use Gatepost::Imap;
use Gatepost::Port qw(free_port own_address);
use Gatepost::Process qw(run_command test_dir);
use IO::Socket::IP;
use IO::Socket::UNIX;
use Test::More;

my $has_ipv6 = defined IO::Socket::IP->new(LocalHost => '::1', Listen => 1);
plan skip_all => 'needs IPv6' unless $has_ipv6;

my $dir = test_dir();
my $elsewhere = '192.0.2.77';	# of the documentation's network: nobody has it
my $server = Gatepost::Fake->new(name => 'server', script => [[send => "hello\n"], ['hold']])->start;
my $rest = <<'END';
pool t { protocol tcp; server s { address 127.0.0.1:@SERVER@ } }
listener t {
    protocol tcp; pool t
    bind 127.0.0.1:@PORT{four}@
    bind [::1]:@SIX@
    bind *:@PORT{both}@
    bind unix:@DIR@/sock { backlog 5 }; bind unix:@DIR@/second
    bind 127.0.0.2:@PORT{lo}@ { interface lo }
END
my %values = (SERVER => $server->port, SIX => free_port());
my $gatepost = Gatepost::Gatepost->new(wait => [], values => \%values, config => $rest);
my $far = free_port();

# A file of a socket that nobody listens at any more is in nobody's way.
IO::Socket::UNIX->new(Local => "$dir/sock", Listen => 1) or die "$dir/sock: $!";
ok(-S "$dir/sock", 'a stale socket is there');
$gatepost->configure("$rest    bind $elsewhere:$far { freebind yes }\n}\n")->start;

my $from = own_address(5);
my @kinds = (
	['IPv4', { port => $gatepost->port('four'), from => $from }, $from],
	['IPv6', { port => $values{SIX}, address => '::1' }, '::1'],
	['IPv4 of both', { port => $gatepost->port('both'), from => $from }, $from],
	['IPv6 of both', { port => $gatepost->port('both'), address => '::1' }, '::1'],
	['an interface', { port => $gatepost->port('lo'), address => '127.0.0.2', from => $from }, $from],
	['a unix socket', { path => "$dir/sock" }, undef],
	['a second unix socket', { path => "$dir/second" }, undef],
);
my $sessions = 0;
for my $kind (@kinds) {
	my ($name, $option, $expected) = @$kind;

	my $client = Gatepost::Imap->new(%$option) or fail("$name: $!"), next;
	is($client->greeting, 'hello', "$name: served");
	my $port = $option->{port} ? $client->socket->sockport : undef;
	$client->close;
	my $event = Gatepost::Process::wait_for(sub { ($gatepost->events('session'))[$sessions] }, 10, 'the event');
	$sessions++;
	if (defined $expected) {
		is($event->{client}, $expected, "$name: the client's address as it wrote it");
		is($event->{client_port}, $port, "$name: and its port");
	} else {
		is($event->{client}, 'unix', "$name: no address");
	}
}

my $sockets = sub ($port) {
	my ($status, $text) = run_command('ss', ['ss', '-Hltn', "sport = :$port"]);
	unlink "$dir/ss.log";
	return $text;
};
is(scalar(() = $sockets->($gatepost->port('four')) =~ /^LISTEN/mg), 2, 'one socket for each thread');
like($sockets->($far), qr/\Q$elsewhere:$far\E/, 'freebind listens at an address that is not there yet');

$gatepost->stop;
ok(!-e "$dir/$_", "the file of unix socket $_ is gone") for qw(sock second);

# Without freebind that is an error, with its place.
$gatepost->configure("$rest    bind $elsewhere:$far\n}\n");
my ($status, $text) = run_command('far', [$ENV{GATEPOST}, '-f', '-c', $gatepost->{conf}]);
is($status >> 8, 1, 'without freebind it does not start');
like($text, qr/gatepost\.conf:\d+:5: cannot listen at \Q$elsewhere:$far\E: Cannot assign/, 'and says why');

# A socket that somebody listens at stays theirs.
my $owner = IO::Socket::UNIX->new(Local => "$dir/sock", Listen => 1) or die "$dir/sock: $!";
$gatepost->configure("$rest}\n");
($status, $text) = run_command('taken', [$ENV{GATEPOST}, '-f', '-c', $gatepost->{conf}]);
is($status >> 8, 1, 'a unix socket in use is not taken over');
like($text, qr/gatepost\.conf:\d+:5: cannot listen at unix:\Q$dir\E\/sock: Address already in use/,
    'and said');
ok(IO::Socket::UNIX->new(Peer => "$dir/sock"), 'its owner still has it');
ok(!-e "$dir/second", 'nothing is left of the start that failed');

$server->kill_now;
done_testing;
