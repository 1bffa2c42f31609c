#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# What clients switch on behind the login works as without a proxy:
# COMPRESS=DEFLATE both ways, NOTIFY, ENABLE, and UTF8=ACCEPT from a server
# that has it.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Compress::Raw::Zlib;
use Gatepost::Fake;
use Gatepost::Setup qw(start_imap_farm tls_client);
use Test::More;

my $modern = Gatepost::Fake->new(name => 'modern', script => [
	[send => "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] ready\r\n"],
	[expect => qr/^(\S+) (?:LOGIN|AUTHENTICATE)[^\r\n]*\r\n/m],
	[send => sub ($tag) { "$tag OK [CAPABILITY IMAP4rev1 ENABLE UTF8=ACCEPT BINARY] in\r\n" }],
	[expect => qr/^(\S+) ENABLE UTF8=ACCEPT\r\n/m],
	[send => sub ($tag) { "* ENABLED UTF8=ACCEPT\r\n$tag OK enabled\r\n" }],
	[expect => qr/^(\S+) APPEND "\xe2\x82\xac" UTF8 \(~\{(\d+)\}\r\n/m],
	[send => "+ go on\r\n"],
	[expect => qr/\A.{12}\)\r\n/s],
	[send => "a3 OK done\r\n* 1 FETCH (BINARY[] ~{4}\r\n\0\r\n{)\r\n"],
	['hold'],
])->start;

my $farm = start_imap_farm(
	dovecot => { settings => <<'END' },
mail_plugins = zlib
mailbox_idle_check_interval = 1 s
mailbox_list_index = yes
protocol imap {
  mail_plugins = zlib imap_zlib
}
END
	top => sprintf(<<'END', $modern->port),
pool modern { protocol imap; server m { address 127.0.0.1:%d } }
listener modern { protocol imap; pool modern; tls main; bind_tls 127.0.0.1:@PORT{modern}@ }
END
);
my ($gatepost, @dovecots) = ($farm->{gatepost}, @{ $farm->{dovecots} });

# A client that deflates and inflates, on what the other has opened.
package Deflating {
	use v5.36;
	use Compress::Raw::Zlib;
	use parent -norequire, 'Gatepost::Imap';

	sub compress ($self) {
		my $reply = $self->cmd('COMPRESS DEFLATE');
		return $reply unless $reply =~ / OK/;
		die "plain text behind the OK: $self->{in}" if length $self->{in};
		$self->{deflate} = Compress::Raw::Zlib::Deflate->new(-WindowBits => -MAX_WBITS(),
		    -AppendOutput => 1);
		$self->{inflate} = Compress::Raw::Zlib::Inflate->new(-WindowBits => -MAX_WBITS(),
		    -AppendOutput => 1,
		    -ConsumeInput => 1);
		return $reply;
	}

	sub send_bytes ($self, $bytes) {
		return $self->SUPER::send_bytes($bytes) unless $self->{deflate};
		my $out = '';
		$self->{deflate}->deflate($bytes, $out);
		$self->{deflate}->flush($out, Z_SYNC_FLUSH);
		return $self->SUPER::send_bytes($out);
	}

	# What is read is inflated in place: all that reads lines sees text.
	sub fill ($self, $deadline) {
		return $self->SUPER::fill($deadline) unless $self->{inflate};
		my $text = $self->{in};
		$self->{in} = '';
		my $n = $self->SUPER::fill($deadline);
		my $status = $self->{inflate}->inflate(my $in = $self->{in}, $text);
		die "inflate: $status" unless grep { $status == $_ } Z_OK, Z_BUF_ERROR, Z_STREAM_END;
		$self->{in} = $text;
		return $n;
	}
}

