#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# The greeting of a screened listener takes its time: a first line at once, the last one when the time is over; who
# speaks before it, with one octet, is sent away, refused at each recipient, or let alone; who has waited once is
# greeted at once.  Exempt and trusted clients, and those behind TLS from the first byte, do not wait.  A thousand
# who wait cost little.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Cert qw(make_cert);
use Gatepost::Fake;
use Gatepost::Gatepost;
use Gatepost::Port qw(own_address);
use Gatepost::Process qw(raise_descriptors wait_for);
use Gatepost::Smtp;
use Test::More;

my $server = Gatepost::Fake->new(name => 'mx', script => [[send => "220 mx ESMTP\r\n"],
    [expect => qr/^EHLO .*\r\n/m], [send => "250 mx\r\n"], [expect => qr/^MAIL .*\r\n/m], [send => "250 ok\r\n"],
    [expect => qr/^RCPT .*\r\n/m], [send => "250 2.1.5 taken\r\n"], ['hold']])->start;
my $gatepost = Gatepost::Gatepost->new(values => { MX => $server->port, CERT => make_cert() },
    config => <<~'END')->start;
	hostname mx.example.com
	tls main { certificate @CERT@ }
	limits spared { exempt 127.0.0.3 }
	screen drop { greeting_delay 20s; allow 127.0.0.2 }
	screen short { greeting_delay 2s }
	screen enforce { greeting_delay 2s; pregreet enforce }
	screen ignore { greeting_delay 2s; pregreet ignore }
	screen trial { greeting_delay 2s; action log }
	screen long { greeting_delay 60s }
	pool mx { protocol smtp; forward none; server s { address 127.0.0.1:@MX@ } }
	default listener { protocol smtp; pool mx; tls main }
	listener drop { bind 127.0.0.1:@PORT{drop}@; bind_tls 127.0.0.1:@PORT{tls}@; screen drop;
	    accept_proxy 127.0.0.5; trusted 127.0.0.4; limits spared }
	listener short { bind 127.0.0.1:@PORT{short}@; screen short }
	listener enforce { bind 127.0.0.1:@PORT{enforce}@; screen enforce }
	listener ignore { bind 127.0.0.1:@PORT{ignore}@; screen ignore }
	listener trial { bind 127.0.0.1:@PORT{trial}@; screen trial }
	listener long { bind 127.0.0.1:@PORT{long}@; screen long; login_timeout 10m }
	END
my $addresses = 0;
my $teaser = "220-mx.example.com ESMTP\r\n";
my $mail = "EHLO client.example.org\r\n";

sub new_address () { return own_address($addresses++ * 128 + 11) }

sub client ($port, %option) {
	return Gatepost::Smtp->new(port => $gatepost->port($port), timeout => 60, greeting => 0, from => new_address(), %option);
}

sub sessions ($listener) { return grep { $_->{listener} eq $listener } @{ $gatepost->ask_json('show sess') } }

