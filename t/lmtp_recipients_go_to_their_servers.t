#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# A message's recipients go to the servers of their users, and each is told
# its own server's words, in order: pipelined or not, from several servers at
# once, over connections that are kept for the next message.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Gatepost;
use Gatepost::LmtpServer;
use Gatepost::Process qw(test_dir write_file);
use Gatepost::Smtp;
use Test::More;

my %servers = map { $_ => Gatepost::LmtpServer->new(name => $_)->start } qw(d1 d2 d3);
my $users = join '', map { my $n = $_; map { "$_$n\@example.com:::::::server=d$n\n" }
    qw(a b no- later- bad- full-) } 1 .. 3;
$users .= join '', map { "many$_\@example.com:::::::server=d" . ($_ % 3 + 1) . "\n" } 1 .. 1000;
write_file(test_dir() . '/users', $users . "alias\@example.com:::::::server=d2 destuser=box\@example.com\n");
my $gatepost = Gatepost::Gatepost->new(values => { map { uc $_ => $servers{$_}->port } keys %servers },
    config => <<'END')->start;
hostname lb.example.com
auth users { source file; path @DIR@/users }
farm f { affinity 1m
    server d1 { address 127.0.0.1:@D1@ }; server d2 { address 127.0.0.1:@D2@ }
    server d3 { address 127.0.0.1:@D3@ } }
pool lmtp { farm f }
listener lmtp { bind 127.0.0.1:@PORT{lmtp}@; pool lmtp; lookup users; trusted 127.0.0.0/8 }
END

sub connect_client {
	my $c = Gatepost::Smtp->new(port => $gatepost->port('lmtp'), timeout => 20);
	$c->expect('250', 'LHLO mta.example.org');
	return $c;
}

my $c = connect_client();
is($c->{greeting}, '220 lb.example.com LMTP ready', 'greeting');
like($c->cmd('EHLO x'), qr/^500 /, 'EHLO is no command of it');
is($c->cmd('RCPT TO:<a1@example.com>'), '503 5.5.1 Send MAIL first.', 'MAIL comes first');
is($c->cmd('MAIL FROM:<s@example.org>'), '250 2.1.0 Ok', 'MAIL is answered here');
is($c->cmd('DATA'), '503 5.5.1 There is no recipient', 'DATA without a recipient');
is($c->cmd('RCPT TO:<a1@example.com>'), '250 2.1.5 d1 takes a1@example.com', 'the first server says');
is($c->cmd('RCPT TO:<a2+x@example.com>'), '250 2.1.5 d2 takes a2+x@example.com',
    'the second, of an address with an extension');
is($c->cmd('RCPT TO:<no-1@example.com>'), '550 5.1.1 d1 has no no-1@example.com', 'a refusal passes');
is($c->cmd('RCPT TO:<unknown@example.com>'), '451 4.3.0 Nobody can say now where this recipient belongs',
    'whom nobody knows is put off');
is($c->cmd('RCPT TO:<alias+y@example.com> NOTIFY=NEVER'), '250 2.1.5 d2 takes box+y@example.com',
    'another name there');
like($c->cmd('DATA'), qr/^354 /, 'data may come');
$c->send_bytes("Subject: one\r\n\r\n..dot\r\n.\r\n");
is_deeply([map { $c->reply } 1 .. 3], ['250 2.0.0 d1 has a1@example.com', '250 2.0.0 d2 has a2+x@example.com',
    '250 2.0.0 d2 has box+y@example.com'], 'one reply for each that was accepted');
my @names = map { my $k = $_; map { "$k$_" } 3, 1, 2 } qw(a full- b bad- later-);
my @replies = $c->pipeline('MAIL FROM:<>', (map { "RCPT TO:<$_\@example.com>" } @names), 'DATA');
is_deeply([@replies[1 .. 15]], [map { my $n = substr $_, -1;
	/^later/ ? "451 4.2.0 d$n later $_\@example.com" : "250 2.1.5 d$n takes $_\@example.com" } @names],
    'pipelined: each in its place');
