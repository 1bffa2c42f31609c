#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# `rebalance` tells sessions of servers with more than their share to go.  In a pool whose sessions go
# anywhere the idle ones go first, as many as are too many, and nobody within a literal hears a word of ours.
# In a pool whose users are bound those go who belong elsewhere, and are bound there when they come back and
# have no session left: as long as one is in the middle of something, the others come back to where it is.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Dovecot;
use Gatepost::Fake;
use Gatepost::Gatepost;
use Gatepost::Imap;
use Gatepost::Port qw(free_port own_address);
use Gatepost::Process qw(test_dir wait_for write_file);
use IO::Select;
use Test::More;

# Sessions that go anywhere: d1 has six, three of them in the middle of a literal; d2 comes later.
my $go = test_dir() . '/go';
my $greeting = "* OK [CAPABILITY IMAP4rev1 SASL-IR LITERAL+ IDLE AUTH=PLAIN] fake ready\r\n";
my @login = ([send => $greeting], [expect => qr/^(\S+) AUTHENTICATE PLAIN \S+\r\n/m],
    [send => sub ($tag) { "$tag OK [CAPABILITY IMAP4rev1] in\r\n" }]);
my $literal = "* 1 FETCH (BODY[] {30}\r\n* BYE no words of the server\r\n";
my @fetch = ([expect => qr/ FETCH /], [send => $literal], [await => $go], [send => ")\r\nf OK done\r\n"], ['hold']);
my @scripts = ([@login, ['hold']], [@login, @fetch]) x 3;
my @fakes = map { Gatepost::Fake->new(name => "d$_", scripts => \@scripts)->start } 1 .. 2;
my %port = map { ("D$_" => $fakes[$_ - 1]->port) } 1 .. 2;
my $gatepost = Gatepost::Gatepost->new(name => 'anywhere', values => \%port, config => <<'END')->start;
pool imap { balance leastconn; close_spread 1s
    server d1 { address 127.0.0.1:@D1@ }
    server d2 { address 127.0.0.1:@D2@; state drain }
}
listener imap { bind 127.0.0.1:@PORT{imap}@; starttls off; plaintext_login yes; pool imap
    capabilities IDLE }
END

sub log_in ($gatepost, $name) {
	my $client = Gatepost::Imap->new(port => $gatepost->port('imap'));

	$client->login($name, 'secret');
	return $client;
}

my (@idle, @busy);
for (1 .. 3) {
	push @idle, log_in($gatepost, 'bob');
	push @busy, log_in($gatepost, 'bob');
	$busy[-1]->send_bytes("f FETCH 1 BODY[]\r\n");
	is($busy[-1]->take_bytes(length $literal), $literal, 'a client within a literal');
}
is($gatepost->ask('ready d2'), '', 'the other server takes sessions now');
my ($row) = @{ $gatepost->ask_json('rebalance imap explain') };
is_deeply([@$row{qw(server sessions fair may_go told)}], ['imap/d1', 6, 3, 6, 3], 'explain');
($row) = @{ $gatepost->ask_json('rebalance imap 34 explain') };
is($row->{told}, 1, 'a part of what is too many');
like($gatepost->ask('rebalance imap 0'), qr/^'0' is not understood/, 'no part of it');
is($gatepost->ask('rebalance none'), "No such backend.\n", 'a pool that there is not');
($row) = @{ $gatepost->ask_json('rebalance imap') };
is($row->{told}, 3, 'three are told');
$gatepost->wait_for_log(qr/notice: .*: rebalance imap: 3 sessions are told to go$/);
like($_->rest(20), qr/^\* BYE [^\r\n]*\r\n\z/, 'an idle one goes') for @idle;
write_file($go, '');
is($_->line . $_->line, ')f OK done', 'one within a literal gets all of it, and stays') for @busy;
is((grep { $_->{server} eq 'imap/d1' } @{ $gatepost->ask_json('rebalance imap explain') })[0]{sessions}, 3,
    'as many as are its share are left');
unlink $go;

# A drain over time: the quiet one goes, and the other one behind its answer.
my ($quiet, $busy) = map { log_in($gatepost, 'bob') } 1 .. 2;
$busy->send_bytes("f FETCH 1 BODY[]\r\n");
is($busy->take_bytes(length $literal), $literal, 'one more within a literal');
is($gatepost->ask('drain d2 over 1s'), '', 'its server is drained');
like($quiet->rest(20), qr/^\* BYE [^\r\n]*\r\n\z/, 'the quiet one goes');
wait_for(sub { (grep { $_->{server} eq 'imap/d2' } @{ $gatepost->ask_json('show drain') })[0]{seconds_to_go} == 0 },
    10, 'the end of the time');
