#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Operators drain one of two Dovecots whose users are bound.  Without a time those stay and come back; over a
# time all go, are bound to the other one when they come back, and are never on both.  `ready` lets those stay
# whose time has not come.  `show drain` tells how far it is; `route explain` says where a user would go, and
# why.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Dovecot;
use Gatepost::Gatepost;
use Gatepost::Imap;
use Gatepost::Port qw(free_port own_address);
use Gatepost::Process qw(wait_for);
use Test::More;

use constant USERS => 12;

my $port = free_port();
my %dovecot = map { ("d$_" => Gatepost::Dovecot->new(name => "d$_", address => own_address($_), port => $port,
    users => USERS)->start) } 1 .. 2;
my $gatepost = Gatepost::Gatepost->new(
    values => { SERVER => $port, map { uc($_) => $dovecot{$_}->address } keys %dovecot }, config => <<'END')->start;
farm f { affinity 15m; close_spread 1s
    server d1 { address @D1@ }
    server d2 { address @D2@ }
}
pool imap { farm f; port @SERVER@ }
listener imap { bind 127.0.0.1:@PORT{imap}@; starttls off; plaintext_login yes; pool imap }
END

my $logins = 0;
sub come ($n) {
	my $client = Gatepost::Imap->new(port => $gatepost->port('imap'));

	$client->login_as($n);
	my @events = $gatepost->wait_for_events('login', ++$logins);
	return ($client, $events[-1]{server} =~ s{.*/}{}r);
}

sub drain_row ($name) {
	return (grep { $_->{server} eq $name } @{ $gatepost->ask_json('show drain') })[0];
}

my (%client, %home);
for my $n (1 .. USERS) {
	($client{$n}, $home{$n}) = come($n);
}
my @at_d1 = grep { $home{$_} eq 'd1' } 1 .. USERS;
my ($alice) = @at_d1;
ok(@at_d1 && @at_d1 < USERS, 'both servers have users');

# Names that mean nothing, and words.
is($gatepost->ask('drain d9'), "No such server.\n", 'a server that there is not');
like($gatepost->ask('drain d1 over never'), qr/^over: .*duration/, 'a time that is none');
like($gatepost->ask('drain d1 at once'), qr/^'at' is not understood/, 'words that mean nothing');
is_deeply($gatepost->ask_json('show drain'), [], 'none of it has drained anything');

# Without a time.
is($gatepost->ask('drain f/d1 reason "disk swap"'), '', 'drain says nothing');
$gatepost->wait_for_log(qr/notice: .*: drain f\/d1: disk swap$/);
my $row = drain_row('imap/d1');
is($row->{state}, 'drain', 'it is drained');
like($row->{why}, qr/^drain by .+: disk swap$/, 'by whom and why');
is($row->{sessions_left}, scalar @at_d1, 'with its sessions');
is($row->{told}, undef, 'nobody is told to go');
my ($again, $where) = come($alice);
is($where, 'd1', 'a user who is bound there comes back there');
$again->close;
my ($change) = @{ $gatepost->ask_json('show changes') };
is_deeply([@$change{qw(kind subject what now in_file)}], [qw(server f/d1 state drain ready)], 'show changes');
like($change->{when}, qr/^\d{4}-\d\d-\d\dT[\d:]+Z$/, 'since when');
like($change->{who}, qr/\w/, 'and by whom');

sub explained ($who) {
	my %step = map { ($_->{step} => $_) } @{ $gatepost->ask_json("route explain imap $who") };
	return \%step;
}

my $steps = explained("user user$alice client 192.0.2.1");
is($steps->{result}{value}, 'imap/d1', 'explain: the binding');
like($steps->{result}{why}, qr/bound there; the server is drain: drain by .*disk swap/, 'and why');
is($steps->{auth}{value}, 'server', 'who judges');
is($steps->{pool}{value}, 'imap', 'which pool');
is(explained('user nobody')->{result}{value}, 'imap/d2', 'nobody new comes to a drained server');
my $before = $gatepost->ask_json('show drain');
explained('user somebody') for 1 .. 20;
is_deeply($gatepost->ask_json('show drain'), $before, 'to ask changes nothing');

# A long time, then ready: whoever was not told yet stays.
is($gatepost->ask('drain d1 over 7d'), '', 'over a long time');
is(drain_row('imap/d1')->{told}, 0, 'nobody has gone yet');
is($gatepost->ask('ready d1'), '', 'ready');
is_deeply($gatepost->ask_json('show drain'), [], 'nothing is drained');
is_deeply($gatepost->ask_json('show changes'), [], 'and all is as in the file');
like($client{$_}->cmd('NOOP'), qr/ OK/, "user$_ is still there") for @at_d1;

# Over a short time: all of it.
my $busy = $at_d1[-1];
is($gatepost->ask('drain d1 over 2s reason "it is old"'), '', 'over 2 s');
for my $n (@at_d1) {
	like($client{$n}->rest(20), qr/^\* BYE [^\r\n]*\r\n\z/m, "user$n is told to go");
	like($gatepost->ask("where user$n"), qr/^d2 /, 'where the next login goes');
	is($gatepost->ask_json("user user$n")->[0]{why},
	    'bound to a server that is to be left: the next login goes to d2', 'and why') if $n == $alice;
	($client{$n}, $where) = come($n);
	is($where, 'd2', 'and is at the other server then');
}
wait_for(sub { drain_row('imap/d1')->{sessions_left} == 0 }, 10, 'd1 to be empty');
is(drain_row('imap/d1')->{told}, scalar @at_d1, 'all of them were told');
is(explained("user user$alice")->{result}{value}, 'imap/d2', 'where they are bound');
for my $n (1 .. USERS) {
	like($client{$n}->cmd('NOOP'), qr/ OK/, "user$n works");
}
is(scalar(grep { $_->{reason} eq 'sent away' } $gatepost->events('session')), scalar @at_d1,
    'nobody else was told to go');

# One service alone, and back.
is($gatepost->ask('maintenance imap/d2'), '', 'a service');
is((grep { $_->{kind} eq 'service' } @{ $gatepost->ask_json('show changes') })[0]{subject}, 'imap/d2', 'is told as such');
is($gatepost->ask('ready imap/d2; ready d1'), "\n", 'and is ready');
is_deeply($gatepost->ask_json('show changes'), [], 'all is as in the file');

is($gatepost->ask("drain d2 reason \"a\e[31mb\""), '', 'a reason with a terminal\'s codes');
like(drain_row('imap/d2')->{why}, qr/: "a\\x1b\[31mb"$/, 'is kept in print');
is($gatepost->ask('ready d2'), '', 'ready');

$_->close for values %client;
$gatepost->stop;
$_->stop for values %dovecot;
done_testing;
