#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Of two mail servers one is sick: it says 421, or accepts and closes.  All
# mail is taken by the other; the sick one is tried ever more rarely, the log
# tells of it once, and when it is well it has its share again.  Nobody checks
# them; where somebody does, it is at once.  A user who belongs on a sick server
# waits for it.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Fake;
use Gatepost::Gatepost;
use Gatepost::Imap;
use Gatepost::Port qw(free_port own_address);
use Gatepost::Postfix;
use Gatepost::Process qw(wait_for);
use Gatepost::Smtp;
use Test::More;
use Time::HiRes qw(time);

plan skip_all => 'needs root' if $> != 0;

my $failures = 5;	# in a row, until a server that was well is dead
my %sick = (
	busy => Gatepost::Fake->new(name => 'busy', script => [[send => "421 4.3.2 Overloaded\r\n"]]),
	closing => Gatepost::Fake->new(name => 'closing', script => [['close']]),
);
my $started = time;
$_->start for values %sick;
my $good = Gatepost::Postfix->new(name => 'good', xclient => '127.0.0.1')->start;
my $checked = Gatepost::Fake->new(name => 'checked', script => [
	[send => "220 checked ESMTP\r\n"], [expect => qr/^EHLO \S+\r\n/m],
	[send => "250-checked\r\n250 XCLIENT NAME ADDR\r\n"], ['hold'],
])->start;
my $imap_port = free_port();
my $gatepost = Gatepost::Gatepost->new(values => { GOOD => $good->port, IMAP => $imap_port, CHECKED => $checked->port,
    map { uc $_ => $sick{$_}->port } keys %sick }, config => <<'END')->start;
hostname mx.example.com
threads 1
default pool { check { kind none }; protocol smtp; balance roundrobin }
pool busy { server good { address 127.0.0.1:@GOOD@ }; server sick { address 127.0.0.1:@BUSY@ } }
pool closing { server good { address 127.0.0.1:@GOOD@ }; server sick { address 127.0.0.1:@CLOSING@ } }
pool checked {
    check { interval 1h; down_interval 100ms; fall 1; rise 1 }
    server good { address 127.0.0.1:@GOOD@ }
    server sick { address 127.0.0.1:@CHECKED@ }
}
pool bound {
    protocol imap; balance user; retries 0; queue_timeout 60s; login_timeout 60s
    server sick { address 127.0.0.1:@IMAP@ }
}
pool blind {
    protocol imap; balance user; retries 0; observe off
    server sick { address 127.0.0.1:@IMAP@ }
}
default listener { protocol smtp; starttls off }
listener busy { bind 127.0.0.1:@PORT{busy}@; pool busy }
listener closing { bind 127.0.0.1:@PORT{closing}@; pool closing }
listener checked { bind 127.0.0.1:@PORT{checked}@; pool checked }
listener bound { protocol imap; plaintext_login yes; bind 127.0.0.1:@PORT{bound}@; pool bound }
listener blind { protocol imap; plaintext_login yes; bind 127.0.0.1:@PORT{blind}@; pool blind }
END
my $from = own_address();
my %sent;

sub send_mail ($listener) {
	my $client = Gatepost::Smtp->new(port => $gatepost->port($listener), from => $from, timeout => 20);
	my $number = ++$sent{$listener};

	$client->ehlo;
	my $reply = $client->send_message(from => 'alice@example.org', to => ['bob@example.com'],
	    text => "Subject: $listener $number\n\nHello.\n");
	$client->quit;
	return $reply;
}

sub count_log ($pattern) { return scalar(my @lines = $gatepost->log_lines($pattern)) }
sub tries ($name) { return count_log(qr/ back=$name\/sick: server failed: /) }

# How many may have been until now: up to its death, and one behind each dead time; they double from a second on.
sub tries_allowed () {
	return $failures + int(log(time - $started + 1) / log 2) + int((time - $started) / 60);
}

