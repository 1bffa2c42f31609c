#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Who vanishes without a FIN is noticed, by keepalive when all are silent and
# by tcp_user_timeout when something is to be sent: a client, and a server,
# whose client is told.  With the defaults it takes four minutes at most; here
# they are seconds.  Takes 40 s: the server's side is only probed in sessions
# that have lasted 30 s.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Cert qw(make_cert);
use Gatepost::Fake;
use Gatepost::Gatepost;
use Gatepost::Imap;
use Gatepost::Namespace;
use Gatepost::Process qw(run_command test_dir wait_for write_file);
use Test::More;
use Time::HiRes qw(time);

plan skip_all => 'needs root' if $> != 0;

use constant NOTICED_WITHIN => 15;	# 5 s by the settings below; the machine may be busy

my $network = Gatepost::Namespace->new;
my $far_network = Gatepost::Namespace->new(1);

# They say nothing unasked, but the near one once a file tells it to.
my $cue = test_dir() . '/cue';
my @login = ([send => "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] ready\r\n"],
    [expect => qr/^(\S+) (?:LOGIN|AUTHENTICATE)[^\r\n]*\r\n/m],
    [send => sub ($tag) { "$tag OK [CAPABILITY IMAP4rev1] in\r\n" }]);
my @speak = [send => sub { wait_for(sub { -e $cue }, 60, 'the cue'); "* 1 EXISTS\r\n" }];
my $near = Gatepost::Fake->new(name => 'near',
    script => [@login, [expect => qr/PUSH\r\n/], @speak, ['hold']])->start;
my $far = $far_network->run_inside(sub {
	return Gatepost::Fake->new(name => 'far', address => $far_network->address,
	    script => [@login, ['hold']])->start;
});

my %values = (CERT => make_cert(), NEAR => $near->port, FAR => $far->port,
    FAR_ADDRESS => $far_network->address,
    SWALLOWED => $far_network->swallowing_address);
my $config = <<'END_CONFIG';
tls main { certificate @CERT@ }
pool near { protocol imap; server n { address 127.0.0.1:@NEAR@ } }
pool far { protocol imap; server f { address @FAR_ADDRESS@:@FAR@ } }
pool swallowed {
    protocol imap; connect_timeout 2s; retries 0; queue_timeout 0s
    server s { address @SWALLOWED@:143 }
}

listener swallowed { protocol imap; tls main; bind_tls 127.0.0.1:@PORT{swallowed}@; pool swallowed }
END_CONFIG
my %means = (
	probed => 'tcp_keepalive 2s 1s 3; tcp_user_timeout 0s',
	timed => 'tcp_keepalive 1h 1h 4; tcp_user_timeout 4s',
);
for my $means (sort keys %means) {
	$config .= "listener ${means}_$_ { bind_tls 0.0.0.0:\@PORT{${means}_$_}\@; tls main\n"
	    . "protocol imap; pool $_; $means{$means} }\n" for qw(near far);
}
my $gatepost = Gatepost::Gatepost->new(values => \%values, config => $config)->start;

# What the defaults come to.
my ($status, $text) = run_command('default',
    [$ENV{GATEPOST}, '-T', '-c', Gatepost::Gatepost->new(name => 'plain',
    values => \%values, config => 'pool t { protocol tcp; server s { address 127.0.0.1:@NEAR@ } }'
    . "\nlistener t { protocol tcp; bind 127.0.0.1:\@PORT{t}\@; pool t }")->{conf}]);
like($text, qr/^\s*tcp_keepalive\s+2m 30s 4\b/m,
    'a silent client is gone after 2 minutes and 4 probes of 30 s');
like($text, qr/^\s*tcp_user_timeout\s+3m\b/m, 'one that is sent to after 3 minutes');

sub client ($listener, $address = '127.0.0.1') {
	my $client = Gatepost::Imap->new(address => $address, port => $gatepost->port($listener), tls => 1,
	    timeout => 60);
	$client->login('user1', 'x');
	return $client;
}

sub wait_for_end ($listener, $reason, $seconds = NOTICED_WITHIN) {
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $event = eval { $gatepost->wait_for_event(session => { listener => $listener, user => 'user1' },
	    $seconds) };
	is($event->{reason}, $reason, "$listener: the session's end is known: $reason") or diag($@);
}

# How often PATTERN stands in what the kernel tells of its sockets.
sub shows ($filter, $pattern) { return scalar(() = qx(ss -Htno $filter) =~ /$pattern/g) }

# A server that swallows all packets.
my $client = Gatepost::Imap->new(port => $gatepost->port('swallowed'), tls => 1);
my $began = time;
like($client->cmd('LOGIN user1 x'), qr/ NO \[UNAVAILABLE\]/, 'swallowed SYNs: the server is unavailable');
cmp_ok(time - $began, '>=', 2, 'swallowed SYNs: not before connect_timeout');
cmp_ok(time - $began, '<', 10, 'swallowed SYNs: but soon after');
ok($gatepost->log_lines(qr/while connecting/), 'swallowed SYNs: the log tells while doing what');
like($client->cmd('NOOP'), qr/ OK/, 'swallowed SYNs: the session goes on');
$client->close;

# First those to the far server, so that they settle while the others are tried.
my %to_far = map { $_ => client("${_}_far") } sort keys %means;

# A client that vanishes: silent, or with something on its way to it.
my %vanishing = $network->run_inside(sub {
	return map { $_ => client("${_}_near", $network->our_address) } sort keys %means;
});
$vanishing{timed}->send_bytes("a PUSH\r\n");
$near->wait_for_received(qr/PUSH/, $_) for grep { $near->received($_) =~ /PUSH/ } 1 .. 2;
# All it was sent is acknowledged: else it were not silent.
wait_for(sub { shows('src :' . $gatepost->port('probed_near'), qr/keepalive/) }, 10,
    'the keepalive of the client side');
$network->unplug;
write_file($cue, '');
wait_for_end("${_}_near", 'client lost') for sort keys %means;

# A server that vanishes, once the probes of its sockets are due.
my $to = 'dst ' . $far_network->address . ':' . $far->port;
wait_for(sub { 2 == shows($to, qr/keepalive/) }, 50, 'the keepalive of the server side');
$far_network->unplug;
$to_far{timed}->send_bytes("a NOOP\r\n");
for my $means (sort keys %means) {
	wait_for_end("${means}_far", 'server lost');
	like(eval { $to_far{$means}->line }, qr/^\* BYE \[UNAVAILABLE\]/, "${means}_far: the client is told");
	ok($to_far{$means}->is_closed(10), "${means}_far: and let go");
}
is(scalar(grep { defined $_->{user} } $gatepost->events('session')), 4, 'no other session ended');

$gatepost->stop;
done_testing;
