#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Ten thousand sessions of several protocols, ended in every way there is,
# leave no descriptor and no byte: that is seen in malloc's own counters (make
# allocator), OpenSSL's and libev's part included.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Cert qw(make_cert);
use Gatepost::Fake;
use Gatepost::Gatepost;
use Gatepost::Port qw(free_port);
use Gatepost::Process qw(wait_for);
use IO::Select;
use IO::Socket::SSL;
use MIME::Base64 qw(encode_base64);
use POSIX qw(_exit);
use Socket qw(SOL_SOCKET SO_LINGER);
use Test::More;

local $ENV{GATEPOST} = $ENV{GATEPOST} =~ s{gatepost$}{build/allocator/gatepost}r;
die "$ENV{GATEPOST} is missing: make allocator\n" if !-x $ENV{GATEPOST};

use constant { SESSIONS => 10_000, CLIENTS => 4, ROUNDS_FIRST => 3 };

# One process that is both servers; what it answers ends with where it stops listening.
my %greeting = (imap => "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] here\r\n", pop3 => "+OK here\r\n");
my $good = encode_base64("\0bob\0good", '');
my @answers = (
	[qr/^(\S+) AUTHENTICATE PLAIN \Q$good\E\r/i => sub ($tag) { "$tag OK in\r\n" }],
	[qr/^(\S+) AUTHENTICATE/i => sub ($tag) { "$tag NO wrong\r\n" }],
	[qr/^(\S+) LOGOUT/i => sub ($tag) { "* BYE\r\n$tag OK done\r\n" }, 'close'],
	[qr/^(\S+) LOSE/i => sub ($tag) { '' }, 'reset'],
	[qr/^(\S+) NOOP/i => sub ($tag) { "$tag OK done\r\n" }],
	[qr/^CAPA/i => sub (@) { "+OK\r\nUSER\r\n.\r\n" }],
	[qr/^USER/i => sub (@) { "+OK\r\n" }],
	[qr/^PASS good/i => sub (@) { "+OK in\r\n" }],
	[qr/^PASS/i => sub (@) { "-ERR wrong\r\n" }],
	[qr/^QUIT/i => sub (@) { "+OK bye\r\n" }, 'close'],
);

sub reset_on_close ($socket) { return setsockopt $socket, SOL_SOCKET, SO_LINGER, pack 'ii', 1, 0 }