my ($left) = grep { $_->{server} eq 'imap/d2' } @{ $gatepost->ask_json('show drain') };
is_deeply([@$left{qw(sessions_left told)}], [1, 1], 'the other one is there yet');
write_file($go, '');
like($busy->rest(20), qr/^\)\r\nf OK done\r\n\* BYE [^\r\n]*\r\n\z/, 'and goes behind its answer');
is($gatepost->ask('drain d1 over 1s'), '', 'those that are left are sent away');
like($_->rest(20), qr/^\* BYE [^\r\n]*\r\n\z/, 'and go') for @busy;
$gatepost->stop;
$_->kill_now for @fakes;

# One user with a session within a literal and five idle ones; the next user where the balancer has moved none.
my @six = ([@login, @fetch], map { [@login, ['hold']] } 1 .. 5);
my @held = map { Gatepost::Fake->new(name => "h$_", scripts => [(@six) x 9])->start } 1 .. 2;
$gatepost = Gatepost::Gatepost->new(name => 'held', values => { map { ("H$_" => $held[$_ - 1]->port) } 1 .. 2 },
    config => <<'END')->start;
farm f { affinity 15m; close_spread 1s
    server h1 { address 127.0.0.1:@H1@ }
    server h2 { address 127.0.0.1:@H2@; weight 200 }
}
pool imap { farm f }
listener imap { bind 127.0.0.1:@PORT{imap}@; starttls off; plaintext_login yes; pool imap
    capabilities IDLE }
END
unlink $go;
sub server_of ($user) { return $gatepost->ask_json("user $user")->[0]{server} }
my ($user, $held, @others);
for my $n (1 .. 8) {
	$user = "stray$n";
	is($gatepost->ask('drain h2'), '', "h2 is drained while $user comes");
	($held, @others) = map { log_in($gatepost, $user) } 1 .. 6;
	is($gatepost->ask('ready h2'), '', 'and is ready then');
	last if (grep { $_->{server} eq 'imap/h1' } @{ $gatepost->ask_json('rebalance imap explain') })[0]{told} == 6;
	$_->close for $held, @others;
	wait_for(sub { @{ $gatepost->ask_json('show sess state relay') } == 0 }, 10, "$user to be gone");
}
$held->send_bytes("f FETCH 1 BODY[]\r\n");
is($held->take_bytes(length $literal), $literal, 'a session within a literal');
$gatepost->ask('rebalance imap');
like($_->rest(20), qr/^\* BYE [^\r\n]*\r\n\z/, 'an idle one of the same user is told to go') for @others;
my $back = log_in($gatepost, $user);
is(server_of($user), 'h1', 'and comes back to where the other session is');
is((grep { ($_->{server} // '') =~ /h1/ } @{ $gatepost->ask_json("show sess user $user") }), 2, 'both are there');
write_file($go, '');
like($held->rest(20), qr/^\)\r\nf OK done\r\n\* BYE /, 'which goes behind its answer');
$back->close;
wait_for(sub { @{ $gatepost->ask_json('show sess state relay') } == 0 }, 10, 'nobody to be there');
$back = log_in($gatepost, $user);
is(server_of($user), 'h2', 'without a session, the user is bound to the other server');
$back->close;
$gatepost->stop;
$_->kill_now for @held;

# Users who are bound: all are at one Dovecot while the other is drained.
use constant USERS => 12;
my $server_port = free_port();
my %dovecot = map { ("d$_" => Gatepost::Dovecot->new(name => "dovecot$_", address => own_address($_),
    port => $server_port, users => USERS)->start) } 1 .. 2;
$gatepost = Gatepost::Gatepost->new(name => 'bound',
    values => { SERVER => $server_port, map { uc($_) => $dovecot{$_}->address } keys %dovecot }, config => <<'END')->start;
farm f { affinity 15m; close_spread 1s
    server d1 { address @D1@ }
    server d2 { address @D2@; state drain }
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

my (%client, $where);
for my $n (1 .. USERS) {
	($client{$n}, $where) = come($n);
	is($where, 'd1', "user$n is at d1") or last;
}
is($gatepost->ask('ready d2'), '', 'd2 is back');
my ($explained) = @{ $gatepost->ask_json('rebalance imap explain') };
my ($told) = @{ $gatepost->ask_json('rebalance imap') };
is_deeply($told, $explained, 'as many are told as was explained');
# the probe of the port is a client, too
my $ends = sub { grep { defined $_->{user} && length $_->{user} } $gatepost->events('session') };
my (@went, @stayed);
wait_for(sub { (() = $ends->()) >= $told->{told} }, 20, 'those who are told to go');
for my $n (1 .. USERS) {
	my $stays = eval { $client{$n}->cmd('NOOP') =~ / OK/ };
	push @{ $stays ? \@stayed : \@went }, $n;
}
is(scalar @went, $told->{told}, 'so many have gone');
ok(@went && @stayed, 'some have gone, and some not');
for my $n (@went) {
	($client{$n}, $where) = come($n);
	is($where, 'd2', "user$n is at d2 now");
}
is_deeply([map { $_->{reason} } $ends->()], [('sent away') x @went], 'and nobody was kicked');
$_->close for values %client;
$gatepost->stop;
$_->stop for values %dovecot;
done_testing;
