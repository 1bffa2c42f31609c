#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Mail that comes in goes where a file of users says: to a pool, to a server
# of it, to a host by its address or its name; who is not in the file is put
# off and never refused, and the mail goes on with the next recipient.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Dnsmasq;
use Gatepost::Fake;
use Gatepost::Gatepost;
use Gatepost::Port qw(own_address);
use Gatepost::Process qw(test_dir write_file);
use Gatepost::Smtp;
use Test::More;

# Takes every command, and tells in its replies who it is.
sub script ($name) {
	return [[send => "220 $name ESMTP\r\n"], [expect => qr/^EHLO [^\r]*\r\n/],
	    [send => "250-$name\r\n250 PIPELINING\r\n"],
	    ([expect => qr/^[^\r]*\r\n/], [send => "250 2.1.5 $name\r\n"]) x 40];
}

my %address = (one => own_address(1), two => own_address(2), far => own_address(3), named => own_address(4));
my %fake;
$fake{$_} = Gatepost::Fake->new(name => $_, address => $address{$_}, script => script($_))->start
    for sort keys %address;
my $dns = Gatepost::Dnsmasq->new(name => 'dns', records => ["host-record=named.test,$address{named}"])->start;

write_file(test_dir() . '/users', join '', map { "$_\n" }
    'one@example.org:{PLAIN}x',
    'two@example.org:{PLAIN}x:server=two',
    'other@example.org:{PLAIN}x:pool=other',
    "far\@example.org:{PLAIN}x:host=$address{far} port=" . $fake{far}->port,
    'named@example.org:{PLAIN}x:host=named.test port=' . $fake{named}->port,
    "outside\@example.org:{PLAIN}x:host=$address{one} port=1",
    'lost@example.org:{PLAIN}x:host=lost.test',
    'nologin@example.org:{PLAIN}x:nologin server=two');
my $gatepost = Gatepost::Gatepost->new(values => { DNS => $dns->port, FAR => $address{far}, NAMED => $address{named},
    ONE => "$address{one}:" . $fake{one}->port, TWO => "$address{two}:" . $fake{two}->port }, config => <<'END')->start;
hostname mx.example.com
nameservers 127.0.0.1:@DNS@
default pool { check { kind none }; protocol smtp; forward none; balance first }
pool mail { server one { address @ONE@ }; server two { address @TWO@ } }
pool other { server two { address @TWO@ } }
auth staff { source file; path @DIR@/users; allow_hosts @FAR@ @NAMED@ }
listener smtp { bind 127.0.0.1:@PORT{smtp}@; starttls off; pool mail; lookup staff }
END
my $nobody = '451 4.3.0 Nobody can say now where this recipient belongs';
my $c = Gatepost::Smtp->new(port => $gatepost->port('smtp'), timeout => 20);
$c->ehlo('client.example.org');

# Where a mail to this recipient would go.
sub goes_to ($who) {
	$c->expect('250', 'MAIL FROM:<alice@example.org>');
	my $reply = $c->cmd("RCPT TO:<$who>");
	$c->expect('250', 'RSET');
	return $reply =~ s/^250 2\.1\.5 //r;
}

is(goes_to('one@example.org'), 'one', 'a user without a place goes to the pool');
is(goes_to('TWO@Example.ORG'), 'two', 'a server is named, by a canonical name');
is(goes_to('one@example.org'), 'two', 'a server at hand that will do is kept');
is(goes_to('other@example.org'), 'two', 'a pool is named');
is(goes_to('far@example.org'), 'far', 'a host is given by its address');
is(goes_to('named@example.org'), 'named', 'and by its name');
is(goes_to('nologin@example.org'), 'two', 'who may not log in gets mail');
is(goes_to('nobody@example.org'), $nobody, 'nobody is refused for good');
is(goes_to('outside@example.org'), '451 4.3.2 No mail server is available, try again later',
    'a host outside allow_hosts is not dialled');
$gatepost->wait_for_log(qr/not among its allow_hosts/);
is(goes_to('lost@example.org'), '451 4.3.2 No mail server is available, try again later',
    'a host without an address neither');
$gatepost->wait_for_log(qr/lost\.test: /);

$c->expect('250', 'MAIL FROM:<alice@example.org>');
is($c->cmd('RCPT TO:<nobody@example.org>'), $nobody, 'a first recipient is put off');
is($c->cmd('RCPT TO:<two@example.org>'), '250 2.1.5 two', 'and the next one decides');
is($c->cmd('RCPT TO:<far@example.org>'), '451 4.3.0 Send to this recipient in a mail of its own',
    'who belongs elsewhere comes in another mail');
$c->expect('221', 'QUIT');
$gatepost->stop;
done_testing;
