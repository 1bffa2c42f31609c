#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Clients of SMTP that send endless lines, NULs, recipients by the hundred
# thousand, chunks of more octets than there are, garbage: each hears a clear
# reply or is cut off, others are served meanwhile, memory stays bounded, and
# no message comes of it.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Cert qw(make_cert);
use Gatepost::Gatepost;
use Gatepost::Port qw(free_port);
use Gatepost::Postfix;
use Gatepost::Process qw(wait_for);
use Gatepost::Smtp;
use IO::Select;
use MIME::Base64 qw(encode_base64);
use Test::More;

plan skip_all => 'needs root' if $> != 0;

use constant MEMORY_KIB => 60_000;	# sanitizers keep freed memory for a while

# without the last one, mails that never end make Postfix take a second for each
my %lenient = (smtpd_hard_error_limit => 200_000, smtpd_soft_error_limit => 200_000, in_flow_delay => '0s');
my $mx = Gatepost::Postfix->new(name => 'mx', xclient => '127.0.0.1', main => \%lenient)->start;
my $out = Gatepost::Postfix->new(name => 'out', xclient => '127.0.0.1', sasl => { anna => 'secret' })->start;
my $sink_port = free_port();
my $sink = Gatepost::Process->new(name => 'sink', command => ['smtp-sink', '-u', 'nobody',
    "127.0.0.1:$sink_port", '100'])->start;
wait_for(sub { IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $sink_port) }, 10, 'smtp-sink');
my $gatepost = Gatepost::Gatepost->new(values => { CERT => make_cert(), MX => $mx->port, OUT => $out->port,
    SINK => $sink_port }, config => <<'END')->start;
tls main { certificate @CERT@ }
pool mx { protocol smtp; server s { address 127.0.0.1:@MX@ } }
pool sink { protocol smtp; forward none; server s { address 127.0.0.1:@SINK@ } }
pool out { protocol submission; server s { address 127.0.0.1:@OUT@ } }
listener mx { protocol smtp; bind 127.0.0.1:@PORT{mx}@; tls main; pool mx }
listener sink { protocol smtp; bind 127.0.0.1:@PORT{sink}@; tls main; pool sink }
listener out { protocol submission; bind 127.0.0.1:@PORT{clear}@; bind_tls 127.0.0.1:@PORT{out}@; tls main
               pool out }
END

sub client ($listener = 'mx', %option) {
	my $c = Gatepost::Smtp->new(port => $gatepost->port($listener), tls => $listener eq 'out',
	    timeout => 20, %option);
	$c->ehlo;
	return $c;
}
sub logged_in {
	my $c = client('out');
	like($c->auth('anna', 'secret'), qr/^235 /, 'a good login');
	return $c;
}
sub in_mail ($c) {
	$c->expect('250', 'MAIL FROM:<a@example.org>');
	return $c;
}

# In a process of its own the input would not be read: what comes back is taken while this goes out.
sub pour ($c, $bytes) {
	my ($socket, $sent, $reply) = ($c->socket, 0, '');
	my $select = IO::Select->new($socket);

	$socket->blocking(0);
	while ($sent < length $bytes) {
		my ($readable, $writable) = IO::Select->select($select, $select, undef, 20) or last;
		if (@$readable) {
			my $n = sysread $socket, $reply, 65_536, length $reply;
			last if defined $n ? $n == 0 : !$!{EAGAIN};
		}
		if (@$writable) {
			my $n = syswrite $socket, $bytes, 65_536, $sent;
			last if !defined $n && !$!{EAGAIN};
			$sent += $n // 0;
		}
	}
	$socket->blocking(1);
	return $reply;
}

# Another client, with a mail of its own, while the hostile ones are there.
my $served = 0;
my $bystander = client();
sub serves_others ($what) {
	my $reply = $bystander->send_message(from => 'good@example.org', to => ['b@example.com'],
	    text => 'Subject: good ' . ++$served . ".\n\nHello.\n");
	return like($reply, qr/^250 /, "$what: another client is served");
}
my $before = $gatepost->memory;

