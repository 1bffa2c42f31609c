#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# A source by HTTP that refuses connections, hangs, drips, talks garbage,
# sends too much or breaks off: its clients hear of a temporary failure in
# time, others are not held up, and it is believed again at once when it
# works.  Of several URLs another one answers.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Dnsmasq;
use Gatepost::Fake qw(refusing_port);
use Gatepost::Gatepost;
use Gatepost::HttpAuth;
use Gatepost::Imap;
use Gatepost::Port qw(own_address);
use Gatepost::Process qw(raise_descriptors test_dir wait_for write_file);
use Test::More;
use Time::HiRes qw(time);

use constant { CROWD => 100, MANY => 1000 };

my $dir = test_dir();
raise_descriptors(4096);
my $refusing = refusing_port();
my $back = Gatepost::Fake->new(name => 'back', script => [
    [send => "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] ready\r\n"],
    [expect => qr/^(\S+) AUTHENTICATE[^\r\n]*\r\n/m],
    [send => sub ($tag) { "$tag OK [CAPABILITY IMAP4rev1] in\r\n" }], ['hold']])->start;
write_file("$dir/users", "local:{PLAIN}x\n");

my %ok = ('Auth-Status' => 'OK', 'Auth-Server' => '127.0.0.1', 'Auth-Port' => $back->port);
my $good = join '', 'HTTP/1.1 200 OK', map { "\r\n$_: $ok{$_}" } sort keys %ok;
my $later = qr/^a001 NO \[UNAVAILABLE\]/;
my $in = qr/^a001 OK /;

