#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Lists in the DNS, as a real name server has them: ranges and patterns of answers, weights, good clients' lists,
# IPv6, each asked once however many come; what fails or is silent counts for nothing and keeps nobody waiting for
# long; those who are listed are refused at each recipient, without a server, or sent away, or only told of.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Dnsmasq;
use Gatepost::Fake;
use Gatepost::Gatepost;
use Gatepost::Port qw(free_port);
use Gatepost::Process qw(test_dir wait_for read_file);
use Gatepost::Smtp;
use IO::Socket::INET;
use Test::More;

# What is in which list: client, zone, address, TTL.
my @listed = (
	['192.0.2.2', 'bl.test', '127.0.0.2'], ['192.0.2.3', 'bl.test', '127.0.0.11'], ['192.0.2.12', 'bl.test', '127.0.0.12'],
	['192.0.2.5', 'many.test', '127.0.0.5'], ['192.0.2.6', 'many.test', '127.0.0.3'],
	['192.0.2.8', 'many.test', '127.0.0.5'], ['192.0.2.8', 'many.test', '127.0.0.8'],
	['192.0.2.9', 'many.test', '127.0.0.8'], ['192.0.2.9', 'white.test', '127.0.5.1'],
	['192.0.2.10', 'bl.test', '127.0.0.4'], ['192.0.2.10', 'white.test', '127.0.5.1'],
	['192.0.2.11', 'bl.test', '127.0.0.4'], ['192.0.2.11', 'white.test', '127.255.255.254'],
	['192.0.2.20', 'bl.test', '127.0.0.2', 1], ['192.0.2.21', 'bl.test', '127.0.0.12', 1],
	['2001:db8::1:2', 'bl.test', '127.0.0.3'],
);

sub question ($client, $zone) {
	return join('.', reverse split /\./, $client) . ".$zone" if $client !~ /:/;
	my ($head, $tail) = map { [split /:/, $_] } split /::/, $client;
	my @groups = (@$head, (0) x (8 - @$head - @$tail), @$tail);
	return join('.', reverse split //, join '', map { sprintf '%04x', hex $_ } @groups) . ".$zone";
}

# host-record has a TTL of its own, and one address; address= has several.
sub record ($client, $zone, $address, $ttl = undef) {
	my $name = question($client, $zone);
	return defined $ttl ? "host-record=$name,$address,$ttl" : "address=/$name/$address";
}

my $silent = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Proto => 'udp') or die "udp: $!";
my @records = ((map { "local=/$_.test/" } qw(bl many white)), 'local-ttl=300',
    'server=/silent.test/127.0.0.1#' . $silent->sockport, (map { record(@$_) } @listed));
my $queries = test_dir() . '/queries';
my $dns = Gatepost::Dnsmasq->new(name => 'dns', records => [@records, 'log-queries', "log-facility=$queries"])->start;
my $server = Gatepost::Fake->new(name => 'mx', script => [[send => "220 mx ESMTP\r\n"],
    [expect => qr/^EHLO .*\r\n/m], [send => "250 mx\r\n"], [expect => qr/^MAIL .*\r\n/m], [send => "250 ok\r\n"],
    [expect => qr/^RCPT .*\r\n/m], [send => "250 2.1.5 taken\r\n"], ['hold']])->start;
my $gatepost = Gatepost::Gatepost->new(values => { DNS => $dns->port, MX => $server->port }, config => <<~'END')->start;
	nameservers 127.0.0.1:@DNS@
	default screen {
	    greeting_delay 0s; threshold 3
	    dnsbl bl.test { reply 127.0.0.2-127.0.0.11; weight 3 }
	    dnsbl many.test { reply "127.0.0.[2;4..7]" 127.0.0.9; weight 2; name small }
	    dnsbl many.test { reply 127.0.0.8; weight 5 }
	    dnsbl white.test { weight -4 }
	}
	screen enforce { }
	screen drop { action drop }
	screen log { action log }
	screen both { greeting_delay 1s; passed_ttl 1s }
	screen failing { dnsbl refused.test { weight 9; name a-secret }; dnsbl silent.test { weight 9 }; passed_ttl 1h }
	pool mx { protocol smtp; forward none; server s { address 127.0.0.1:@MX@ } }
	default listener { protocol smtp; starttls off; pool mx; accept_proxy 127.0.0.0/8 }
	listener enforce { bind 127.0.0.1:@PORT{enforce}@; screen enforce }
	listener drop { bind 127.0.0.1:@PORT{drop}@; screen drop }
	listener log { bind 127.0.0.1:@PORT{log}@; screen log }
	listener both { bind 127.0.0.1:@PORT{both}@; screen both }
	listener failing { bind 127.0.0.1:@PORT{failing}@; screen failing }
	END

