#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# A session of two thousand mails lives through reloads and what a SIGTERM
# begins: a message that has begun is finished, and 421 is only ever said
# between two.  All mails arrive once.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Cert qw(make_cert);
use Gatepost::Gatepost;
use Gatepost::Port qw(free_port);
use Gatepost::Process qw(read_file test_dir wait_for);
use Gatepost::Smtp;
use Test::More;

use constant { MAILS => 2000, PART => 600 };

my $port = free_port();
my @user = $> == 0 ? ('-u', 'nobody') : ();
my $folder = test_dir() . '/mail';
mkdir $folder and chmod 0777, $folder or die "$folder: $!";
# one file for each session
my $sink = Gatepost::Process->new(name => 'sink', command => ['smtp-sink', @user, '-R', $folder,
    '-D', 'mail.%M%S.', "127.0.0.1:$port", '100'])->start;
wait_for(sub { IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port) }, 10, 'smtp-sink');

my $config = <<'END';
shutdown_timeout 20s
tls main { certificate @CERT@ }
pool smtp { forward none; close_spread 0s; server s { address 127.0.0.1:@SERVER@ } }
listener smtp { bind 127.0.0.1:@PORT{smtp}@; tls main; pool smtp }
END
my $gatepost = Gatepost::Gatepost->new(values => { CERT => make_cert(), SERVER => $port },
    config => $config)->start;

sub client {
	my $c = Gatepost::Smtp->new(port => $gatepost->port('smtp'), timeout => 20);
	$c->ehlo;
	return $c;
}

my $number = 0;		# mails that were begun
my $accepted = 0;

sub send_mails ($c, $count) {
	for (1 .. $count) {
		$number++;
		my @replies = $c->send_pipelined(from => 'a@example.org', to => ['b@example.com'],
		    text => "Subject: mail $number.\n\nHello.\n");
		$accepted++ if join(' ', map { substr $_ // '', 0, 3 } @replies) eq '250 250 354 250';
	}
	return;
}

# Up to a state within its transaction.
sub begin_mail ($c, @commands) {
	$c->expect($_ eq 'DATA' ? '354' : '250', $_) for @commands;
	return $c;
}

my ($mail, $rcpt) = ('MAIL FROM:<a@example.org>', 'RCPT TO:<b@example.com>');
my $c = client();
send_mails($c, PART);
ok($gatepost->reload, 'a reload');
send_mails($c, PART);
# the session's own listener has other settings now
$gatepost->configure($config =~ s/pool smtp \}/pool smtp; idle_timeout 7m }/r);
ok($gatepost->reload, 'another one, with another setting');
send_mails($c, MAILS - 1 - $number);

# A client for each state in which the end may find it.
my $idle = client();
send_mails($idle, 1);
my @clients = (begin_mail(client(), $mail), begin_mail(client(), $mail, $rcpt),
    begin_mail(client(), $mail, $rcpt, 'DATA'), begin_mail(client(), $mail, $rcpt, 'DATA'), $c);
$clients[3]->send_bytes("Subject: mail 3003.\r\n\r\nHello.\r\n.");
begin_mail($c, $mail);
$gatepost->signal('TERM');
is($idle->reply, '421 4.3.2 Please connect again.', 'who is idle is told to go');
ok($idle->is_closed, 'and the connection ends');
$idle->close;

begin_mail($_, $rcpt) for $clients[0], $c;
begin_mail($_, 'DATA') for @clients[0, 1], $c;
$clients[$_]->send_bytes("Subject: mail 300$_.\r\n\r\nHello.\r\n.") for 0 .. 2, 4;
for my $n (0 .. $#clients) {
	like($clients[$n]->send_bytes("\r\n")->reply, qr/^250 /, "a mail that has begun is finished: $n");
	is($clients[$n]->reply, '421 4.3.2 Please connect again.', 'then its client is told to go');
	ok($clients[$n]->is_closed, 'and its connection ends');
	$clients[$n]->close;
}
is($accepted, MAILS, 'all others had been accepted');
is($gatepost->wait_for_end, 0, 'gatepost ends by itself');

my %count;
for my $path (glob "$folder/*") {
	$count{$_}++ for read_file($path) =~ /^Subject: mail (\d+)\.\r?$/mg;
}
is_deeply([grep { !$count{$_} } 1 .. MAILS, 3000 .. 3004], [], 'all mails have arrived');
is_deeply([grep { $count{$_} > 1 } keys %count], [], 'none twice');
is(scalar(() = $gatepost->wait_for_events('message', MAILS + @clients)), MAILS + @clients, 'and each is an event');

$gatepost->check_reports;
done_testing;
