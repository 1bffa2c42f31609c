#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# t/example has a protocol that nobody speaks: one file and one row.  All that
# is above proto/ serves it unchanged: TLS, SASL, trying again, probing, the
# balancers, affinity, the end, the manual.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use File::Basename qw(dirname);
use Gatepost::Cert qw(make_cert);
use Gatepost::Fake qw(refusing_port);
use Gatepost::Gatepost qw(example_program);
use Gatepost::Pop3;
use Gatepost::Port qw(free_port);
use Gatepost::Process qw(read_file test_dir wait_for);
use IO::Socket::INET;
use IO::Socket::SSL;
use MIME::Base64 qw(decode_base64 encode_base64);
use POSIX qw(_exit);
use Test::More;

my $cert = make_cert(names => ['mail.example', '127.0.0.1']);

# --- a server: who has the password pass-NAME is let in, but for "busy"; all it hears goes to a file

sub judge ($user, $password) {
	return 'LATER Not now' if $user eq 'busy';
	return $password eq "pass-$user" ? 'YES Welcome' : "NO I know no $user";
}

sub capabilities ($c) {
	my $list = join '', map { "- $_\r\n" } qw(BAGS LONG XCLIENT NAME), $c->{offers},
	    $c->{secure} ? () : 'GUARD';
	return "${list}YES";
}

my %answers = (
	WHAT => sub ($c, $args) { capabilities($c) },
	LONG => sub ($c, $args) { 'YES' },
	XCLIENT => sub ($c, $args) { 'YES' },
	GUARD => sub ($c, $args) { $c->{starts} = 1; 'YES' },
	NAME => sub ($c, $args) { $c->{user} = $args; 'YES' },
	WORD => sub ($c, $args) { judge($c->{user}, $args) },
	AUTH => sub ($c, $args) {
		my ($response) = $args =~ /^PLAIN (\S+)$/;

		if (!defined $response) {
			print { $c->{socket} } "+ \r\n";
			$response = readline $c->{socket};
			syswrite $c->{record}, $response;
		}
		(undef, $c->{user}, my $password) = split /\0/, decode_base64($response), -1;
		return judge($c->{user}, $password);
	},
	WHO => sub ($c, $args) { "YES $c->{name} $c->{user}" },
	BYE => sub ($c, $args) { print { $c->{socket} } "YES\r\n"; _exit(0) },
);

