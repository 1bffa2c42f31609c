#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# While the passwords of a storm of logins are hashed, which takes a tenth of
# a second each, bytes are relayed as if nothing were.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Fake;
use Gatepost::Gatepost;
use Gatepost::Imap;
use Gatepost::Process qw(test_dir write_file);
use IO::Select;
use Test::More;
use Time::HiRes qw(time);

use constant { ROUNDS => 200, ROUNDS_MAX => 5_000, CLIENTS => 30, PACE => 0.005 };
my ($secret, $setting) = ('secret', '$2b$11$abcdefghijklmnopqrstuu');
my $begun = time;
my $hash = crypt $secret, $setting;
my $hash_ms = (time - $begun) * 1000;
write_file(test_dir() . '/users', "bob:$hash\nann:{PLAIN}secret\n");

my $server = Gatepost::Fake->new(name => 'server', script => [
	[send => "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] ready\r\n"],
	[expect => qr/^(\S+) AUTHENTICATE PLAIN \S+\r\n/],
	[send => sub ($tag) { "$tag OK done\r\n" }],
	map { [expect => qr/^(\S+) NOOP\r\n/], [send => sub ($tag) { "$tag OK done\r\n" }] } 1 .. 2 * ROUNDS_MAX,
	])->start;
# One thread, so that whoever hashes on it is seen.
my $gatepost = Gatepost::Gatepost->new(values => { SERVER => $server->port }, config => <<'END')->start;
threads 1
auth staff { source file; path @DIR@/users }
pool imap { server s { address 127.0.0.1:@SERVER@ } }
listener imap {
    protocol imap; bind 127.0.0.1:@PORT{imap}@; starttls off; plaintext_login yes; auth staff; pool imap
}
END

my $client = Gatepost::Imap->new(port => $gatepost->port('imap'));
like($client->cmd('LOGIN ann secret'), qr/ OK/, 'one client is relayed');

my @storm;

sub waiting () {
	my @answered = IO::Select->new(map { $_->socket } @storm)->can_read(0);
	return CLIENTS - @answered;
}

# The middle and the slowest of round trips, in milliseconds, for as long as it goes on; and their number.
sub measure ($goes_on) {
	my @ms;

	while (@ms < ROUNDS_MAX && $goes_on->(scalar @ms)) {
		my $sent = time;
		$client->cmd('NOOP');
		push @ms, (time - $sent) * 1000;
		select undef, undef, undef, PACE;	# somebody who types, and leaves time to others
	}
	@ms = sort { $a <=> $b } @ms;
	return (@ms[@ms / 2, -1], scalar @ms);
}

my ($calm, $calm_slow) = measure(sub ($count) { $count < ROUNDS });
@storm = map { Gatepost::Imap->new(port => $gatepost->port('imap')) } 1 .. CLIENTS;
$_->send_bytes("a LOGIN bob secret\r\n") for @storm;
my ($stormy, $stormy_slow, $count) = measure(sub ($) { waiting() > CLIENTS / 2 });

note(sprintf 'a hash takes %.0f ms; a round trip %.2f ms (slowest %.2f), in the storm %.2f ms (slowest %.2f)',
    $hash_ms, $calm, $calm_slow, $stormy, $stormy_slow);
cmp_ok($count, '>', 20, 'in half of the storm there was much to measure');
cmp_ok($stormy_slow, '<', $hash_ms, 'no round trip waits for a hash');
$_->close for @storm;

$client->close;
$gatepost->stop;
done_testing;