for my $name (sort keys %sick) {
	my @bad = grep { !/^250 / } map { send_mail($name) } 1 .. 40;
	is("@bad", '', "$name: all mail is taken");
	my $line = $gatepost->wait_for_log(qr/ $name\/sick gets no sessions for /);
	like($line, qr/warning: $name\/sick gets no sessions for 1 s, since tries fail: \w/,
	    "$name: the log tells of the sick server");
	like($line, qr/421 4\.3\.2 Overloaded/, "$name: in its own words") if $name eq 'busy';
	wait_for(sub {
		push @bad, grep { !/^250 / } send_mail($name);
		return tries($name) >= $failures + 2;
	}, 60, "$name to be tried again");
	is("@bad", '', "$name: meanwhile too");
	cmp_ok(tries($name), '<=', tries_allowed(), "$name: it is tried ever more rarely");
	is(count_log(qr/ $name\/sick gets no sessions for /), 1, "$name: the log tells of it once");
	is(count_log(qr/ $name\/sick gets sessions again/), 0, "$name: and not that it is well");
}

# A real server comes up in the place of the sick one.
$sick{busy}->kill_now;
my $well = Gatepost::Postfix->new(name => 'well', port => $sick{busy}->port, xclient => '127.0.0.1')->start;
my @bad;
wait_for(sub {
	push @bad, grep { !/^250 / } send_mail('busy');
	return count_log(qr/notice: busy\/sick gets sessions again/);
}, 90, 'the sick server to be found well');
my $first = $sent{busy};
push @bad, grep { !/^250 / } map { send_mail('busy') } 1 .. 20;
is("@bad", '', 'no mail is refused while a server comes back');
wait_for(sub {
	my @subjects = map { $_->{text} =~ /^Subject: busy (\d+)$/m ? $1 : () } $good->messages, $well->messages;
	return @subjects == $sent{busy};
}, 30, 'all mail');
my $share = grep { $_->{text} =~ /^Subject: busy (\d+)$/m && $1 > $first } $well->messages;
is($share, 10, 'it has its share again');
is(count_log(qr/ busy\/sick gets sessions again/), 1, 'the log tells that once, too');

# Long before the next check was due.
ok(!count_log(qr/ checked\/sick is down/), 'checks find a server well');
$checked->kill_now;
@bad = ();
wait_for(sub {
	push @bad, grep { !/^250 / } send_mail('checked');
	return count_log(qr/ checked\/sick is down: /);
}, 60, 'sessions to make a server suspicious');
is("@bad", '', 'no mail is refused meanwhile');
like($gatepost->wait_for_log(qr/ checked\/sick gets no sessions for /), qr/connection refused/,
    'sessions were first to find it sick');
$checked->start;
ok($gatepost->wait_for_log(qr/ checked\/sick is up again/, 30), 'a check finds it well');

# A user who belongs on a server.
sub log_in ($listener) {
	my $client = Gatepost::Imap->new(port => $gatepost->port($listener), timeout => 60);
	my $reply = $client->cmd('LOGIN bob secret');

	$client->close;
	return $reply;
}

like(log_in('bound'), qr/ NO \[UNAVAILABLE\]/, 'a login at a dead server') for 1 .. $failures;
$gatepost->wait_for_log(qr/ bound\/sick gets no sessions for 1 s, since tries fail: connect failed: /);
like(log_in('blind'), qr/ NO \[UNAVAILABLE\]/, 'and at one that sessions do not judge') for 1 .. 3 * $failures;
my $late = Gatepost::Fake->new(name => 'late', port => $imap_port, script => [
	[send => "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] ready\r\n"],
	[expect => qr/^(\S+) AUTHENTICATE[^\r\n]*\r\n/m], [send => sub ($tag) { "$tag OK in\r\n" }], ['hold'],
])->start;
like(log_in('bound'), qr/ OK/, 'a login waits until it may be tried, and is served');
ok($gatepost->wait_for_log(qr/notice: bound\/sick gets sessions again/), 'which ends the dead time');
is(count_log(qr/ blind\/sick gets /), 0, 'nobody says anything of the other');

$gatepost->stop;
$_->kill_now for $sick{closing}, $checked, $late;
done_testing;
