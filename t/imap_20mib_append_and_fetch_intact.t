#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# A message of 20 MiB is the same byte for byte after APPEND and FETCH, over
# TLS and in the clear, also when the client reads slowly.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Digest::SHA qw(sha256_hex);
use Gatepost::Imap;
use Gatepost::Setup qw(start_imap_farm tls_client);
use MIME::Base64 qw(encode_base64);
use Test::More;

my $farm = start_imap_farm(listener => 'starttls optional; plaintext_login yes');
my $gatepost = $farm->{gatepost};

# Random, so that a lost, doubled or moved block shows.
sub random_message ($bytes) {
	open my $random, '<:raw', '/dev/urandom' or die "/dev/urandom: $!";
	read $random, my $data, $bytes * 57 / 78;
	my $body = encode_base64($data, "\r\n");
	return "Subject: a large one\r\n\r\n$body";
}

my $message = random_message(20 * 1024 * 1024);
my $digest = sha256_hex($message);
cmp_ok(length $message, '>=', 20 * 1024 * 1024, 'the message has 20 MiB');

my %client = (
	'TLS' => sub { tls_client($gatepost) },
	'STARTTLS' => sub { tls_client($gatepost, 'imap') },
	'plain' => sub { Gatepost::Imap->new(port => $gatepost->port('imap')) },
);
my $user = 0;
for my $kind (sort keys %client) {
	my $client = $client{$kind}->();
	$client->{timeout} = 60;
	$client->login_as(++$user);
	like($client->append('INBOX', $message), qr/ OK/, "$kind: APPEND");
	$client->cmd('SELECT INBOX');
	is(sha256_hex($client->fetch_body(1)), $digest, "$kind: FETCH gives the same");
	like($client->cmd('LOGOUT'), qr/ OK/, "$kind: LOGOUT");
	ok($client->is_closed, "$kind: and the connection ends");
	$client->close;
}

# Asked for three times before the first byte is read: the relay has to stop reading from the server.
my $client = tls_client($gatepost);
$client->{timeout} = 60;
$client->login_as(1);
$client->cmd('SELECT INBOX');
$client->send_bytes("f$_ FETCH 1 BODY.PEEK[]\r\n") for 1 .. 3;
for my $n (1 .. 3) {
	my ($size) = ($client->lines_until(qr/\{\d+\}$/))[-1] =~ /\{(\d+)\}/;
	my $sha = Digest::SHA->new(256);
	while ($size > 0) {
		my $piece = $size < 9_973 ? $size : 9_973;
		$sha->add($client->take_bytes($piece));
		$size -= $piece;
	}
	is($sha->hexdigest, $digest, "slow reader: FETCH $n of 3 gives the same");
	$client->lines_until(qr/^f$n OK/);
}
$client->close;
diag(sprintf 'PSS of gatepost afterwards: %d KiB', $gatepost->memory);

$gatepost->stop;
$_->stop for @{ $farm->{dovecots} };
done_testing;
