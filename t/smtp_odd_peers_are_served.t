#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Clients and servers of SMTP that are odd, but have a right to be: a server
# that thinks about a message for minutes, clients that half-close behind
# QUIT, unusual names in EHLO, an IPv6 client in front of a Postfix that knows
# no IPv6, a server with an empty line in its EHLO, one that would not have
# the client, and those that do not tell what they announce.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Cert qw(make_cert);
use Gatepost::Fake;
use Gatepost::Gatepost;
use Gatepost::Port qw(free_port);
use Gatepost::Postfix;
use Gatepost::Process qw(read_file test_dir wait_for write_file);
use Gatepost::Smtp;
use IO::Socket::IP;
use Test::More;

plan skip_all => 'needs root' if $> != 0;

my $postfix = Gatepost::Postfix->new(name => 'ipv4', xclient => '127.0.0.1')->start;
my $ehlo = [expect => qr/^EHLO \S+\r\n/m];
my @begin = ([send => "220 fake ESMTP\r\n"], $ehlo, [send => "250-fake\r\n250 PIPELINING\r\n"],
    [expect => qr/^MAIL FROM:<\S+>\r\n/m], [send => "250 2.1.0 Ok\r\n"], [expect => qr/^RCPT TO:<\S+>\r\n/m]);
my $answer = test_dir() . '/answer';
my $slow = Gatepost::Fake->new(name => 'slow', scripts => [
	[@begin, [send => "250 2.1.5 Ok\r\n"], [expect => qr/^DATA\r\n/m], [send => "354 go\r\n"],
	    [expect => qr/\r\n\.\r\n/], [await => $answer], [send => "250 2.0.0 Ok: at last\r\n"],
	    [expect => qr/^QUIT\r\n/m], ['close']],
	[@begin, ['hold']],
])->start;
my $sink_port = free_port();
my $sink = Gatepost::Process->new(name => 'sink', command => ['smtp-sink', '-u', 'nobody', '-v',
    '-h', 'sink.example.net', "127.0.0.1:$sink_port", '100'])->start;
wait_for(sub { IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $sink_port) }, 10, 'smtp-sink');
my $has_ipv6 = IO::Socket::IP->new(LocalHost => '::1', LocalPort => 0, Listen => 1, Proto => 'tcp');
my $bind6 = $has_ipv6 ? '[::1]:@PORT{ipv4}@' : '';

my $listing = Gatepost::Fake->new(name => 'listing', scripts => [
	map { [[expect => qr/\A\r\n\r\n\0\r\nQUIT\n/],
	    [send => "521 5.7.1 Blocked using list.example\r\n"], ['hold']] } 1 .. 2,
])->start;
my $silent = Gatepost::Fake->new(name => 'silent', scripts => [[['hold']], [['hold']]])->start;
my $gatepost = Gatepost::Gatepost->new(values => { CERT => make_cert(), GONE => free_port(), IPV4 => $postfix->port,
    LISTING => $listing->port, SILENT => $silent->port, SLOW => $slow->port, SINK => $sink_port },
    config => <<"END")->start;
hostname mx.example.com
tls main { certificate \@CERT\@ }
default pool { check { kind none }; protocol smtp; retries 0 }
pool ipv4 { server s { address 127.0.0.1:\@IPV4\@ } }
pool slow { forward none; server s { address 127.0.0.1:\@SLOW\@ } }
pool sink { forward none; server s { address 127.0.0.1:\@SINK\@ } }
pool listing {
    forward proxy_v2
    server s { address 127.0.0.1:\@LISTING\@ }
    server t { address 127.0.0.1:\@LISTING\@ }
}
pool gone { server s { address 127.0.0.1:\@GONE\@ } }
pool silent { server s { address 127.0.0.1:\@SILENT\@ } }
pool autosink { server s { address 127.0.0.1:\@SINK\@ } }
default listener { protocol smtp; tls main }
listener ipv4 { bind 127.0.0.1:\@PORT{ipv4}\@ $bind6; pool ipv4 }
listener slow { bind 127.0.0.1:\@PORT{slow}\@; pool slow; reply_timeout 1s; capabilities 8BITMIME }
listener sink { bind 127.0.0.1:\@PORT{sink}\@; pool sink }
listener listing { bind 127.0.0.1:\@PORT{listing}\@; pool listing; capabilities 8BITMIME }
listener gone { bind 127.0.0.1:\@PORT{gone}\@; pool gone }
listener silent { bind 127.0.0.1:\@PORT{silent}\@; pool silent }
listener autosink { bind 127.0.0.1:\@PORT{autosink}\@; pool autosink }
END

