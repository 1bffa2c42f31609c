#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Clients that err, idle or speak something else hear the same codes, and the same end, from a Postfix with such
# limits and from a gatepost in front of one without: on MX and on submission, before the first mail and within one.
# When each reply came is printed.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Gatepost;
use Gatepost::Postfix;
use Gatepost::Smtp;
use Test::More;
use Time::HiRes qw(time);

local $SIG{PIPE} = 'IGNORE';

# without the delay the counts are the same; once with it is enough
my %bounds = (smtpd_soft_error_limit => 3, smtpd_hard_error_limit => 6, smtpd_junk_command_limit => 5);
my %none = (smtpd_soft_error_limit => 1000, smtpd_hard_error_limit => 1000, smtpd_junk_command_limit => 1000);
my %postfix = (
	quick => Gatepost::Postfix->new(name => 'quick', sasl => { ann => 'right' },
	    main => { %bounds, smtpd_error_sleep_time => '0s' }),
	late => Gatepost::Postfix->new(name => 'late', main => { %bounds, smtpd_error_sleep_time => '1s' }),
	free => Gatepost::Postfix->new(name => 'free', xclient => '127.0.0.1', sasl => { ann => 'right' },
	    main => \%none),
);
$_->start for values %postfix;
my $gatepost = Gatepost::Gatepost->new(values => { FREE => $postfix{free}->port }, config => <<~'END')->start;
	default limits { soft_errors 3; hard_errors 6; junk_commands 5; auth_failure_delay none }
	limits quick { error_delay 0s }
	limits late { error_delay 1s }
	limits strangers { error_delay 1s; exempt 127.0.0.9 }
	default listener { limits quick; starttls off }
	pool mx { protocol smtp; server p { address 127.0.0.1:@FREE@ } }
	pool out { protocol submission; server p { address 127.0.0.1:@FREE@ } }
	listener mx { protocol smtp; bind 127.0.0.1:@PORT{mx}@; pool mx; max_errors 2 }
	listener late { protocol smtp; bind 127.0.0.1:@PORT{late}@; pool mx; limits late }
	listener strangers { protocol smtp; bind 127.0.0.1:@PORT{strangers}@; pool mx; limits strangers }
	listener out { protocol submission; bind 127.0.0.1:@PORT{out}@; pool out; auth server; plaintext_login yes
	    max_errors 2 }
	auth server { source server }
	END

# The codes up to the end, and when each came; commands go one by one, but those of a list together.
sub talk ($port, $login, $commands) {
	my $c = Gatepost::Smtp->new(port => $port, timeout => 60);
	my ($began, @codes, @times) = (time);
	my $note = sub ($reply) {
		push @codes, defined $reply ? substr($reply, 0, 3) : 'end';
		push @times, sprintf '%s at %.2f', $codes[-1], time - $began;
		return defined $reply;
	};

	if ($login) {
		$c->ehlo;
		$c->auth('ann', 'right');
	}
	for my $group (@$commands) {
		my @group = ref $group ? @$group : $group;

		eval { $c->send_bytes(join '', map { "$_\r\n" } @group) };
		for (@group) {
			last unless $note->(scalar eval { $c->reply });
		}
		last if $codes[-1] eq 'end';
	}
	# what is behind a dot or the end is not asked for any more
	$c->close;
	return (\@codes, \@times);
}

