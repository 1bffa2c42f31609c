#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Out of descriptors, gatepost neither spins nor gives up: it says so once,
# and serves again when there are some.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Imap;
use Gatepost::Process qw(read_file);
use Gatepost::Setup qw(start_imap_farm tls_client);
use POSIX ();
use Test::More;

use constant { SPARE => 20, CLIENTS => 60 };

my $farm = start_imap_farm();
my $gatepost = $farm->{gatepost};
my $resident = tls_client($gatepost);
$resident->login_as(1);

# From outside and after the start: gatepost would raise its own limit, or lower its max_connections.
my $limit = $gatepost->fd_count + SPARE;
is(system('prlimit', '--pid', $gatepost->pid, "--nofile=$limit:$limit"), 0, "descriptors limited to $limit");

my @clients = map { Gatepost::Imap->new(port => $gatepost->port('imap'), greeting => 0) // () } 1 .. CLIENTS;
is(scalar @clients, CLIENTS, 'the kernel takes all connects');
my $complaint = qr/out of (?:file )?descriptors/;
ok($gatepost->wait_for_log($complaint), 'the log tells of it');

sub cpu_seconds {
	my @field = split ' ', read_file('/proc/' . $gatepost->pid . '/stat') =~ s/.*\) //r;
	return ($field[11] + $field[12]) / POSIX::sysconf(POSIX::_SC_CLK_TCK());
}

# The last client is still unserved after 3 s, or was sent away; meanwhile the CPU rests.
my $before = cpu_seconds();
my $last = eval { $clients[-1]->line(3) };
cmp_ok(cpu_seconds() - $before, '<', 1, 'gatepost does not spin');
unlike($last // '', qr/^\* OK/, 'there really was no descriptor left');
like($resident->cmd('NOOP'), qr/ OK/, 'open sessions are served');

my $served = grep { defined eval { $_->line(0.01) } } @clients[0 .. CLIENTS / 2 - 1];
cmp_ok($served, '>', 0, 'the first clients had been greeted');
$_->close for @clients[0 .. CLIENTS - 11];
my @left = @clients[CLIENTS - 10 .. CLIENTS - 1];
my $answered = 0;
for my $client (@left) {
	# a greeting now, or the end where it was sent away before
	$answered++ if eval { $client->line(10); 1 };
}
is($answered, @left, 'who had to wait is answered when descriptors are free');
$_->close for @left;

my $client;
ok(Gatepost::Process::wait_for(sub { $client = eval { tls_client($gatepost, 'imap') } }, 10, 'a new client'),
    'a new client is served');
like($client->login_as(2), qr/ OK/, 'up to its login');
is(scalar(() = $gatepost->log_lines($complaint)), 1,
    'one line in the log, not one for each client');
$client->close;
$resident->close;

$gatepost->stop;
$_->stop for @{ $farm->{dovecots} };
done_testing;
