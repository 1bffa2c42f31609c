#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Three real Dovecots, the same ones behind gatepost and behind HAProxy, which
# checks them as often.  One is killed, frozen, cut off from the network and
# replaced by a server that greets and says no more; clients log in all the
# while.  What both noticed and when, and whose logins failed, is printed side
# by side; gatepost must notice all, and fail nobody who could be served.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Dovecot;
use Gatepost::Fake;
use Gatepost::Gatepost;
use Gatepost::Imap;
use Gatepost::Namespace;
use Gatepost::Port qw(free_port own_address);
use Gatepost::Process qw(read_file test_dir wait_for write_file);
use IO::Socket::UNIX;
use POSIX qw(_exit);
use Test::More;
use Time::HiRes qw(sleep time);

$ENV{PATH} .= ':/usr/sbin';	# haproxy's

my $network = Gatepost::Namespace->new;
my $port = free_port();
my %address = (d1 => own_address(1), d2 => $network->address, d3 => own_address(3));
my %dovecot = map { ($_ => Gatepost::Dovecot->new(name => $_, address => $address{$_}, port => $port,
    trusted => '127.0.0.0/8 10.0.0.0/8')) } keys %address;
$dovecot{$_}->start for qw(d1 d3);
$network->run_inside(sub { $dovecot{d2}->start });

# As often, as patient and as hasty: 500 ms, 200 ms while it is going up or down.
my $gatepost = Gatepost::Gatepost->new(config => <<'END', values => { SERVER => $port, map { (uc $_ => $address{$_}) } keys %address })->start;
log { target stderr; level info }
pool imap {
    port @SERVER@; balance roundrobin; retries 3; connect_timeout 500ms; login_timeout 20s
    check { interval 500ms; fast_interval 200ms; down_interval 500ms; rise 2; fall 3; timeout 500ms }
    server d1 { address @D1@ }
    server d2 { address @D2@ }
    server d3 { address @D3@ }
}
listener imap { bind 127.0.0.1:@PORT{imap}@; starttls off; plaintext_login yes; pool imap }
END
my $dir = test_dir();
my $haproxy_port = free_port();
write_file("$dir/haproxy.cfg", <<"END" . join '', map { "  server $_ $address{$_}:$port check inter 500ms fastinter 200ms downinter 500ms rise 2 fall 3\n" } sort keys %address);
global
  stats socket $dir/haproxy.sock
defaults
  mode tcp
  timeout connect 500ms
  timeout client 60s
  timeout server 60s
  timeout check 500ms
listen imap
  bind 127.0.0.1:$haproxy_port
  balance roundrobin
  retries 3
  option redispatch 1
  option tcp-check
  tcp-check expect rstring ^\\*\\ OK
  tcp-check send z\\ LOGOUT\\r\\n
  tcp-check expect string *\\ BYE
END
my $haproxy = Gatepost::Process->new(name => 'haproxy', command => ['haproxy', '-db', '-f', "$dir/haproxy.cfg"])->start;
wait_for(sub { -S "$dir/haproxy.sock" }, 20, 'haproxy');

# Which servers they hold for up.
sub haproxy_states () {
	my $socket = IO::Socket::UNIX->new(Peer => "$dir/haproxy.sock") or die "haproxy.sock: $!\n";
	print $socket "show stat\n";
	return map { my @f = split /,/; $f[0] eq 'imap' && $f[1] =~ /^d/ ? ($f[1] => $f[17] =~ /^UP/ ? 'up' : 'down') : () } <$socket>;
}

sub gatepost_states () {
	return map { m{\bimap/(d\d) is (up|down)} } $gatepost->log_lines(qr{\bimap/d\d is });
}

