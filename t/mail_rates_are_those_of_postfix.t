#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Mails and recipients of one client are counted as Postfix's anvil counts them: the same dialogues hear the same
# codes from a Postfix with such limits and from a gatepost in front of one without, on MX and on submission,
# pipelined or not, and by recipient on LMTP; and so do connections, at once and by rate, and logins.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Gatepost;
use Gatepost::LmtpServer;
use Gatepost::Port qw(own_address);
use Gatepost::Postfix;
use Gatepost::Process qw(wait_for);
use Gatepost::Smtp;
use MIME::Base64 qw(encode_base64);
use Test::More;

# a rate that the test sees nothing of being refilled
my %anvil = (anvil_rate_time_unit => '3600s', smtpd_client_event_limit_exceptions => '',
    smtpd_client_message_rate_limit => 3, smtpd_client_recipient_rate_limit => 4);
my %always = (anvil_rate_time_unit => '3600s', smtpd_client_event_limit_exceptions => '',
    smtpd_client_connection_count_limit => 0);
my %none = (smtpd_client_event_limit_exceptions => '', smtpd_client_connection_count_limit => 0);
my %postfix = (
	bounded => Gatepost::Postfix->new(name => 'bounded', sasl => 'any', main => \%anvil),
	crowded => Gatepost::Postfix->new(name => 'crowded', main => { %always, smtpd_client_connection_count_limit => 2 }),
	rapid => Gatepost::Postfix->new(name => 'rapid', main => { %always, smtpd_client_connection_rate_limit => 3 }),
	guessed => Gatepost::Postfix->new(name => 'guessed', sasl => 'any', main => { %always, smtpd_client_auth_rate_limit => 2 }),
	free => Gatepost::Postfix->new(name => 'free', xclient => '127.0.0.1', sasl => 'any', main => \%none),
);
$_->start for values %postfix;
my $lmtp = Gatepost::LmtpServer->new(name => 'lmtp')->start;
my $gatepost = Gatepost::Gatepost->new(values => { FREE => $postfix{free}->port, LMTP => $lmtp->port },
    config => <<~'END')->start;
	limits crowded { client_connections 2 }
	limits rapid { client_connection_rate 3; rate_unit 1h }
	limits guessed { client_auth_rate 2; rate_unit 1h }
	limits rates { client_message_rate 3; client_recipient_rate 4; rate_unit 1h }
	default listener { limits rates; starttls off }
	default pool { check { kind none } }
	pool mx { protocol smtp; server p { address 127.0.0.1:@FREE@ } }
	pool out { protocol submission; server p { address 127.0.0.1:@FREE@ } }
	pool lmtp { server l { address 127.0.0.1:@LMTP@ } }
	listener mx { protocol smtp; bind 127.0.0.1:@PORT{mx}@; pool mx }
	listener out { protocol submission; bind 127.0.0.1:@PORT{out}@; pool out; auth server;
	    plaintext_login yes }
	listener crowded { protocol smtp; bind 127.0.0.1:@PORT{crowded}@; pool mx; limits crowded }
	listener rapid { protocol smtp; bind 127.0.0.1:@PORT{rapid}@; pool mx; limits rapid }
	listener guessed { protocol submission; bind 127.0.0.1:@PORT{guessed}@; pool out; auth server;
	    plaintext_login yes; limits guessed }
	listener lmtp { bind 127.0.0.1:@PORT{lmtp}@; pool lmtp }
	auth server { source server }
	END

my $addresses = 0;
sub new_address () { return own_address(11 * 1000 + $addresses++) }

my $mail = 'MAIL FROM:<a@example.org>';
my $rcpt = 'RCPT TO:<b@example.com>';
my @dialogues = (
	[many => ($mail, 'RSET') x 5],
	['refused ones count too' => (('MAIL FROM:<a@example.org> SIZE=999999999999', 'RSET') x 2, ($mail, 'RSET') x 3)],
	[recipients => $mail, ($rcpt) x 6, 'RSET'],
	['recipients of several mails' => ($mail, $rcpt, $rcpt, 'RSET') x 3],
);

sub codes ($port, $login, $commands) {
	my $c = Gatepost::Smtp->new(port => $port, from => new_address(), timeout => 30);

	$c->ehlo;
	$c->auth('ann', 'right') if $login;
	return [map { substr $c->cmd($_), 0, 9 } @$commands];
}

