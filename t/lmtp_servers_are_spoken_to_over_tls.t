#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Mail goes to real Dovecots over TLS, begun by STARTTLS or with the first
# octet; they keep their connection for the next message, and hear of the
# client once they are spoken to in secret.  One whose certificate is
# somebody else's, or that has no TLS, gets nothing, and its recipients are
# put off; the others have theirs.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Cert qw(make_cert);
use Gatepost::Dovecot;
use Gatepost::Gatepost;
use Gatepost::LmtpServer;
use Gatepost::Port qw(free_port);
use Gatepost::Process qw(test_dir write_file);
use Gatepost::Smtp;
use Test::More;

plan skip_all => 'needs root' if $> != 0;

my $dir = test_dir();
my $cert = make_cert(names => ['d.example.com']);
my $lmtps_port = free_port();
my $lmtps = <<"END";
service lmtp {
  inet_listener lmtps {
    port = $lmtps_port
    ssl = yes
  }
}
END
my %dovecots = map { $_->[0] => Gatepost::Dovecot->new(name => $_->[0], users => 1, lmtp => 1, cert => $_->[1],
    settings => $_->[2])->start } ['own', $cert, $lmtps], ['foreign', make_cert(names => ['d.example.com']), ''];
my $bare = Gatepost::LmtpServer->new(name => 'bare')->start;
write_file("$dir/users", join '', map { "user1\@$_.example:::::::pool=$_\n" } qw(starttls implicit foreign bare));
my $tls = '{ ca @CERT@.crt; name d.example.com }';
my $config = <<'END' =~ s/TLS/$tls/gr;
hostname lb.example.com
auth users { source file; path @DIR@/users }
default pool { protocol lmtp; check { kind none }; retries 0 }
pool starttls { server own { address 127.0.0.1:@OWN@ }; server_tls starttls TLS }
pool implicit { server own { address 127.0.0.1:@LMTPS@ }; server_tls implicit TLS }
pool foreign { server foreign { address 127.0.0.1:@FOREIGN@ }; server_tls starttls TLS }
pool bare { server bare { address 127.0.0.1:@BARE@ }; server_tls starttls TLS }
listener lmtp { bind 127.0.0.1:@PORT{lmtp}@; pool starttls; lookup users; trusted 127.0.0.0/8 }
END
my $gatepost = Gatepost::Gatepost->new(config => $config, values => { CERT => $cert, LMTPS => $lmtps_port,
    BARE => $bare->port, map { uc $_ => $dovecots{$_}->lmtp_port } keys %dovecots })->start;

my $c = Gatepost::Smtp->new(port => $gatepost->port('lmtp'), timeout => 30);
$c->expect('250', 'LHLO proxy.example.org');
$c->expect('220', 'XCLIENT ADDR=192.0.2.7 PORT=4711 HELO=mta.example.org PROTO=LMTP');
$c->expect('250', 'LHLO mta.example.org');
my @to = map { "user1\@$_.example" } qw(starttls implicit foreign bare starttls);
my $large = "A line of seventy octets or so, as mail has them, now and then at least.\n" x 20_000;
for my $text ("Subject: small\n\nHello\n", "Subject: large\n\n$large") {
	my ($what) = $text =~ /^Subject: (\w+)/;
	my (undef, @replies) = $c->pipeline('MAIL FROM:<s@example.org>', map { "RCPT TO:<$_>" } @to);

	like($replies[$_], qr/^250 2\.1\.5 /, "$what: $to[$_] is taken") for 0, 1, 4;
	is($replies[$_], '451 4.3.0 No mail server is available, try again later', "$what: $to[$_] is put off")
	    for 2, 3;
	$c->expect('354', 'DATA');
	$c->send_bytes(Gatepost::Smtp::as_data($text) . ".\r\n");
	like($c->reply, qr/^250 2\.0\.0 .* Saved/, "$what: one has it") for 1 .. 3;
}
$c->quit;
my @texts = $dovecots{own}->messages('user1');
# of two copies for one user on one connection Dovecot keeps one
is(scalar(grep { /^Subject: small/m } @texts), 2, 'the small one is there, by each way');
is(scalar(grep { /^Subject: large/m && s/\r//gr =~ /\Q$large\E\z/ } @texts), 2, 'and the large one, whole');
like($texts[0], qr/^Received: from (?=.*\bmta\.example\.org\b)(?:.*\n)+?.* with LMTPS?/m, 'with whom it came from');
is(scalar $dovecots{foreign}->messages('user1'), 0, 'a server that shows a foreign certificate has nothing');
is(scalar(grep { /MAIL|RCPT|XCLIENT/ } $bare->commands), 0, 'a server without TLS heard nothing of it');
$gatepost->wait_for_log(qr/back=foreign\/foreign: server failed: .*certificate/);
$gatepost->wait_for_log(qr/back=bare\/bare: server failed: .*TLS/);
pass('the log says why');
$dovecots{own}->wait_for_log(qr/: Disconnect from 192\.0\.2\.7: /, 10, 2);
pass('the Dovecot hears of the client');
my %used = map { /^.*lmtp\(user1\)<(\d+)>/ ? ($1 => 1) : () } $dovecots{own}->log_lines(qr/saved mail to INBOX/);
is(scalar keys %used, 2, 'and both messages came over one connection each way');
$gatepost->stop;
$_->stop_quietly for values %dovecots;
done_testing;
