#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# A client's session lives longer than the configuration under which its TLS
# began: a server that takes the place of a lost one is told of it all the
# same, ALPN included.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Cert qw(make_cert);
use Gatepost::Fake;
use Gatepost::Gatepost;
use Gatepost::Smtp;
use Test::More;

my $message = [[expect => qr/^MAIL FROM:<\S+>\r\n/m], [send => "250 2.1.0 Ok\r\n"],
    [expect => qr/^RCPT TO:<\S+>\r\n/m], [send => "250 2.1.5 Ok\r\n"], [expect => qr/^DATA\r\n/m],
    [send => "354 go\r\n"], [expect => qr/\r\n\.\r\n/], [send => "250 2.0.0 Ok: taken\r\n"]];
my $signature = "\r\n\r\n\0\r\nQUIT\n";
my $fake = Gatepost::Fake->new(name => 'fake', script => [[at_once => qr/\A\Q$signature\E.+\z/s],
    [send => "220 fake ESMTP\r\n"], [expect => qr/^EHLO \S+\r\n/m], [send => "250 fake\r\n"], @$message,
    ['close']])->start;
my $config = <<'END';
log { target stderr; level debug }
tls main { certificate @CERT@ }
pool smtp { protocol smtp; forward proxy_v2; server s { address 127.0.0.1:@SERVER@ } }
listener smtp { bind_tls 127.0.0.1:@PORT{smtp}@; tls main; pool smtp; capabilities 8BITMIME; idle_timeout 5m }
END
my $gatepost = Gatepost::Gatepost->new(values => { CERT => make_cert(), SERVER => $fake->port },
    config => $config)->start;

sub reload_with ($minutes) {
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$gatepost->configure($config =~ s/idle_timeout \K\d+/$minutes/r);
	ok($gatepost->reload, "a reload: $minutes");
	return;
}

# What the header of version 2 tells of ALPN.
sub alpn_of ($connection) {
	my $header = $fake->received($connection);
	my %tlv = unpack '(C n/a)*', substr $header, 28, unpack('n', substr $header, 14) - 12;
	return $tlv{0x01};
}

my %mail = (from => 'a@example.org', to => ['b@example.com'], text => "Hello.\n");
reload_with(6);		# a configuration that goes, unlike the first
my $c = Gatepost::Smtp->new(port => $gatepost->port('smtp'), timeout => 20, greeting => 0);
$c->start_tls(SSL_alpn_protocols => ['smtp']);
like($c->reply, qr/^220 /, 'a client greeted through TLS');
$c->ehlo;
for my $number (1 .. 3) {
	like($c->send_message(%mail), qr/^250 2\.0\.0 /, "mail $number is taken");
	is(alpn_of($number), 'smtp', 'by a server that hears of ALPN');
	$gatepost->wait_for_log(qr/debug: .*server lost/, 10, $number);
	reload_with(6 + $number);
}
$c->quit;
$gatepost->check_reports;
done_testing;
