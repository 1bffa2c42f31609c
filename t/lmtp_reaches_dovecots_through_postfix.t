#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# A Postfix delivers 200 messages of 1 to 20 recipients by LMTP to three
# Dovecots with a store of their own each, one of which is killed and started
# again meanwhile.  Each is in the mailboxes of all its recipients, at the
# server where the user's IMAP session is, and nowhere twice but where a
# server died before it said that it had the mail.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Dovecot;
use Gatepost::Gatepost;
use Gatepost::Imap;
use Gatepost::Port qw(free_port);
use Gatepost::Postfix;
use Gatepost::Process qw(wait_for);
use Gatepost::Smtp;
use List::Util qw(shuffle);
use Test::More;

plan skip_all => 'needs root' if $> != 0;

use constant { MESSAGES => $ENV{LMTP_MESSAGES} // 200, USERS => 30, KILLS => $ENV{LMTP_KILLS} // 1 };

srand 7;
my ($imap_port, $lmtp_port) = (free_port(), free_port());
my @dovecots = map { Gatepost::Dovecot->new(name => "d$_", address => "127.0.0.$_", users => USERS, lmtp => 1,
    port => $imap_port, lmtp_port => $lmtp_port)->start } 1 .. 3;
my $gatepost = Gatepost::Gatepost->new(values => { IMAP => $imap_port, LMTP => $lmtp_port },
    config => <<'END')->start;
users { default_domain example.com }
default pool { check { kind protocol; interval 500ms; fast_interval 100ms; down_interval 200ms } }
farm f { affinity 10m
    server d1 { address 127.0.0.1 }; server d2 { address 127.0.0.2 }; server d3 { address 127.0.0.3 } }
pool imap { farm f; port @IMAP@; close_spread 0s }
pool lmtp { farm f; port @LMTP@ }
listener imap { bind 127.0.0.1:@PORT{imap}@; starttls off; plaintext_login yes; pool imap }
listener lmtp { bind 127.0.0.1:@PORT{lmtp}@; pool lmtp }
END
my $postfix = Gatepost::Postfix->new(name => 'mx', main => {
    virtual_transport => 'lmtp:inet:[127.0.0.1]:' . $gatepost->port('lmtp'),
    minimal_backoff_time => '1s', maximal_backoff_time => '2s', queue_run_delay => '1s',
    lmtp_connection_cache_on_demand => 'yes', in_flow_delay => '0s' })->start;

my (%imap, %at);		# each user's session; the servers where it had one

# Which server it is on, by the banner that only that one has.
sub log_in ($n) {
	$imap{$n}->close if $imap{$n};
	$imap{$n} = Gatepost::Imap->new(port => $gatepost->port('imap'), timeout => 20);
	$imap{$n}->login("user$n", "pass-$n");
	my $event = $gatepost->wait_for_event('login', { user => "user$n\@example.com",
	    client_port => $imap{$n}{socket}->sockport });
	my ($server) = $event->{server} =~ m{/(d\d)$};
	$at{$n}{$server} = 1;
	return $imap{$n}{server} = $server;
}

my (%to, %queued, $smtp);	# message => its recipients; id in the queue => message
my $count = 0;

sub send_one {
	my $name = sprintf 'm%05d', $count++;
	my @users = (shuffle 1 .. USERS)[0 .. int rand 20];

	$smtp //= Gatepost::Smtp->new(port => $postfix->port, timeout => 20);
	$smtp->ehlo if $count == 1;
	my $reply = $smtp->send_message(from => 'sender@example.org',
	    to => [map { "user$_\@example.com" } @users],
	    text => "Subject: $name\n\n" . "A line of text\n" x int rand 400);
	my ($id) = $reply =~ /queued as (\S+)/ or die "Postfix: $reply\n";
	$queued{$id} = $name;
	$to{$name} = { map { $_ => 1 } @users };
	return $name;
}

# Postfix may forget to look at a mail that it tried a moment ago.
sub wait_until_sent {
	my $flushed = time;

	wait_for(sub {
		$postfix->flush and $flushed = time if time > $flushed + 5;
		!grep { -f } map { glob "$postfix->{dir}/queue/$_/*" }
		    qw(incoming active maildrop deferred deferred/*)
	}, 120, 'all to be delivered');
	return;
}

# What the user's own session sees of these messages, sorted.
sub seen ($n, @names) {
	my %wanted = map { $_ => 1 } @names;

	$imap{$n}->cmd('SELECT INBOX');
	my $text = join "\n", $imap{$n}->cmd('FETCH 1:* BODY.PEEK[HEADER.FIELDS (SUBJECT)]');
	return sort grep { $wanted{$_} } $text =~ /Subject: (m\d+)/g;
}

# All messages of a time when nothing failed are where their users are.
sub check_seen ($what, @names) {
	my @bad;

	for my $n (1 .. USERS) {
		my @wanted = sort grep { $to{$_}{$n} } @names;
		my @seen = seen($n, @names);
		push @bad, "user$n: @seen, not @wanted" if "@seen" ne "@wanted";
	}
	is_deeply(\@bad, [], "$what: all users see their mail, once, in their own sessions");
	return;
}

log_in($_) for 1 .. USERS;
my @first = map { send_one() } 1 .. MESSAGES / 4;
wait_until_sent();
check_seen('at first', @first);
my $victim = $dovecots[1];
for my $turn (1 .. KILLS) {
	$victim = $dovecots[$turn % 3];
	for my $i (1 .. MESSAGES / 2 / KILLS) {
		send_one();
		$victim->kill_now if $i == int(MESSAGES / 4 / KILLS);
	}
	$gatepost->wait_for_log(qr{imap/$victim->{name}\S* is down}, 20, int(($turn + 2) / 3));
	log_in($_) for grep { $imap{$_}{server} eq $victim->{name} } 1 .. USERS;
	$victim->start;
	wait_until_sent();
}
my @last = map { send_one() } 1 .. MESSAGES / 4;
wait_until_sent();
check_seen('at last', @last);

# What Postfix was told of each, and what there is in the stores.
my (%sent, %doubtful, @odd);
for my $line ($postfix->maillog_lines(qr{postfix/lmtp.*status=})) {
	my ($id, $n, $status) = $line =~ /: (\w+): to=<user(\d+)\@.*status=(\w+)/ or die $line;
	$sent{ $queued{$id} }{$n}++ if $status eq 'sent';
	$doubtful{ $queued{$id} }{$n}++ if $line =~ /451 4.3.0 .*lost/;
	push @odd, $line if $status !~ /^(?:sent|deferred)$/;
}
is_deeply(\@odd, [], 'nothing bounces');
my %copies;
for my $dovecot (@dovecots) {
	for my $n (1 .. USERS) {
		for my $text ($dovecot->messages("user$n")) {
			my ($name) = $text =~ /^Subject: (m\d+)/m;
			push @{ $copies{$name}{$n} }, $dovecot->{name};
		}
	}
}
my (@lost, @double, @strange, $deliveries, $doubtful, $twice);
for my $name (sort keys %to) {
	for my $n (sort keys %{ $to{$name} }) {
		my @there = @{ delete($copies{$name}{$n}) // [] };
		my $tries = $doubtful{$name}{$n} // 0;
		$deliveries++;
		$doubtful += $tries;
		$twice++ if @there > 1;
		push @lost, "$name of user$n" if ($sent{$name}{$n} // 0) != 1 || !@there;
		push @double, "$name of user$n: @there" if @there > 1 + $tries;
		push @strange, "$name of user$n: @there" if grep { !$at{$n}{$_} } @there;
	}
}
is_deeply(\@lost, [], "$deliveries deliveries: each is acknowledged once, and in its mailbox");
is_deeply(\@double, [], 'none is there twice, but where a server died with it');
is_deeply(\@strange, [], 'all are at servers where their users were');
is_deeply([map { my $m = $_; map { "$m of user$_" } keys %{ $copies{$m} } } sort keys %copies], [],
    'nothing is there that was for nobody');
diag(sprintf '%d deliveries were in doubt, %d are there twice', $doubtful, $twice // 0);
$gatepost->stop;
$_->stop_quietly for $postfix, @dovecots;
done_testing;
