#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# The bindings of a farm are known by its name.  A reload that gives a pool
# others (a farm of another name, `affinity` where there was none, or none any
# more) has the sessions that came before go, as those of a dropped pool: by
# the new bindings nobody knows where they are, and one user would be on two
# servers.  Pools whose bindings stay are not disturbed.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Fake;
use Gatepost::Gatepost;
use Gatepost::Imap;
use Test::More;

my @pools = qw(kept renamed enabled disabled unbound);
my $script = [[send => "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] ready\r\n"],
    [expect => qr/^(\S+) AUTHENTICATE[^\r\n]*\r\n/m],
    [send => sub ($tag) { "$tag OK [CAPABILITY IMAP4rev1] in\r\n" }],
    [expect => qr/^(\S+) NOOP\r\n/m], [send => sub ($tag) { "$tag OK noop\r\n" }], ['hold']];
my $server = Gatepost::Fake->new(name => 'server', script => $script)->start;

# Pool => its farm and that farm's affinity.
sub config (%farms) {
	my $config = "default listener { protocol imap; starttls off; plaintext_login yes }\n";
	for my $pool (@pools) {
		my ($farm, $affinity) = @{ $farms{$pool} };
		$config .= <<~"END";
			farm $farm { affinity $affinity; server s { address 127.0.0.1:\@SERVER\@ } }
			pool $pool { protocol imap; farm $farm; close_spread 1s }
			listener $pool { bind 127.0.0.1:\@PORT{$pool}\@; pool $pool }
			END
	}
	return $config;
}

my %farms = (kept => ['k', '15m'], renamed => ['r1', '15m'], enabled => ['e', 'none'], disabled => ['d', '15m'],
    unbound => ['u1', 'none']);
my $gatepost = Gatepost::Gatepost->new(config => config(%farms), values => { SERVER => $server->port })->start;

my %clients;
for my $pool (@pools) {
	$clients{$pool} = Gatepost::Imap->new(port => $gatepost->port($pool));
	$clients{$pool}->login('bob', 'x');
}
$gatepost->configure(config(%farms, renamed => ['r2', '15m'], enabled => ['e', '15m'], disabled => ['d', 'none'],
    unbound => ['u2', 'none']));
ok($gatepost->reload, 'other bindings');
for my $pool (qw(renamed enabled disabled)) {
	like($clients{$pool}->rest(5), qr/\A\* BYE [^\r\n]*\r\n\z/, "$pool: told to go");
}
for my $pool (qw(kept unbound)) {
	like($clients{$pool}->cmd('NOOP'), qr/ OK noop/, "$pool: stays");
}
# Who comes now is of the new era.
my $again = Gatepost::Imap->new(port => $gatepost->port('renamed'));
$again->login('bob', 'x');
ok($gatepost->reload, 'the same again');
like($again->cmd('NOOP'), qr/ OK noop/, 'who came since stays');

$gatepost->stop;
$server->kill_now;
done_testing;
