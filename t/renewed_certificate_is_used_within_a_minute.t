#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Certificates are looked at every minute: a good new pair is used without a
# signal, by new clients; a bad one is logged and the old one stays; a near
# expiry is warned about.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Cert qw(cert_fingerprint make_cert);
use Gatepost::Fake;
use Gatepost::Gatepost;
use Gatepost::Imap;
use Gatepost::Process qw(wait_for write_file);
use Test::More;

my $server = Gatepost::Fake->new(name => 'server', script => [[send => "hello\n"], ['hold']])->start;
my ($good, $bad) = (make_cert(days => 100), make_cert(days => 13));
my ($old, $other) = map { cert_fingerprint($_) } $good, $bad;
my $gatepost = Gatepost::Gatepost->new(values => { SERVER => $server->port, GOOD => $good, BAD => $bad },
    config => <<'END')->start;
tls good { certificate @GOOD@ }
tls bad { certificate @BAD@ }
default listener { protocol tcp; pool t }
pool t { server s { address 127.0.0.1:@SERVER@ } }
listener good { bind_tls 127.0.0.1:@PORT{good}@; tls good }
listener bad { bind_tls 127.0.0.1:@PORT{bad}@; tls bad }
END

sub shown ($name) {
	return Gatepost::Imap->new(port => $gatepost->port($name), tls => 1)->fingerprint;
}

my @warnings;
wait_for(sub { @warnings = $gatepost->log_lines(qr/the certificate expires on \d{4}-\d\d-\d\d$/) }, 10, 'a warning');
is(scalar @warnings, 1, 'one expiry is near');
like($warnings[0], qr/tls bad: \Q$bad\E: the certificate/, 'and the block and the file are named');

my $resident = Gatepost::Imap->new(port => $gatepost->port('good'), tls => 1);
is($resident->fingerprint, $old, 'the first certificate');
make_cert(path => $good, days => 100, kind => 'rsa');
write_file($bad, "-----BEGIN CERTIFICATE-----\nnot yet written\n");
my $new = cert_fingerprint($good);
isnt($new, $old, 'there is a new one');

like($gatepost->wait_for_log(qr/tls good: /, 75), qr/tls good: certificate reloaded$/, 'it is taken up within a minute');
is(shown('good'), $new, 'new clients see it');
like($gatepost->wait_for_log(qr/tls bad: the old/), qr/tls bad: the old certificate stays in use: \Q$bad\E: /,
    'a bad file is told');
is(shown('bad'), $other, 'and not used');
is($resident->{socket}->get_fingerprint('sha256'), $old, 'a session of before goes on');
ok(!$resident->{ended}, 'unharmed');

$gatepost->stop;
$server->kill_now;
done_testing;