# A client that logs in again and again until it is told to stop: a letter for each try.
sub start_clients ($name, $at) {
	my $pid = fork // die "fork: $!\n";
	if ($pid == 0) {
		open my $out, '>>', "$dir/$name.tries" or _exit(1);
		$out->autoflush(1);
		for (my $n = 0; !-e "$dir/stop"; $n++) {
			my $reply = eval {
				my $client = Gatepost::Imap->new(port => $at, timeout => 15);
				my $reply = $client->login_as(1 + $n % 10);
				$client->cmd('LOGOUT');
				$reply;
			} // '';
			print $out $reply =~ / OK / ? '.' : 'F';
			sleep 0.03;
		}
		_exit(0);
	}
	return $pid;
}
sub tries ($name) { return -e "$dir/$name.tries" ? read_file("$dir/$name.tries") : '' }

my %at = (gatepost => $gatepost->port('imap'), haproxy => $haproxy_port);
my %states = (gatepost => \&gatepost_states, haproxy => \&haproxy_states);
my @sides = sort keys %at;
sub is_seen ($side, $state) { return ({ $states{$side}->() }->{d2} // '') eq $state }
for my $side (@sides) {
	wait_for(sub { my %s = $states{$side}->(); 3 == grep { ($s{$_} // '') eq 'up' } keys %address }, 20, "$side to see three servers");
}
my @clients = map { start_clients($_, $at{$_}) } @sides;

my @table;
# What happens, the state that d2 has then, and how to do it: the time until both know, and who failed meanwhile.
sub event ($what, $state, $do) {
	my %before = map { $_ => length tries($_) } @sides;
	my ($began, %after, %logins) = (time);

	$do->();
	wait_for(sub {
		$after{$_} //= time - $began for grep { is_seen($_, $state) } @sides;
		return keys %after == @sides;
	}, 30, "both to see d2 $state when $what");
	# then some more, which must go elsewhere
	wait_for(sub { !grep { length(tries($_)) < $before{$_} + 20 } @sides }, 60, 'clients');
	$logins{$_} = substr tries($_), $before{$_} for @sides;
	push @table, [$what, $state, map { sprintf('%5.2f', $after{$_}), scalar($logins{$_} =~ tr/F//) . ' of ' . length $logins{$_} } @sides];
	pass("$what: both know that d2 is $state");
	is($logins{gatepost} =~ tr/F//, 0, "$what: no login through gatepost failed");
	return;
}
# While it is down, not one more goes there.
sub nobody_goes_there ($what) {
	my $before = () = $gatepost->events('login');
	my $there;

	wait_for(sub { $gatepost->events('login') >= $before + 10 }, 60, 'logins');
	my @later = ($gatepost->events('login'))[$before + 1 .. $before + 9];
	is(scalar(grep { $_->{server} eq 'imap/d2' } @later), 0, "$what: no new session goes there");
	return;
}

my $fake = Gatepost::Fake->new(name => 'mute', address => $address{d2}, port => $port, script => [[send => "* OK ready\r\n"], ['hold']]);
my @events = (
	['it is killed', sub { $dovecot{d2}->stop }, sub { $network->run_inside(sub { $dovecot{d2}->start }) }],
	['it is frozen', sub { kill 'STOP', -$dovecot{d2}->pid }, sub { kill 'CONT', -$dovecot{d2}->pid }],
	['its cable is out', sub { $network->unplug }, sub { $network->plug_in }],
	['another greets and says no more', sub { $dovecot{d2}->stop; $network->run_inside(sub { $fake->start }) },
	    sub { $fake->kill_now; $network->run_inside(sub { $dovecot{d2}->start }) }],
);
for (@events) {
	my ($what, $fall, $rise) = @$_;
	event($what, 'down', $fall);
	nobody_goes_there($what);
	event("$what no more", 'up', $rise);
}
write_file("$dir/stop", '');
waitpid $_, 0 for @clients;
diag(sprintf "%-34s %-5s %28s %28s", 'what happens to one of three', 'd2 is', 'gatepost: s, failed logins', 'HAProxy: s, failed logins');
diag(sprintf "%-34s %-5s %12s %15s %12s %15s", @$_) for @table;
done_testing;
