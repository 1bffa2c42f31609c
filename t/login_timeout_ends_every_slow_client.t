#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# However slowly a client goes about it and wherever it stops, it is gone
# when login_timeout is over; hundreds of them keep nobody else out.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Cert qw(make_cert);
use Gatepost::Fake qw(black_hole);
use Gatepost::Gatepost;
use Gatepost::Imap;
use Gatepost::Process qw(raise_descriptors wait_for);
use IO::Select;
use Test::More;
use Time::HiRes qw(time);

raise_descriptors(2048);

my $fake = Gatepost::Fake->new(name => 'server', script => [
	[send => "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] ready\r\n"], ['hold'] ])->start;
my $holding = Gatepost::Fake->new(name => 'holding', script => [
	[send => "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] ready\r\n"],
	[expect => qr/^(\S+) AUTHENTICATE[^\r\n]*\r\n/m], [send => sub ($tag) { "$tag OK in\r\n" }], ['hold'] ])->start;
my $gatepost = Gatepost::Gatepost->new(config => <<'END',
threads 1
tls main { certificate @CERT@ }
pool imap { port @SERVER@; login_timeout 5m; server s1 { address 127.0.0.1 } }
pool hole { protocol imap; port @HOLE@; connect_timeout 5m; server s2 { address 127.0.0.1 } }
pool full { protocol imap; port @HOLDING@; max_connections 1; queue_timeout 1h; login_timeout 10m
            server s3 { address 127.0.0.1 } }
pool tcp { port @SERVER@; server s4 { address 127.0.0.1 } }
default listener {
    login_timeout 4s; tls main; starttls optional; plaintext_login yes
}
listener imap { bind 127.0.0.1:@PORT{imap}@; bind_tls 127.0.0.1:@PORT{imaps}@; pool imap }
listener hole { protocol imap; bind 127.0.0.1:@PORT{hole}@; pool hole }
listener full { protocol imap; bind 127.0.0.1:@PORT{full}@; pool full }
listener tcp { protocol tcp; bind_tls 127.0.0.1:@PORT{tcp}@; starttls off; pool tcp }
END
	values => { CERT => make_cert(), SERVER => $fake->port, HOLDING => $holding->port, HOLE => black_hole() })->start;
# The one thread has all the descriptors that it keeps once it has greeted somebody.
Gatepost::Imap->new(port => $gatepost->port('imap'))->close;
my $descriptors = $gatepost->fd_count;

# name => [port, what is sent at once, what is sent again and again, what the log says]
my %slow = (
	'says nothing' => ['imap', '', '', qr/waiting for a command/],
	'sends a line byte by byte' => ['imap', 'a NOOP ', 'x', qr/waiting for a command/],
	'sends a literal byte by byte' => ['imap', "a LOGIN {4000}\r\n", 'x', qr/waiting for a command/],
	'sends commands all the time' => ['imap', '', "a NOOP\r\n", qr/waiting for a command/],
	'stops within AUTHENTICATE' => ['imap', "a AUTHENTICATE PLAIN\r\n", '', qr/authenticating/],
	'stops after STARTTLS' => ['imap', "a STARTTLS\r\n", '', qr/starting TLS with the client/],
	'says nothing where TLS begins' => ['imaps', '', '', qr/starting TLS with the client/],
	'sends a hello byte by byte' => ['imaps', "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 'x',
	    qr/starting TLS with the client/],
	'says nothing to TLS of plain TCP' => ['tcp', '', '', qr/starting TLS with the client/],
	'waits for a silent server' => ['imap', "a LOGIN x y\r\n", '', qr/logging in/],
	'waits for a connection' => ['hole', "a LOGIN x y\r\n", '', qr/connecting/],
	'waits in the queue' => ['full', "a LOGIN x y\r\n", '', qr/waiting in the queue/],
	'pipelines behind a login' => ['imap', "a LOGIN x y\r\n", "a NOOP\r\n", qr/logging in/],
);

my $holder = Gatepost::Imap->new(port => $gatepost->port('full'));
like($holder->cmd('LOGIN x y'), qr/ OK/, 'one session fills its server');

sub connect_to ($port) {
	return Gatepost::Imap->new(port => $gatepost->port($port), timeout => 10,
	    greeting => $port !~ /^(?:imaps|tcp)$/);
}

my @crowd = map { connect_to($_ % 2 ? 'imap' : 'imaps') } 1 .. 600;
my %clients = map { $_ => connect_to($slow{$_}[0]) } sort keys %slow;
my $start = time;
eval { $clients{$_}->send_bytes($slow{$_}[1]) } for keys %clients;

my $other = connect_to('imap');
like($other->cmd('NOOP'), qr/ OK/, '600 silent connections keep nobody out');
$other->close;

# While they live, the slow ones go on; what they hear is read, so that their end is seen.
my (%ended, %heard);
while (keys %ended < keys %clients && time < $start + 15) {
	for my $name (grep { !$ended{$_} } keys %clients) {
		my $client = $clients{$name};
		eval { $client->send_bytes($slow{$name}[2]) } if length $slow{$name}[2];
		$client->fill(time + 0.01);
		$heard{$name} .= substr $client->{in}, 0, length $client->{in}, '';
		$ended{$name} = time - $start if $client->{ended};
	}
}
for my $name (sort keys %slow) {
	my $seconds = $ended{$name} // 99;
	ok($seconds > 2 && $seconds < 8, "who $name is gone in time") or diag(sprintf '%.1f s', $seconds);
	ok(eval { $gatepost->wait_for_log(qr/login timeout while $slow{$name}[3]/, 5) },
	    "who $name: the log says so") or diag($@);
	like($heard{$name}, qr/\* BYE Disconnected: time is up\.\r\n\z/, "who $name is told")
	    if $slow{$name}[3] !~ /TLS/;
}
is(scalar(grep { !$_->is_closed(5) } @crowd), 0, 'and so are the 600');
$_->close for @crowd, $holder;
ok(eval { wait_for(sub { $gatepost->fd_count <= $descriptors + 2 }, 10, 'descriptors') },
    'no descriptor is left behind') or diag($gatepost->fd_count . " of $descriptors");
$gatepost->stop;
done_testing;
