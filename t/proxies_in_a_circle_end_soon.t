#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Two gateposts have each other as their only server, and trust each other: a
# session that goes round is ended when it has had its hops.  The client is
# told to come later, and both go on.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Cert qw(make_cert);
use Gatepost::Gatepost;
use Gatepost::Imap;
use Gatepost::Port qw(free_port own_address);
use Gatepost::Smtp;
use Test::More;

my @address = map { own_address($_) } 0, 1;
my %port = map { uc $_ => free_port() } qw(imap smtp submission);
my $hops = 5;

sub proxy ($i) {
	return Gatepost::Gatepost->new(name => "proxy$i", wait => [], values => { CERT => make_cert(), %port,
	    OWN => $address[$i], OTHER => $address[!$i] }, config => <<'END')->start;
hostname @OWN@
tls main { certificate @CERT@ }
default pool { check { kind none }; source @OWN@; observe off }
pool imap { port @IMAP@; server other { address @OTHER@ } }
pool smtp { port @SMTP@; server other { address @OTHER@ } }
pool submission { port @SUBMISSION@; server other { address @OTHER@ } }
default listener { tls main; trusted @OTHER@; plaintext_login yes }
listener imap { bind @OWN@:@IMAP@; pool imap }
listener smtp { bind @OWN@:@SMTP@; pool smtp }
listener submission { bind @OWN@:@SUBMISSION@; pool submission }
END
}
my @proxies = map { proxy($_) } 0, 1;

my $c = Gatepost::Imap->new(address => $address[0], port => $port{IMAP}, timeout => 20);
like($c->cmd('LOGIN bob secret'), qr/ NO \[UNAVAILABLE\] /, 'imap: the client is told to come later');
is(scalar $_->log_lines(qr/through too many proxies: they loop/), $_ == $proxies[0] ? 4 : 0,
    "imap: the log of $_->{name} tells") for @proxies;
like($c->cmd('NOOP'), qr/ OK /, 'imap: and may stay');
$c->close;

$c = Gatepost::Smtp->new(address => $address[0], port => $port{SUBMISSION}, timeout => 20);
$c->ehlo;
like($c->auth('bob', 'secret'), qr/^454 /, 'submission: the client is told to come later');
like($c->cmd('NOOP'), qr/^250 /, 'submission: and may stay');
$c->quit;

$c = Gatepost::Smtp->new(address => $address[0], port => $port{SMTP}, timeout => 20);
$c->ehlo;
like($c->cmd('MAIL FROM:<alice@example.org>'), qr/^451 /, 'smtp: the client is told to come later');
like($c->cmd('NOOP'), qr/^250 /, 'smtp: and may stay');
$c->quit;

for my $proxy (@proxies) {
	my $c = Gatepost::Imap->new(address => $address[$proxy == $proxies[1]], port => $port{IMAP});
	like($c->cmd('NOOP'), qr/ OK /, "$proxy->{name} serves clients");
	$c->close;
	$proxy->stop;
}

# Only the first tries again, where the login failed.
my %tries = (imap => 4, submission => 4, smtp => 1);
for my $listener (sort keys %tries) {
	my @passed = grep { $_->{listener} eq $listener && $_->{origin} } map { $_->events('session') } @proxies;

	is(scalar @passed, $tries{$listener} * ($hops - 1), "$listener: so many sessions came of one");
	is(scalar(keys %{ { map { $_->{origin} => 1 } @passed } }), 1, "$listener: and all of that one");
}
done_testing;