# what => [what is sent, what comes back, all of it]: before a mail, and within one
my %clear = (
	'a NUL' => ["NOOP\0\r\nQUIT\r\n", qr/\A(?:5\d\d [^\n]*\n)?221 [^\n]*\n\z/],
	'a control character' => ["NOOP \e[2J\r\nQUIT\r\n", qr/\A(?:250|5\d\d) [^\n\e]*\n221 [^\n]*\n\z/],
	'octets above ASCII' => ["\xff\xfe\xfd\r\nQUIT\r\n", qr/\A(?:5\d\d [\x20-\x7e]*\r\n)?221 [^\n]*\n\z/],
	'an empty line' => ["\r\nQUIT\r\n", qr/\A5\d\d [^\n]*\n221 [^\n]*\n\z/],
	'a line of 4 KiB' => ['NOOP ' . ('x' x 4096) . "\r\nQUIT\r\n",
	    qr/\A500 5\.5\.2 [^\n]*\n(?:221 [^\n]*\n)?\z/],
	'a line of 1 MiB' => ['NOOP ' . ('x' x 1_048_576) . "\r\nQUIT\r\n",
	    qr/\A500 5\.5\.2 [^\n]*\n(?:[24]21 [^\n]*\n)?\z/],
	'garbage' => [join('', map { chr(33 + $_ * 7 % 90) x 20 . "\r\n" } 1 .. 500),
	    qr/\A(?:5\d\d [^\n]*\n)+421 4\.7\.0 [^\n]*\n\z|\A(?:5\d\d [^\n]*\n)*221 2\.7\.0 [^\n]*\n\z/],
	'HTTP' => ["POST / HTTP/1.1\r\nHost: x\r\n\r\nMAIL FROM:<evil\@example.org>\r\n",
	    qr/\A221 2\.7\.0 [^\n]*\n\z/],
	'a header line' => ["Subject: hello\r\nMAIL FROM:<evil\@example.org>\r\n",
	    qr/\A221 2\.7\.0 [^\n]*\n\z/],
	'a chunk of too many octets' => ["BDAT 18446744073709551616\r\nQUIT\r\n", qr/\A5\d\d 5[^\n]*\n\z/],
	'a chunk of all octets' => ["BDAT 18446744073709551615\r\nQUIT\r\n", qr/\A(?:5\d\d 5[^\n]*\n)?\z/],
	'a negative chunk' => ["BDAT -1\r\nQUIT\r\n", qr/\A5\d\d 5[^\n]*\n\z/],
);
for my $what (sort keys %clear) {
	my ($bytes, $reply) = @{ $clear{$what} };
	for my $state ('before a mail', 'within one') {
		my $c = client('mx');
		in_mail($c) if $state eq 'within one';
		my $got = pour($c, $bytes);
		shutdown $c->socket, 1 if $what eq 'a chunk of all octets';	# it would wait for them
		$got .= $c->rest;
		like($got, $reply, "$what, $state: a clear reply") or diag(substr $got, 0, 500);
		ok($c->{ended}, "$what, $state: then the connection ends");
		$c->close;
	}
	serves_others($what);
}