my $mail = 'MAIL FROM:<a@example.org>';
my $good = 'RCPT TO:<b@example.com>';
my $bad = 'RCPT TO:<unknown@example.com>';
my @message = ($mail, $good, 'DATA', "Subject: x\r\n\r\nx\r\n.");
my @dialogues = (
	['unknown commands' => ('FOO') x 8],
	['with good ones between' => ('FOO', 'NOOP') x 8],
	[idling => 'EHLO a', ('NOOP') x 14],
	['idling in many ways' => 'HELO a', ('EHLO a', 'RSET', 'NOOP') x 6],
	['idling within a mail' => 'EHLO a', $mail, ('NOOP') x 14],
	['no such recipients' => 'EHLO a', $mail, ($bad) x 8],
	['nor when they are sent together' => 'EHLO a', [$mail, ($bad) x 8]],
	['nor with good ones' => 'EHLO a', [$mail, ($good, $bad) x 8]],
	['a recipient elsewhere' => 'EHLO a', $mail, ('RCPT TO:<a@elsewhere.example>') x 8],
	['no mail' => 'EHLO a', ($good, 'DATA') x 4],
	['mail within mail' => 'EHLO a', ($mail) x 8],
	['malformed' => 'EHLO a', ('MAIL', 'MAIL FROM', 'MAIL FROM:<a') x 3],
	['a mail takes errors back' => 'EHLO a', ($mail, ($bad) x 4, 'RSET', @message) x 2, $mail, ($bad) x 8],
	['and idling' => 'EHLO a', (('NOOP') x 5, @message) x 2, ('NOOP') x 14],
	['where there is none' => 'EHLO a', ('FOO') x 4, 'RSET', ('FOO') x 4],
	[GET => 'GET / HTTP/1.1', 'FOO'],
	['post' => 'EHLO a', 'post / http/1.0', 'FOO'],
	['CONNECT in a mail' => 'EHLO a', $mail, 'CONNECT a:25 HTTP/1.1', 'FOO'],
	['a header' => 'EHLO a', 'Subject: x', 'FOO'],
	['a header in a mail' => 'EHLO a', $mail, 'Subject: x', 'FOO'],
	['a number' => 'EHLO a', '1 FOO', 'FOO'],
	['a dot' => 'EHLO a', $mail, '.', 'FOO'],
	['empty lines' => 'EHLO a', ('') x 8],
	['empty lines in a mail' => 'EHLO a', $mail, ('') x 8],
);
my @logins = (
	['wrong passwords' => 'EHLO a', ('AUTH PLAIN AGFubgB3cm9uZw==') x 8],
);

for my $login (0, 1) {
	for my $dialogue ($login ? (@dialogues, @logins) : @dialogues) {
		my ($name, @commands) = @$dialogue;
		my $first = $login && !grep { $dialogue == $_ } @logins;
		my ($oracle) = talk($postfix{quick}->port, $first, \@commands);
		my ($ours) = talk($gatepost->port($login ? 'out' : 'mx'), $first, \@commands);

		is_deeply($ours, $oracle, ($login ? 'submission' : 'MX') . ": $name") or diag("@$ours\n@$oracle");
	}
}

# Replies that are late: from the fourth on.
sub late_replies () {
	my ($line) = grep { /^gatepost_listener_delayed_replies_total\{[^}]*"late"/ } split /\n/, $gatepost->ask('show metrics');
	return (split / /, $line)[1];
}

for my $dialogue (['before the mail' => ('FOO') x 7], ['within it' => 'EHLO a', $mail, ($bad) x 7],
    ['sent together' => 'EHLO a', [$mail, ($bad) x 7]],
    ['up to the reply to a mail that is taken' => 'EHLO a', $mail, ($bad) x 3, $good, 'DATA', "Subject: x\r\n\r\nx\r\n.", 'NOOP']) {
	my ($name, @commands) = @$dialogue;
	my ($oracle, $oracle_times) = talk($postfix{late}->port, 0, \@commands);
	my ($ours, $our_times) = talk($gatepost->port('late'), 0, \@commands);

	is_deeply($ours, $oracle, "late: $name");
	note("Postfix: @$oracle_times");
	note("gatepost: @$our_times");
}
is(late_replies(), 11, 'each of them was counted');

# Whom `exempt` names is borne as without limits.
my $c = Gatepost::Smtp->new(port => $gatepost->port('strangers'), from => '127.0.0.9', timeout => 60);
is(join(' ', map { substr $_, 0, 3 } $c->pipeline(('FOO') x 20)), join(' ', (500) x 20), 'who is exempt may err');
like($c->reply, qr/^421 4\.7\.0 \S+ Error: too many errors$/, 'as often as the listener lets everybody');

# What no Postfix takes for a command either, though it says so in other words.
for my $commands ([], ['EHLO a', $mail]) {
	$c = Gatepost::Smtp->new(port => $gatepost->port('mx'), timeout => 60);
	$c->cmd($_) for @$commands;
	is($c->cmd("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"), '221 2.7.0 Error: I can break rules, too. Goodbye.',
	    'a TLS hello');
	is($c->reply, undef, 'is the end');
}
$gatepost->stop;
done_testing;
