#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# A server trickles literals, byte by byte, when SIGTERM comes: each client
# gets whole responses and then our BYE, or is closed without a word; within
# a literal nothing of ours is ever said.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Fake;
use Gatepost::Gatepost;
use Gatepost::Imap;
use Test::More;

my $bye = "* BYE [UNAVAILABLE] Please connect again.\r\n";

# What a literal of so many bytes holds: what might be taken for the end of a response.
sub literal ($size) { return substr "$bye)\r\n* OK {3}\r\nabc{7}\r\n" x ($size / 50 + 1), 0, $size }

# Responses that never end, as literals of all sizes, within and behind one another.
sub responses ($client) {
	my @responses;

	for my $i (0 .. 5) {
		my ($large, $small) = (($client * 97 + $i * 31) % 900, $i * $client % 7);
		push @responses, sprintf("* %d FETCH (BODY[] {%d}\r\n%s BINARY[1] ~{%d}\r\n%s FLAGS ())\r\n",
		    $i + 1, $large, literal($large), $small, literal($small)),
		    "* OK text that ends in {$large}\r\n", "* $i EXISTS\r\n";
	}
	return join '', @responses;
}

my $greeting = "* OK [CAPABILITY IMAP4rev1 SASL-IR LITERAL+ AUTH=PLAIN] fake ready\r\n";
my @login = ([send => $greeting], [expect => qr/^(\S+) AUTHENTICATE PLAIN \S+\r\n/m],
    [send => sub ($tag) { "$tag OK [CAPABILITY IMAP4rev1] in\r\n" }], [expect => qr/ FETCH /]);
my $clients = 8;

sub start_gatepost ($name, @scripts) {
	my $server = Gatepost::Fake->new(name => "server-$name", scripts => \@scripts)->start;

	return ($server, Gatepost::Gatepost->new(name => $name, values => { SERVER => $server->port },
	    config => <<'END')->start);
# with capabilities that are written the server is not asked for its own, and its scripts are for clients
shutdown_timeout 0s
pool imap { port @SERVER@; server s { address 127.0.0.1 } }
listener imap { bind 127.0.0.1:@PORT{imap}@; starttls off; plaintext_login yes; pool imap
    capabilities IDLE }
END
}

sub log_in ($gatepost) {
	my $client = Gatepost::Imap->new(port => $gatepost->port('imap'));
	$client->login('bob', 'secret');
	return $client->send_bytes("f FETCH 1:* BODY[]\r\n");
}

# How many of these bytes are whole responses.
sub whole_responses ($bytes) {
	my $whole = 0;

	while ($bytes =~ /\G[^\r\n]*\r\n/gc) {
		my $line = $&;
		if ($line =~ /\{(\d+)\}\r\n$/ && $line !~ /^\* OK /) {
			return $whole if pos($bytes) + $1 > length $bytes;
			pos($bytes) += $1;
		} else {
			$whole = pos $bytes;
		}
	}
	return $whole;
}

for my $round (1 .. 4) {
	my ($server, $gatepost) = start_gatepost("round$round",
	    map { [@login, [trickle => responses($_ * $round) x 50], ['hold']] } 1 .. $clients);
	my @clients = map { log_in($gatepost) } 1 .. $clients;
	my @got = map { $_->take_bytes(100 * $round) } @clients;
	my ($said, $cut, $wrong) = (0, 0, 0);

	$gatepost->signal('TERM');
	for my $i (0 .. $#clients) {
		my $bytes = $got[$i] . $clients[$i]->rest;
		my $sent = responses(($i + 1) * $round) x 50;
		my $is_told = $bytes =~ s/\Q$bye\E\z// && whole_responses($bytes) == length $bytes;

		# what looks like our words may be the literal's own
		$bytes .= $bye if !$is_told && index($sent, "$bytes$bye") == 0;
		$is_told ? $said++ : $cut++;
		$wrong++ if index($sent, $bytes) != 0 || !$clients[$i]->is_closed(1);
	}
	is($wrong, 0, "round $round: every client got what the server sent and nothing else");
	is($cut, 0, "and was told to go between two responses");
	is($gatepost->wait_for_end(20), 0, 'gatepost ends');
	$gatepost->check_reports;
	$server->kill_now;
}

# A literal that never ends: no word at all.
my $head = "* 1 FETCH (BODY[] {100000}\r\n" . literal(5_000);
my ($server, $gatepost) = start_gatepost('endless', [@login, [trickle => $head], ['hold']]);
my $client = log_in($gatepost);
my $got = $client->take_bytes(length $head);
$gatepost->signal('TERM');
$got .= $client->rest;
is($got, $head, 'within a literal that does not end, the client is closed without a word');
ok($client->is_closed(1), 'and closed it is');
is($gatepost->wait_for_end(20), 0, 'gatepost ends');
$gatepost->check_reports;
$server->kill_now;
done_testing;
