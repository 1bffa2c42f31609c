#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Servers by name, asked for at a real dnsmasq whose records change: one that
# moves, one with several addresses, a service with priorities and weights,
# one that cannot be found at first, and one whose certificate bears its name.
# What fails, is silent or says that there is no such name takes no server
# away; who vanishes keeps the sessions that are there.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Cert qw(make_cert);
use Gatepost::Dnsmasq;
use Gatepost::Fake;
use Gatepost::Gatepost;
use Gatepost::Imap;
use Gatepost::Port qw(free_port own_address);
use Gatepost::Process qw(wait_for);
use IO::Socket::INET;
use Test::More;

my $port = free_port();
my $script = sub ($name) { [[send => "$name\n"], ([expect => qr/(.*)\n/], [send => sub ($word) { "$word\n" }]) x 20] };
my %address = map { ("s$_" => own_address($_)) } 1 .. 5;
my %fake = map { ($_ => Gatepost::Fake->new(name => $_, address => $address{$_}, port => $port,
    script => $script->($_))->start) } sort keys %address;
my $certificate = make_cert(name => 'secure.test');
my $secure = Gatepost::Fake->new(name => 'secure', address => own_address(6),
    script => [[starttls => $certificate], [send => "secure\n"], ['hold']])->start;

# Behind dnsmasq: it fails at whatever is asked.
my $failing = Gatepost::Fake->new(name => 'failing', script => [['hold']]);
my $failing_socket = IO::Socket::INET->new(Proto => 'udp', LocalAddr => '127.0.0.1') or die "udp: $!\n";
my $pid = fork // die "fork: $!\n";
if ($pid == 0) {
	while (defined(my $peer = recv $failing_socket, my $query, 512, 0)) {
		substr $query, 2, 2, pack 'n', 0x8182;
		send $failing_socket, $query, 0, $peer;
	}
	POSIX::_exit(0);
}
$failing->adopt($pid);
my $fails = 'server=/%s/127.0.0.1#' . $failing_socket->sockport;

my %records = (
	moving => ["host-record=moving.test,$address{s1}"],
	many => [map { "host-record=many.test,$address{$_}" } qw(s1 s2)],
	service => ["srv-host=_imap._tcp.test,h3.test,$port,10,30", "srv-host=_imap._tcp.test,h4.test,$port,10,10",
	    "srv-host=_imap._tcp.test,h5.test,$port,20,1", map { "host-record=h$_.test,$address{qq(s$_)}" } 3 .. 5],
	late => [],
	secure => ["host-record=secure.test," . $secure->address],
);
my $dns = Gatepost::Dnsmasq->new(name => 'dns', records => [map { @{ $records{$_} } } sort keys %records])->start;

sub change (%new) {
	%records = (%records, %new);
	$dns->change(map { @{ $records{$_} } } sort keys %records);
	return;
}

my $gatepost = Gatepost::Gatepost->new(values => { DNS => $dns->port, SERVER => $port, CA => $certificate,
    SECURE => $secure->port }, config => <<'END', wait => [])->start;
threads 1
shutdown_timeout 0s
nameservers 127.0.0.1:@DNS@
default pool { protocol tcp; port @SERVER@; balance roundrobin; check { kind none } }
farm moving { server d03 { address moving.test } }
pool moving { farm moving }
pool many { server d { address many.test:@SERVER@; resolve all } }
pool service { server d { srv _imap._tcp.test }; check { kind tcp; interval 100ms; fast_interval 100ms; rise 1; fall 1 } }
pool late { server d { address late.test } }
pool secure { server d { address secure.test:@SECURE@ }; server_tls implicit { ca @CA@ } }
pool insecure { server d { address moving.test:@SECURE@ }; server_tls implicit { ca @CA@ } }
default listener { protocol tcp }
listener moving { bind 127.0.0.1:@PORT{moving}@; pool moving }
listener many { bind 127.0.0.1:@PORT{many}@; pool many }
listener service { bind 127.0.0.1:@PORT{service}@; pool service }
listener late { bind 127.0.0.1:@PORT{late}@; pool late }
listener secure { bind 127.0.0.1:@PORT{secure}@; pool secure }
END

sub connect_to ($name) {
	return Gatepost::Imap->new(port => $gatepost->port($name), timeout => 20);
}

