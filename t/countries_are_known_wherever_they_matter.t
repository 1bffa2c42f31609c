#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Where a client is decides on users with allow_countries, is told to an auth source, stands in events, in the
# list of sessions and in metrics; without a database users with such a field are put off, and the log says why.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Fake;
use Gatepost::Gatepost;
use Gatepost::Geo qw(write_countries write_networks);
use Gatepost::Http qw(http);
use Gatepost::HttpAuth;
use Gatepost::Imap;
use Gatepost::Process qw(test_dir write_file);
use Test::More;

my $server = Gatepost::Fake->new(name => 'server', script => [
	[send => "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] here\r\n"],
	[expect => qr/^(\S+) AUTHENTICATE.*\r\n/m], [send => sub ($tag) { "$tag OK in\r\n" }], ['hold']])->start;
my $source = Gatepost::HttpAuth->new(name => 'source', answer => sub ($request) {
	my $country = $request->{headers}{'x-country'} // '';

	return { headers => { 'Auth-Status' => $country eq 'DE' ? 'OK' : "Not from <$country>" } };
})->start;
write_countries('country.mmdb', '192.0.2.0/24' => ['DE', 'EU'], '198.51.100.0/24' => ['US', 'NA']);
write_networks('asn.mmdb', '192.0.2.0/25' => 64496);
write_file(test_dir() . '/users', "home:{PLAIN}right:allow_countries=DE,AT\n" . "roam:{PLAIN}right\n"
    . "odd:{PLAIN}right:allow_countries=unknown\n");
my $config = <<'END';
auth file { source file; path @DIR@/users }
auth web { source http; url http://127.0.0.1:@SOURCE@/; header X-Country "$country" }
pool imap { server s { address 127.0.0.1:@SERVER@ } }
default listener { starttls off; plaintext_login yes; protocol imap; pool imap; accept_proxy 127.0.0.0/8 }
listener file { bind 127.0.0.1:@PORT{file}@; auth file }
listener web { bind 127.0.0.1:@PORT{web}@; auth web }
admin { socket @DIR@/gatepost.sock { level admin }; http 127.0.0.1:@PORT{http}@ }
END
my $geoip = "geoip { country \@DIR\@/country.mmdb; asn \@DIR\@/asn.mmdb }\n";
my $gatepost = Gatepost::Gatepost->new(values => { SERVER => $server->port, SOURCE => $source->port },
    config => $geoip . $config)->start;

my @clients;
sub log_in ($listener, $from, $user) {
	my $c = Gatepost::Imap->new(port => $gatepost->port($listener), greeting => 0, timeout => 20);

	$c->send_bytes("PROXY TCP4 $from 127.0.0.1 4711 143\r\na LOGIN $user right\r\n");
	push @clients, $c;
	return ($c->lines_until(qr/^a /))[-1];
}

my ($german, $american, $unknown) = qw(192.0.2.1 198.51.100.1 203.0.113.1);
like(log_in('file', $german, 'home'), qr/^a OK/, 'a user comes from a country that is allowed');
like(log_in('file', $american, 'home'), qr/^a NO/, 'not from another');
like(log_in('file', $unknown, 'home'), qr/^a NO/, 'nor from one that nobody knows');
like(log_in('file', $unknown, 'odd'), qr/^a OK/, 'unless that is allowed');
like(log_in('file', $american, 'roam'), qr/^a OK/, 'others come from anywhere');
like(log_in('web', $german, 'ann'), qr/^a OK/, 'a source hears of the country');
like(log_in('web', $american, 'ann'), qr/^a NO.*<US>/, 'and judges by it');
like(log_in('web', $unknown, 'ann'), qr/^a NO.*<>/, 'one that is not known is empty');

my $event = $gatepost->wait_for_event('login', { user => 'home' });
is_deeply([@$event{qw(country asn)}], ['DE', 64496], 'events have the country and the network');
$event = $gatepost->wait_for_event('login_failed', { country => 'US' });
is($event->{asn}, undef, 'what is not known is left out');
like($event->{reason}, qr/not in the user's allow_countries/, 'the reason is told');
my @sessions = @{ $gatepost->ask_json('show sess country DE') };
is_deeply([map { "$_->{user} $_->{country}" } @sessions], ['home DE', 'ann DE'], 'sessions of a country');
is(scalar(grep { defined $_->{country} } @{ $gatepost->ask_json('show sess country unknown') }), 0, 'of none');
like($gatepost->ask('show sess country Germany'), qr/two capital letters/, 'a wrong word');
my ($one) = @{ $gatepost->ask_json('show sess all country DE') };
is($one->{asn}, 64496, 'details have the network');

my %rows = map { $_->{country} => $_ } @{ $gatepost->ask_json('show countries') };
is_deeply([map { "$_ $rows{$_}{sessions} $rows{$_}{failed_logins}" } sort keys %rows], ['DE 2 0', 'US 3 2', 'unknown 3 2'],
    'countries are counted');
my $metrics = http('http://127.0.0.1:' . $gatepost->port('http') . '/metrics')->{body};
like($metrics, qr/^gatepost_country_sessions_total\{country="US"\} 3$/m, 'and told to Prometheus');
like($metrics, qr/^gatepost_country_failed_logins_total\{country="unknown"\} 2$/m, 'failed logins, too');
like($metrics, qr/^gatepost_geoip_database_age_seconds\{database="country"\} \d+$/m, 'and how old databases are');
my @databases = @{ $gatepost->ask_json('show geoip') };
is_deeply([map { "$_->{database} $_->{type} $_->{days_old}" } @databases],
    ['country GeoLite2-Country 0', 'asn GeoLite2-ASN 0'], 'an operator sees the databases');
is_deeply($gatepost->ask_json("show geoip $german"), { country => 'DE', continent => 'EU', asn => 64496 },
    'and what they say');
like($gatepost->ask('show geoip here'), qr/is no address/, 'of an address');

# A database of another kind would make everybody unknown.
$gatepost->configure("geoip { country \@DIR\@/asn.mmdb }\n" . $config);
ok(!eval { $gatepost->reload }, 'one of another kind is refused');
ok(scalar $gatepost->log_lines(qr/asn\.mmdb: is a database of another kind, GeoLite2-ASN/), 'which is told');

$gatepost->configure($config);
ok($gatepost->reload, 'without any');
like(log_in('file', $german, 'home'), qr/^a NO \[UNAVAILABLE\]/, 'a user with allow_countries is put off');
ok(eval { $gatepost->wait_for_log(qr/allow_countries cannot be checked: `geoip` has no database of countries/, 20) },
    'the log says why');
like(log_in('file', $german, 'roam'), qr/^a OK/, 'others come');
$gatepost->stop;
done_testing;
