#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# A farm with `affinity` whose servers are the addresses of one name, two real
# Dovecots: of one that the name has no more, the next login of a user ends
# the sessions there before it is served at the other; nobody else notices.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Dnsmasq;
use Gatepost::Dovecot;
use Gatepost::Gatepost;
use Gatepost::Imap;
use Gatepost::Port qw(free_port own_address);
use Gatepost::Process qw(wait_for);
use Test::More;

use constant USERS => 16;	# by their hash, so that all of them on one are hardly to be met

my $port = free_port();
my %dovecot = map { (own_address($_) => Gatepost::Dovecot->new(name => "d$_", address => own_address($_), port => $port,
    users => USERS)->start) } 1 .. 2;
my %record = map { ($_ => "host-record=farm.test,$_") } keys %dovecot;
my $dns = Gatepost::Dnsmasq->new(name => 'dns', records => [values %record])->start;
my $gatepost = Gatepost::Gatepost->new(values => { DNS => $dns->port, SERVER => $port }, config => <<'END')->start;
nameservers 127.0.0.1:@DNS@
farm f { affinity 5m; server d { address farm.test:@SERVER@; resolve all } }
pool imap { farm f }
listener imap { bind 127.0.0.1:@PORT{imap}@; starttls off; plaintext_login yes; pool imap }
END

# A client of user N, and the address of the server that it has come to.
my %logins;
sub log_in ($n) {
	my $client = Gatepost::Imap->new(port => $gatepost->port('imap'));
	my $before = $logins{$n}++;
	$client->login("user$n", "pass-$n");
	my $event = wait_for(sub { (grep { $_->{user} eq "user$n" } $gatepost->events('login'))[$before] }, 10,
	    "the login of user$n in the log");
	return ($client, $event->{server} =~ s{^imap/d\@}{}r);
}

my (%client, %home);
($client{$_}, $home{$_}) = log_in($_) for 1 .. USERS;
is_deeply([sort { $a cmp $b } keys %{ { reverse %home } }], [sort keys %dovecot], 'users are on both addresses');

my $gone = $home{1};
my ($left) = grep { $_ ne $gone } keys %dovecot;
$dns->change($record{$left});
$gatepost->wait_for_log(qr/notice: farm f: d is now \Q$left\E$/, 20);
like($client{$_}->cmd('NOOP'), qr/ OK/, "user$_ keeps the session") for 1 .. USERS;
for my $n (1 .. USERS) {
	my ($again, $where) = log_in($n);
	is($where, $left, "user$n is at the address that is left");
	if ($home{$n} eq $gone) {
		ok(wait_for(sub { !eval { $client{$n}->cmd('NOOP'); 1 } }, 20, "the old session of user$n to end"),
		    'and nowhere else');
	} else {
		like($client{$n}->cmd('NOOP'), qr/ OK/, 'where the other session goes on');
	}
}

$gatepost->stop;
$_->kill_now for values %dovecot, $dns;
done_testing;
