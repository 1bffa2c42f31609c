#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Without memory a client is turned away and a configuration refused, whichever
# allocation is the first that fails; all later ones fail, too.  Nothing is
# left behind, and who is there already is served.  The program is one whose
# malloc refuses (t/allocator/allocator.c, make allocator).
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Cert qw(make_cert);
use Gatepost::Fake;
use Gatepost::Gatepost;
use Gatepost::Imap;
use Gatepost::Process qw(run_command test_dir wait_for write_file);
use IO::Socket::SSL;
use Test::More;

local $ENV{GATEPOST} = $ENV{GATEPOST} =~ s{gatepost$}{build/allocator/gatepost}r;
die "$ENV{GATEPOST} is missing: make allocator\n" if !-x $ENV{GATEPOST};

my $server = Gatepost::Fake->new(name => 'server', script => [[send => "* OK here\r\n"], [expect => qr/NOOP/], [send => "a OK\r\n"], ['hold']])->start;
write_file(test_dir() . '/users', join '', map { "user$_:{PLAIN}secret\n" } 1 .. 20);
my $config = <<'END';
threads 1
tls main { certificate @CERT@ }
tls other { certificate @CERT@; client_ca @CERT@; verify_client optional }
auth file { source file; path @DIR@/users }
farm f { affinity 1h; server a { address 127.0.0.1 }; server b { address 127.0.0.2 } }
pool mail { protocol imap; farm f; port @SERVER@; server_tls starttls { verify no } }
pool tcp { protocol tcp; server s { address 127.0.0.1:@SERVER@ } }
listener plain { protocol imap; bind 127.0.0.1:@PORT{plain}@; plaintext_login yes; starttls off; pool mail; auth file }
listener tls { protocol imap; bind_tls 127.0.0.1:@PORT{tls}@; tls main; pool mail; auth file }
listener header { protocol imap; bind 127.0.0.1:@PORT{header}@; accept_proxy 127.0.0.1; plaintext_login yes; starttls off; pool mail; auth file }
listener tcp { protocol tcp; bind 127.0.0.1:@PORT{tcp}@; pool tcp }
END
my %refusing = (REFUSE_MEMORY => $ENV{REFUSE_MEMORY} // 40);
my $gatepost = Gatepost::Gatepost->new(config => $config, wait => [], env => \%refusing,
    values => { CERT => make_cert(), SERVER => $server->port });
my $refused = qr/out of memory|Cannot allocate memory/;

sub counts ($output) { return scalar(() = $output =~ /$refused/g) }

my ($status, $output) = run_command('check', [$ENV{GATEPOST}, '-t', '-c', $gatepost->{conf}], seconds => 600,
    env => \%refusing);
is($status, 0, '-t fails for lack of memory until it has all it needs');
cmp_ok(counts($output), '>', 100, 'it says so');
like($output, qr/^\Q$gatepost->{conf}\E:\d+:\d+: out of memory$/m, 'and where');
for my $granted (0, 1, 10, 100, 500) {
	($status, $output) = run_command("start-$granted", [@{ $gatepost->{command} }],
	    env => { GRANTED_ALLOCATIONS => $granted });
	is($status >> 8, 1, "a start with $granted allocations fails");
	is(counts($output), 1, 'for lack of memory');
}

$gatepost->start;

# How a client comes in to where it can speak; undef: it cannot.
my %enter = (
	plain => sub ($socket) { return $socket },
	tls => sub ($socket) { return IO::Socket::SSL->start_SSL($socket, SSL_verify_mode => 0) },
	header => sub ($socket) { return print($socket "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n") && $socket },
	tcp => sub ($socket) { return $socket },
);

# It may have heard the greeting already: only an answer shows that it may stay.
sub is_served ($socket) {
	print $socket "a NOOP\r\n";
	return (scalar(<$socket>) // '') =~ /^\* OK/ && (scalar(<$socket>) // '') =~ /^a OK/;
}

# Connects until it is served; returns how often it was turned away, and who serves it.
sub visit_until_served ($name) {
	for my $turned_away (0 .. 500) {
		my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $gatepost->port($name))
		    or die "connect: $!";
		my $inside = $enter{$name}->($socket);
		return ($turned_away, $inside) if $inside && is_served($inside);
	}
	die "$name never serves";
}

# A visit of each kind; every client has its end in the log.
sub visit_all ($checks) {
	for my $name (sort keys %enter) {
		my $before = () = $gatepost->events('session');
		my ($turned_away, $socket) = visit_until_served($name);
		close $socket;
		my @sessions = @{ wait_for(sub {
			my @all = $gatepost->events('session');
			return @all == $before + $turned_away + 1 ? \@all : undef;
		}, 10, 'the sessions of all') };
		next if !$checks;
		my ($refused) = ($gatepost->log_lines(qr/a client of $name was served/))[-1] =~ /(\d+) were refused/;
		my $told = grep { $_->{reason} eq 'out of memory' } @sessions[$before .. $#sessions];

		cmp_ok($turned_away, '>', 0, "$name: a client without memory is turned away ($turned_away times)");
		is($told, $turned_away, "$name: each is told in the log");
		is($refused, (grep { $_->{listener} eq $name && $_->{reason} eq 'out of memory' } @sessions),
		    "$name: and counted");
	}
	return $gatepost->fd_count;
}

# The first visits open what stays open.
my $descriptors = visit_all(0);
visit_all(1);
ok(wait_for(sub { $gatepost->fd_count <= $descriptors }, 10, 'descriptors to come back'), 'no descriptor is left');

my (undef, $socket) = visit_until_served('plain');
my $before = $gatepost->fd_count;
$gatepost->configure("$config\nlistener new { protocol tcp; bind 127.0.0.1:\@PORT{new}\@; pool tcp }");
$gatepost->signal('HUP');
my ($tries) = $gatepost->wait_for_log(qr/reloaded with/, 300) =~ /try (\d+)/;
my $failed = () = $gatepost->log_lines(qr/reload failed, nothing changed/);
# once all is read and judged, what is refused may be had from the spare
my $taken = () = $gatepost->log_lines(qr/reloaded: /);
cmp_ok($failed, '>', 100, 'a reload fails until it has all it needs');
is($failed + $taken, $tries, 'each time it is told how it went');
$gatepost->wait_for_port('new');
wait_for(sub { $gatepost->fd_count <= $before + 2 }, 10, 'descriptors of the new listener only');
print $socket "a NOOP\r\n";
like(scalar <$socket>, qr/^a OK/, 'who was there before is served');
close $socket;
(undef, $socket) = visit_until_served('plain');
ok($socket, 'and who comes then');

$gatepost->stop;
done_testing;
