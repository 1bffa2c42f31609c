#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Bytes sent in the clear behind STARTTLS are never run as commands, in no
# way of cutting them into segments: the session ends, by IMAP, POP3 and
# ManageSieve.  t/smtp_starttls_injection_is_refused.t has those of SMTP.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Cert qw(make_cert);
use Gatepost::Gatepost;
use Gatepost::Imap;
use Gatepost::Pop3;
use Gatepost::Port qw(free_port);
use Gatepost::Process qw(wait_for);
use Gatepost::Sieve;
use Gatepost::Tls qw(client_hello);
use Test::More;

my %values = (CERT => make_cert(), SERVER => free_port());
my $gatepost = Gatepost::Gatepost->new(values => \%values, config => <<'END')->start;
tls main { certificate @CERT@ }
default pool { check { kind none }; port @SERVER@ }
pool imap { server s1 { address 127.0.0.1 } }
pool pop3 { server s1 { address 127.0.0.1 } }
pool sieve { server s1 { address 127.0.0.1 } }
default listener { tls main }
listener imap { bind 127.0.0.1:@PORT{imap}@; pool imap }
listener pop3 { bind 127.0.0.1:@PORT{pop3}@; pool pop3; capabilities UIDL }
listener sieve { bind 127.0.0.1:@PORT{sieve}@; pool sieve; capabilities "SIEVE fileinto" }
END

# A command that shows in its reply whether it was run, and its first half; how injections are refused.
my %dialects = (
	imap => {
		class => 'Gatepost::Imap', starttls => 'A STARTTLS', go => qr/^A OK/,
		good => qr/ OK/, bad => qr/ BAD/,
		command => 'XQZWV NOOP', half => 'XQZWV NO', was_run => qr/XQZWV/,
		refusal => "* BYE Nothing may follow STARTTLS.\r\n",
	},
	pop3 => {
		class => 'Gatepost::Pop3', starttls => 'STLS', go => qr/^\+OK/,
		good => qr/^\+OK/, bad => qr/^-ERR/,
		command => 'CAPA', half => 'CA', was_run => qr/UIDL/,
		refusal => "-ERR Nothing may follow STLS.\r\n",
	},
	sieve => {
		class => 'Gatepost::Sieve', starttls => 'STARTTLS', go => qr/^OK/,
		good => qr/^OK/, bad => qr/^NO/,
		command => 'NOOP "XQZWV"', half => 'NOOP "XQ', was_run => qr/XQ/,
		refusal => qq(BYE "Nothing may follow STARTTLS."\r\n),
	},
);
my $hello = client_hello();
is(ord $hello, 0x16, 'the prepared ClientHello is a TLS handshake record');

sub client ($protocol) {
	return $dialects{$protocol}{class}->new(port => $gatepost->port($protocol), timeout => 10);
}
sub injections ($protocol) {
	return scalar(() = $gatepost->log_lines(qr/ $protocol .*starttls injection/));
}

for my $protocol (sort keys %dialects) {
	my ($starttls, $go, $good, $bad, $command, $half, $was_run, $refusal) =
	    @{ $dialects{$protocol} }{qw(starttls go good bad command half was_run refusal)};

	my $client = client($protocol);
	$client->starttls;
	like($client->cmd('NOOP'), $good, "$protocol: STARTTLS as it should be works");
	like($client->cmd($starttls =~ s/^A //r), $bad, "$protocol: a second one is refused");
	like($client->cmd('NOOP'), $good, "$protocol: and the session goes on");
	$client->close;

	$client = client($protocol);
	$client->send_slowly("$starttls\r\n");
	like($client->line, $go, "$protocol: STARTTLS in pieces of one byte is accepted");
	$client->start_tls;
	$client->response if $protocol eq 'sieve';
	like($client->cmd('NOOP'), $good, "$protocol: and works");
	$client->close;

	my $before = injections($protocol);
	my %together = (
		'S1, a command' => "$starttls\r\n$command\r\n",
		'S3, half a command and a ClientHello' => "$starttls\r\n$half$hello",
		'S4, a ClientHello' => "$starttls\r\n$hello",
	);
	for my $what (sort keys %together) {
		$client = client($protocol);
		is($client->send_bytes($together{$what})->rest, $refusal,
		    "$protocol: $what: refused, no go-ahead, nothing was run");
		ok($client->{ended}, "$protocol: $what: the session ends");
	}
	ok(eval { wait_for(sub { injections($protocol) - $before == keys %together }, 10, 'the log') },
	    "$protocol: the log tells of each");

	# Whether the go-ahead is under way by then is a matter of luck, and may make no difference.
	$client = client($protocol);
	$client->send_bytes("$starttls\r\n")->send_bytes("$command\r\n");
	unlike($client->rest, $was_run, "$protocol: S2, a command in a second segment is not run");
	ok($client->{ended}, "$protocol: S2: the session ends");

	$client = client($protocol);
	$client->send_bytes("$starttls\r\n");
	like($client->line, $go, "$protocol: the go-ahead is given");
	unlike($client->send_bytes("$command\r\n")->rest, $was_run, "$protocol: no command behind it is run");
	ok($client->{ended}, "$protocol: and that session ends");

	# The other half of the command would come inside of TLS.
	$client = client($protocol);
	$client->send_bytes("$starttls\r\n");
	like($client->line, $go, "$protocol: the go-ahead is given again");
	unlike($client->send_bytes("$half$hello")->rest, $was_run, "$protocol: no half of a command is kept");
	ok($client->{ended}, "$protocol: and that session ends, too");
}

# What one parser may take for STARTTLS and another not.
my %malformed = (
	'a literal' => "A STARTTLS {5}\r\n",
	'an empty literal' => "A STARTTLS {0+}\r\nB NOOP\r\n",
	'a tab' => "A\tSTARTTLS\r\n",
	'a blank behind' => "A starttls \r\n",
	'an argument' => "A STARTTLS now\r\n",
);
for my $what (sort keys %malformed) {
	my $client = client('imap');
	$client->send_bytes($malformed{$what});
	my $line = $client->line // '';
	if ($line =~ /^\+/) {
		$client->send_bytes("hello\r\n");
		$line = $client->line // '';
	}
	like($line, qr/^(?:A|\*) BAD/, "STARTTLS with $what is BAD");
	like(eval { $client->cmd('NOOP') }, qr/ OK/, "STARTTLS with $what: the session goes on in the clear");
	$client->close;
}

$gatepost->stop;
done_testing;