for my $name (qw(imap imaps)) {
	my $client = bless tls_client($gatepost, $name), 'Deflating';

	$client->login_as(1);
	like(join(' ', $client->cmd('CAPABILITY')), qr/\bCOMPRESS=DEFLATE\b/,
	    "$name: COMPRESS is offered behind the login");
	like($client->compress, qr/ OK/, "$name: COMPRESS");
	# as large as it is, it does not compress well
	srand 17;
	my $message = "Subject: $name\r\n\r\n" . join '',
	    map { join('', map { chr 33 + rand 90 } 1 .. 70) . "\r\n" } 1 .. 15_000;
	like($client->append('INBOX', $message), qr/ OK/, "$name: APPEND of 1 MiB, deflated");
	my ($exists) = map { /^\* (\d+) EXISTS/ } $client->cmd('SELECT INBOX');
	ok($client->fetch_body($exists) eq $message, "$name: FETCH of the same");
	like($client->cmd('COMPRESS DEFLATE'), qr/ (?:NO|BAD) /,
	    "$name: a second COMPRESS is the server's to refuse");
	$client->send_bytes("i IDLE\r\n");
	like($client->line, qr/^\+/, "$name: IDLE, deflated");
	my ($home) = grep { $_->log_lines(qr/Login: user=<user1>/) } @dovecots;
	$home->deliver('user1', "Subject: late\n\nHello\n");
	ok(eval { $client->lines_until(qr/^\* @{[$exists + 1]} EXISTS/) }, "$name: hears of mail, deflated")
	    or diag($@);
	$client->send_bytes("DONE\r\n");
	like(($client->lines_until(qr/^i /))[-1], qr/^i OK/, "$name: DONE");
	like($client->cmd('LOGOUT'), qr/ OK/, "$name: LOGOUT, deflated");
	ok($client->is_closed(10), "$name: and the end");
}

# What is pipelined behind COMPRESS in one segment is deflated already.
my $client = bless tls_client($gatepost), 'Deflating';
$client->login_as(2);
my $deflate = Compress::Raw::Zlib::Deflate->new(-WindowBits => -MAX_WBITS(), -AppendOutput => 1);
$deflate->deflate("b NOOP\r\n", my $first);
$deflate->flush($first, Z_SYNC_FLUSH);
$client->send_bytes("a COMPRESS DEFLATE\r\n$first");
like($client->line, qr/^a OK/, 'COMPRESS with more behind it');
@$client{qw(deflate inflate)} = ($deflate,
    scalar Compress::Raw::Zlib::Inflate->new(-WindowBits => -MAX_WBITS(), -AppendOutput => 1,
	-ConsumeInput => 1));
like($client->cmd('NOOP'), qr/ OK/, 'is understood');
$client->close;

# NOTIFY: told of a mailbox that is not selected.
$client = tls_client($gatepost);
$client->login_as(3);
$client->cmd('CREATE Other');
$client->cmd('SELECT Other');
my $what = '(MessageNew MessageExpunge)';
like($client->cmd("NOTIFY SET STATUS (SELECTED $what) (PERSONAL $what)"), qr/ OK/, 'NOTIFY');
my $second = tls_client($gatepost);
$second->login_as(3);
like($second->append('INBOX', "Subject: elsewhere\r\n\r\nHello\r\n"), qr/ OK/,
    'a message by another session');
$second->close;
ok(eval { $client->lines_until(qr/^\* STATUS "?INBOX"? \(MESSAGES 1\b/) },
    'tells of mail that arrives elsewhere') or diag($@);
like($client->cmd('NOTIFY NONE'), qr/ OK/, 'until it is switched off');
$client->close;

# ENABLE
$client = tls_client($gatepost);
$client->login_as(4);
my @lines = $client->cmd('ENABLE QRESYNC UTF8=ACCEPT');
like("@lines", qr/^\* ENABLED\b.*\bQRESYNC\b/, 'ENABLE: what the server has');
unlike("@lines", qr/UTF8=ACCEPT/, 'ENABLE: and nothing that it lacks');
$client->close;
$client = Gatepost::Imap->new(port => $gatepost->port('modern'), tls => 1);
$client->login('user', 'x');		# a001
@lines = $client->cmd('ENABLE UTF8=ACCEPT');
is($lines[0], '* ENABLED UTF8=ACCEPT', 'UTF8=ACCEPT where the server has it');
$client->send_bytes("a3 APPEND \"\xe2\x82\xac\" UTF8 (~{12}\r\n");
is($client->line, '+ go on', 'UTF8=ACCEPT: a literal within a literal\'s parentheses');
$client->send_bytes("From: \xc3\xa9\r\n\r\n)\r\n");
is($client->line, 'a3 OK done', 'UTF8=ACCEPT: is taken');
is($client->line, '* 1 FETCH (BINARY[] ~{4}', 'BINARY: a literal of octets');
is($client->take_bytes(7), "\0\r\n{)\r\n", 'BINARY: any octets');
$client->close;

$gatepost->stop;
$_->stop for @dovecots;
done_testing;
