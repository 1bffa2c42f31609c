#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# `log access` decides which events are written and whether addresses are
# whole, from one reload to the next; SIGUSR1 makes it a new file.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Fake;
use Gatepost::Gatepost;
use Gatepost::Imap;
use Gatepost::Port qw(own_address);
use Gatepost::Process qw(read_file test_dir wait_for);
use Test::More;

my $log = test_dir() . '/gatepost.access.json';
my $server = Gatepost::Fake->new(name => 'server', script => [[send => "hello\n"], ['hold']])->start;
my $rest = <<'END';
pool t { protocol tcp; server s { address 127.0.0.1:@SERVER@ } }
listener t { protocol tcp; bind 127.0.0.1:@PORT{t}@; pool t }
END

# wait => []: a probe of the port would be in the log
my $gatepost = Gatepost::Gatepost->new(wait => [], values => { SERVER => $server->port },
    config => "log access { target $log; format json; address masked }\n$rest")->start;
my $address = own_address(7);
my $sessions = 0;

sub have_session () {
	my $client = Gatepost::Imap->new(port => $gatepost->port('t'), from => $address);
	$client->close;
	$sessions++;
	# the main log tells when it is over
	$gatepost->wait_for_log(qr/\bt \Q$address\E .*done while relaying/, 10, $sessions);
	return;
}

have_session();
my ($network) = $address =~ /^(\d+\.\d+\.\d+)\./;
my $event = $gatepost->wait_for_event('session');
is($event->{client}, "$network.0", 'a masked address');

$gatepost->configure("log access { target $log; format json }\n$rest");
ok($gatepost->reload, 'masks no more');
have_session();
ok($gatepost->wait_for_event('session', { client => $address }), 'a whole address');

$gatepost->configure("log access { target $log; format json; events login login_failed }\n$rest");
ok($gatepost->reload, 'wants other events');
have_session();
$gatepost->configure("log access { target $log; format json }\n$rest");
ok($gatepost->reload, 'wants all again');
rename $log, "$log.1" or die "rename: $!";
$gatepost->signal('USR1');
wait_for(sub { -e $log }, 10, 'a new file');
have_session();
ok($gatepost->wait_for_event('session'), 'the new file is written');
is(scalar(() = $gatepost->events), 1, 'to the new file alone');
is(scalar(() = read_file("$log.1") =~ /^\{/mg), 2, 'and the event that nobody wanted is nowhere');

$gatepost->stop;
$server->kill_now;
done_testing;
