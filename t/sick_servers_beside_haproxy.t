#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Three real Dovecots, spoken to in TLS, the same ones behind gatepost and
# behind HAProxy, which checks them as often.  One is killed, frozen, cut off
# from the network, has a certificate that has expired, is replaced by a server
# that greets and says no more, and is slow; clients log in all the while.
# What both noticed and when, and whose logins failed, is printed side by side.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Cert qw(make_cert);
use Gatepost::Dovecot;
use Gatepost::Fake;
use Gatepost::Imap;
use Gatepost::Namespace;
use Gatepost::Port qw(free_port own_address);
use Gatepost::Process qw(test_dir wait_for);
use Gatepost::SickBench;
use Gatepost::SlowRelay;
use IO::Socket::INET;
use Test::More;

plan skip_all => 'needs root' if $> != 0;

my $network = Gatepost::Namespace->new;
my ($port, $back_port) = (free_port(), free_port());
my %address = (d1 => own_address(1), d2 => $network->address, d3 => own_address(3));
my $ca = make_cert(name => 'ca');

sub certify ($name, $days) {
	return make_cert(name => $name, names => [$address{$name}], by => $ca, days => $days,
	    path => test_dir() . "/$name.pem");
}

sub dovecot ($name, $server, $tls_port) {
	return Gatepost::Dovecot->new(name => $name, address => $address{$server},
	    cert => test_dir() . "/$server.pem", tls_port => $tls_port, trusted => '127.0.0.0/8 10.0.0.0/8');
}

certify($_, 30) for keys %address;
my %dovecot = map { ($_ => dovecot($_, $_, $port)) } keys %address;
my $d2 = $dovecot{d2};
sub start_d2 { return $network->run_inside(sub { $d2->start }) }
$dovecot{$_}->start for qw(d1 d3);
start_d2();

my $bench = Gatepost::SickBench->new(
	protocol => 'imap', servers => \%address, port => $port,
	pool => "server_tls implicit { ca $ca }", listener => 'plaintext_login yes',
	server => "ssl verify required ca-file $ca", checks => <<~'END',
		  option tcp-check
		  tcp-check expect rstring ^\*\ OK
		  tcp-check send z\ LOGOUT\r\n
		  tcp-check expect string *\ BYE
		END
	visit => sub ($at, $n) {
		my $client = Gatepost::Imap->new(port => $at, timeout => 30) or return 0;
		my $is_in = $client->login_as(1 + $n % 10) =~ / OK /;
		# who is in need not get out in words
		eval { $client->cmd('LOGOUT') };
		return $is_in;
	});

my $mute = Gatepost::Fake->new(name => 'mute', address => $address{d2}, port => $port,
    script => [[starttls => test_dir() . '/d2.pem'], [send => "* OK ready\r\n"], ['hold']]);
my $behind = dovecot('behind', 'd2', $back_port);
my $relay = Gatepost::SlowRelay->new(name => 'slow', address => $address{d2}, port => $port,
    to => $back_port);

# Its processes end a moment after their master.
sub kill_d2 {
	$d2->kill_now;
	return wait_for(sub { !IO::Socket::INET->new(PeerAddr => $address{d2}, PeerPort => $port) }, 10,
	    'all of d2 to end');
}

# Another one takes its place.
sub replace_by ($other) {
	kill_d2();
	return $network->run_inside(sub { $other->start });
}

sub renew ($days) {
	certify('d2', $days);
	return replace_by($d2);
}

$bench->sickness('it is killed', \&kill_d2, \&start_d2);
$bench->sickness('it is frozen', sub { $d2->freeze }, sub { $d2->thaw });
$bench->sickness('its cable is out', sub { $network->unplug }, sub { $network->plug_in });
$bench->sickness('its certificate has expired', sub { renew(-1) }, sub { renew(30) });
$bench->sickness('another one only greets', sub { replace_by($mute) },
    sub { $mute->kill_now; start_d2() });
$network->run_inside(sub { $behind->start });
$bench->sickness('it is slow', sub { replace_by($relay) }, sub { $relay->hurry });
$bench->finish;
done_testing;