sub enhanced ($codes) { return [map { /^2/ ? substr $_, 0, 3 : $_ } @$codes] }

for my $dialogue (@dialogues) {
	my ($name, @commands) = @$dialogue;

	for my $login (0, 1) {
		my $oracle = enhanced(codes($postfix{bounded}->port, $login, \@commands));
		my $ours = enhanced(codes($gatepost->port($login ? 'out' : 'mx'), $login, \@commands));

		is_deeply($ours, $oracle, ($login ? 'submission' : 'MX') . ": $name") or diag("@$oracle");
		ok(scalar(grep { /^450 4\.7\.1/ } @$ours), 'where some are too many');
	}
}

# Connections: how each is greeted, of those that are all there, and of those that come one behind the other.
sub greetings ($port, $count, $stay) {
	my $from = new_address();
	my (@here, @codes);

	for (1 .. $count) {
		my $c = Gatepost::Smtp->new(port => $port, from => $from, timeout => 30);

		push @codes, substr $c->greeting, 0, $c->greeting =~ /^4/ ? 9 : 3;
		$stay ? push @here, $c : $c->close;
	}
	is($here[-1]->is_closed(30), 1, 'who is one too many is disconnected') if $stay;
	return \@codes if !$stay;
	(shift @here)->close;
	ok(wait_for(sub { Gatepost::Smtp->new(port => $port, from => $from, timeout => 30)->greeting =~ /^220/ }, 20, 'room'),
	    'and who leaves makes room');
	return \@codes;
}
for my $case ([crowded => 4, 1], [rapid => 5, 0]) {
	my ($name, $count, $stay) = @$case;
	my $oracle = greetings($postfix{$name}->port, $count, $stay);

	is_deeply(greetings($gatepost->port($name), $count, $stay), $oracle, "connections, $name") or diag("@$oracle");
	like($oracle->[-1], qr/^421 4\.7\.0/, 'where some are too many');
}

# Logins: the right ones count too, and the session stays.
sub logins ($port) {
	my $from = new_address();
	my @codes;

	for (1 .. 4) {
		my $c = Gatepost::Smtp->new(port => $port, from => $from, timeout => 30);

		$c->ehlo;
		push @codes, substr $c->cmd('AUTH PLAIN ' . encode_base64("\0ann\0right", '')), 0, 9;
		push @codes, substr $c->cmd('NOOP'), 0, 3;
	}
	return \@codes;
}
my $oracle = logins($postfix{guessed}->port);
is_deeply(logins($gatepost->port('guessed')), $oracle, 'logins') or diag("@$oracle");
is($oracle->[-2], '450 4.7.1', 'where some are too many');

# A whole pipeline, whose replies keep their order.
my $c = Gatepost::Smtp->new(port => $gatepost->port('mx'), from => new_address(), timeout => 30);
$c->ehlo;
my @replies = $c->pipeline($mail, ($rcpt) x 3, 'RSET', $mail, ($rcpt) x 3, 'RSET', $mail, 'RSET', $mail, 'NOOP');
is_deeply([map { substr $_, 0, 3 } @replies], [250, 250, 250, 250, 250, 250, 250, 450, 450, 250, 250, 250, 450, 250],
    'a pipeline hears of each in its place');

# By recipient, on LMTP: the others get their mail.
$c = Gatepost::Smtp->new(port => $gatepost->port('lmtp'), from => new_address(), timeout => 30);
$c->cmd('LHLO client.example.org');
my @answers = map { substr $c->cmd($_), 0, 9 } $mail, map { "RCPT TO:<u$_\@example.com>" } 1 .. 6;
is_deeply([map { substr $_, 0, 3 } @answers], [250, 250, 250, 250, 250, 450, 450], 'LMTP: four recipients');
like($c->cmd('DATA'), qr/^354/, 'LMTP: their mail');
my @finals = $c->pipeline("Subject: x\r\n\r\n.", 'NOOP');
push @finals, $c->reply for 1 .. 3;
is(scalar(grep { /^250/ } @finals), 5, 'LMTP: is taken');
$gatepost->stop;
done_testing;