my $c = client('mx');
for my $args ('', 'FROM', 'FROM:', 'FROM:<', 'FROM:<a@b', 'FROM:<a@b>x', 'FROM:a b', "FROM:<a\t\@b>",
    'TO:<a@b>', 'FROM:<a@b> SIZE=x', 'FROM:<a@b> SIZE=99999999999999999999', 'FROM:<a@b> BODY=9BIT',
    'FROM:<"a>"b@c', 'FROM:<a@b> XFOO=1') {
	my $short = substr $args, 0, 40;
	like(eval { $c->cmd("MAIL $args") } // $@, qr/^[45]\d\d /, "MAIL $short is refused");
	like($c->cmd('RSET'), qr/^250 /, 'and the session goes on');
}
is(substr($c->cmd("MAIL $_"), 0, 3), '250', "MAIL $_ is taken") && $c->cmd('RSET')
    for 'FROM:<>', 'FROM: <a@example.org>', 'from:<a@example.org> size=10', 'FROM:<"a b"@example.org>';
$c->quit;
serves_others('variants of MAIL');

# All in one segment; of the first server a thousand are taken.
my %rows = (
	mx => [3_000, { 221 => 1, 250 => 1002, 452 => 2_000 }],
	sink => [100_000, { 221 => 1, 250 => 100_002 }],
);
for my $listener (sort keys %rows) {
	my ($count, $codes) = @{ $rows{$listener} };
	$c = client($listener);
	my $got = pour($c, "MAIL FROM:<a\@example.org>\r\n"
	    . join('', map { "RCPT TO:<r$_\@example.com>\r\n" } 1 .. $count) . "RSET\r\nQUIT\r\n");
	serves_others("$count recipients");
	my %seen;
	$seen{$_}++ for ($got . $c->rest) =~ /^(\d{3})[ -]/mg;
	is_deeply(\%seen, $codes, "$count recipients: each is answered");
	$c->close;
}
cmp_ok($gatepost->memory - $before, '<', MEMORY_KIB, 'memory is bounded with all these');

# Who does not read its replies is not read from.
my @deaf = map { in_mail(client('mx')) } 1 .. 5;
for my $deaf (@deaf) {
	$deaf->socket->blocking(0);
	1 while syswrite $deaf->socket, "RCPT TO:<unknown\@example.com>\r\n" x 1000;
}
serves_others('who does not read');
cmp_ok($gatepost->memory - $before, '<', MEMORY_KIB, 'memory is bounded with them');
$_->close for @deaf;

# Within AUTH, and with it.
$c = client('out');
$c->expect('334', 'AUTH PLAIN');
like($c->cmd('STARTTLS'), qr/^501 /, 'STARTTLS within AUTH is no base64');
$c->expect('334', 'AUTH LOGIN');
like($c->cmd('!'), qr/^501 /, 'nor is this');
$c->expect('334', 'AUTH PLAIN');
like($c->cmd('A' x 12_000), qr/^5\d\d /, 'a long answer that is nothing');
like($c->cmd("AUTH PLAIN $_") // '', qr/^5[03]\d /, "AUTH PLAIN $_ is refused")
    for '=', 'AAA=', 'AAAA', encode_base64("\0an\0na\0secret", '');
$c->close;
$c = client('out');
$c->expect('334', 'AUTH PLAIN');
like($c->send_bytes(('QUFB' x 3200) . "\r\n")->rest, qr/\A500 5\.5\.2 [^\n]*\n/,
    'an answer that is too long');
$c->close;
$c = logged_in();
like($c->auth('anna', 'secret'), qr/^503 /, 'AUTH once more is refused');
like($c->cmd('AUTH LOGIN'), qr/^503 /, 'in all its forms');
$c->quit;
$c = client('clear');
like($c->send_bytes("GET / HTTP/1.1\r\nHost: x\r\n\r\n")->rest, qr/\A221 2\.7\.0 [^\n]*\n\z/,
    'HTTP at submission');
serves_others('AUTH');

# Hundreds of them one after the other leave nothing: each would hold one of Postfix's hundred processes.
for my $n (1 .. 300) {
	$c = in_mail(client('mx'));
	$c->send_bytes("RCPT TO:<b\@example.com>\r\n");
	$c->send_bytes("DATA\r\n") if $n % 3 == 0;
	if ($n % 3 == 1) {
		$c->reply;
		$c->expect('354', 'DATA');
		$c->send_bytes("Subject: half a mail\r\n");
	}
	$c->close;
}
serves_others('who leaves in the middle');
cmp_ok($gatepost->memory - $before, '<', MEMORY_KIB, 'memory is bounded by then');

$bystander->quit;
$mx->wait_for_messages(qr/^Subject: good \d+\.$/m, $served);
$_->wait_until_quiet for $mx, $out;
is(scalar $mx->messages, $served, 'no message came of it');
is(scalar $out->messages, 0, 'nor one of those that log in');

$c = in_mail(client('mx'));
my $port = $c->socket->sockport;
$c->expect('250', 'RCPT TO:<b@example.com>');
$c->send_bytes("BDAT 1000000\r\nxxx");
$c->close;
ok(eval { $gatepost->wait_for_event(session => { client_port => $port }, 10) },
    'who leaves within a chunk leaves nothing');

$gatepost->stop;
$_->stop_quietly for $mx, $out;
done_testing;
