#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Who is banned when another process takes over is banned there, too, for as long as it was: one upgrade after
# the other, however many they are.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Fake;
use Gatepost::Gatepost;
use Gatepost::Imap;
use Gatepost::Process qw(test_dir wait_for write_file);
use Test::More;

use constant BANNED => 600;	# more than go into one message

my $fake = Gatepost::Fake->new(name => 'fake', script => [[send => "* OK here\r\n"], ['hold']])->start;
write_file(test_dir() . '/users', "alice:{PLAIN}right\n");
my $gatepost = Gatepost::Gatepost->new(values => { TO => $fake->port }, config => <<'END')->start;
auth file { source file; path @DIR@/users }
limits hard { auth_failure_delay none; auth_ban 1 10m 1h }
pool imap { server s { address 127.0.0.1:@TO@ } }
listener imap { bind 127.0.0.1:@PORT{imap}@; accept_proxy 127.0.0.0/8; starttls off; plaintext_login yes; auth file;
    limits hard; pool imap }
END

sub come ($from) {
	my $family = $from =~ /:/ ? 'TCP6' : 'TCP4';
	my $client = Gatepost::Imap->new(port => $gatepost->port('imap'), greeting => 0, timeout => 60);

	return $client->send_bytes("PROXY $family $from " . ($family eq 'TCP6' ? '::1' : '127.0.0.1') . " 4711 143\r\n");
}

sub is_let_in ($from) { return come($from)->line =~ /^\* OK/ ? 1 : 0 }
sub bans () { return [grep { $_->{banned} } @{ $gatepost->ask_json('show table failed_logins', 60) }] }

my @from = ('2001:db8:1::1', map { sprintf '192.0.%d.%d', 2 + $_ / 250, 1 + $_ % 250 } 2 .. BANNED);
my $known = $from[1];
is(is_let_in($known), 1, 'at first it is let in');
for my $from (@from) {
	my $client = come($from);

	$client->line;
	$client->send_bytes("a LOGIN alice wrong\r\n");
	$client->line;
	$client->close;
}
wait_for(sub { @{ bans() } == @from }, 60, 'all to be banned');
my %before = map { ($_->{client} => $_->{seconds_left}) } @{ bans() };
is(is_let_in($_), 0, "$_ is banned") for @from[0, 1];
for my $round (1, 2) {
	ok($gatepost->upgrade(60), 'an upgrade');
	my %after = map { ($_->{client} => $_->{seconds_left}) } @{ bans() };
	is_deeply([sort keys %after], [sort keys %before], 'the same are banned');
	is(scalar(grep { $after{$_} > $before{$_} } keys %after), 0, 'for no longer than they were');
	is(scalar(grep { $after{$_} < 3000 } keys %after), 0, 'nor for much less');
	is(is_let_in($_), 0, "$_ is banned") for @from[0, 1, -1];
	is(is_let_in('198.51.100.7'), 1, 'others are not');
	%before = %after;
}
is($gatepost->ask("clear table failed_logins key $known") =~ s/\n//gr, '', 'one is forgiven');
is(is_let_in($known), 1, 'and let in');
ok($gatepost->upgrade(60), 'an upgrade');
is(is_let_in($known), 1, 'and stays so');
done_testing;
