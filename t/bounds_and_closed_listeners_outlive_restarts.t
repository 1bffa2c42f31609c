#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# All that operators set besides states and weights is there again behind a restart, by whom and why it was:
# bounds, closed listeners, addresses, checks and agents that are off.  Where the configuration has changed it
# wins, which is told; and what has an address later is set then.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Dnsmasq;
use Gatepost::Gatepost;
use Gatepost::Process qw(read_file test_dir wait_for);
use IO::Socket::INET;
use Test::More;

my $path = test_dir() . '/state';
my $names = Gatepost::Dnsmasq->new(name => 'names', records => ['local-ttl=0', 'host-record=d1.test,127.0.0.31'])->start;
my $config = <<'END';
state_file PATH
nameservers 127.0.0.1:NAMES
max_connections 600
pool imap {
    port 1
    max_connections 40
    check { kind tcp; interval 1h }
    server b1 { address 127.0.0.1; agent 127.0.0.1:9; agent_interval 1h }
    server b2 { address 127.0.0.2 }
}
pool named { protocol imap; port 1; server d { address d1.test; resolve all } }
listener imap { bind 127.0.0.1:@PORT{imap}@; starttls off; plaintext_login yes; pool imap; max_connections 50 }
listener shut { protocol imap; bind 127.0.0.1:@PORT{shut}@; starttls off; plaintext_login yes; pool named }
END
$config =~ s/PATH/$path/;
$config =~ s/NAMES/$names->port/e;
my $gatepost = Gatepost::Gatepost->new(config => $config, wait => ['imap'])->start;

sub changes () {
	return { map { (join(' ', grep { defined } @$_{qw(kind subject what)}) => $_) } @{ $gatepost->ask_json('show changes') } };
}

sub values_of ($changes) { return { map { ($_ => "$changes->{$_}{in_file}>$changes->{$_}{now}") } keys %$changes } }

sub is_open ($name) { return IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $gatepost->port($name)) ? 1 : 0 }

# Names are known, servers are checked, and listeners are open that are to be.
sub is_serving () { return $gatepost->wait_for_log(qr/ started: /, 60) }

sub restart (%option) {
	if ($option{kill}) {
		$gatepost->signal('KILL');
		$gatepost->wait_for_end;
	} else {
		$gatepost->stop;
	}
	unlink $gatepost->{log};
	$gatepost->start;
	is_serving();
	return;
}

is_serving();
my @said = ('set maxconn server imap/b1 7 reason "old disk"', 'set server imap/b2 addr 127.0.0.9 port 143',
    'disable health imap/b1', 'disable agent imap/b1', 'disable frontend shut reason "for now"',
    'set maxconn frontend imap 33', 'set maxconn global 555', 'set maxconn server named/d@127.0.0.31 5');
unlike($gatepost->ask($_), qr/\S/, $_) for grep { !/addr/ } @said;
like($gatepost->ask($said[1]), qr/changed from/, $said[1]);
my $before = changes();
is_deeply(values_of($before), my $wanted = {
	'service imap/b1 max_connections' => '40>7', 'service imap/b2 address' => '127.0.0.2:1>127.0.0.9:143',
	'service imap/b1 checks' => 'on>off', 'service imap/b1 agent' => 'on>off',
	'listener shut state' => 'enabled>disabled', 'listener imap max_connections' => '50>33',
	'process max_connections' => '600>555', 'service named/d@127.0.0.31 max_connections' => '0>5',
}, 'all is set') or diag explain values_of($before);
is(is_open('shut'), 0, 'a listener is closed');

for my $kill (1, 0) {
	my $how = $kill ? 'kill -9' : 'a stop';
	wait_for(sub { (() = read_file($path) =~ /^set /mg) == keys %$wanted }, 60, 'the file') if $kill;
	restart(kill => $kill);
	is_deeply(changes(), $before, "the same behind $how, with when, by whom and why");
	is(is_open('shut'), 0, 'the listener is closed');
	is(is_open('imap'), 1, 'the other is not');
	like($gatepost->ask('show info'), qr/^Maxconn: 555$/m, 'the bound of all');
	my %limit = map { my @row = split /,/; ("$row[0]/$row[1]" => $row[6]) } split /\n/, $gatepost->ask('show stat');
	is_deeply([@limit{'imap/b1', 'imap/FRONTEND'}], [7, 33], 'bounds');
	like($gatepost->ask('show servers state'), qr/ b2 127\.0\.0\.9 /, 'the address');
}

# the configuration wins; what it says alike is no change
$gatepost->configure($config =~ s/max_connections 40/max_connections 41/r =~ s/max_connections 50/max_connections 33/r
    =~ s/address 127\.0\.0\.2 /address 127.0.0.3 /r =~ s/listener shut/listener other/r =~ s/max_connections 600/max_connections 601/r);
restart();
my $after = changes();
delete $after->{$_} for my @overruled = grep { /^overruled/ } keys %$after;
is_deeply(values_of($after), { map { ($_ => $wanted->{$_}) } 'service imap/b1 checks', 'service imap/b1 agent',
    'service named/d@127.0.0.31 max_connections' }, 'the rest is set');
is_deeply([sort @overruled], ['overruled imap/b1 max_connections', 'overruled imap/b2 address',
    'overruled max_connections'], 'and what the configuration has won over is told');
$gatepost->wait_for_log(qr/warning: service imap\/b1: max_connections 7 holds no more, as the configuration has changed \(.*old disk/);
$gatepost->wait_for_log(qr/notice: listener shut is not configured any more/);
is($gatepost->ask("set maxconn server named/d\@127.0.0.31 0; enable health imap/b1; enable agent imap/b1") =~ s/\n//gr, '', 'taken back');
wait_for(sub { read_file($path) !~ /^set /m }, 10, 'the file to have nothing');
done_testing;
