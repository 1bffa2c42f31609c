#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# A farm with `affinity` and two pools: a user stays on one server, however the
# name is written and whatever a reload adds or weighs, for as long as a session
# lives and a while longer; of a server that was taken away, the user's next
# login ends the sessions there before it is served elsewhere.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Dovecot;
use Gatepost::Gatepost;
use Gatepost::Imap;
use Gatepost::Port qw(free_port own_address);
use Gatepost::Process qw(test_dir wait_for write_file);
use Test::More;
use Time::HiRes qw(time);

use constant { USERS => 16, RETENTION => 3 };

my $dir = test_dir();
my $port = free_port();
write_file("$dir/masters", "admin:{PLAIN}admin-secret\n");
my %dovecot = map { $_ => Gatepost::Dovecot->new(name => "d$_", address => own_address($_), port => $port,
    users => USERS,
    masters => "$dir/masters", settings => 'auth_username_format = %Ln')->start } 1 .. 3;

# Servers and their weights.
sub config (%weights) {
	my $servers = join "\n", map {
		"    server d$_ { address \@D$_\@:\@SERVER_PORT\@; weight $weights{$_} }"
	} sort keys %weights;

	return <<~"END";
		users { default_domain example.com; master_separator "*" }
		farm f {
		    affinity ${\RETENTION}s
		$servers
		}
		default pool { check { kind none }; protocol imap; farm f }
		pool first { }
		pool second { login_timeout 20s }
		default listener { protocol imap; starttls off; plaintext_login yes }
		listener first { bind 127.0.0.1:\@PORT{first}\@; pool first }
		listener second { bind 127.0.0.1:\@PORT{second}\@; pool second }
		END
}

my $gatepost = Gatepost::Gatepost->new(config => config(1 => 1, 2 => 1),
    values => { SERVER_PORT => $port, map { ("D$_" => $dovecot{$_}->address) } keys %dovecot })->start;

# A client of user N, and the server that it has come to.  Nobody else is that user meanwhile.
my %logins;
sub log_in ($name, $n, $user = "user$n", $password = "pass-$n") {
	my $client = Gatepost::Imap->new(port => $gatepost->port($name));
	my $before = $logins{$n}++;
	$client->login($user, $password);
	my $event = wait_for(sub {
		(grep { $_->{user} eq "user$n\@example.com" } $gatepost->events('login'))[$before];
	}, 10, "the login of user$n in the log");
	return ($client, $event->{server} =~ s{.*/}{}r);
}

my (%first, %home);
($first{$_}, $home{$_}) = log_in('first', $_) for 1 .. USERS;
my %used = map { $_ => 1 } values %home;
is_deeply([sort keys %used], [qw(d1 d2)], 'users are on both servers');

# One user in every spelling, at the other pool.
my @strays;
for my $n (1 .. USERS) {
	my @spellings = (["User$n"], ["USER$n\@Example.com"], ["user$n*admin", 'admin-secret'],
	    ["uSer$n\@EXAMPLE.com*admin", 'admin-secret']);
	for my $spelling (@spellings) {
		my ($user, $password) = @$spelling;
		my ($client, $server) = log_in('second', $n, $user, $password // "pass-$n");
		push @strays, "$user: $server" if $server ne $home{$n};
		$client->close;
	}
}
is_deeply(\@strays, [], 'each user is on one server, in any spelling, over both pools');

# A reload with another server and other weights.
$gatepost->configure(config(1 => 1, 2 => 1, 3 => 200));
ok($gatepost->reload, 'a server more, and by far the heaviest');
for my $n (1 .. USERS) {
	my ($client, $server) = log_in('second', $n);
	push @strays, "user$n: $server" if $server ne $home{$n};
	$client->close;
}
is_deeply(\@strays, [], 'users stay while a session lives');
is(scalar(grep { $_->cmd('NOOP') =~ / OK/ } values %first), USERS, 'and all the sessions live');

# Drained, a server keeps those it has.
$gatepost->configure(config(1 => 0, 2 => 0, 3 => 1));
ok($gatepost->reload, 'two servers drained');
for my $n (1 .. USERS) {
	my ($client, $server) = log_in('first', $n);
	push @strays, "user$n: $server" if $server ne $home{$n};
	$client->close;
}
is_deeply(\@strays, [], 'drained servers keep the living');

# The last session ends: for the retention nothing changes.
my $own = $home{1};
$_->close for values %first;
wait_for(sub { (grep { $_->{reason} eq 'done' } $gatepost->events('session')) >= 7 * USERS }, 10,
    'all sessions to end');
my ($client, $server) = log_in('second', 1);
is($server, $own, 'a user who is back in time is on the same server');
$client->close;
my $closed = time;
wait_for(sub { time > $closed + RETENTION + 0.5 }, 2 * RETENTION, 'the retention to pass');
($first{$_}, $home{$_}) = log_in('first', $_) for 1 .. USERS;
is_deeply({ map { $_ => 1 } values %home }, { d3 => 1 }, 'later, where the weights want everybody');

# That server is taken away.
$gatepost->configure(config(1 => 1, 2 => 1));
ok($gatepost->reload, 'their server is taken away');
my $bye = 0;
for my $n (1 .. USERS) {
	my $old = $first{$n};
	$old->send_bytes("i IDLE\r\n");
	$old->lines_until(qr/^\+ /);
	($first{$n}, $home{$n}) = log_in($n % 2 ? 'first' : 'second', $n);
	# the old one was told before the new one was served
	$bye++ if $old->rest(5) =~ /^\* BYE [^\r\n]*\r\n\z/m;
}
is($bye, USERS, 'a new login ends the sessions there, with BYE');
is_deeply({ map { $_ => 1 } values %home }, { d1 => 1, d2 => 1 }, 'and is served by what is left');
is(scalar(grep { $_->cmd('NOOP') =~ / OK/ } values %first), USERS, 'all of them work');
my $kicked = sub { scalar grep { $_->{reason} eq 'kicked' } $gatepost->events('session') };
is(wait_for(sub { $kicked->() >= USERS && $kicked->() }, 10, 'the kicks in the log'), USERS,
    'the log tells of the kicks');

# What the servers saw: nobody in the store of a server that was not theirs.
my @wrong;
my %allowed;
for my $event ($gatepost->events('login')) {
	$allowed{ $event->{user} =~ s/@.*//r }{ $event->{server} =~ s{.*/}{}r } = 1;
}
for my $n (1 .. USERS) {
	for my $d (1 .. 3) {
		push @wrong, "user$n: d$d" if !$allowed{"user$n"}{"d$d"} &&
		    $dovecot{$d}->log_lines(qr/Login: user=<user$n>/);
	}
}
is_deeply(\@wrong, [], 'no server was dialled for somebody who was not served there');

$_->close for values %first;
$gatepost->stop;
$_->stop for values %dovecot;
done_testing;