$c->send_bytes("Subject: two\r\n\r\nHello\r\n.\r\n");
is_deeply([map { $c->reply } 1 .. 12], [map { my $n = substr $_, -1;
	/^full/ ? "452 4.2.2 d$n full $_\@example.com" :
	/^bad/ ? "550 5.6.0 d$n bad $_\@example.com" : "250 2.0.0 d$n has $_\@example.com" } @names[0 .. 11]],
    'and so are the replies to the message');
is($c->cmd('NOOP'), '250 2.0.0 Ok', 'NOOP');
is($c->quit, '221 2.0.0 Goodbye', 'and out');
is_deeply([sort $servers{d2}->delivered], [sort 'a2+x@example.com one 22', 'box+y@example.com one 22',
    'a2@example.com two 23', 'b2@example.com two 23'], 'what a server has');
$servers{d2}->wait_for_command(qr/QUIT/);
is(scalar(grep { /MAIL/ } $servers{d2}->commands), 2, 'both messages have come');
my %used = map { /^(\d+) MAIL/ ? ($1 => 1) : () } $servers{d2}->commands;
is(scalar keys %used, 1, 'over one connection');
ok((grep { /^\d+ RCPT TO:<box\+y\@example\.com> NOTIFY=NEVER$/ } $servers{d2}->commands),
    'parameters stay where the name is another');
my @events = $gatepost->wait_for_events('message', 6);
my ($event) = grep { $_->{server} && $_->{server} eq 'lmtp/d2' && $_->{from} eq '' } @events;
is($event->{to}, 'a2@example.com, b2@example.com', 'an event for each server: who was accepted');
is($event->{refused_to}, 'full-2@example.com, bad-2@example.com, later-2@example.com', 'and who was not');
is($event->{status}, 'accepted', 'its status');
is((grep { !$_->{server} } @events)[0]{refused_to}, 'unknown@example.com', 'an event of who has no server');

# A thousand on three servers, one of them twice.
my $many = connect_client();
my @to = map { "many$_\@example.com" } 1 .. 1000, 7;
@replies = $many->send_pipelined(from => 's@example.org', to => \@to, text => "Subject: many\n\n");
push @replies, map { $many->reply } 2 .. @to;
is_deeply([splice @replies, @to + 2], [map { my ($n) = /(\d+)/; "250 2.0.0 d" . ($n % 3 + 1) . " has $_" } @to],
    'a thousand recipients hear each of their own');
my %times;
for my $name (sort keys %servers) {
	$times{$_}++ for map { /^(many\d+)\S+ many / ? "$1 $name" : () } $servers{$name}->delivered;
}
is_deeply([sort keys %times], [sort map { "many$_ d" . ($_ % 3 + 1) } 1 .. 1000], 'each is at its server alone');
is_deeply([grep { $times{$_} > 1 } sort keys %times], ['many7 d2'], 'and once, but who was named twice');
$many->quit;

# The log is not as long as the list of recipients.
my $strangers = connect_client();
$strangers->pipeline('MAIL FROM:<s@example.org>', map { "RCPT TO:<stranger$_\@example.com>" } 1 .. 300);
$strangers->expect('250', 'RSET');
$gatepost->wait_for_log(qr/: 295 more recipients of the message cannot be placed$/);
is(scalar($gatepost->log_lines(qr/recipient stranger\d+\S+ cannot be placed: /)), 5,
    'of 300 who have no server some are named in the log, the others summed up');
$strangers->expect('250', 'MAIL FROM:<s@example.org>');
$strangers->expect('451', 'RCPT TO:<stranger@example.com>');
$strangers->quit;
$gatepost->wait_for_log(qr/recipient stranger\@\S+ cannot be placed: no auth source knows the user$/);
is(scalar($gatepost->log_lines(qr/ more recipients /)), 1, 'the next message begins anew');
$gatepost->stop;
done_testing;
