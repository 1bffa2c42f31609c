#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Whatever an operator sets at run time is in `show changes`: since when, by whom and why, state and weight of a
# server each with a reason of their own.  What is taken back is gone; what the configuration wins over is told.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Gatepost;
use Gatepost::Process qw(test_dir);
use Test::More;

sub config (%o) {
	return 'state_file ' . test_dir() . "/state\nmax_connections 1000\n"
	    . "default pool { check { kind tcp; interval 1h } }\n"
	    . "farm f { server d1 { address 127.0.0.1; agent 127.0.0.1:1; weight " . ($o{weight} // 1) . " } }\n"
	    . "pool imap { farm f; port 1; max_connections " . ($o{max} // 0) . " }\n"
	    . "listener imap { bind 127.0.0.1:\@PORT{imap}\@; starttls off; plaintext_login yes; pool imap\n"
	    . "max_connections " . ($o{clients} // 0) . " }\n";
}

my $gatepost = Gatepost::Gatepost->new(config => config())->start;

sub rows () { return @{ $gatepost->ask_json('show changes') } }
sub set () {
	return { map { ("$_->{kind} " . ($_->{subject} // '-') . " $_->{what}" => "$_->{in_file}>$_->{now}") }
	    grep { $_->{kind} ne 'overruled' } rows() };
}

is_deeply([rows()], [], 'all is as in the file');
my %commands = (
	'service imap/d1 max_connections' => ['set maxconn server imap/d1 5', 'set maxconn server imap/d1 0', '0>5'],
	'service imap/d1 address' => ['set server imap/d1 addr 127.0.0.9 port 7',
	    'set server imap/d1 addr 127.0.0.1 port 1', '127.0.0.1:1>127.0.0.9:7'],
	'service imap/d1 checks' => ['disable health imap/d1', 'enable health imap/d1', 'on>off'],
	'service imap/d1 agent' => ['disable agent imap/d1', 'enable agent imap/d1', 'on>off'],
	'listener imap state' => ['disable frontend imap', 'enable frontend imap', 'enabled>disabled'],
	'listener imap max_connections' => ['set maxconn frontend imap 7', 'set maxconn frontend imap 0', '0>7'],
	'process - max_connections' => ['set maxconn global 900', 'set maxconn global 1000', '1000>900'],
);
for my $what (sort keys %commands) {
	my ($do, $undo, $told) = @{ $commands{$what} };

	unlike($gatepost->ask("$do reason \"as $what\""), qr/^[A-Z].*\.$|usage|Require/, $do);
	is_deeply(set(), { $what => $told }, 'is told');
	my ($row) = rows();
	like($row->{who}, qr/^uid \d+ \(pid \d+\)$/, 'by whom');
	like($row->{when}, qr/^\d{4}-\d\d-\d\dT[\d:]+Z$/, 'since when');
	like($row->{why}, qr/as \Q$what\E/, 'and why') unless $told eq 'on>off';
	$gatepost->ask($undo);
	is_deeply([rows()], [], 'until it is taken back');
}

# A state and a weight, each with a reason of its own, over reloads and restarts.
$gatepost->ask('set weight imap/d1 7 reason "it is hot"');
$gatepost->ask('drain d1 reason "disk swap"');
sub reasons () { return { map { $_->{what} => $_->{who} . ' ' . $_->{why} } rows() } }
my $reasons = reasons();
like($reasons->{weight}, qr/^uid .*it is hot/, 'why the weight is another');
like($reasons->{state}, qr/^uid .*disk swap/, 'why the state is');
ok($gatepost->reload, 'a reload');
is_deeply(reasons(), $reasons, 'changes nothing of that');
$gatepost->stop;
$gatepost->start;
is_deeply(reasons(), $reasons, 'nor does a restart');
$gatepost->configure(config(weight => 3));
ok($gatepost->reload, 'another weight in the file');
my ($state, $weight) = (grep({ $_->{what} eq 'state' } rows()), grep { $_->{what} eq 'weight' } rows());
is("$state->{who} $state->{why}", $reasons->{state}, 'leaves what was said of the state');
is("$weight->{kind} $weight->{now}", 'overruled 3', 'and wins over the weight that was set');
like($weight->{why}, qr/won over 7: .*it is hot/, 'which is told');

# Bounds and addresses that the configuration wins over.
$gatepost->ask('ready d1; set maxconn server imap/d1 5 reason slow; set maxconn frontend imap 7');
$gatepost->configure(config(weight => 3, max => 9, clients => 11));
ok($gatepost->reload, 'other bounds in the file');
$gatepost->wait_for_log(qr/warning: service imap\/d1: max_connections 5 holds no more, as the configuration has changed \(by .*slow/);
$gatepost->wait_for_log(qr/warning: listener imap: max_connections 7 holds no more/);
is_deeply(set(), {}, 'nothing that was set holds any more');
is_deeply([sort map { "$_->{subject} $_->{what}" } grep { $_->{kind} eq 'overruled' } rows()],
    ['f/d1 weight', 'imap max_connections', 'imap/d1 max_connections'], 'and all of it is told');
$gatepost->ask('set maxconn frontend imap 7');
$gatepost->configure(config() =~ s/listener imap /listener other /r =~ s/pool imap\n/pool imap; protocol imap\n/r);
ok($gatepost->reload, 'a listener is gone');
$gatepost->wait_for_log(qr/warning: listener imap: max_connections 7 holds no more/, 10, 2);
is_deeply(set(), {}, 'and what was said of it');
$gatepost->stop;
done_testing;
