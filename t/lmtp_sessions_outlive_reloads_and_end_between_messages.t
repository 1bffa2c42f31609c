#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# One session of 200 messages over 20 reloads, which move users between
# servers and take one away; a drain waits for the message at hand.  Servers
# are checked in LMTP, and told of the client where they ask for it.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Gatepost;
use Gatepost::LmtpServer;
use Gatepost::Process qw(wait_for);
use Gatepost::Smtp;
use Test::More;

my %servers = map { $_ => Gatepost::LmtpServer->new(name => $_, xclient => $_ eq 'd1',
    pipelining => $_ ne 'd2')->start } qw(d1 d2 d3);
my $config = <<'END';
hostname lb.example.com
default pool { check { kind protocol; interval 1s; fast_interval 200ms; down_interval 200ms; rise 1; fall 1 } }
pool lmtp { SERVERS }
listener lmtp { bind 127.0.0.1:@PORT{lmtp}@; pool lmtp; trusted 127.0.0.0/8 }
END

sub with_servers (@names) {
	return $config =~ s/SERVERS/join '; ', map { "server $_ { address 127.0.0.1:\@\U$_\E\@ }" } @names/er;
}

my $gatepost = Gatepost::Gatepost->new(values => { map { uc $_ => $servers{$_}->port } keys %servers },
    config => with_servers(qw(d1 d2 d3)))->start;
$servers{$_}->wait_for_command(qr/^\d+ LHLO lb\.example\.com$/) for sort keys %servers;
pass('all servers are checked by LHLO');

my $c = Gatepost::Smtp->new(port => $gatepost->port('lmtp'), timeout => 30);
$c->expect('250', 'LHLO proxy.example.org');
$c->expect('220', 'XCLIENT ADDR=192.0.2.7 PORT=4711 PROTO=LMTP HELO=mta.example.org');
$c->expect('250', 'LHLO mta.example.org');
my @users = map { "u$_\@example.com" } 1 .. 9;
my $wrong = 0;
for my $i (1 .. 200) {
	my @replies = $c->send_pipelined(from => 's@example.org', to => \@users, text => "Subject: m$i\n\n");
	push @replies, map { $c->reply } 2 .. @users;
	my @last = splice @replies, @users + 2;
	$wrong++, diag(@last) if grep { !/^250 / } @last;
	next if $i % 10 != 0;
	$gatepost->configure(with_servers($i % 20 ? qw(d1 d3) : qw(d1 d2 d3)));
	$gatepost->reload;
}
is($wrong, 0, '200 messages to nine users each, over 20 reloads');
my %times;
for my $name (sort keys %servers) {
	$times{$_}++ for $servers{$name}->delivered;
}
is(scalar(keys %times), 1800, 'each is there');
is_deeply([grep { $times{$_} != 1 } sort keys %times], [], 'once');
cmp_ok(scalar($servers{d2}->delivered), '<', scalar($servers{d1}->delivered) + scalar($servers{d3}->delivered),
    'a server that is not always there has less');
ok((grep { / XCLIENT ADDR=192\.0\.2\.7 PORT=4711 PROTO=ESMTP HELO=mta\.example\.org$/ } $servers{d1}->commands),
    'a server that takes XCLIENT hears of the client');
ok(!(grep { / XCLIENT/ } $servers{d3}->commands), 'others do not');

# A listener that speaks something else from now on: its sessions end, and none goes where that leads.
my $other = Gatepost::Gatepost->new(name => 'other', values => { D3 => $servers{d3}->port }, config => <<~'END')->start;
	default pool { check { kind none } }
	pool lmtp { server d3 { address 127.0.0.1:@D3@ } }
	pool tcp { port @D3@; server d3 { address 127.0.0.1 } }
	listener front { protocol lmtp; bind 127.0.0.1:@PORT{front}@; pool lmtp }
	listener tcp { bind 127.0.0.1:@PORT{tcp}@; pool tcp }
	END
my $old = Gatepost::Smtp->new(port => $other->port('front'), timeout => 30);
$old->expect('250', 'LHLO mta.example.org');
$old->expect('250', 'MAIL FROM:<s@example.org>');
$old->expect('250', 'RSET');
$other->configure($other->{config} =~ s/protocol lmtp; (bind \S+); pool lmtp/protocol tcp; $1; pool tcp/r);
ok($other->reload, 'the listener speaks TCP now');
like($old->cmd('MAIL FROM:<s@example.org>'), qr/^421 /, 'its LMTP session is told to go');
$other->stop;

# Told to go in the middle of a message.
like((($c->pipeline('MAIL FROM:<s@example.org>', 'RCPT TO:<u1@example.com>', 'DATA'))[2]), qr/^354 /, 'data');
$gatepost->signal('TERM');
$gatepost->wait_for_log(qr/draining/);
$c->send_bytes("Subject: last\r\n\r\n.\r\n");
like($c->reply, qr/^250 2\.0\.0 d\d has u1/, 'the message at hand goes its way');
is($c->reply, '421 4.3.2 Please connect again.', 'then the session ends');
is($gatepost->wait_for_end, 0, 'gatepost ends well');
$gatepost->check_reports;
done_testing;
