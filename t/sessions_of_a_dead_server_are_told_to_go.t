#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Sessions in IDLE at two Dovecots, one of which goes down: its checks fail,
# though it serves those that it has, or it is frozen.  With `on_down close`
# its sessions hear so and come again to the other one, whose sessions hear
# nothing; with `keep` they stay, and go on when it does.  Of a server that is
# drained all stay.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Dovecot;
use Gatepost::Gatepost;
use Gatepost::Imap;
use Gatepost::Port qw(free_port own_address);
use Gatepost::Process qw(read_file test_dir write_file);
use Test::More;

use constant USERS => 8;

my $port = free_port();
my %dovecot = map { ("d$_" => Gatepost::Dovecot->new(name => "d$_", address => own_address($_), port => $port,
    users => USERS)->start) } 1 .. 2;
my %users = map { $_ => "$dovecot{$_}{dir}/users" } keys %dovecot;
my $users = read_file($users{d1});
# the checks' own user
write_file($_, $users . "probe:{PLAIN}probing\n") for values %users;
write_file(test_dir() . '/password', "probing\n");

# Of d1: its state, that which one pool has of its own, and the spread.
sub config ($state, $of_witnesses, $spread) {
	return <<~"END";
	log { target stderr; level info }
	farm f { server d1 { address \@D1\@; state $state }; server d2 { address \@D2\@ } }
	default pool {
	    protocol imap; port \@SERVER_PORT\@; balance roundrobin; close_spread $spread; connect_timeout 1s
	    check {
	        kind login; user probe; password_file \@DIR\@/password
	        interval 300ms; fast_interval 100ms; down_interval 300ms; rise 2; fall 3; timeout 2s
	    }
	}
	pool witnesses { server d1 { address \@D1\@; state $of_witnesses } }
	pool closing { farm f; on_down close }
	pool keeping { farm f; on_down keep }
	default listener { protocol imap; starttls off; plaintext_login yes }
	listener witnesses { bind 127.0.0.1:\@PORT{witnesses}\@; pool witnesses }
	listener closing { bind 127.0.0.1:\@PORT{closing}\@; pool closing }
	listener keeping { bind 127.0.0.1:\@PORT{keeping}\@; pool keeping }
	END
}
my $gatepost = Gatepost::Gatepost->new(config => config('ready', 'ready', '2s'), values => {
	SERVER_PORT => $port, D1 => $dovecot{d1}->address, D2 => $dovecot{d2}->address,
})->start;
$gatepost->wait_for_log(qr{\b$_ is up}) for qw(closing/d1 closing/d2 keeping/d1 keeping/d2 witnesses/d1);

# A session in IDLE, of user N; `at` is its server.
sub come ($pool, $n) {
	my $client = Gatepost::Imap->new(port => $gatepost->port($pool), timeout => 20);

	$client->login_as($n);
	$client->cmd('SELECT INBOX');
	$client->send_bytes("i IDLE\r\n");
	$client->lines_until(qr/^\+/);
	my $event = $gatepost->wait_for_event('login', { client_port => $client->socket->sockport });
	$client->{at} = $event->{server} =~ s{.*/}{}r;
	return $client;
}

my %clients;	# of each pool
sub fill_up () {
	for my $pool (qw(closing keeping)) {
		my @there = @{ $clients{$pool} // [] };
		push @there, map { come($pool, $_) } @there + 1 .. USERS;
		$clients{$pool} = \@there;
	}
	return;
}

sub at ($pool, $server) { return grep { $_->{at} eq $server } @{ $clients{$pool} } }

# They have heard nothing so far, and the server ends their IDLE.
sub are_well ($what, @some) {
	my @wrong;

	for my $client (@some) {
		$client->send_bytes("DONE\r\n");
		my @heard = grep { !/^\* OK Still here/ } eval { $client->lines_until(qr/^i /) };
		push @wrong, "@heard $@" if @heard != 1 || $heard[0] !~ /^i OK/;
		next unless @heard;
		$client->send_bytes("i IDLE\r\n");
		$client->lines_until(qr/^\+/);
	}
	ok(@some > 0, "$what: there are some");
	is_deeply(\@wrong, [], "$what: nothing is said to them");
	return;
}

sub are_told ($what, @some) {
	my @wrong = grep { $_ !~ /^(?:\* OK Still here\r\n)?\* BYE [^\r\n]+\r\n\z/ } map { $_->rest(30) } @some;

	ok(@some > 0, "$what: there are some");
	is_deeply(\@wrong, [], "$what: they are told to go, and their connections end");
	is(scalar(grep { !$_->{ended} } @some), 0, "$what: all of them");
	return;
}

# d1 has gone down, by what $what says, and $revive lets it come up again.
my $times = 0;
sub goes_down ($what, $revive) {
	$times++;
	$gatepost->wait_for_log(qr{\b$_/d1 is down}, 20, $times) for qw(closing keeping);
	are_told("$what, close", at('closing', 'd1'));
	are_well("$what, close, at the other one", at('closing', 'd2'));
	are_well("$what, keep, at the other one", at('keeping', 'd2'));
	my @again = map { come($_, 1) } qw(closing closing keeping keeping);
	is_deeply([map { $_->{at} } @again], [('d2') x 4], "$what: who comes now is at the other one");
	$revive->();
	are_well("$what, keep", at('keeping', 'd1'));
	$gatepost->wait_for_log(qr{\b$_/d1 is up again}, 20, $times) for qw(closing keeping);
	$clients{closing} = [at('closing', 'd2')];
	fill_up();
	$_->close for @again;
	return;
}

fill_up();
write_file($users{d1}, $users);
goes_down('its checks fail', sub { write_file($users{d1}, $users . "probe:{PLAIN}probing\n") });
$dovecot{d1}->freeze;
goes_down('it is frozen', sub { $dovecot{d1}->thaw });

# Those who are told to go at the same moment tell when the others would have been.
my @witnesses = map { come('witnesses', $_) } 1 .. USERS;
ok($gatepost->reload, 'drain') if $gatepost->configure(config('drain', 'maintenance', '0s'));
are_told('maintenance', @witnesses);
my @new = map { come($_, 1) } qw(closing closing closing keeping keeping keeping);
is_deeply([map { $_->{at} } @new], [('d2') x 6], 'drain: who comes now is at the other one');
are_well("drain, $_->[0] at $_->[1]", at(@$_)) for ['closing', 'd1'], ['closing', 'd2'], ['keeping', 'd1'];
ok($gatepost->reload, 'ready again') if $gatepost->configure(config('ready', 'ready', '2s'));
push @new, map { come('closing', $_) } 1 .. 4;
ok(scalar(grep { $_->{at} eq 'd1' } @new), 'and it gets sessions again');

$_->close for @new, map { @$_ } values %clients;
$gatepost->stop;
$_->stop for values %dovecot;
done_testing;