# Which servers so many new sessions come to, sorted.
sub servers ($name, $count) {
	return join ' ', sort map { $_->greeting // 'none' } map { connect_to($name) } 1 .. $count;
}

sub answers ($client, $what) {
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is(eval { $client->send_bytes("word\n"); $client->line } // $@, 'word', $what);
}

# Names were known before the first client came.
is(servers('moving', 3), 's1 s1 s1', 'a name is one server');
is(servers('many', 4), 's1 s1 s2 s2', 'all addresses of a name are servers');
is(servers('service', 8), 's3 s3 s3 s3 s3 s3 s4 s4', 'those of a service have its weights, the first priority alone');
is(servers('secure', 1), 'secure', 'a certificate that bears the name is a good one');
is(servers('late', 1), 'none', 'who is not found yet gets nobody');
ok($gatepost->wait_for_log(qr/warning: pool late: d: (?:failed|not found): .*; it has no address/), 'and the log says why');

# While sessions are there.
my $on_moving = connect_to('moving');
my ($on_s1) = grep { $_->greeting eq 's1' } my @clients = map { connect_to('many') } 1 .. 2;
change(moving => ["host-record=moving.test,$address{s2}"],
    many => [map { "host-record=many.test,$address{$_}" } qw(s2 s3)], late => ["host-record=late.test,$address{s4}"]);
$gatepost->wait_for_log(qr/notice: farm moving: d03 is now \Q$address{s2}\E$/, 40);
$gatepost->wait_for_log(qr/notice: pool many: d is now \Q$address{s2}, $address{s3}\E$/, 40);
$gatepost->wait_for_log(qr/notice: pool late: d is now \Q$address{s4}\E$/, 40);
is(servers('moving', 2), 's2 s2', 'it has moved');
is(servers('many', 4), 's2 s2 s3 s3', 'one has gone, one has come');
is(servers('late', 1), 's4', 'who was not found is found now');
answers($on_moving, 'who was at the old address stays');
answers($on_s1, 'who was at the server that is gone stays');
my $event = do { $on_s1->close; $gatepost->wait_for_event(session => { server => "many/d\@$address{s1}" }) };
ok($event, 'a session is logged with the name of its address');

# A present address stays, whatever comes before it.
change(moving => [map { "host-record=moving.test,$address{$_}" } qw(s1 s2)]);
change(many => [map { "host-record=many.test,$address{$_}" } qw(s1 s2 s3)]);
$gatepost->wait_for_log(qr/notice: pool many: d is now \Q$address{s1}, $address{s2}, $address{s3}\E$/, 40);
is(servers('moving', 2), 's2 s2', 'the address that is used is used further');

# Nothing good is heard: nothing is lost.
change(moving => [sprintf $fails, 'moving.test'], many => ['address=/many.test/']);
$gatepost->wait_for_log(qr/warning: farm moving: d03: failed: .*; what was known of it stays/, 40);
$gatepost->wait_for_log(qr/warning: pool many: d: not found: .*; what was known of it stays/, 40);
is(servers('moving', 1), 's2', 'SERVFAIL takes nothing away');
is(servers('many', 3), 's1 s2 s3', 'nor does NXDOMAIN');
$dns->signal('STOP');
$gatepost->wait_for_log(qr/warning: $_: d(?:03)?: timed out: .*; what was known of it stays/, 60)
    for 'farm moving', 'pool many', 'pool service', 'pool late';
is(servers('moving', 1) . ' ' . servers('many', 3) . ' ' . servers('late', 1), 's2 s1 s2 s3 s4', 'nor does silence');
ok($gatepost->reload, 'a reload meanwhile');
is(servers('moving', 1) . ' ' . servers('many', 3) . ' ' . servers('late', 1), 's2 s1 s2 s3 s4', 'keeps all of it');
$dns->signal('CONT');
change(moving => ["host-record=moving.test,$address{s3}"]);
$gatepost->wait_for_log(qr/notice: farm moving: d03 is now \Q$address{s3}\E$/, 60);
is(servers('moving', 1), 's3', 'and what is heard again counts');

# Of a service, the next priority is for when all of the first are down.
$fake{$_}->kill_now for qw(s3 s4);
$gatepost->wait_for_log(qr/service\/d\@\Q$address{$_}\E is down/, 20) for qw(s3 s4);
is(servers('service', 2), 's5 s5', 'the next priority takes over');
change(service => ["srv-host=_imap._tcp.test,h1.test,$port,10,1", "host-record=h1.test,$address{s1}"]);
$gatepost->wait_for_log(qr/notice: pool service: d is now \Q$address{s1}\E:$port \(priority 10, weight 1\)$/, 60);
is(servers('service', 2), 's1 s1', 'another service');

# Whose certificate bears another name.
$gatepost->configure($gatepost->{config} =~ s/listener secure (.*)pool secure/listener secure ${1}pool insecure/r
    =~ s/moving\.test:\@SECURE/other.test:\@SECURE/r) or die;
change(other => ['host-record=other.test,' . $secure->address]);
ok($gatepost->reload, 'a reload with another name');
$gatepost->wait_for_log(qr/notice: pool insecure: d is now \Q@{[$secure->address]}\E$/, 60);
is(servers('secure', 1), 'none', 'a certificate that bears another name is a bad one');
ok($gatepost->wait_for_log(qr/back=insecure\/d.*: server failed: hostname mismatch/), 'and the log says so');

# Other name servers.
my $other = Gatepost::Dnsmasq->new(name => 'other', records => ["host-record=moving.test,$address{s5}"])->start;
$gatepost->{values}{DNS} = $other->port;
ok($gatepost->configure($gatepost->{config})->reload, 'a reload with another name server');
$gatepost->wait_for_log(qr/notice: farm moving: d03 is now \Q$address{s5}\E$/, 20);
is(servers('moving', 1), 's5', 'which is asked now');

$gatepost->stop;
$_->kill_now for values %fake, $secure, $failing, $dns, $other;
done_testing;
