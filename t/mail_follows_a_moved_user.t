#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Two proxies, two Dovecots with a store each, a Postfix that delivers by LMTP through the first one.  In the
# middle of a message to three an operator moves one of them at the second proxy.  The move does not wait for the
# message; that recipient hears 451, and so does one whose mail was in the same transaction of the old server,
# which nobody can finish for one alone; the third, at the other server, has the mail.  Postfix tries again, and
# all have it once, the one who was moved in the new server's store and not in the old one's.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Farm qw(lives);
use Gatepost::Port qw(free_port);
use Gatepost::Postfix;
use Gatepost::Process qw(wait_for);
use Gatepost::Smtp;
use Gatepost::StopRelay;
use Test::More;

plan skip_all => 'needs root' if $> != 0;

use constant { AFTER => 30_000, LINES => 20_000, USERS => 8 };

my $farm = Gatepost::Farm->new(proxies => 2, servers => 2, users => USERS);
my $port = free_port();
my $relay = Gatepost::StopRelay->new(name => 'stop', port => $port, to => $farm->proxy(1)->port('lmtp'),
    after => AFTER)->start;
my $postfix = Gatepost::Postfix->new(name => 'mx', main => { virtual_transport => "lmtp:inet:[127.0.0.1]:$port",
    minimal_backoff_time => '1s', maximal_backoff_time => '2s', queue_run_delay => '1s', in_flow_delay => '0s',
    virtual_destination_recipient_limit => 10, lmtp_destination_recipient_limit => 10 })->start;

my %session = map { $_ => $farm->come(2, $_) } 1 .. USERS;
my %home = map { $_ => $farm->where_is(1, $_) } 1 .. USERS;
my ($mover, $old) = (1, $home{1});
my ($new) = grep { $_ ne $old } $farm->names;
my ($companion) = grep { $home{$_} eq $old } 2 .. USERS;
my ($other) = grep { $home{$_} eq $new } 2 .. USERS;
my @to = ($mover, $companion, $other);

# What Postfix was told of the user's mail, in order.
sub told ($n, $status) { return $postfix->wait_for_maillog(qr/to=<user$n\@example\.com>.*status=$status/, 60) }

my $smtp = Gatepost::Smtp->new(port => $postfix->port, timeout => 30);
$smtp->ehlo;
like($smtp->send_message(from => 'sender@example.org', to => [map { "user$_\@example.com" } @to],
    text => "Subject: moved\n\n" . "A line of the text.\n" x LINES), qr/^250/, 'Postfix has the mail');
wait_for(sub { $relay->is_holding }, 60, 'the message to be under way');
my ($delivery) = grep { $_->{listener} eq 'lmtp' } @{ $farm->proxy(1)->ask_json('show sess all') };
like($delivery->{servers}, qr{lmtp/$old \(relaying\)}, 'half of it is on its way to the old server');

my $moved = $farm->proxy(2)->ask_json("user user$mover move $new", 60);
is_deeply($moved, { user => "user$mover\@example.com", server => $new, kicked => 2 },
    'a move at the other proxy ends the session and the delivery');
is(scalar $postfix->maillog_lines(qr/status=/), 0, 'and has not waited for the message');
like($session{$mover}->rest, qr/^\* BYE/m, 'the session hears so');
ok(lives($session{$_}), "that of user$_ goes on") for $companion, $other;
$relay->hurry;

like(told($mover, 'deferred'), qr/said: 451 /, 'the recipient who was moved is told 451');
like(told($companion, 'deferred'), qr/said: 451 /, 'so is the one of the same transaction');
like(told($other, '\w+'), qr/status=sent \(250 /, 'the one at the other server has the mail');
# Postfix may forget to look at a mail that it tried a moment ago.
my $flushed = time;
wait_for(sub {
	$postfix->flush and $flushed = time if time > $flushed + 5;
	!grep { !$postfix->maillog_lines(qr/to=<user$_\@example\.com>.*status=sent/) } $mover, $companion;
}, 120, 'Postfix to try again');
for my $n (@to) {
	is(scalar $postfix->maillog_lines(qr/to=<user$n\@example\.com>.*status=sent/), 1, "user$n: sent once");
	is_deeply([grep { $farm->dovecot($_)->messages("user$n") } $farm->names], [$n == $mover ? $new : $home{$n}],
	    'it is in the store of the right server');
	is((grep { defined } map { $farm->dovecot($_)->messages("user$n") } $farm->names), 1, 'once');
}
my $again = $farm->come(1, $mover);
is($farm->where_is(2, $mover), $new, 'the next session is at the new server');
$again->cmd('SELECT INBOX');
like(join("\n", $again->cmd('FETCH 1:* BODY.PEEK[HEADER.FIELDS (SUBJECT)]')), qr/Subject: moved/, 'and sees the mail');
$postfix->stop_quietly;
$relay->kill_now;
$farm->stop;
done_testing;
