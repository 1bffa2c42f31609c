#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Three Dovecots with a store each behind a farm with `affinity`; one of them is
# killed and comes back.  Its users hear that their account is unavailable, and
# nobody ever lets them into another store, whoever judges the password, with a
# session open before or not; the other servers' users notice nothing.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Dovecot;
use Gatepost::Gatepost;
use Gatepost::Imap;
use Gatepost::Port qw(free_port own_address);
use Gatepost::Process qw(test_dir write_file);
use Test::More;

use constant USERS => 18;

my $port = free_port();
my %dovecot = map { ("d$_" => Gatepost::Dovecot->new(name => "d$_", address => own_address($_), port => $port,
    users => USERS)->start) } 1 .. 3;
write_file(test_dir() . '/users', join '', map { "user$_:{PLAIN}pass-$_\n" } 1 .. USERS);
my $gatepost = Gatepost::Gatepost->new(config => <<'END',
auth staff { source file; path @DIR@/users }
farm f {
    affinity 15m
    retries 1
    server d1 { address @D1@:@SERVER_PORT@ }
    server d2 { address @D2@:@SERVER_PORT@ }
    server d3 { address @D3@:@SERVER_PORT@ }
}
default pool { check { kind none }; protocol imap; farm f }
pool imap { }
pool patient { retries 60; login_timeout 60s }
default listener { protocol imap; starttls off; plaintext_login yes; pool imap }
listener judged { bind 127.0.0.1:@PORT{judged}@ }
listener decided { bind 127.0.0.1:@PORT{decided}@; auth staff }
listener patient { bind 127.0.0.1:@PORT{patient}@; pool patient }
END
    values => { SERVER_PORT => $port, map { (uc $_ => $dovecot{$_}->address) } keys %dovecot })->start;

sub client ($listener) { return Gatepost::Imap->new(port => $gatepost->port($listener)) }

# What the user hears, and the client.
sub try_login ($listener, $n) {
	my $client = client($listener);
	return ($client->cmd("LOGIN user$n pass-$n"), $client);
}

# Everybody has a message; of some a session stays open.
my (%open, @failed);
for my $n (1 .. USERS) {
	my ($reply, $client) = try_login(('judged', 'decided')[$n % 2], $n);
	push @failed, "user$n: $reply" if $reply !~ / OK /;
	push @failed, "user$n: no message" if $client->append('INBOX', "Subject: $n\r\n\r\nHello\r\n") !~ / OK/;
	$n % 3 ? $client->close : ($open{$n} = $client);
}
is_deeply(\@failed, [], 'all users are in');
my %home = map { $_->{user} => $_->{server} =~ s{.*/}{}r } $gatepost->events('login');
my %users;
push @{ $users{ $home{"user$_"} } }, $_ for 1 .. USERS;
is_deeply([sort keys %users], [qw(d1 d2 d3)], 'all servers are used');

# One that has open sessions dies; then everybody comes again.
my ($dead) = map { $home{"user$_"} } sort { $a <=> $b } keys %open;
my %is_dead = map { $_ => 1 } @{ $users{$dead} };
$dovecot{$dead}->kill_now;
for my $n (sort { $a <=> $b } keys %open) {
	if ($is_dead{$n}) {
		like($open{$n}->rest(10), qr/\A(?:\* BYE [^\r\n]*\r\n)?\z/, "user$n: the session ends");
	} else {
		like($open{$n}->cmd('NOOP'), qr/ OK/, "user$n: the session lives");
	}
}
my %waiting;
for my $n (@{ $users{$dead} }) {
	$waiting{$n} = client('patient');
	$waiting{$n}->send_bytes("w LOGIN user$n pass-$n\r\n");
}
for my $listener (qw(judged decided)) {
	my %clients = map { $_ => client($listener) } 1 .. USERS;
	my @wrong;

	$clients{$_}->send_bytes("l LOGIN user$_ pass-$_\r\n") for 1 .. USERS;
	for my $n (1 .. USERS) {
		my $wanted = $is_dead{$n} ? qr/^l NO \[UNAVAILABLE\]/ : qr/^l OK /;
		my $line = $clients{$n}->line;
		push @wrong, "user$n: $line" if $line !~ $wanted;
		$clients{$n}->close;
	}
	is_deeply(\@wrong, [], "$listener: users of the dead server are told, all others served");
}

# It comes back: whoever has waited is served there, and so is everybody.
$dovecot{$dead}->start;
my @wrong;
for my $n (sort { $a <=> $b } keys %waiting) {
	my $line = $waiting{$n}->line;
	push @wrong, "user$n: $line" if $line !~ /^w OK /;
}
is_deeply(\@wrong, [], 'who waited for the server is served when it is back');
for my $n (1 .. USERS) {
	for my $listener (qw(judged decided patient)) {
		my ($reply, $client) = try_login($listener, $n);
		my ($exists) = map { /^\* (\d+) EXISTS/ ? $1 : () } $client->cmd('SELECT INBOX');

		push @wrong, "user$n at $listener: $reply" if $reply !~ / OK /;
		push @wrong, "user$n at $listener: " . ($exists // 'no') . ' messages' if ($exists // 0) != 1;
		$client->close;
	}
}
is_deeply(\@wrong, [], 'everybody finds the message, by every way');

# In the servers' own words.
for my $n (1 .. USERS) {
	my @servers = grep { $dovecot{$_}->log_lines(qr/Login: user=<user$n>/) } sort keys %dovecot;
	my @stores = grep { -d "$dovecot{$_}{dir}/mail/user$n" } sort keys %dovecot;

	push @wrong, "user$n: @servers, stores: @stores" if grep { $_ ne $home{"user$n"} } @servers, @stores;
}
is_deeply(\@wrong, [], 'each user has been on one server, and has one store');

$_->close for values %open, values %waiting;
$gatepost->stop;
$_->stop for values %dovecot;
done_testing;
