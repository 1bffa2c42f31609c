#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Two Dovecots behind a farm with `affinity`.  One comes into maintenance by a
# reload: its sessions hear so in their protocol's words, in IDLE or not, over
# close_spread; its users are bound to the other one at once.  A server that is
# drained keeps its sessions, and the users who are bound there.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Dovecot;
use Gatepost::Gatepost;
use Gatepost::Imap;
use Gatepost::Port qw(free_port own_address);
use Gatepost::Process qw(wait_for);
use Test::More;
use Time::HiRes qw(time);

use constant USERS => 12;

my $port = free_port();
my %dovecot = map { ("d$_" => Gatepost::Dovecot->new(name => "d$_", address => own_address($_), port => $port,
    users => USERS)->start) } 1 .. 2;

sub config (%state) {
	my $config = "farm f {\naffinity 15m\nclose_spread 2s\n";
	for my $server (sort keys %dovecot) {
		$config .= "server $server { address " . $dovecot{$server}->address . '; state '
		    . ($state{$server} // 'ready') . " }\n";
	}
	return $config . <<~'END';
		}
		pool imap { farm f; port @SERVER_PORT@ }
		pool other { protocol imap; port @SERVER_PORT@; server d1 { address @D1@ } }
		default listener { protocol imap; starttls off; plaintext_login yes }
		listener imap { bind 127.0.0.1:@PORT{imap}@; pool imap }
		listener other { bind 127.0.0.1:@PORT{other}@; pool other }
		END
}

my $gatepost = Gatepost::Gatepost->new(config => config(),
    values => { SERVER_PORT => $port, D1 => $dovecot{d1}->address })->start;

sub come ($n, $listener = 'imap') {
	my $client = Gatepost::Imap->new(port => $gatepost->port($listener));
	$client->login_as($n);
	return $client;
}

# Of every user one session in IDLE and one that is just open.
my (%idle, %open);
for my $n (1 .. USERS) {
	$open{$n} = come($n);
	$idle{$n} = come($n);
	$idle{$n}->cmd('SELECT INBOX');
	$idle{$n}->send_bytes("i IDLE\r\n");
	like($idle{$n}->line, qr/^\+/, "user$n idles") or last;
}
my $bystander = come(1, 'other');
my %home = map { $_->{user} => $_->{server} =~ s{.*/}{}r } grep { $_->{server} =~ m{^imap/} }
    $gatepost->wait_for_events('login', 2 * USERS + 1);
my @leaving = grep { $home{"user$_"} eq 'd1' } 1 .. USERS;
my @staying = grep { $home{"user$_"} eq 'd2' } 1 .. USERS;
ok(@leaving && @staying, 'both servers have users');

my $start = time;
ok($gatepost->reload, 'maintenance') if $gatepost->configure(config(d1 => 'maintenance'));
my @wrong;
for my $n (@leaving) {
	for my $client ($idle{$n}, $open{$n}) {
		my $words = $client->rest(15);
		push @wrong, "user$n: $words" if $words !~ /^\* BYE [^\r\n]*\r\n\z/m;
	}
}
is_deeply(\@wrong, [], 'the sessions there are told to go');
cmp_ok(time - $start, '>', 0.8, 'not all at once');
for my $n (@staying) {
	my $line = $open{$n}->cmd('NOOP');
	push @wrong, "user$n: $line" if $line !~ / OK/;
}
my $before = () = $gatepost->wait_for_events('login', 2 * USERS + 1);
for my $n (@leaving) {
	$open{$n} = come($n);
}
is_deeply(\@wrong, [], 'the others stay');
my @now;
wait_for(sub { (@now = $gatepost->events('login')) >= $before + @leaving }, 10, 'their logins');
is_deeply([grep { $_->{server} ne 'imap/d2' } @now[$before .. $#now]], [], 'who comes again is at the other one');
like($bystander->cmd('NOOP'), qr/ OK/, 'a pool of its own has a server of its own');

# A drained server has whom it had.
ok($gatepost->reload, 'drain') if $gatepost->configure(config(d2 => 'drain'));
for my $n (1 .. USERS) {
	my $line = $open{$n}->cmd('NOOP');
	push @wrong, "user$n: $line" if $line !~ / OK/;
	come($n)->close;
}
is_deeply(\@wrong, [], 'drain sends nobody away');
@now = $gatepost->wait_for_events('login', @now + USERS);
is_deeply([grep { $_->{server} ne 'imap/d2' } @now[-USERS .. -1]], [], 'and keeps who is bound there');
is(scalar(grep { $_->{reason} eq 'sent away' } $gatepost->events('session')), 2 * @leaving,
    'nobody else was told to go');

$_->close for values %open, $bystander;
$gatepost->stop;
$_->stop for values %dovecot;
done_testing;
