#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# A farm with `affinity`: a user whose session lives in the process that was replaced is served by the new one on
# the same server, whatever that one's configuration would prefer; once the session has ended and the retention
# has passed, elsewhere.  Where the user must go elsewhere, the session in the old process ends first.  So it is,
# too, when a third process has taken the second one's place.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Dovecot;
use Gatepost::Gatepost;
use Gatepost::Imap;
use Gatepost::Port qw(free_port own_address);
use Gatepost::Process qw(test_dir wait_for);
use Test::More;
use Time::HiRes qw(time);

use constant { USERS => 8, RETENTION => 2 };

my $port = free_port();
my %dovecot = map { $_ => Gatepost::Dovecot->new(name => "d$_", address => own_address($_), port => $port,
    users => USERS)->start } 1 .. 3;

# Servers and their weights.
sub config (%weights) {
	my $servers = join "\n", map {
		"    server d$_ { address \@D$_\@:\@SERVER_PORT\@; weight $weights{$_} }"
	} sort keys %weights;

	return <<~"END";
		shutdown_timeout 60s
		farm f {
		    affinity ${\RETENTION}s
		$servers
		}
		default pool { check { kind none }; protocol imap; farm f; close_spread 1s }
		pool mail { }
		listener imap { starttls off; plaintext_login yes; bind 127.0.0.1:\@PORT{imap}\@; pool mail }
		END
}

my $gatepost = Gatepost::Gatepost->new(config => config(1 => 1, 2 => 1),
    values => { SERVER_PORT => $port, map { ("D$_" => $dovecot{$_}->address) } keys %dovecot })->start;

# A client of user N, and the server that it has come to.
my %logins;
sub log_in ($n) {
	my $client = Gatepost::Imap->new(port => $gatepost->port('imap'));
	my $before = $logins{$n}++;
	$client->login("user$n", "pass-$n");
	my $event = wait_for(sub {
		(grep { $_->{user} eq "user$n" } $gatepost->events('login'))[$before];
	}, 10, "the login of user$n in the log");
	return ($client, $event->{server} =~ s{.*/}{}r);
}

my (%first, %home);
($first{$_}, $home{$_}) = log_in($_) for 1 .. USERS;
my ($last, $home) = @home{ USERS, 1 };
# the last one is bound, but has no session
$first{ +USERS }->close;
delete $first{ +USERS };

$gatepost->configure(config(1 => 0, 2 => 0, 3 => 1));
my $old = $gatepost->upgrade;
ok($old, 'an upgrade');
my ($client, $server) = log_in(USERS);
is($server, $last, 'a user who is back within the retention is on the same server');
$client->close;
my (%strays, %second);
for my $n (1 .. USERS - 1) {
	($second{$n}, $server) = log_in($n);
	$strays{"user$n: $server"} = 1 if $server ne $home{$n};
}
is_deeply(\%strays, {}, 'users with sessions in the old process stay on their servers');
is(scalar(grep { $_->cmd('NOOP') =~ / OK/ } values %first), USERS - 1, 'whose sessions live');

# The third process hears of the first one's sessions by the second one.
$_->close for values %second;
my $middle = $gatepost->upgrade;
ok($middle, 'another upgrade');
for my $n (1 .. USERS - 1) {
	($second{$n}, $server) = log_in($n);
	$strays{"user$n: $server"} = 1 if $server ne $home{$n};
	$second{$n}->close;
}
my $closed = time;
is_deeply(\%strays, {}, 'and over two upgrades');
wait_for(sub { time > $closed + RETENTION + 0.5 }, 2 * RETENTION, 'the retention to pass');
($client, $server) = log_in(2);
is($server, $home{2}, 'also later than the retention, as long as the first session lives');
$client->close;

# One's session ends.
$first{1}->close;
delete $first{1};
wait_for(sub { grep { $_->{reason} eq 'done' && $_->{user} eq 'user1' && $_->{seconds} > RETENTION }
    $gatepost->events('session') }, 10, 'the end of the first session');
$closed = time;
wait_for(sub { time > $closed + RETENTION + 0.5 }, 2 * RETENTION, 'the retention to pass');
($client, $server) = log_in(1);
is($server, 'd3', 'whose session in the first process has ended is served elsewhere later');
$client->close;

# Their servers are taken away.
$gatepost->configure(config(3 => 1));
ok($gatepost->reload, 'a reload without their servers');
my $bye = 0;
for my $n (sort keys %first) {
	my $idle = $first{$n};
	$idle->send_bytes("i IDLE\r\n");
	$idle->lines_until(qr/^\+ /);
	($client, $server) = log_in($n);
	$strays{"user$n: $server"} = 1 if $server ne 'd3';
	# the old one was told before the new one was served
	$bye++ if $idle->rest(5) =~ /^\* BYE [^\r\n]*\r\n\z/m;
	$client->close;
}
is($bye, USERS - 2, 'a new login ends the sessions in the first process, with BYE');
is_deeply(\%strays, {}, 'and is served by what is left');

is($_->wait_for_end(60), 0, 'an old process ends when its last session has') for $old, $middle;
$gatepost->stop;
$_->stop for values %dovecot;
done_testing;