sub connect_as ($listener, $client) {
	my $family = $client =~ /:/ ? 'TCP6' : 'TCP4';
	my $own = $client =~ /:/ ? '2001:db8::25' : '198.51.100.25';
	return Gatepost::Smtp->new(port => $gatepost->port($listener), timeout => 30,
	    before => "PROXY $family $client $own 4711 25\r\n");
}

sub event_of ($listener, $client) {
	return $gatepost->wait_for_event(screen => { listener => $listener, client => $client });
}

sub asked ($client, $zone) {
	my $name = question($client, $zone);
	return scalar grep { /query\[A\] \Q$name\E / } split /\n/, read_file($queries);
}

# The reply to RCPT.
sub ask_recipient ($c) {
	$c->ehlo;
	$c->expect('250', 'MAIL FROM:<a@example.org>');
	return $c->cmd('RCPT TO:<b@example.com>');
}

my @scores = (
	# client, score, zones, refused because of
	['192.0.2.1', 0, undef, undef],
	['192.0.2.2', 3, 'bl.test', 'bl.test'],
	['192.0.2.3', 3, 'bl.test', 'bl.test'],
	['192.0.2.12', 0, undef, undef],
	['192.0.2.5', 2, 'small', undef],
	['192.0.2.6', 0, undef, undef],
	['192.0.2.8', 7, 'small,many.test', 'many.test'],
	['192.0.2.9', 1, 'many.test,white.test', undef],
	['192.0.2.10', -1, 'bl.test,white.test', undef],
	['192.0.2.11', 3, 'bl.test', 'bl.test'],
	['2001:db8::1:2', 3, 'bl.test', 'bl.test'],
	['2001:db8::1:3', 0, undef, undef],
);
for my $row (@scores) {
	my ($client, $score, $zones, $worst) = @$row;
	my $before = $server->connections;
	my $c = connect_as('enforce', $client);
	my $reply = ask_recipient($c);
	my $event = event_of('enforce', $client);

	is($event->{score}, $score, "$client: score");
	is($event->{zones}, $zones, "$client: zones");
	is($event->{result}, defined $worst ? 'listed' : 'passed', "$client: result");
	if (defined $worst) {
		is($reply, "550 5.7.1 Service unavailable; client [$client] blocked using $worst", "$client: is refused");
		like($c->cmd('RCPT TO:<c@example.com>'), qr/^550 5\.7\.1 /, "$client: each recipient");
		like($c->cmd('DATA'), qr/^503 /, "$client: no data");
		like($c->cmd('RSET'), qr/^250 /, "$client: goes on");
		is($server->connections, $before, "$client: no server is asked");
		my $mail = $gatepost->wait_for_event(message => { client => $client });
		is_deeply([@$mail{qw(from refused_to refused status)}], ['a@example.org', 'b@example.com, c@example.com', 2, 'failed'],
		    "$client: the log has sender and recipients");
		like($mail->{reply}, qr/^550 5\.7\.1 Service unavailable/, "$client: and why");
	} else {
		is($reply, '250 2.1.5 taken', "$client: is served");
	}
	$c->close;
}

