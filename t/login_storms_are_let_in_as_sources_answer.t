#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Clients by the thousand log in at once after their Dovecot has restarted,
# whose auth they are judged by, too: all are in in the end, nobody hears that
# the password is wrong, and neither the auth source nor the server gets
# them all at once.  How long it takes is printed.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Dovecot;
use Gatepost::Gatepost;
use Gatepost::HttpAuth;
use Gatepost::Imap;
use Gatepost::Process qw(raise_descriptors read_file test_dir wait_for write_file);
use IO::Poll qw(POLLIN POLLHUP POLLERR);
use IO::Socket::INET;
use Test::More;
use Time::HiRes qw(time);

plan skip_all => 'needs root' if $> != 0;
my $clients = $ENV{STORM_CLIENTS} // 2000;
raise_descriptors(4 * $clients);

my $dovecot = Gatepost::Dovecot->new(name => 'd', auth => 1, users => $clients,
    settings => "default_client_limit = 8000\n")->start;
# Judges each login for a while, and writes down how many it has at once; broken while a file says so.
my $http = Gatepost::HttpAuth->new(name => 'judge', answer => sub ($request) {
	return { status => '503 Busy' } if -e test_dir() . '/broken';
	return { headers => { 'Auth-Status' => 'OK' }, after => 0.02 };
})->start;

my $gatepost = Gatepost::Gatepost->new(values => { SERVER => $dovecot->port, SOCKET => $dovecot->auth_socket,
    HTTP => $http->port, CLIENTS => 3 * $clients }, config => <<'END')->start;
max_connections @CLIENTS@
auth dovecot { source dovecot; socket unix:@SOCKET@; timeout 60s }
auth http { source http; url http://127.0.0.1:@HTTP@/; timeout 60s }
pool imap { server d { address 127.0.0.1:@SERVER@ }; max_connections 100; queue_timeout 5m; retries 100; login_timeout 5m }
admin { http 127.0.0.1:@PORT{metrics}@ }
default listener { protocol imap; pool imap; starttls off; plaintext_login yes; login_timeout 10m }
listener dovecot { bind 127.0.0.1:@PORT{dovecot}@; auth dovecot }
listener http { bind 127.0.0.1:@PORT{http}@; auth http }
END

# Connects them all, waits for their greetings; port => sockets with their input.
sub connect_all ($port, $count) {
	my @all = map { { socket => IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port) // die("connect: $!"),
	    in => '', user => $_ } } 1 .. $count;
	await_lines(\@all, qr/^\* OK/, 60);
	return @all;
}

# Reads until each has a line like this; on_line is told of each of the others.
sub await_lines ($all, $pattern, $seconds, $on_line = sub ($client, $line) { }) {
	my $poll = IO::Poll->new;
	my %by_fd = map { fileno $_->{socket} => $_ } @$all;
	my $deadline = time + $seconds;

	$poll->mask($_->{socket} => POLLIN) for @$all;
	while (%by_fd && time < $deadline) {
		$poll->poll(1);
		for my $socket ($poll->handles(POLLIN | POLLHUP | POLLERR)) {
			my $client = $by_fd{fileno $socket} or next;

			$client->{ended} = 1 unless sysread $socket, $client->{in}, 65_536, length $client->{in};
			while ($client->{in} =~ s/^([^\n]*\n)//) {
				my $line = $1;
				if ($line =~ $pattern) {
					$client->{is_done} = 1;
				} else {
					$on_line->($client, $line);
				}
			}
			next unless $client->{is_done} || $client->{ended};
			delete $client->{is_done};
			delete $by_fd{fileno $socket};
			$poll->remove($socket);
		}
	}
	return scalar keys %by_fd;
}

sub say_to ($client, $line) { syswrite $client->{socket}, $line }

# All log in at once; who hears that it is for now tries again, who is in says goodbye.
sub storm ($all, $after_asking = sub { }) {
	my %result = (in => 0, heard => {});
	my $log_in = sub ($client) { say_to($client, "a LOGIN user$client->{user} pass-$client->{user}\r\n") };

	$log_in->($_) for @$all;
	$after_asking->();
	my $start = time;
	$result{left} = await_lines($all, qr/^b OK/, 300, sub ($client, $line) {
		if ($line =~ /^a OK/) {
			$result{in}++;
			say_to($client, "b LOGOUT\r\n");
		} elsif ($line =~ /^a (\S+ \[?\w*)/) {
			$result{heard}{$1}++;
			$log_in->($client);
		}
	});
	$result{took} = time - $start;
	close $_->{socket} for @$all;
	return \%result;
}

sub is_good_for ($result, $count, $name) {
	my $heard = $result->{heard};

	is($result->{in}, $count, "$name: all get in");
	is(join(' ', grep { /AUTHENTICATIONFAILED|BAD/ } keys %$heard), '', 'nobody hears that the password is wrong');
	diag(sprintf '%s: %d clients in %.1f s; put off: %s', $name, $count, $result->{took},
	    join(', ', map { "$_ $heard->{$_}" } sort keys %$heard) || 'nobody');
}

# How many questions have waited, of an auth block.
sub queued ($block) {
	my ($line) = grep { /^gatepost_auth_queued_total\{.*"\Q$block\E"/ } split /\n/, metrics();
	return $line =~ /(\d+)$/ ? $1 : 0;
}

sub metrics () {
	my $http = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $gatepost->port('metrics')) or die "connect: $!";

	print {$http} "GET /metrics HTTP/1.0\r\n\r\n";
	local $/;
	return scalar(<$http>) // '';
}

my @all = connect_all($gatepost->port('dovecot'), $clients);
$dovecot->kill_now;		# with its auth, which a polite end would leave to those who ask it
unlink "$dovecot->{dir}/run/master.pid";
ok(eval { $gatepost->wait_for_log(qr/auth dovecot: unix:/, 20) }, 'the auth source is gone') or diag($@);
is_good_for(storm(\@all, sub { $dovecot->start }), $clients, 'after a restart of Dovecot');
cmp_ok(queued('dovecot'), '>', 0, 'it was not asked about all of them at once');

# One that fails for a while, and then judges slowly.
@all = connect_all($gatepost->port('http'), 100);
write_file(test_dir() . '/broken', '');
my ($put_off, @rest) = @all;
say_to($put_off, "a LOGIN user1 pass-1\r\n");
is(await_lines([$put_off], qr/^a NO \[UNAVAILABLE\]/, 60), 0, 'a client is put off while the source fails');
unlink test_dir() . '/broken';
is_good_for(storm(\@rest), scalar @rest, 'after failures of a slow source');
cmp_ok(queued('http'), '>', 0, 'nor was that');
$gatepost->stop;
done_testing;