sub answer ($socket, $line) {
	for my $row (@answers) {
		my ($pattern, $text, $end) = @$row;
		my @captured = $line =~ $pattern or next;
		syswrite $socket, $text->($captured[0]);
		reset_on_close($socket) if ($end // '') eq 'reset';
		return !defined $end;
	}
	syswrite $socket, "* BAD $line";
	return 1;
}

sub serve_all (%listening) {
	my $select = IO::Select->new(values %listening);
	my %name = map { fileno($listening{$_}) => $_ } keys %listening;

	while (1) {
		for my $socket ($select->can_read) {
			if (my $name = $name{fileno $socket}) {
				my $client = $socket->accept or next;
				$select->add($client);
				syswrite $client, $greeting{$name};
				next;
			}
			my $goes_on = sysread $socket, my $lines, 4096;
			$goes_on &&= answer($socket, $_) for split /(?<=\n)/, $lines // '';
			next if $goes_on;
			$select->remove($socket);
			close $socket;
		}
	}
}

my %port = map { $_ => free_port() } keys %greeting;
my %listening = map { $_ => IO::Socket::INET->new(Listen => 1024, LocalAddr => '127.0.0.1',
    LocalPort => $port{$_}, ReuseAddr => 1) // die "listen: $!" } keys %greeting;
my $server = Gatepost::Process->new(name => 'servers');
my $pid = fork // die "fork: $!";
serve_all(%listening) if $pid == 0;
$server->adopt($pid);
close $_ for values %listening;

my $gatepost = Gatepost::Gatepost->new(config => <<'END', values => { CERT => make_cert(), map { uc } %port })->start;
tls main { certificate @CERT@ }
pool imap { protocol imap; server s { address 127.0.0.1:@IMAP@ } }
pool pop3 { protocol pop3; server s { address 127.0.0.1:@POP3@ } }
pool tcp { protocol tcp; server s { address 127.0.0.1:@IMAP@ } }
default listener { tls main; plaintext_login yes; max_errors 3 }
listener imap { protocol imap; bind 127.0.0.1:@PORT{imap}@; bind_tls 127.0.0.1:@PORT{imaps}@; pool imap }
listener pop3 { protocol pop3; bind 127.0.0.1:@PORT{pop3}@; pool pop3 }
listener tcp { protocol tcp; bind 127.0.0.1:@PORT{tcp}@; pool tcp }
END

sub reach ($name) {
	my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $gatepost->port($name))
	    or die "connect: $!";
	my $greeting = <$socket> if $name ne 'imaps';
	return $socket;
}

# Says LINE, reads up to a line that matches.
sub ask ($socket, $line, $pattern) {
	print $socket "$line\r\n";
	while (my $answer = <$socket>) {
		return if $answer =~ $pattern;
	}
	die "no $pattern after $line";
}

sub read_out ($socket) {
	1 while <$socket>;
	return;
}

sub log_in ($socket) { return ask($socket, 'a LOGIN bob good', qr/^a OK/) }

# Each way a session goes, how often of 100, and what the log says is the reason of its end.
my @ways = (
	[20, 'login, logout' => sub { my $s = reach('imap'); log_in($s); ask($s, 'b LOGOUT', qr/^b OK/); read_out($s) }],
	[10, 'POP3' => sub {
		my $s = reach('pop3');
		ask($s, 'USER bob', qr/^\+OK/);
		ask($s, 'PASS good', qr/^\+OK/);
		ask($s, 'QUIT', qr/^\+OK/);
		read_out($s);
	}],
	[15, 'wrong password, then gone' => sub { ask(reach('imap'), 'a LOGIN bob bad', qr/^a NO/) }],
	[15, 'gone before the login' => sub { reach('imap') }],
	[5, 'reset before the login' => sub { reset_on_close(reach('pop3')) }],
	[10, 'reset in the relay' => sub { my $s = reach('imap'); log_in($s); reset_on_close($s) }],
	[10, 'server lost' => sub { my $s = reach('imap'); log_in($s); print $s "b LOSE\r\n"; read_out($s) }],
	[5, 'too many errors' => sub { my $s = reach('imap'); print $s "a BAD\r\n" x 3; read_out($s) }],
	[5, 'tcp' => sub { my $s = reach('tcp'); ask($s, 'a NOOP', qr/^a OK/) }],
	[2, 'STARTTLS, login, logout' => sub {
		my $s = reach('imap');
		ask($s, 'a STARTTLS', qr/^a OK/);
		IO::Socket::SSL->start_SSL($s, SSL_verify_mode => 0) or die 'no TLS';
		log_in($s);
		ask($s, 'b LOGOUT', qr/^b OK/);
	}],
	[2, 'TLS, login, reset' => sub {
		my $s = IO::Socket::SSL->start_SSL(reach('imaps'), SSL_verify_mode => 0) or die 'no TLS';
		log_in($s);
		reset_on_close($s);
	}],
	[1, 'TLS handshake broken off' => sub { my $s = reach('imaps'); print $s "\x16\x03\x01" }],
);

my $visited = 0;

# Sessions in CLIENTS processes at once, and all of them over.
sub visit ($rounds) {
	my @pids;

	for (1 .. CLIENTS) {
		my $pid = fork // die "fork: $!";
		if ($pid == 0) {
			for (1 .. $rounds) {
				for my $way (@ways) {
					$way->[2]->() for 1 .. $way->[0];
				}
			}
			_exit(0);
		}
		push @pids, $pid;
	}
	for my $pid (@pids) {
		waitpid $pid, 0;
		die "a client failed\n" if $? != 0;
	}
	$visited += $rounds * CLIENTS * 100;
	wait_for(sub { $gatepost->event_lines('session') >= $visited }, 60, 'the end of all sessions');
	return;
}

# Descriptors, and what malloc has given.
sub holds () {
	my $before = () = $gatepost->log_lines(qr/^allocated: /);
	$gatepost->signal('USR1');
	my $line = $gatepost->wait_for_log(qr/^allocated: /, 10, $before + 1);
	return $gatepost->fd_count . " descriptors, $line";
}

# Lines of the log are on their way for a while.
sub holds_at_rest () {
	my $last = '';
	return wait_for(sub {
		my $now = holds();
		my $is_same = $now eq $last;
		$last = $now;
		select undef, undef, undef, 0.1;
		return $is_same ? $now : undef;
	}, 20, 'what it holds to stay the same');
}

$visited = () = $gatepost->event_lines('session');
visit(ROUNDS_FIRST);
my ($descriptors, $blocks, $bytes) = holds_at_rest() =~ /(\d+)/g;
visit(SESSIONS / 100 / CLIENTS);
my ($descriptors_then, $blocks_then, $bytes_then) = holds_at_rest() =~ /(\d+)/g;
is($descriptors_then, $descriptors, SESSIONS . ' sessions leave no descriptor');
# the arrays of a loop grow with the most that is ever open at once; the rarest way is gone a hundred times
cmp_ok(abs($blocks_then - $blocks), '<', 20, 'no block of memory');
cmp_ok(abs($bytes_then - $bytes), '<', 4096, 'and no byte');
my %reasons;
$reasons{$_->{reason}}++ for $gatepost->events('session');
note "$_: $reasons{$_}" for sort keys %reasons;
ok($reasons{$_}, "some ended with: $_")
    for 'done', 'client left', 'client lost', 'server closed', 'server lost', 'too many errors', 'TLS failed';

$gatepost->stop;
done_testing;
