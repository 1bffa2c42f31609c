#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# A client that has shut its side down before it logged in, and has no login under way, can never log in: it goes at
# once, wherever that finds it, and counts no longer for limits.  One that has sent all of it before is answered.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Cert qw(make_cert);
use Gatepost::Fake;
use Gatepost::Gatepost;
use Gatepost::Imap;
use Gatepost::Process qw(test_dir wait_for write_file);
use Test::More;

write_file(test_dir() . '/users', "ann:{PLAIN}right\n");
my $server = Gatepost::Fake->new(name => 'server', script => [['hold']])->start;
my $gatepost = Gatepost::Gatepost->new(values => { SERVER => $server->port, CERT => make_cert() },
    config => <<'END')->start;
tls main { certificate @CERT@ }
auth file { source file; path @DIR@/users }
limits one { client_connections 1; soft_errors 1; error_delay 1m; auth_failure_delay 1m 1m; exempt 127.0.0.9 }
screen slow { greeting_delay 60s }
default listener { tls main; starttls optional; plaintext_login yes; limits one; login_timeout 10m; max_errors 50 }
pool imap { server s { address 127.0.0.1:@SERVER@ } }
pool pop3 { server s { address 127.0.0.1:@SERVER@ } }
pool sieve { server s { address 127.0.0.1:@SERVER@ } }
pool submission { forward none; server s { address 127.0.0.1:@SERVER@ } }
pool smtp { forward none; server s { address 127.0.0.1:@SERVER@ } }
pool lmtp { server s { address 127.0.0.1:@SERVER@ } }
listener imap { bind 127.0.0.1:@PORT{imap}@; bind_tls 127.0.0.1:@PORT{imaps}@; pool imap; auth file }
listener pop3 { bind 127.0.0.1:@PORT{pop3}@; pool pop3; auth file }
listener sieve { bind 127.0.0.1:@PORT{sieve}@; pool sieve; auth file }
listener submission { bind 127.0.0.1:@PORT{submission}@; pool submission; auth file }
listener smtp { bind 127.0.0.1:@PORT{smtp}@; pool smtp }
listener screened { protocol smtp; bind 127.0.0.1:@PORT{screened}@; pool smtp; screen slow }
listener lmtp { bind 127.0.0.1:@PORT{lmtp}@; pool lmtp }
listener told { protocol imap; bind 127.0.0.1:@PORT{told}@; pool imap; accept_proxy 127.0.0.0/8 }
END

my @rows = (
	# what, listener, what it hears first, what it says before it shuts down
	(map { ["$_: greeted", $_, qr/^(?:\* OK|\+OK|OK|220 )/, ''] } qw(imap pop3 sieve submission smtp lmtp)),
	['half a line', 'imap', qr/^\* OK/, 'a LOGI'],
	['half a literal', 'imap', qr/^\* OK/, "a LOGIN {100}\r\nxxx"],
	['a challenge that is not answered', 'submission', qr/^220 /, "EHLO c\r\nAUTH LOGIN\r\n"],
	['a challenge of POP3', 'pop3', qr/^\+OK/, "AUTH PLAIN\r\n"],
	['a password that is not sent', 'pop3', qr/^\+OK/, "USER ann\r\n"],
	['a reply that is late', 'smtp', qr/^220 /, "FOO\r\nFOO\r\nFOO\r\n"],
	['a login behind a failed one', 'imap', qr/^\* OK/, "a LOGIN ann wrong\r\nb LOGIN ann wrong\r\n"],
	['a greeting that is late', 'screened', qr/^220-/, ''],
	['words before it', 'screened', qr/^220-/, "EHL"],
	['no TLS', 'imaps', undef, ''],
	['half a hello of TLS', 'imaps', undef, "\x16\x03\x01\x02\x00\x01\x00"],
	['no header', 'told', undef, ''],
	['half a header', 'told', undef, 'PROXY TCP4 192.0.2'],
	['no TLS behind STARTTLS', 'smtp', qr/^220 /, "EHLO c\r\nSTARTTLS\r\n"],
);
for my $row (@rows) {
	my ($what, $listener, $hello, $words) = @$row;
	my $c = Gatepost::Imap->new(port => $gatepost->port($listener), greeting => 0, timeout => 30,
	    from => '127.0.0.8');

	# one more could not come if the one before it counted still
	$c->lines_until($hello) if defined $hello;
	$c->send_bytes($words);
	shutdown $c->socket, 1;
	ok(eval { wait_for(sub { $gatepost->ask('show sess') !~ / 127\.0\.0\.8 / }, 60, 'it to be gone') }, "$what: it is gone")
	    or diag($gatepost->ask('show sess'));
	$c->close;
}

# Where the login came before the end it is judged, and the client hears how.
my $c = Gatepost::Imap->new(port => $gatepost->port('imap'), greeting => 0, timeout => 30, from => '127.0.0.9');
$c->lines_until(qr/^\* OK/);
$c->send_bytes("a LOGIN ann wrong\r\n");
shutdown $c->socket, 1;
like($c->rest, qr/^a NO /, 'a login that was sent before is answered');
$gatepost->stop;
done_testing;
