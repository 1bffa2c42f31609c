#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# `route explain` says what `access` would, at the connect and when all is known, by the country and the network
# of the client; and to ask, however often, changes no binding, no counter, no limit, and nobody's turn.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Fake;
use Gatepost::Gatepost;
use Gatepost::Geo qw(write_countries write_networks);
use Gatepost::Imap;
use Gatepost::Process qw(test_dir write_file);
use Gatepost::Smtp;
use Test::More;

write_countries('country.mmdb', '192.0.2.0/25' => ['DE', 'EU'], '198.51.100.0/24' => ['KP', 'AS']);
write_networks('asn.mmdb', '192.0.2.64/26' => 64496);
write_file(test_dir() . '/users', "bob\@example.org:{PLAIN}right\neve\@example.org:{PLAIN}right\n");
my @fakes = map { Gatepost::Fake->new(name => "f$_", script => [
	[send => "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] here\r\n"],
	[expect => qr/^(\S+) AUTHENTICATE.*\r\n/m], [send => sub ($tag) { "$tag OK in\r\n" }], ['hold']])->start } 1 .. 2;
my $gatepost = Gatepost::Gatepost->new(values => { map { ("F$_" => $fakes[$_ - 1]->port) } 1 .. 2 },
    config => <<'END')->start;
users { default_domain example.org }
geoip { country @DIR@/country.mmdb; asn @DIR@/asn.mmdb }
limits calm { client_connections 100; client_connection_rate 1000; auth_ban 3 10m 1h }
limits few { client_connections 1 }
auth file { source file; path @DIR@/users; domains example.org }
access public {
    tag german { country DE }
    limit few { asn AS64496 }
    deny country KP
    deny { net 192.0.2.1; tls off }
    deny user eve@example.org
}
pool turns { protocol imap; balance roundrobin
    server f1 { address 127.0.0.1:@F1@ }; server f2 { address 127.0.0.1:@F2@ } }
farm f { affinity 15m; server f1 { address 127.0.0.1:@F1@ }; server f2 { address 127.0.0.1:@F2@ } }
pool bound { protocol imap; farm f }
default listener { protocol imap; starttls off; plaintext_login yes; access public; limits calm; auth file
    capabilities IDLE }
listener turns { bind 127.0.0.1:@PORT{turns}@; pool turns }
screen mx { greeting_delay 0s; allow 192.0.2.0/24; dnsbl zen.example.net; passed_ttl 1h }
screen sure { greeting_delay 0s }
pool mail { protocol smtp; forward none; server f1 { address 127.0.0.1:@F1@ } }
listener mx { protocol smtp; starttls off; bind 127.0.0.1:@PORT{mx}@; pool mail; screen mx; access none; auth none
    capabilities auto }
listener sure { protocol smtp; starttls off; bind 127.0.0.1:@PORT{sure}@; pool mail; screen sure; access none; auth none
    capabilities auto }
listener bound { bind 127.0.0.1:@PORT{bound}@; pool bound }
END

sub steps ($words) {
	my %steps;

	push @{ $steps{$_->{step}} }, $_ for @{ $gatepost->ask_json("route explain $words") };
	return \%steps;
}
sub why ($words, $step) { return join ' | ', map { $_->{why} // '' } @{ steps($words)->{$step} // [] } }
sub value ($words, $step) { return join ' | ', map { $_->{value} // '' } @{ steps($words)->{$step} // [] } }

is(value('turns client 192.0.2.1', 'country'), 'DE', 'where a client is');
is(why('turns client 192.0.2.70', 'country'), 'continent EU, network AS64496', 'and in whose network');
is(why('turns client 203.0.113.1', 'country'), 'the databases of `geoip` do not know it', 'or that nobody knows');
like(why('turns client 198.51.100.1', 'access'), qr/^turned away by the rule at .*\.conf:\d+$/, 'denied at the connect');
is(why('turns client 198.51.100.1', 'result'), 'turned away by `access`', 'is the result');
is(value('turns client 198.51.100.1', 'result'), '', 'and no server');
is(value('turns client 192.0.2.1', 'tags'), 'german | german', 'a tag, each time');
is(value('turns client 192.0.2.70', 'limits'), 'calm | few', 'limits of a rule');
like(why('turns client 192.0.2.1', 'access'), qr/^not decided before more is known: by the rule at /, 'later');
like(why('turns client 192.0.2.1 user eve', 'access_then'), qr/^not decided/, 'not before TLS is known');
like(why('turns client 192.0.2.1 user bob tls off', 'access_then'), qr/^turned away by the rule/, 'without TLS');
is(why('turns client 192.0.2.1 user bob tls TLSv1.2', 'access_then'), 'no rule matches: allowed', 'with TLS');
like(why('turns client 192.0.2.2 user eve sni mail.example.org', 'access_then'), qr/^turned away/, 'a user');
is(why('turns client 192.0.2.2 user eve tls off', 'result'), 'turned away by `access`', 'who comes to no server');
is(why('turns user eve', 'access'), 'not judged, as no client was named', 'without a client');
is(why('turns user x@example.net', 'result'), 'the login is refused', 'a user whom no source takes');

is(why('mx client 192.0.2.1', 'screen'), 'the client is spared', 'whom a screen allows');
is(why('mx client 203.0.113.1', 'screen'),
    'the client is not known: it waits 0 s for its greeting, 1 lists are asked', 'whom it would look at');
is(why('mx', 'screen'), 'not looked at, as no client was named', 'and nobody');
is(value('turns client 203.0.113.1', 'screen'), '', 'where there is none');
like(why('sure client 127.0.0.2', 'screen'), qr/^the client is not known: it waits/, 'one that was never there');
Gatepost::Smtp->new(port => $gatepost->port('sure'))->close;
is(why('sure client 127.0.0.1', 'screen'), 'the client has passed before: it is greeted at once', 'one that was');

# Asked often, beside clients.
sub log_in ($listener) {
	my $client = Gatepost::Imap->new(port => $gatepost->port($listener));
	my $before = $gatepost->events('login');

	like($client->cmd('LOGIN bob right'), qr/ OK/, 'a login');
	my @events = $gatepost->wait_for_events('login', $before + 1);
	return ($client, $events[-1]{server});
}
my ($bob) = log_in('bound');
my ($one, $first) = log_in('turns');
sub picture () {
	my $listeners = $gatepost->ask_json('show listeners');
	my $servers = $gatepost->ask_json('show servers');

	return { bindings => [map { join ' ', @$_{qw(user server sessions)} } @{ $gatepost->ask_json('users') }],
		listeners => [map { join ' ', @$_{qw(listener sessions accepted logins failed_logins banned)} } @$listeners],
		servers => [map { join ' ', map { $_ // '-' } @$_{qw(pool server sessions queued total failures)} } @$servers],
		tables => $gatepost->ask('show table') };
}
my $before = picture();
for (1 .. 50) {
	$gatepost->ask("route explain $_ user user$$ client 127.0.0.1 tls off") for qw(turns bound);
	$gatepost->ask('route explain bound user bob client 127.0.0.1 tls off');
}
is_deeply(picture(), $before, 'nothing has changed');
my ($two, $second) = log_in('turns');
isnt($second, $first, 'and the next client has its turn');
$_->close for $bob, $one, $two;
$gatepost->stop;
$_->kill_now for @fakes;
done_testing;
