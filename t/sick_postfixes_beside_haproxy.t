#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Three real Postfixes behind gatepost and behind HAProxy, which checks them as
# often.  One is stopped, killed, frozen, cut off from the network, replaced by
# servers that say 421 or greet and say no more, and is slow; mails come in all
# the while.  What both noticed and when, and whose mails failed, is printed
# side by side; what was acknowledged is delivered.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Fake;
use Gatepost::Namespace;
use Gatepost::Port qw(free_port own_address);
use Gatepost::Postfix;
use Gatepost::Process qw(read_file test_dir);
use Gatepost::SickBench;
use Gatepost::SlowRelay;
use Gatepost::Smtp;
use Test::More;

plan skip_all => 'needs root' if $> != 0;

my $network = Gatepost::Namespace->new;
my ($port, $back_port) = (free_port(), free_port());
my %address = (d1 => own_address(1), d2 => $network->address, d3 => own_address(3));
my %postfix = map { ($_ => postfix($_, $_, $port)) } keys %address;
my $d2 = $postfix{d2};

sub postfix ($name, $server, $at) {
	return Gatepost::Postfix->new(name => $name, address => $address{$server}, port => $at,
	    main => { inet_interfaces => 'all' });
}

sub start_inside ($server) { return $network->run_inside(sub { $server->start }) }

$postfix{$_}->start for qw(d1 d3);
start_inside($d2);

# A mail like any other, which is known again by its subject.
sub send_mail ($at, $n) {
	my $client = Gatepost::Smtp->new(port => $at, timeout => 30) or return 0;

	$client->ehlo;
	my $reply = $client->send_message(from => 'a@example.org', to => ['b@example.com'],
	    text => "Subject: mail $at-$n.\n\nHello.\n");
	return 0 if ($reply // '') !~ /^250 /;
	open my $list, '>>', test_dir() . '/acknowledged' or die "acknowledged: $!\n";
	syswrite $list, "$at-$n\n";
	# who has it acknowledged need not get out in words
	eval { $client->quit };
	return 1;
}

# What has begun at a server cannot be told to another: it falls sick between two mails.
my $bench = Gatepost::SickBench->new(
	protocol => 'smtp', servers => \%address, port => $port, pool => 'forward none',
	checks => "  option smtpchk EHLO x\n", event => 'message', careful => 1, visit => \&send_mail);

sub fake ($name, @script) {
	return Gatepost::Fake->new(name => $name, address => $address{d2}, port => $port, script => \@script);
}
my $mute = fake('mute', [send => "220 ready ESMTP\r\n"], ['hold']);
my $busy = fake('busy', [send => "421 4.3.2 Overloaded\r\n"]);
my $behind = postfix('behind', 'd2', $back_port);
my $relay = Gatepost::SlowRelay->new(name => 'slow', address => $address{d2}, port => $port,
    to => $back_port);

sub replace_by ($other) {
	$network->run_inside(sub { $d2->kill_now });
	return start_inside($other);
}

sub bring_back ($other) {
	$other->kill_now;
	return start_inside($d2);
}

$bench->sickness('it is stopped', sub { $network->run_inside(sub { $d2->stop_quietly }) },
    sub { start_inside($d2) });
$bench->sickness('it is frozen', sub { $d2->freeze }, sub { $d2->thaw });
$bench->sickness('its cable is out', sub { $network->unplug }, sub { $network->plug_in });
$bench->sickness('another one only greets', sub { replace_by($mute) }, sub { bring_back($mute) });
$bench->sickness('another one says 421', sub { replace_by($busy) }, sub { bring_back($busy) });
start_inside($behind);
$bench->sickness('it is slow', sub { replace_by($relay) }, sub { $relay->hurry });
$bench->finish;

my %delivered;
bring_back($relay);
for my $server (values %postfix, $behind) {
	$server->wait_until_quiet;
	for my $mail (map { $_->{text} } $server->messages) {
		my ($name) = $mail =~ /^Subject: mail (\S+)\.$/m or next;
		# one that was stopped at the wrong moment writes what it took once into the mailbox twice
		my ($taken) = $mail =~ /\bid (\w+)$/m;
		$delivered{$name}{$server->address . ($taken // '')} = 1;
	}
}
my @acknowledged = split /\n/, read_file(test_dir() . '/acknowledged');
ok(@acknowledged > 100, scalar(@acknowledged) . ' mails were acknowledged');
is_deeply([grep { !$delivered{$_} } @acknowledged], [], 'and delivered');
is_deeply([grep { keys %{ $delivered{$_} } > 1 } keys %delivered], [], 'none twice');
done_testing;