sub serve ($c) {
	$c->{socket}->autoflush(1);
	print { $c->{socket} } "YES $c->{name}\r\n";
	while (defined(my $line = readline $c->{socket})) {
		syswrite $c->{record}, $line;
		my ($verb, $args) = $line =~ /^(\S+) ?(.*?)\r\n$/;
		my $answer = $answers{$verb // ''};
		print { $c->{socket} } ($answer ? $answer->($c, $args) : 'NO What?'), "\r\n";
		next unless delete $c->{starts};
		IO::Socket::SSL->start_SSL($c->{socket}, SSL_server => 1, SSL_cert_file => $cert,
		    SSL_key_file => $cert) or _exit(1);
		$c->{secure} = 1;
	}
	_exit(0);
}

my %port;
sub start_server ($name, $offers = 'SASL PLAIN') {
	my $listener = IO::Socket::INET->new(Listen => 128, ReuseAddr => 1, LocalAddr => '127.0.0.1',
	    LocalPort => $port{$name} = free_port()) or die "listen: $!";
	open my $record, '>>', test_dir() . "/$name.heard" or die "open: $!";
	return Gatepost::Process->new(name => $name, command => [])->serve_each($listener, sub ($socket) {
		serve({ name => $name, socket => $socket, offers => $offers, record => $record });
	}, sub { syswrite $record, "CONNECTED\n" });
}

sub heard ($name) { return read_file(test_dir() . "/$name.heard") }

start_server($_) for qw(d1 d2 d3);
start_server('old', 'SILVER');		# no SASL

# --- the proxy

my $config = <<'END';
hostname mail.example
tls main { certificate @CERT@ }
default listener { tls main; plaintext_login yes }
farm store { affinity 1h; server d1 { address 127.0.0.1:@D1@ } server d2 { address 127.0.0.1:@D2@ } }
pool satchel { farm store }
listener satchel { bind 127.0.0.1:@PORT{satchel}@; bind_tls 127.0.0.1:@PORT{satchels}@; pool satchel }
listener strict { protocol satchel; bind 127.0.0.1:@PORT{strict}@; plaintext_login no; pool satchel }
pool guarded { protocol satchel; server_tls starttls { verify no }; server d3 { address 127.0.0.1:@D3@ } }
listener guarded { protocol satchel; bind 127.0.0.1:@PORT{guarded}@; pool guarded }
pool least { protocol satchel; balance leastconn
    server d1 { address 127.0.0.1:@D1@ } server d2 { address 127.0.0.1:@D2@ } }
listener least { protocol satchel; bind 127.0.0.1:@PORT{least}@; pool least }
pool old { protocol satchel; server old { address 127.0.0.1:@OLD@ } }
listener old { protocol satchel; bind 127.0.0.1:@PORT{old}@; pool old }
pool dead { protocol satchel; retries 0; queue_timeout 0s; server s { address 127.0.0.1:@NOBODY@ } }
listener dead { protocol satchel; bind 127.0.0.1:@PORT{dead}@; pool dead }
END
my $gatepost = Gatepost::Gatepost->new(program => example_program(), config => $config,
    values => { CERT => $cert, NOBODY => refusing_port(), map { uc $_ => $port{$_} } keys %port })->start;

sub client ($name, %option) {
	return Gatepost::Pop3->new(port => $gatepost->port($name), %option);
}

sub list ($client) { return map { /^- (.*)/ ? $1 : () } $client->cmd('WHAT'), $client->lines_until(qr/^YES/) }

sub log_in ($client, $user, $password = "pass-$user") {
	my $reply = $client->cmd("NAME $user");
	return $reply =~ /^YES/ ? $client->cmd("WORD $password") : $reply;
}

sub plain ($user, $password = "pass-$user") { return encode_base64("\0$user\0$password", '') }

# --- asked once what it can do, before there was a client
wait_for(sub { heard('d3') =~ /BYE\r\n/ }, 10, 'the probe of d3');
is(heard('d3'), "CONNECTED\nWHAT\r\nGUARD\r\nWHAT\r\nBYE\r\n", 'a server is asked once, up to the login');
wait_for(sub { heard($_) =~ /BYE\r\n/ }, 10, "the probe of $_") for qw(d1 d2 old);
is(heard('old'), "CONNECTED\nWHAT\r\nBYE\r\n", 'without TLS where that is not wanted');
is_deeply([list(client('old'))], [qw(BAGS LONG SILVER GUARD NAME), 'SASL PLAIN LOGIN'],
    'its words are offered, less those that are between proxy and server, with the proxy\'s own');

# --- logins
my $client = client('satchel');
is($client->greeting, 'YES mail.example', 'the greeting');
is(log_in($client, 'user1'), 'YES Welcome', 'NAME and WORD');
like($client->cmd('WHO'), qr/^YES d[12] user1$/, 'and then the relay');
my $event = $gatepost->wait_for_event('login', { user => 'user1' });
is($event->{protocol}, 'satchel', 'the access log tells the protocol');

my %heard = map { $_ => heard($_) } qw(d1 d2);
like($heard{d1} . $heard{d2}, qr/^XCLIENT ADDR=127\.0\.0\.1 PORT=\d+ SESSION=\S+ TTL=\d+\r$/m,
    'the server hears of the client');

$client = client('satchels', tls => 1);
is($client->cmd('AUTH PLAIN ' . plain('user2')), 'YES Welcome', 'SASL at once, on TLS from the first byte');
$client = client('satchel');
is($client->cmd('AUTH PLAIN'), '+ ', 'SASL in turns');
is($client->cmd(plain('user3')), 'YES Welcome', 'and the login');
my $long = 'u' x 200;
$client = client('satchel');
is($client->cmd('AUTH PLAIN ' . plain($long)), 'YES Welcome', 'a long name');
like(heard('d1') . heard('d2'), qr/^AUTH PLAIN\r\n[\w+\/=]+\r$/m, 'goes to the server in turns');
is(log_in(client('old'), 'user4'), 'YES Welcome', 'by a server without SASL');
like(heard('old'), qr/^NAME user4\r\nWORD pass-user4\r$/m, 'which hears NAME and WORD');

$client = client('strict');
is(log_in($client, 'user5'), 'NO Say GUARD first.', 'no password before TLS');
is($client->cmd('GUARD'), 'YES On guard.', 'STARTTLS');
$client->start_tls;
is(log_in($client, 'user5'), 'YES Welcome', 'and then it is taken');
is(log_in(client('guarded'), 'user6'), 'YES Welcome', 'TLS with the server, by its command');
like(heard('d3'), qr/GUARD\r\nWHAT\r\nXCLIENT[^\n]+\nAUTH PLAIN/, 'and no password before that');

$client = client('satchel');
$client->send_bytes("LONG\r\nNAME user7\r\nWORD pass-user7\r\nWHO\r\n");
is(join('|', map { $client->line } 1 .. 3), 'YES At length.|YES And the word?|YES Welcome', 'pipelined');
like($client->line, qr/^YES d[12] user7$/, 'with what is for the server');
like(heard('d1') . heard('d2'), qr/LONG\r\nAUTH PLAIN/, 'which hears what the client wished for');

$client = client('satchel');
is(log_in($client, 'user8', 'wrong'), 'NO Wrong name or word.', 'a wrong password, not in the server\'s words');
is(log_in($client, 'busy'), 'LATER No server is to be had.', 'a server that has no time');
is(log_in($client, 'user8'), 'YES Welcome', 'the client may try again');
$client = client('dead');
is(log_in($client, 'user9'), 'LATER No server is to be had.', 'no server at all');
is($client->cmd('PING'), 'YES Pong.', 'and the client stays');

# --- balancing: by users, with affinity, and by connections
my %at;
for my $i (1 .. 60) {
	my $user = 'bound' . $i % 12;
	my $bound = client('satchel');
	log_in($bound, $user);
	my ($server) = $bound->cmd('WHO') =~ /^YES (d\d)/;
	$at{$user}{ $server // 'none' }++;
	$bound->close;
}
is_deeply([grep { keys %{ $at{$_} } != 1 } keys %at], [], 'each user is on one server');
is_deeply([sort keys %{ { map { %$_ } values %at } }], [qw(d1 d2)], 'and all servers are used');
my (@open, %count);
for my $i (1 .. 8) {
	push @open, client('least');
	log_in($open[-1], 'same');
	$count{ ($open[-1]->cmd('WHO') =~ /^YES (d\d)/)[0] }++;
}
is_deeply(\%count, { d1 => 4, d2 => 4 }, 'the one with fewer connections is next');
$_->close for @open;

# --- the end
my $idle = client('satchel');
my $relayed = client('satchel');
log_in($relayed, 'user10');
$gatepost->signal('TERM');
is($idle->rest, "LATER Please come again.\r\n", 'who has not logged in hears the protocol\'s words at the end');
is($relayed->rest, '', 'others, whom the proxy does not understand any more, are let go without');
is($gatepost->wait_for_end(20), 0, 'the end');

# --- the manual, from the row
sub output (@arguments) { return Gatepost::Process::run_command("run$#arguments", [example_program(), @arguments]) }

my (undef, $manual) = output('--document=mdoc');
like($manual, qr/^\.It Ic satchel\nAn example for tests\.\n\.br\nDefaults: .* idle_timeout 7m;.*; port 1999\.$/m,
    'the manual has it');
like($manual, qr/^The proxy's own words: GUARD NAME SASL AUTH=\* X\*\.\n/m, 'with its own words');

# --- nothing else differs: what is linked is the same but for three objects
my $build = dirname($ENV{GATEPOST});
sub files ($program) { return { map { /\bFILE\b.* (\S+)$/ ? ($1 => 1) : () } `readelf -sW $program` } }
# size, kind and name of each symbol, but for those that are made by compilers from others
sub symbols ($program) {
	my @found = map { [/^\w+ (?:(\w+) )?(\w) (\S+)$/] } `nm -S --defined-only $program`;

	return map { (join(' ', map { $_ // '' } @$_) => $_->[2]) }
	    grep { @$_ && $_->[2] !~ /^_sub_|^__odr_asan|\./ } @found;
}

my ($ours, $theirs) = (files($ENV{GATEPOST}), files(example_program()));
is_deeply([grep { !$ours->{$_} } keys %$theirs], ['satchel.c'], 'it is linked of the same files and one more');
is_deeply([grep { !$theirs->{$_} } keys %$ours], [], 'and of no fewer');
my %mine = symbols($ENV{GATEPOST});
my %example = symbols(example_program());
my %may = map { reverse symbols("$build/build/$_") } qw(src/main.o src/proto/protocols.o),
    map { "t/example/$_.o" } qw(main satchel protocols);
cmp_ok(scalar keys %mine, '>', 500, 'which have names');
is_deeply([sort grep { !exists $mine{$_} && !exists $may{ $example{$_} } } keys %example], [],
    'what is in it alone is of its own objects');
is_deeply([sort grep { !exists $example{$_} && !exists $may{ $mine{$_} } } keys %mine], [], 'all else is the same');

done_testing;
