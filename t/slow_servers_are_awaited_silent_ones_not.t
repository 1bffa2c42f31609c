#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# A server that takes 25 s for a login is waited for, by the defaults.  One
# that accepts and says nothing, at any point up to the login, is given up
# after the pool's login_timeout, over all tries; the client may try again.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Cert qw(make_cert);
use Gatepost::Fake;
use Gatepost::Gatepost;
use Gatepost::Imap;
use Test::More;
use Time::HiRes qw(time);

use constant { SLOW => 25, LOGIN_TIMEOUT => 3 };

my @greeting = [send => "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] ready\r\n"];
my @login = (@greeting, [expect => qr/^(\S+) AUTHENTICATE PLAIN \S+\r\n/m]);
my $cert = make_cert();

# stage => [script, settings of the pool, what the log says gatepost was doing]
my %silent = (
	greeting => [[['hold']], '', qr/reading greeting/],
	half_a_greeting => [[[send => "* OK [CAPA"], ['hold']], '', qr/reading greeting/],
	trickled_greeting => [[map { [send => sub { sleep 1; 'x' }] } 1 .. 60], '', qr/reading greeting/],
	starttls => [[[send => "* OK [CAPABILITY IMAP4rev1 STARTTLS SASL-IR AUTH=PLAIN] ready\r\n"],
	    [expect => qr/STARTTLS\r\n/], ['hold']], 'server_tls starttls { verify no }', qr/TLS/],
	handshake => [[['hold']], 'server_tls implicit { verify no }', qr/TLS/],
	closing_late => [[[send => sub { sleep 1; '' }], ['close']], 'retries 20', qr/reading greeting/],
	login => [[@login, ['hold']], '', qr/logg?ing in|authenticat|password/i],
);
my %values = (CERT => $cert, TIMEOUT => LOGIN_TIMEOUT,
    SLOW => Gatepost::Fake->new(name => 'slow', script => [@login,
    [send => sub ($tag) { sleep SLOW; "$tag OK [CAPABILITY IMAP4rev1] in\r\n" }],
    [expect => qr/^(\S+) NOOP\r\n/m], [send => sub ($tag) { "$tag OK done\r\n" }], ['hold']])->start->port);
my $config = <<'END';
tls main { certificate @CERT@ }
pool slow { protocol imap; server s { address 127.0.0.1:@SLOW@ } }
listener slow { protocol imap; tls main; pool slow; bind_tls 127.0.0.1:@PORT{slow}@ }
END
for my $stage (sort keys %silent) {
	my ($script, $settings) = @{ $silent{$stage} };
	$values{"SERVER_$stage"} = Gatepost::Fake->new(name => $stage, script => $script)->start->port;
	$config .= <<~"END";
		pool $stage {
		    protocol imap; port \@SERVER_$stage\@; login_timeout \@TIMEOUT\@s; $settings
		    server $stage { address 127.0.0.1 }
		}
		listener $stage { protocol imap; tls main; pool $stage; bind_tls 127.0.0.1:\@PORT{$stage}\@ }
		END
}
my $gatepost = Gatepost::Gatepost->new(values => \%values, config => $config)->start;

sub client ($listener) {
	return Gatepost::Imap->new(port => $gatepost->port($listener), tls => 1, timeout => SLOW + 20);
}

my $slow = client('slow');
my $began = time;
$slow->send_bytes("slow LOGIN user1 pass-1\r\n");

# All silent ones at once, meanwhile.
my %waiting = map { $_ => client($_) } sort keys %silent;
my $asked = time;
$_->send_bytes("a LOGIN user1 pass-1\r\n") for values %waiting;
for my $stage (sort keys %waiting) {
	my $client = $waiting{$stage};
	my $reply = eval { ($client->lines_until(qr/^a /))[-1] } // $@;
	my $took = time - $asked;

	like($reply, qr/^a NO \[UNAVAILABLE\]/, "$stage: the server is unavailable");
	cmp_ok($took, '<', LOGIN_TIMEOUT + 5,
	    "$stage: after the pool's login_timeout, not after one for each try");
	cmp_ok($took, '>', LOGIN_TIMEOUT - 0.5, "$stage: and not before");
	ok(eval { $gatepost->wait_for_log(qr{back=$stage/$stage: server failed: .* while .*$silent{$stage}[2]}) },
	    "$stage: the log tells while doing what");
	like($client->cmd('NOOP'), qr/ OK/, "$stage: the session goes on");
	$client->close;
}

my $reply = eval { ($slow->lines_until(qr/^slow /))[-1] } // $@;
like($reply, qr/^slow OK/, 'a login of 25 s works');
cmp_ok(time - $began, '>=', SLOW - 1, 'and has taken so long');
like($slow->cmd('NOOP'), qr/ OK/, 'the session is relayed');
$slow->close;

$gatepost->stop;
done_testing;
