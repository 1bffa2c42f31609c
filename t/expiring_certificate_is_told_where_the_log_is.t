#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# A certificate that expires soon is warned about at the start, at a reload
# and by -t: in the log that is configured, with the name of its block.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Cert qw(make_cert);
use Gatepost::Gatepost;
use Gatepost::Port qw(free_port);
use Gatepost::Process qw(read_file run_command test_dir wait_for);
use Test::More;

my $cert = make_cert(days => 3);
my $gatepost = Gatepost::Gatepost->new(values => { CERT => $cert, SERVER => free_port() }, config => <<'END')->start;
log { target @DIR@/messages }
tls soon { certificate @CERT@ }
pool t { protocol tcp; server s { address 127.0.0.1:@SERVER@ } }
listener t { protocol tcp; bind_tls 127.0.0.1:@PORT{t}@; tls soon; pool t }
END
my $warning = qr/tls soon: \Q$cert\E: the certificate expires on \d{4}-\d\d-\d\d$/m;
my $messages = test_dir() . '/messages';

sub warnings_of ($text) { return scalar(() = $text =~ /$warning/g) }

ok(wait_for(sub { warnings_of(read_file($messages)) == 1 }, 10, 'the warning'), 'it is in the log');
is($gatepost->log_text, '', 'and not on standard error');
$gatepost->signal('HUP');
wait_for(sub { read_file($messages) =~ /reloaded/ }, 10, 'the reload');
is(warnings_of(read_file($messages)), 2, 'once more at a reload');

my ($status, $text) = run_command('check', [$ENV{GATEPOST}, '-t', '-c', $gatepost->{conf}]);
is($status, 0, 'it is no error');
is(warnings_of($text), 1, '-t warns too');

$gatepost->stop;
done_testing;