sub client ($listener, %option) {
	my $c = Gatepost::Smtp->new(port => $gatepost->port($listener), timeout => 20, %option);
	$c->ehlo($option{helo} // 'client.example.org');
	return $c;
}

my %from_alice = (from => 'alice@example.org', to => ['bob@example.com']);

# The second client's reply is due only after the first one's, if time ran for that, and shows it is over.
my $patient = client('slow');
$patient->expect('250', 'MAIL FROM:<alice@example.org>');
$patient->expect('250', 'RCPT TO:<bob@example.com>');
$patient->expect('354', 'DATA');
$patient->send_bytes("Hello.\r\n.\r\n");
$slow->wait_for_received(qr/Hello\.\r\n\.\r\n/);
my $c = client('slow');
$c->expect('250', 'MAIL FROM:<alice@example.org>');
like($c->cmd('RCPT TO:<bob@example.com>'), qr/^451 4\.\d\.\d /,
    'a server that owes a reply for too long is lost');
like($c->cmd('RCPT TO:<eve@example.com>'), qr/^451 /, 'with it the transaction');
like($c->cmd('RSET'), qr/^250 /, 'but not the session');
$c->close;
write_file($answer, '');
is($patient->reply, '250 2.0.0 Ok: at last', 'behind the last dot it has more time');
like($patient->quit, qr/^221 /, 'and all ends well');
is($gatepost->wait_for_event(message => { listener => 'slow', status => 'accepted' })->{reply},
    '250 2.0.0 Ok: at last', 'as the event says');

for my $name ('my_host', 'under_score.example.org', '[127.0.0.1]', '[IPv6:2001:db8::1]', 'a', 'x' x 200) {
	my $subject = 'helo' . length $name;
	$c = client('ipv4', helo => $name);
	like($c->send_message(%from_alice, text => "Subject: $subject\n\nHello.\n"), qr/^250 /,
	    "a client that calls itself $name is served");
	like($postfix->wait_for_messages(qr/^Subject: $subject$/m)->{text}, qr/^Received: from \Q$name\E \(/m,
	    'and Postfix knows that');
	$c->quit;
}

# QUIT and nothing more to say, in all the states in which it can come.
my $quit = "MAIL FROM:<alice\@example.org>\r\nRCPT TO:<bob\@example.com>\r\n";
my %halves = (
	'nothing' => ['', qr/\A221 [^\n]*\n\z/],
	'MAIL' => ["$quit", qr/\A250 [^\n]*\n250 [^\n]*\n221 [^\n]*\n\z/],
	'a refused recipient' => ["MAIL FROM:<alice\@example.org>\r\nRCPT TO:<unknown\@example.com>\r\n",
	    qr/\A250 [^\n]*\n550 [^\n]*\n221 [^\n]*\n\z/],
	'a chunk' => ["${quit}BDAT 14 LAST\r\nSubject: half\n",
	    qr/\A(?:250 [^\n]*\n){3}221 [^\n]*\n\z/],
);
for my $what (sort keys %halves) {
	my ($commands, $replies) = @{ $halves{$what} };
	$c = client('ipv4');
	$c->send_bytes("${commands}QUIT\r\n");
	shutdown $c->socket, 1;
	like($c->rest, $replies, "QUIT behind $what, and a half-close: all is answered");
	ok($c->{ended}, 'and closed');
}
$postfix->wait_for_messages(qr/^Subject: half$/m);
$c = client('ipv4');
$c->expect('250', 'MAIL FROM:<alice@example.org>');
$c->expect('250', 'RCPT TO:<bob@example.com>');
$c->expect('354', 'DATA');
$c->send_bytes("Subject: last\r\n\r\nHello.\r\n.\r\nQUIT\r\n");
shutdown $c->socket, 1;
like($c->rest, qr/\A250 2\.0\.0 [^\n]*\n221 [^\n]*\n\z/,
    'QUIT behind a message, and a half-close: it is answered');
$postfix->wait_for_messages(qr/^Subject: last$/m);

SKIP: {
	skip 'no IPv6', 2 unless $has_ipv6;
	$c = client('ipv4', address => '::1');
	like($c->send_message(%from_alice, text => "Subject: six\n\nHello.\n"), qr/^250 /,
	    'an IPv6 client is served by a Postfix that knows only IPv4');
	like($postfix->wait_for_messages(qr/^Subject: six$/m)->{text},
	    qr/^Received: from client\.example\.org \(unknown \[(?:unknown|UNAVAILABLE)\]\)/mi,
	    'which is told that the address is not known');
	$c->quit;
}

# smtp-sink ends its EHLO with an empty keyword, and takes XCLIENT with NAME and HELO only.
$c = client('sink');
like($c->send_message(%from_alice, text => "Subject: sink\n\nHello.\n"), qr/^250 /,
    'a server with an empty line in its EHLO is used');
$c->quit;
$c = client('sink');
my @lines = split /\n/, $c->cmd('EHLO client');
is(join(' ', sort map { /^250[- ](\S*)/ } @lines[1 .. $#lines]),
    '8BITMIME DSN ENHANCEDSTATUSCODES PIPELINING STARTTLS', 'its other lines count');
$c->quit;
$c = client('autosink');
like($c->cmd('MAIL FROM:<alice@example.org>'), qr/^451 /, 'one that cannot be told the address is not');
like($gatepost->wait_for_log(qr/ back=autosink.*no way to pass the client's address/), qr/server failed/,
    'and the log says why');
$c->quit;

$c = client('listing');
is($c->cmd('MAIL FROM:<alice@example.org>'), '521 5.7.1 Blocked using list.example',
    'a client hears what a server says of it');
$c->expect('250', 'NOOP');
$c->quit;
is($listing->connections, 1, 'and no other server is asked');

# Servers are asked what they announce, without a client.
like($gatepost->wait_for_log(qr(gone/s does not tell)), qr/: Connection refused while connecting$/i,
    'a server that is not there tells nothing');
wait_for(sub { $silent->connections == 1 }, 10, 'the question to the silent server');
$gatepost->reload;
wait_for(sub { $silent->connections == 2 }, 10, 'the question again');
pass('one without an answer is asked again after a reload, and keeps nobody from stopping');
$gatepost->stop;
$postfix->stop_quietly;
done_testing;
