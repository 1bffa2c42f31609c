#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# A client has its time for a whole command or reply, however it drips: octets that trickle in earn nothing,
# but for mail data, by min_data_rate, and never more than idle_timeout.  Who keeps that rate is let alone for
# as long as it takes, and who does not read replies is gone, too.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Gatepost;
use Gatepost::LmtpServer;
use Gatepost::Postfix;
use Gatepost::Process qw(wait_for);
use Gatepost::Smtp;
use IO::Select;
use Socket;
use Test::More;
use Time::HiRes qw(sleep time);

use constant { TIMEOUT => 3, PACE => 0.05 };

local $SIG{PIPE} = 'IGNORE';

my $postfix = Gatepost::Postfix->new(name => 'free', xclient => '127.0.0.1', sasl => 'any',
    main => { smtpd_client_event_limit_exceptions => '', smtpd_junk_command_limit => 10_000_000 })->start;
my $lmtp = Gatepost::LmtpServer->new(name => 'lmtp')->start;
my $gatepost = Gatepost::Gatepost->new(values => { FREE => $postfix->port, LMTP => $lmtp->port, TIMEOUT => TIMEOUT },
    config => <<~'END')->start;
	default limits { soft_errors 0; hard_errors 0; junk_commands 0 }
	limits strict { min_data_rate 2000 }
	limits lax { min_data_rate 0 }
	default listener { starttls off; idle_timeout @TIMEOUT@s; limits strict }
	pool mx { protocol smtp; server p { address 127.0.0.1:@FREE@ } }
	pool out { protocol submission; server p { address 127.0.0.1:@FREE@ } }
	pool lmtp { server l { address 127.0.0.1:@LMTP@ } }
	listener mx { protocol smtp; bind 127.0.0.1:@PORT{mx}@; pool mx }
	listener lax { protocol smtp; bind 127.0.0.1:@PORT{lax}@; pool mx; limits lax }
	listener bare { protocol smtp; bind 127.0.0.1:@PORT{bare}@; pool mx; limits none }
	listener out { protocol submission; bind 127.0.0.1:@PORT{out}@; pool out; auth server; plaintext_login yes }
	listener lmtp { bind 127.0.0.1:@PORT{lmtp}@; pool lmtp }
	auth server { source server }
	END

my %message = (from => 'a@example.org', to => ['b@example.com'], text => "Subject: x\n\nx\n");

sub come ($name) {
	my $c = Gatepost::Smtp->new(port => $gatepost->port($name), timeout => 60);

	$name eq 'lmtp' ? $c->cmd('LHLO c.example.org') : $c->ehlo;
	$c->auth('ann', 'right') if $name eq 'out';
	$c->cmd("MAIL FROM:<$message{from}>");
	return $c;
}

sub begin_data ($c) {
	$c->expect('250', "RCPT TO:<$message{to}[0]>");
	$c->expect('354', 'DATA');
	return $c;
}

my $late = qr/^421 4\.4\.2 \S+ Error: timeout exceeded$/;

# All at once, each in its own way, until they are told: BYTES at each step of PACE seconds.
my %slow = (
	'says nothing' => [mx => ''],
	'sends a command octet by octet' => [mx => 'N'],
	'the same, logged in' => [out => 'N'],
	'the same, to lmtp' => [lmtp => 'N'],
	'drips data' => [mx => 'x', 1],
	'drips lines of data' => [mx => "x\r\n", 1],
	'drips data, logged in' => [out => 'x', 1],
	'drips data to lmtp' => [lmtp => "x\r\n", 1],
	'drips data where there are no limits' => [bare => 'x', 1],
);
my @slow = map { { name => $_, client => come($slow{$_}[0]), bytes => $slow{$_}[1], has_data => $slow{$_}[2] } } sort keys %slow;
begin_data($_->{client}) for grep { $_->{has_data} } @slow;
my ($began, %left) = (time, map { $_->{name} => $_ } @slow);
while (%left && time < $began + 20 * TIMEOUT) {
	sleep PACE;
	for my $slow (values %left) {
		if (IO::Select->new($slow->{client}->socket)->can_read(0)) {
			$slow->{reply} = eval { $slow->{client}->reply };
			note(sprintf '%s: %.1f s', $slow->{name}, time - $began);
			delete $left{ $slow->{name} };
		} elsif ($slow->{bytes} ne '') {
			eval { $slow->{client}->send_bytes($slow->{bytes}) };
		}
	}
}
like($_->{reply} // 'nothing', $late, $_->{name}) for @slow;
is($gatepost->wait_for_event('session', { reason => 'idle timeout' }) ? 1 : 0, 1, 'the log says why');

# Data that come at a rate that is well above the least, for longer than the timeout; and slower, where none is set.
# The reply; undef: we have not kept that pace ourselves.
sub send_slowly ($name, $line) {
	my $c = begin_data(come($name));
	my $until = time + 2 * TIMEOUT;
	my $last = time;

	$c->send_bytes("Subject: x\r\n\r\n");
	while (time < $until) {
		sleep 4 * PACE;
		return undef if time - $last > TIMEOUT / 3;
		$last = time;
		$c->send_bytes($line);
	}
	$c->send_bytes(".\r\n");
	return scalar eval { $c->reply } // 'nothing';
}

for my $case ([mx => 'x' x 998 . "\r\n"], [lmtp => 'x' x 998 . "\r\n"], [lax => "x\r\n"]) {
	my ($name, $line) = @$case;
	my $reply;

	for (1 .. 10) {
		last if defined($reply = send_slowly($name, $line));
		note("$name: this machine has other things to do");
	}
	like($reply, qr/^250/, "$name: a mail that takes its time is taken");
}

# Replies that nobody reads.
sub deaf_client ($port) {
	socket my $socket, AF_INET, SOCK_STREAM, 0 or die "socket: $!";
	setsockopt $socket, SOL_SOCKET, SO_RCVBUF, 4096;
	connect $socket, pack_sockaddr_in($port, inet_aton('127.0.0.1')) or die "connect: $!";
	return IO::Socket::INET->new_from_fd($socket, '+<');
}
my $deaf = deaf_client($gatepost->port('mx'));
my $all = "EHLO a\r\nMAIL FROM:<a\@example.org>\r\n" . "EHLO a\r\n" x 1_500_000;
my $sent = 0;
$deaf->blocking(0);
while ($sent < length $all && IO::Select->new($deaf)->can_write(1)) {
	$sent += syswrite($deaf, $all, 65_536, $sent) // 0;
}
cmp_ok($sent, '<', length $all, 'who does not read is not heard any more');
ok(wait_for(sub { $gatepost->ask('show sess') !~ / mx / }, 30, 'the deaf one to be sent away'), 'and is sent away');
$gatepost->stop;
done_testing;
