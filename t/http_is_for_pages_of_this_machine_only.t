#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Where no password is asked, a page of somebody else's gets nothing, whatever address its name means: on
# loopback and beyond, only those are answered who call this machine by an address or a name of its own.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Gatepost;
use Gatepost::Http qw(http);
use Gatepost::Namespace;
use Gatepost::Process qw(test_dir write_file);
use Sys::Hostname qw(hostname);
use Test::More;

plan skip_all => 'needs root' if $> != 0;

my $network = Gatepost::Namespace->new;
my $users = write_file(test_dir() . '/users', "alice:{PLAIN}secret\n");
my $address = $network->our_address;
my $gatepost = Gatepost::Gatepost->new(values => { ADDRESS => $address, USERS => $users }, wait => [qw(imap near)],
    config => <<~'END')->start;
	hostname mx.example.org
	pool imap { port 1; server b1 { address 127.0.0.1 } }
	listener imap { bind 127.0.0.1:@PORT{imap}@; starttls off; plaintext_login yes; pool imap }
	admin {
	    socket @DIR@/gatepost.sock { level admin }
	    http 127.0.0.1:@PORT{near}@ { level operator; names localnode }
	    http @ADDRESS@:@PORT{far}@ { level operator; allow @ADDRESS@; names stats.example.com monitor }
	    http @ADDRESS@:@PORT{known}@ { allow @ADDRESS@; password_file @USERS@ }
	}
	END
my %url = (near => 'http://127.0.0.1:' . $gatepost->port('near'),
    map { ($_ => "http://$address:" . $gatepost->port($_)) } qw(far known));

sub status ($door, $host, @options) { return http("$url{$door}/api/v1/show/sess", '-H', $host, @options)->{status} }

for my $door (qw(near far)) {
	is(status($door, "Host: $_"), 200, "$door: $_")
	    for $address, "$address:80", '127.0.0.1', '[::1]:8404', '[2001:db8::1]', 'localhost', 'LOCALHOST:1',
	    'mx.example.org', 'MX.example.org:8404', hostname();
	is(status($door, "Host: $_"), 403, "$door: $_")
	    for 'evil.example.com', 'evil.example.com:8404', 'localhost.evil.example.com', 'localhost.', 'xlocalhost',
	    'example.org', '127.0.0.1.evil.example.com', '[::1].evil.example.com', ':8404';
	is(http("$url{$door}$_", '-H', 'Host: evil.example.com')->{status}, 403, "$door: $_ for a foreign page")
	    for '/', '/metrics', '/stats;csv', '/healthz', '/nowhere';
	is(status($door, 'Host:', '-0'), 200, "$door: a tool that tells no name");
}
is(status('far', "Host: $_"), 200, "far: $_, which is configured") for 'stats.example.com', 'Monitor:8404';
is(status('near', "Host: $_"), 403, "near: $_, which is another address's") for 'stats.example.com', 'monitor';
is(status('near', 'Host: localnode'), 200, 'near: its own');
like(http("$url{far}/", '-H', 'Host: evil.example.com')->{body}, qr/`names`/, 'it is said what to do');
is(http("$url{known}/", '-H', 'Host: any.example.com', '-u', 'alice:secret')->{status}, 200,
    'who says his password may come by any name');
is(http("$url{known}/", '-H', 'Host: any.example.com')->{status}, 401, 'and no other');
done_testing;
