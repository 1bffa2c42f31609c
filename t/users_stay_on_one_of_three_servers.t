#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# 300 logins of 40 users over two listeners, many at once: each user is on one
# of three servers, each of which has a store of its own, so that a user on
# two servers would be seen in their logs and in the mail.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Process qw(wait_for);
use Gatepost::Setup qw(start_imap_farm tls_client);
use List::Util qw(shuffle sum);
use Test::More;

use constant { USERS => 40, LOGINS => 300, OPEN => 60 };

srand 20231105;		# the same order each time
my $farm = start_imap_farm(dovecots => 3, users => USERS,
    top => 'listener second { protocol imap; bind_tls 127.0.0.1:@PORT{second}@; tls main; pool imap }',
    listener => 'starttls optional; plaintext_login yes');
my $gatepost = $farm->{gatepost};

sub open_client ($way) {
	return tls_client($gatepost, $way) if $way =~ /^imaps?$/;
	my ($port, @tls) = $way eq 'second' ? ('second', tls => 1) : ('imap');
	return Gatepost::Imap->new(port => $gatepost->port($port), @tls);
}

# Every user's logins come from all over the order; some stay open while others come and go.
my @ways = qw(imap imaps second clear);
my @order = shuffle(map { 1 + $_ % USERS } 1 .. LOGINS);
my (@open, $failed);
my $message = sub ($n) { "Subject: to user$n\r\n\r\nHello\r\n" };
my %sent;
for my $i (0 .. $#order) {
	my $n = $order[$i];
	my $client = open_client($ways[$i % @ways]);
	# the same user in several forms
	my $name = ('user', 'User', 'USER')[$i % 3] . $n;

	eval { $client->login($name, "pass-$n"); 1 } or $failed++, diag($@), next;
	$failed++ unless $client->append('INBOX', $message->($n)) =~ / OK/;
	$sent{$n}++;
	push @open, $client;
	(splice @open, int rand @open, 1)->close if @open > OPEN;
}
is($failed, undef, LOGINS . ' logins, and a message by each');
cmp_ok(scalar @open, '>=', OPEN, 'many of them at once');

# The servers' own logs, and their mail.
my @dovecots = @{ $farm->{dovecots} };
wait_for(sub { sum(map { scalar $_->log_lines(qr/Login: user=</) } @dovecots) >= LOGINS }, 20,
    'all logins in the logs of the servers');
my (%servers_of, %used);
for my $dovecot (@dovecots) {
	for my $line ($dovecot->log_lines(qr/Login: user=</)) {
		my ($user) = $line =~ /user=<([^>]*)>/;
		$servers_of{$user}{ $dovecot->{name} }++;
		$used{ $dovecot->{name} }++;
	}
}
is_deeply([sort keys %servers_of], [sort map { "user$_" } 1 .. USERS], 'the servers know all the users');
is_deeply({ map { $_ => $servers_of{$_} } grep { keys %{ $servers_of{$_} } != 1 } keys %servers_of }, {},
    'no user has been on two servers');
is(sum(map { values %$_ } values %servers_of), LOGINS, 'and no login was tried twice');
is(scalar keys %used, 3, 'all servers are used') or diag(explain(\%used));
cmp_ok($used{$_} // 0, '>=', LOGINS / 10, "$_ has its share") for qw(d1 d2 d3);

my @strays;
for my $n (1 .. USERS) {
	my @stores = grep { -d "$_->{dir}/mail/user$n" } @dovecots;
	push @strays, "user$n: @{[map { $_->{name} } @stores]}" if @stores != 1;
}
is_deeply(\@strays, [], 'each user has one store');

# What is told by gatepost is what the servers tell.
my %told;
$told{ $_->{user} }{ $_->{server} =~ s{.*/}{}r }++ for $gatepost->events('login');
is_deeply(\%told, \%servers_of, 'the access log tells the same');

my @lost;
for my $n (1 .. USERS) {
	my $client = open_client($ways[$n % @ways]);
	$client->login_as($n);
	my ($exists) = map { /^\* (\d+) EXISTS/ ? $1 : () } $client->cmd('SELECT INBOX');
	push @lost, "user$n: $exists of $sent{$n}" if $exists != $sent{$n};
	$client->close;
}
is_deeply(\@lost, [], 'each user finds all the mail');

$_->close for @open;
$gatepost->stop;
$_->stop for @dovecots;
done_testing;