# Whoever has passed is not looked at again; whoever has not is, by what is remembered.
my $events = () = $gatepost->events('screen');
is(ask_recipient(connect_as('enforce', '192.0.2.1')), '250 2.1.5 taken', 'passed before');
is(ask_recipient(connect_as('enforce', '2001:db8::1:7')), '250 2.1.5 taken', 'by 64 bits of IPv6');
like(ask_recipient(connect_as('enforce', '192.0.2.2')), qr/^550 5\.7\.1 /, 'still listed');
wait_for(sub { $gatepost->events('screen') > $events }, 10, 'an event of the listed one');
is(scalar(() = $gatepost->events('screen')), $events + 1, 'only the listed one was looked at');
is(asked('192.0.2.2', $_), 1, "$_ was asked once") for qw(bl.test many.test white.test);

# Another block is another matter: who passed there is looked at here.
my $c = connect_as('drop', '192.0.2.1');
like($c->greeting, qr/^220 .*\n?/, 'drop: others are served');
is(event_of('drop', '192.0.2.1')->{result}, 'passed', 'drop: looked at');
$c = Gatepost::Smtp->new(port => $gatepost->port('drop'), timeout => 30, greeting => 0,
    before => "PROXY TCP4 192.0.2.2 198.51.100.25 4711 25\r\n");
is($c->rest, "521 5.7.1 Service unavailable; client [192.0.2.2] blocked using bl.test\r\n", 'drop: listed ones go');
is_deeply([@{ event_of('drop', '192.0.2.2') }{qw(result action)}], [qw(listed drop)], 'drop: so the event');
$gatepost->wait_for_event(session => { listener => 'drop', client => '192.0.2.2', reason => 'screened out' });

# A trial changes nothing.
is(ask_recipient(connect_as('log', '192.0.2.8')), '250 2.1.5 taken', 'log: a listed one is served');
is_deeply([@{ event_of('log', '192.0.2.8') }{qw(result action score)}], ['listed', 'log', 7], 'log: the event tells');

# Many at once of one client: a question of each worker at most.
my @crowd = map { connect_as('drop', '192.0.2.77') } 1 .. 20;
is(scalar(grep { $_->greeting =~ /^220/ } @crowd), 20, 'a crowd is served');
cmp_ok(asked('192.0.2.77', 'bl.test'), '<=', 2, 'which is asked about once');
$_->close for @crowd;

# An answer is remembered no longer than it says.
wait_for(sub {
	my $c = connect_as('log', '192.0.2.20');
	$c->close;
	return asked('192.0.2.20', 'bl.test') > 1;
}, 30, 'the list to be asked anew');
pass('behind its TTL an answer is asked for anew');

# Each test is passed for its own time: the greeting waits again, and the list, whose answer is old, is not asked.
sub connect_both () {
	return Gatepost::Smtp->new(port => $gatepost->port('both'), timeout => 30, greeting => 0,
	    before => "PROXY TCP4 192.0.2.21 198.51.100.25 4711 25\r\n");
}
like(connect_both()->reply, qr/^220-.*\n220 /, 'both: it waits');
wait_for(sub { connect_both()->line =~ /^220-/ }, 30, 'the greeting to wait anew');
is(asked('192.0.2.21', 'bl.test'), 1, 'both: the list is not asked anew');

# Lists that refuse, and one that is silent: nothing is known, and nobody waits for ever.
for my $i (1 .. 12) {
	my $client = "203.0.113.$i";
	is(ask_recipient(connect_as('failing', $client)), '250 2.1.5 taken', "failing lists: $client is served");
	my $event = event_of('failing', $client);
	is_deeply([@$event{qw(result score unknown_zones)}], ['passed', 0, 2], 'they count for nothing');
}
$gatepost->wait_for_log(qr/dnsbl a-secret: failed: it counts for nothing until it answers again/);
pass('an operator hears of it');
$dns->change(@records, 'local=/refused.test/');
my $i = 100;
wait_for(sub {
	connect_as('failing', '203.0.113.' . $i++)->close;
	$gatepost->log_lines(qr/dnsbl a-secret answers again/);
}, 30, 'the list to answer again');
pass('and of its return');
is(scalar(() = $gatepost->log_lines(qr/refused\.test/)), 0, 'by the name that was given to it');
$gatepost->stop;
done_testing;
