#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Many sessions of each user log in at the same time through four workers,
# while reloads turn the weights of two servers round: all that are let in are
# on one server, whichever it is, and nearly all are let in.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Fake;
use Gatepost::Gatepost;
use Gatepost::Imap;
use Gatepost::Process qw(test_dir write_file);
use Test::More;

use constant { ROUNDS => 12, USERS => 6, SESSIONS => 8 };

my %fakes = map { my $name = $_; $name => Gatepost::Fake->new(name => $name, script => [
    [send => "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] ready\r\n"],
    [expect => qr/^(\S+) AUTHENTICATE[^\r\n]*\r\n/m],
    [send => sub ($tag) { "$tag OK [CAPABILITY IMAP4rev1] $name\r\n" }], ['hold']])->start } qw(a b);
write_file(test_dir() . '/users', join '', map { "u$_:{PLAIN}x\n" } 1 .. USERS);

sub config ($first, $second) {
	return <<~"END";
		threads 4
		auth staff { source file; path \@DIR\@/users }
		farm f {
		    affinity 1ms
		    server a { address 127.0.0.1:\@A\@; weight $first }
		    server b { address 127.0.0.1:\@B\@; weight $second }
		}
		pool imap { farm f }
		default listener { protocol imap; starttls off; plaintext_login yes; pool imap }
		listener judged { bind 127.0.0.1:\@PORT{judged}\@ }
		listener decided { bind 127.0.0.1:\@PORT{decided}\@; auth staff }
		END
}
my @weights = ([1, 200], [200, 1]);
my $gatepost = Gatepost::Gatepost->new(values => { A => $fakes{a}->port, B => $fakes{b}->port },
    config => config(@{ $weights[1] }))->start;

# The answers that were heard, by user.
my (%seen, @split, $late);
for my $round (1 .. ROUNDS) {
	my %clients = map { my $n = $_; $n => [map {
		Gatepost::Imap->new(port => $gatepost->port(('judged', 'decided')[$_ % 2]))
	} 1 .. SESSIONS] } 1 .. USERS;
	my %where;

	$gatepost->configure(config(@{ $weights[$round % 2] }));
	for my $k (0 .. SESSIONS - 1) {
		$gatepost->signal('HUP') if $k == $round % SESSIONS;
		$clients{$_}[$k]->send_bytes("l LOGIN u$_ x\r\n") for 1 .. USERS;
	}
	for my $n (1 .. USERS) {
		for my $client (@{ $clients{$n} }) {
			my $line = $client->line;
			my ($server) = $line =~ /^l OK \[CAPABILITY IMAP4rev1\] ([ab])\z/;
			$late++ if $line =~ /^l NO \[UNAVAILABLE\]/;
			$where{$n}{$server // $line}++ unless $line =~ /^l NO \[UNAVAILABLE\]/;
		}
		push @split, "round $round, u$n: @{[%{ $where{$n} }]}" if keys %{ $where{$n} } != 1;
		$seen{$_}++ for keys %{ $where{$n} };
	}
	$_->close for map { @$_ } values %clients;
}
is_deeply(\@split, [], 'all sessions of a user are on one server');
is_deeply([sort keys %seen], [qw(a b)], 'both servers were used') or diag(explain(\%seen));
diag(sprintf '%d of %d logins were told to come later', $late // 0, ROUNDS * USERS * SESSIONS);
diag(sprintf '%d were sent on to the server of a faster one',
    $fakes{a}->connections + $fakes{b}->connections - ROUNDS * USERS * SESSIONS);
cmp_ok($late // 0, '<=', ROUNDS * USERS * SESSIONS / 20, 'and hardly anybody had to come again');

$gatepost->stop;
$_->kill_now for values %fakes;
done_testing;
