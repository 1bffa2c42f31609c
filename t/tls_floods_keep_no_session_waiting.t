#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Hundreds of clients say hello to TLS in the same moment: each has its turn,
# whole handshakes among them get through, from the first byte and behind
# STARTTLS; who has left meanwhile costs none.  What an established session
# waits for its answers is printed.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Cert qw(make_cert);
use Gatepost::Fake;
use Gatepost::Gatepost;
use Gatepost::Imap;
use Gatepost::Process qw(raise_descriptors wait_for);
use IO::Select;
use IO::Socket::INET;
use IO::Socket::SSL ();
use POSIX qw(_exit);
use Test::More;
use Time::HiRes qw(sleep time);

my ($hellos, $leavers, $whole) = (300, 100, 12);
raise_descriptors(2048);
my $fake = Gatepost::Fake->new(name => 'server', script => [
	[send => "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] ready\r\n"],
	[expect => qr/^(\S+) AUTHENTICATE[^\r\n]*\r\n/m], [send => sub ($tag) { "$tag OK in\r\n" }],
	map({ ([expect => qr/^(\S+) NOOP\r\n/m], [send => sub ($tag) { "$tag OK\r\n" }]) } 1 .. 5000), ['hold'],
])->start;
my $gatepost = Gatepost::Gatepost->new(values => { SERVER => $fake->port, CERT => make_cert(kind => 'rsa') },
    config => <<'END')->start;
stress auto
threads 1
tls main { certificate @CERT@ }
pool imap { port @SERVER@; server s1 { address 127.0.0.1 } }
admin { http 127.0.0.1:@PORT{metrics}@ }
default listener { protocol imap; pool imap; tls main }
listener imap { bind 127.0.0.1:@PORT{imap}@; plaintext_login yes }
listener imaps { bind_tls 127.0.0.1:@PORT{imaps}@ }
END

# What a client says first.
sub record_hello () {
	my $listener = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1') // die "listen: $!";
	my $pid = fork // die "fork: $!";

	if ($pid == 0) {
		IO::Socket::SSL->new(PeerAddr => '127.0.0.1', PeerPort => $listener->sockport, SSL_verify_mode => 0);
		_exit(0);
	}
	sysread $listener->accept, my $hello, 16_384;
	waitpid $pid, 0;
	return $hello;
}

sub metric ($name) {
	my $http = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $gatepost->port('metrics')) or die "connect: $!";

	print {$http} "GET /metrics HTTP/1.0\r\n\r\n";
	local $/;
	return (<$http> // '') =~ /^\Q$name\E (\d+)$/m ? $1 : undef;
}

# A child that does a whole handshake and logs in; its exit status tells.
sub whole_client ($is_starttls) {
	my $pid = fork // die "fork: $!";

	return $pid if $pid != 0;
	my $ok = eval {
		my $client = Gatepost::Imap->new($is_starttls ? (port => $gatepost->port('imap'))
		    : (port => $gatepost->port('imaps'), tls => 1), timeout => 60);
		$client->starttls if $is_starttls;
		$client->cmd('LOGIN u p') =~ / OK/;
	};
	_exit($ok ? 0 : 1);
}

my $user = Gatepost::Imap->new(port => $gatepost->port('imap'));
like($user->cmd('LOGIN u p'), qr/ OK/, 'a session is established');
# The children have its context of TLS, which is dear to make.
Gatepost::Imap->new(port => $gatepost->port('imaps'), tls => 1)->close;
my $hello = record_hello();
is(metric('gatepost_tls_handshakes_waiting'), 0, 'nobody waits for TLS');

my @clients = map { IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $gatepost->port('imaps')) // die "connect: $!" }
    1 .. $hellos;
my @children = map { whole_client($_ % 2) } 1 .. $whole;
syswrite $_, $hello for @clients;
close $_ for splice @clients, -$leavers;

my $select = IO::Select->new(@clients);
my ($answered, @times) = (0);
my $deadline = time + 60;
while ($select->count > 0 && time < $deadline) {
	my $start = time;
	$user->cmd('NOOP');
	push @times, (time - $start) * 1000;
	for my $socket ($select->can_read(0.002)) {
		sysread $socket, my $answer, 1;
		$answered++ if ($answer // '') eq "\x16";
		$select->remove($socket);
	}
}
is($answered, $hellos - $leavers, 'all who say hello are answered');
waitpid($_, 0) && push @children, $? for splice @children;
is_deeply(\@children, [(0) x $whole], 'whole handshakes among them get through');
cmp_ok(metric('gatepost_tls_handshakes_paced_total'), '>', 0, 'they have waited for their turns');
is(metric('gatepost_tls_handshakes_waiting'), 0, 'nobody does any more');
@times = sort { $a <=> $b } @times;
diag(sprintf 'answers to the session meanwhile: %d, p50 %.1f ms, p99 %.1f ms', scalar @times,
    $times[@times / 2], $times[@times * 0.99]);
close $_ for @clients;
ok(eval { wait_for(sub { (() = grep { $_->{reason} eq 'TLS failed' } $gatepost->events('session')) >= $hellos }, 20, 'the end of all') },
    'all that gave up are gone') or diag($@);
like($user->cmd('NOOP'), qr/ OK/, 'the session lives');
$gatepost->stop;

# Who was kept waiting has its whole time from its turn on: the costliest step would else be for those who go.
my ($timeout, $pause) = (6, 3);
$gatepost = Gatepost::Gatepost->new(name => 'late', values => { SERVER => $fake->port, CERT => make_cert(kind => 'rsa'),
    TIMEOUT => $timeout }, config => <<'END')->start;
threads 1
stress off
admin { http 127.0.0.1:@PORT{metrics}@ }
tls main { certificate @CERT@ }
pool imap { port @SERVER@; server s1 { address 127.0.0.1 } }
listener imap { protocol imap; pool imap; tls main; bind_tls 127.0.0.1:@PORT{imaps}@; login_timeout @TIMEOUT@s }
END
sub connect_to_imaps () {
	return IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $gatepost->port('imaps')) // die "connect: $!";
}
my @others = map { connect_to_imaps() } 1 .. 400;
my $late = IO::Socket::SSL->start_SSL(connect_to_imaps(), SSL_verify_mode => 0, SSL_startHandshake => 0);
my $begun = time;
$late->blocking(0);
syswrite $_, $hello for @others[0 .. 199];
$late->connect_SSL;
syswrite $_, $hello for @others[200 .. 399];
wait_for(sub { metric('gatepost_tls_handshakes_waiting') > 200 }, 20, 'a queue which it is in');
kill STOP => $gatepost->{pid};
sleep $pause;
kill CONT => $gatepost->{pid};
ok(IO::Select->new($late)->can_read($timeout), 'one who was kept waiting has its turn');
sleep $begun + $timeout + 0.5 - time;
my $greeting = '';
ok(eval { wait_for(sub {
	sysread $late, $greeting, 1024, length $greeting if $late->connect_SSL;
	$greeting =~ /\n/;
}, 20, 'the greeting') }, 'and as much time as if it had not been') or diag($@);
like($greeting, qr/^\* OK/, 'it is greeted');
$gatepost->stop;
done_testing;