# What the source does about a user of the name, and what the client hears.
my %behaviours = (
	good => [$in, { headers => {%ok} }],
	error500 => [$in, { status => '500 Oops', headers => {%ok} }],
	unframed => [$in, { raw => "$good\r\n\r\n" }],
	longenough => [$in, { headers => { %ok, map { ("X-$_" => 'y' x 1000) } 1 .. 40 }, body => 'x' x 60_000 }],
	slow => [$in, { headers => {%ok}, after => 1 }],
	refused => [qr/^a001 NO \[(?!UNAVAILABLE).*No such user/, { headers => { 'Auth-Status' => 'No such user' } }],
	nothing => [$later, { headers => { 'Auth-Server' => '127.0.0.1', 'Auth-Port' => $back->port } }],
	empty => [$later, { headers => { %ok, 'Auth-Status' => '' } }],
	badport => [$later, { headers => { %ok, 'Auth-Port' => '99999' } }],
	control => [$later, { headers => { %ok, 'Auth-User' => "a\x01b" } }],
	folded => [$later, { raw => "$good\r\nX-A: b\r\n c\r\nContent-Length: 0\r\n\r\n" }],
	failed500 => [$later, { status => '500 Oops' }],
	limited429 => [$later, { status => '429 Too Many' }],
	garbage => [$later, { raw => "\x00\xff garbage\r\n\r\n", close => 1 }],
	noreply => [$later, { raw => '', close => 1 }],
	midheader => [$later, { raw => "$good\r\n", close => 1 }],
	midbody => [$later, { raw => "$good\r\nContent-Length: 100\r\n\r\nabc", close => 1 }],
	megabyte => [$later, { headers => {%ok}, body => 'x' x 1_048_576 }],
	longheaders => [$later, { headers => { %ok, map { ("X-$_" => 'y' x 1000) } 1 .. 100 } }],
	hang => [$later, { hang => 1 }],
	drip => [$later, { headers => { %ok, 'X-Long' => 'z' x 400 }, drip => 1 }],
);
sub judge ($request) {
	my $user = $request->{headers}{'auth-user'};

	return { hang => 1 } if $user =~ /^crowd/;
	return { headers => { 'Auth-Status' => 'slowly' }, after => 1 } if $user =~ /^many/;
	if ($user eq 'waits') {		# until it was asked a third time
		open my $file, '>>', "$dir/waits" or die "$!\n";
		syswrite $file, 'x';
		return { headers => { 'Auth-Status' => 'WAIT', 'Auth-Wait' => 1 } } if -s "$dir/waits" < 3;
		return { headers => {%ok} };
	}
	return $behaviours{$user}[1] // die "no $user\n";
}
my $source = Gatepost::HttpAuth->new(name => 'source', answer => \&judge)->start;
my $second = Gatepost::HttpAuth->new(name => 'second', path => "$dir/second.sock", answer => \&judge)->start;
my $moved = own_address(1);
my $silent = own_address(2);
my $third = Gatepost::HttpAuth->new(name => 'third', address => $moved, port => $source->port,
    answer => \&judge)->start;

my $names = Gatepost::Dnsmasq->new(name => 'names', records => ['local-ttl=0', 'host-record=auth.test,127.0.0.1',
    "host-record=both.test,$silent", 'host-record=both.test,127.0.0.1'])->start;
my $gatepost = Gatepost::Gatepost->new(limits => { nofile => '8192:' }, values => { SOURCE => $source->port,
    REFUSING => $refusing, NAMES => $names->port, BACK => $back->port }, config => <<'END')->start;
threads 1
nameservers 127.0.0.1:@NAMES@
auth web { source http; url http://127.0.0.1:@SOURCE@/auth?x=1; timeout 2s }
auth patient { source http; url http://127.0.0.1:@SOURCE@/patient; timeout 2m }
auth gone { source http; url http://127.0.0.1:@REFUSING@/ }
auth several {
    source http; timeout 4s
    url http://127.0.0.1:@REFUSING@/ http://127.0.0.1:@SOURCE@/
    url unix:@DIR@/second.sock:/second
}
auth named { source http; url http://auth.test:@SOURCE@/named }
auth both { source http; url http://both.test:@SOURCE@/both }
auth unknown { source http; url http://nobody.test:@SOURCE@/ }
auth staff { source file; path @DIR@/users }
pool imap { login trusted; server s { address 127.0.0.1:@BACK@ } }
default listener { protocol imap; starttls off; plaintext_login yes; pool imap; max_errors 50 }
listener web { bind 127.0.0.1:@PORT{web}@; auth web }
listener patient { bind 127.0.0.1:@PORT{patient}@; auth patient }
listener gone { bind 127.0.0.1:@PORT{gone}@; auth gone }
listener several { bind 127.0.0.1:@PORT{several}@; auth several }
listener named { bind 127.0.0.1:@PORT{named}@; auth named }
listener both { bind 127.0.0.1:@PORT{both}@; auth both }
listener unknown { bind 127.0.0.1:@PORT{unknown}@; auth unknown }
listener staff { bind 127.0.0.1:@PORT{staff}@; auth staff }
END

sub client ($listener) { return Gatepost::Imap->new(port => $gatepost->port($listener), timeout => 60) }

sub log_in ($listener, $user, $password = 'secret') {
	my $client = client($listener);
	my $reply = ($client->cmd("LOGIN $user $password"))[-1];

	$client->close;
	return $reply;
}

# Has nothing come yet?
sub is_silent ($client) {
	my $ready = '';
	vec($ready, fileno $client->{socket}, 1) = 1;
	return select($ready, undef, undef, 0) == 0;
}

for my $name (sort keys %behaviours) {
	like(log_in('web', $name), $behaviours{$name}[0], "$name: the client hears what it should");
	like(log_in('web', 'good'), $in, "$name: the next one gets in");
}
my @asked = grep { $_->{headers}{'auth-user'} eq 'good' } $source->requests;
my %connections = map { $_->{connection} => 1 } @asked;
cmp_ok(scalar keys %connections, '<', @asked, 'connections are kept')
    or diag(join ' ', map { $_->{connection} } @asked);

# WAIT
like(log_in('web', 'waits'), $in, 'a source that says WAIT is asked again');
is_deeply([map { $_->{headers}{'auth-login-attempt'} } grep { $_->{headers}{'auth-user'} eq 'waits' }
    $source->requests], [1, 1, 1], 'which counts as no other attempt');

# Another URL answers.
like(log_in('gone', 'good'), $later, 'refused: a temporary failure');
$gatepost->wait_for_log(qr/auth gone: http:\S+: Connection refused/);
like(log_in('several', 'good'), $in, 'the second URL answers');
is(scalar($second->requests), 0, 'the third was not asked');
like(log_in('several', 'failed500'), $later, 'all that work fail');
is(scalar(@asked = $second->wait_for_requests(1)), 1, 'the third was asked, too');
is($asked[0]{headers}{host}, 'localhost', 'by a unix socket');
is($asked[0]{uri}, '/second', 'for its path');
like(log_in('several', 'hang'), $later, 'all that work hang: a temporary failure');

# Names
like(log_in('unknown', 'good'), $later, 'a name that there is not');
$gatepost->wait_for_log(qr/auth unknown: .*nobody\.test/);
like(log_in('named', 'good'), $in, 'a name that there is');
is(scalar($third->requests), 0, 'its new address is not known yet');
$names->change('local-ttl=0', "host-record=auth.test,$moved", "host-record=both.test,$silent",
    'host-record=both.test,127.0.0.1');
wait_for(sub { log_in('named', 'good') =~ $in && $third->requests > 0 }, 20, 'the new address to be asked');
is(($third->requests)[0]{headers}{host}, 'auth.test', 'by its name');
like(log_in('both', 'good'), $in, "of two addresses one refuses ($_)") for 1 .. 4;

# A crowd waits for what hangs.
my @crowd = map { client('patient') } 1 .. CROWD;
$crowd[$_]->send_bytes("a001 LOGIN crowd$_ x\r\n") for 0 .. $#crowd;
$source->wait_for_requests(CROWD + grep { $_->{uri} ne '/patient' } $source->requests);
like(log_in('staff', 'local', 'x'), $in, 'users of another source get in');
is(scalar(grep { is_silent($_) } @crowd), CROWD, 'while a crowd waits for a source that hangs');
ok($gatepost->reload, 'and the configuration is read anew');
$crowd[$_]->close for 1 .. CROWD / 2;
$source->kill_now;
like($crowd[$_]->line, $later, "client $_ hears that it is gone") for 0, CROWD / 2 + 1 .. CROWD - 1;
$_->close for @crowd;
like(log_in('web', 'good'), $later, 'nobody gets in');
$source->start;
like(log_in('web', 'good'), $in, 'at once when it works again');
like(log_in('patient', 'good'), $in, 'whoever names it');

# Many at once, each of whom it makes wait.
my @many = map { client('patient') } 1 .. MANY;
my $began = time;
$many[$_]->send_bytes("a001 LOGIN many$_ x\r\n") for 0 .. $#many;
my @heard = map { $_->line } @many;
diag sprintf '%d logins at a source that answers after 1 s: %.2f s', MANY, time - $began;
is(scalar(grep { /^a001 NO .*slowly/ } @heard), MANY, 'all have their answer');
$_->close for @many;

like(log_in('web', 'good'), $in, 'and all is well');
unlike($gatepost->log_text, qr/secret/, 'no password in the log');
$gatepost->stop;
done_testing;