# A good client: the first line, then the rest.
my $address = new_address();
my $c = client('short', from => $address);
is($c->line, '220-mx.example.com ESMTP', 'a line at once');
my ($s) = wait_for(sub { my @all = sessions('short'); @all ? \@all : undef }, 10, 'the session')->@*;
is($s->{state} // $s->{phase}, 'screen', 'operators see that it waits') or diag(explain($s));
is($c->line, '220 mx.example.com ESMTP ready', 'the other when its time has come');
is_deeply([@{ $gatepost->wait_for_event(screen => { client => $address }) }{qw(result score)}], ['passed', 0], 'it passed');
$c->ehlo;
$c->expect('250', 'MAIL FROM:<a@example.org>');
is($c->cmd('RCPT TO:<b@example.com>'), '250 2.1.5 taken', 'and is served');
$c->close;
is(client('short', from => $address)->line, '220 mx.example.com ESMTP ready', 'the next time there is one line');
like(client('drop', from => $address)->line, qr/^220-/, 'another block has not seen it');

# Who speaks too early goes at once, also with one octet and behind a PROXY header.
my %proxied = (from => '127.0.0.5', before => "PROXY TCP4 192.0.2.1 198.51.100.1 4711 25\r\n");
for my $row (["whole commands", $mail], ['one octet', 'E'], ['a line end', "\n"], ['behind a header', $mail, %proxied]) {
	my ($name, $text, %option) = @$row;
	my $c = client('drop', %option)->send_bytes($text);

	is($c->rest, "${teaser}521 5.5.1 Protocol error\r\n", "drop: $name");
}
my $early = $gatepost->wait_for_event(screen => { client => '192.0.2.1' });
is_deeply([@$early{qw(result action)}], [qw(early drop)], 'drop: the event tells');
is($early->{via}, '127.0.0.5', 'and whom it came through');
$gatepost->wait_for_event(session => { client => '192.0.2.1', reason => 'screened out' });

# One that speaks behind the first line is as early.
$c = client('drop');
$c->line;
is($c->send_bytes('Q')->rest, "521 5.5.1 Protocol error\r\n", 'drop: behind the first line');

# Refused recipients; what was said is not lost.
my $before = $server->connections;
$c = client('enforce')->send_bytes("$mail");
is($c->line, '220-mx.example.com ESMTP', 'enforce: the first line');
is($c->line, '220 mx.example.com ESMTP ready', 'enforce: the last');
like($c->reply, qr/^250-mx\.example\.com\n.*250 /s, 'enforce: what was said is answered');
my @replies = $c->pipeline('MAIL FROM:<a@example.org>', 'RCPT TO:<b@example.com>', 'RCPT TO:<c@example.com>', 'DATA', 'RSET');
is_deeply(\@replies, ['250 2.1.0 Ok', ('550 5.5.1 Protocol error') x 2, '503 5.5.1 There is no recipient', '250 2.0.0 Ok'],
    'enforce: recipients are refused, in order');
is($c->cmd('MAIL FROM:<a@example.org>'), '250 2.1.0 Ok', 'enforce: another mail');
is($c->cmd('RCPT TO:<b@example.com>'), '550 5.5.1 Protocol error', 'enforce: is refused, too');
like($c->quit, qr/^221 /, 'enforce: takes its leave');
is($server->connections, $before, 'enforce: no server is asked');
$gatepost->wait_for_event(message => { listener => 'enforce', from => 'a@example.org', refused_to => 'b@example.com, c@example.com' });

# They are refused behind STARTTLS as well.
$c = client('enforce')->send_bytes($mail);
$c->reply for 1, 2;
$c->starttls;
$c->ehlo;
$c->expect('250', 'MAIL FROM:<a@example.org>');
is($c->cmd('RCPT TO:<b@example.com>'), '550 5.5.1 Protocol error', 'enforce: behind STARTTLS');

# Nothing comes of it, but it waits the next time, too: where it is ignored, and in a trial.
for my $listener (qw(ignore trial)) {
	my $address = new_address();

	for my $time (1, 2) {
		my $c = client($listener, from => $address)->send_bytes($mail);
		is($c->line, '220-mx.example.com ESMTP', "$listener $time: waits");
		is($c->line, '220 mx.example.com ESMTP ready', "$listener $time: is greeted");
		$c->reply;
		$c->expect('250', 'MAIL FROM:<a@example.org>');
		is($c->cmd('RCPT TO:<b@example.com>'), '250 2.1.5 taken', "$listener $time: is served");
		$c->close;
	}
	my @events = wait_for(sub {
		my @seen = grep { $_->{client} eq $address } $gatepost->events('screen');
		return @seen >= 2 ? \@seen : undef;
	}, 10, 'both events')->@*;
	is_deeply([map { @$_{qw(result action)} } @events], [('early', $listener eq 'trial' ? 'log' : 'ignore') x 2],
	    "$listener: the events tell");
}

# Who leaves is seen to leave.
$c = client('drop', from => ($address = new_address()));
$c->line;
$c->close;
is($gatepost->wait_for_event(screen => { client => $address })->{result}, 'left', 'one that leaves');

# Exempt, allowed, trusted; TLS from the first byte, whose hello is no early talk.
is(client('drop', from => "127.0.0.$_")->line, '220 mx.example.com ESMTP ready', "127.0.0.$_ does not wait") for 2 .. 4;
$c = client('tls', tls => 1, from => ($address = new_address()));
is($c->line, '220 mx.example.com ESMTP ready', 'nor does TLS');
$c->close;
$gatepost->wait_for_event(session => { client => $address });
is(scalar(grep { $_->{client} eq $address } $gatepost->events('screen')), 0, 'which no event tells of, as nothing was looked at');

# A thousand wait.
raise_descriptors(3000);
my $idle = $gatepost->memory;
my @crowd = map { client('long', from => new_address()) } 1 .. 1000;
$_->line for @crowd;
is(scalar(() = sessions('long')), 1000, 'a thousand wait');
diag(sprintf 'a client that waits: %.1f KiB', ($gatepost->memory - $idle) / 1000);
is(client('short')->reply, "220-mx.example.com ESMTP\n220 mx.example.com ESMTP ready", 'others are served meanwhile');
$_->close for @crowd[0 .. 998];
wait_for(sub { sessions('long') == 1 }, 30, 'them to be gone');

# Told to go, one that waits hears so.
$gatepost->signal('TERM');
is($crowd[999]->rest, "421 4.3.2 Please connect again.\r\n", 'one that waits is told of the end');
$gatepost->stop;
done_testing;
