#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# What clients send behind a mail whose end their server does not answer is
# kept within relay_memory, however many they are; others are served
# meanwhile, and in the end each of them is.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Fake;
use Gatepost::Gatepost;
use Gatepost::Process qw(raise_descriptors test_dir wait_for write_file);
use Gatepost::Smtp;
use Test::More;

use constant { CLIENTS => 300, COMMANDS => 20_000 };

raise_descriptors(2048);

my $answer = test_dir() . '/answer';
my $hello = [[send => "220 fake ESMTP\r\n"], [expect => qr/^EHLO \S+\r\n/m], [send => "250-fake\r\n250 PIPELINING\r\n"],
    [expect => qr/^MAIL FROM:<\S+>\r\n/m], [send => "250 2.1.0 Ok\r\n"], [expect => qr/^RCPT TO:<\S+>\r\n/m],
    [send => "250 2.1.5 Ok\r\n"], [expect => qr/^DATA\r\n/m], [send => "354 go\r\n"], [expect => qr/\r\n\.\r\n/]];
my $slow = Gatepost::Fake->new(name => 'slow', script => [@$hello, [await => $answer],
    [send => "250 2.0.0 Ok: at last\r\n"], ['hold']])->start;
my $quick = Gatepost::Fake->new(name => 'quick', script => [@$hello, [send => "250 2.0.0 Ok: at once\r\n"],
    ['hold']])->start;
my $gatepost = Gatepost::Gatepost->new(values => { SLOW => $slow->port, QUICK => $quick->port },
    env => { ASAN_OPTIONS => ($ENV{ASAN_OPTIONS} // '') . ':quarantine_size_mb=1' }, config => <<'END')->start;
relay_memory 1m
default pool { protocol smtp; forward none }
pool slow { server s { address 127.0.0.1:@SLOW@ } }
pool quick { server s { address 127.0.0.1:@QUICK@ } }
default listener { protocol smtp; starttls off; capabilities PIPELINING }
listener slow { bind 127.0.0.1:@PORT{slow}@; pool slow }
listener quick { bind 127.0.0.1:@PORT{quick}@; pool quick }
END

# Up to where the data is to be sent.
sub begin_mail ($name) {
	my $c = Gatepost::Smtp->new(port => $gatepost->port($name), timeout => 60);
	$c->ehlo;
	$c->expect($_ eq 'DATA' ? '354' : '250', $_)
	    for 'MAIL FROM:<a@example.org>', 'RCPT TO:<b@example.com>', 'DATA';
	return $c;
}

sub others_are_served ($when) {
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $c = begin_mail('quick');
	is($c->send_bytes("Hello.\r\n.\r\n")->reply, '250 2.0.0 Ok: at once', "$when another client's mail is taken");
	$c->close;
	return;
}

# Large reads are made of those who send much; then comes what has to wait.
my $message = ('x' x 70 . "\r\n") x 20_000;
my @clients = map { begin_mail('slow') } 1 .. CLIENTS;
others_are_served('before');
my $before = $gatepost->memory;
for my $c (@clients) {
	$c->send_bytes($message);
	$c->socket->blocking(0);
	my ($rest, $at) = (".\r\n" . "HELP me\r\n" x COMMANDS, 0);
	while ($at < length $rest) {
		my $n = syswrite $c->socket, $rest, 262_144, $at;
		last unless defined $n;
		$at += $n;
	}
	$c->{unsent} = substr $rest, $at;
	$c->socket->blocking(1);
}
others_are_served('while they wait');
my $kept = $gatepost->memory - $before;
# what each session itself takes is in it, and with sanitizers that is much
cmp_ok($kept, '<', 16 * 1024, "@{[CLIENTS]} clients have $kept KiB kept for them");

write_file($answer, '');
for my $c (@clients[0, -1]) {
	$c->send_bytes($c->{unsent});
	is($c->reply, '250 2.0.0 Ok: at last', 'when the server answers, its client hears that');
	my %replies;
	$replies{substr $c->reply, 0, 3}++ for 1 .. COMMANDS;
	is_deeply(\%replies, { 214 => COMMANDS }, 'and the answers to all that it sent behind');
}
$gatepost->check_reports;
done_testing;
