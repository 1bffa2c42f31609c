# SPDX-License-Identifier: BSD-2-Clause
#
# Fake.pm: servers that go wrong on purpose.  A fake follows a script on each
# connection and writes down what it was sent.  Also ports that refuse, and
# black holes that never answer.
package Gatepost::Fake;
use v5.36;
use parent -norequire, 'Gatepost::Process';
use Carp qw(croak);
use Exporter 'import';
use Gatepost::Port qw(free_port);
use Gatepost::Process qw(test_dir wait_for read_file);
use IO::Select;
use IO::Socket::INET;
use POSIX qw(_exit);
use Socket qw(IPPROTO_TCP SHUT_WR SOL_SOCKET SO_LINGER TCP_NODELAY);

our @EXPORT_OK = qw(refusing_port black_hole);

# The steps of a script:
#   [expect => qr/…/]      reads until it matches; what it captured is given to later code
#   [at_once => qr/…/]     the same of what the next single read brings
#   [send => TEXT or CODE] CODE gets the captures of the last expect
#   [trickle => TEXT]      one byte in each segment
#   [await => PATH]        waits for that file
#   [flood => TEXT, MIB]   the text again and again
#   [starttls => PEM]      a TLS handshake as server
#   [half_close]           no more from us; goes on reading
#   [hold]                 reads on, says nothing, until the other side closes
#   [deaf]                 reads nothing any more, up to the end of the test
#   [close], [reset]       the end; the end of the script is a close
# A fake is given `script` for every connection, or `scripts` for the first, the second …,
# the last one repeating.
my %steps = (
	expect => \&step_expect,
	at_once => sub ($c, $pattern) { get($c); take($c, $pattern) },
	send => sub ($c, $text) { put($c, ref $text ? $text->(@{ $c->{captured} }) : $text) },
	trickle => sub ($c, $text) { put($c, $_) for split //, $text },
	await => sub ($c, $path) { wait_for(sub { -e $path }, 60, $path) },
	flood => \&step_flood,
	starttls => \&step_starttls,
	half_close => sub ($c) { shutdown $c->{socket}, SHUT_WR },
	hold => sub ($c) { 1 while get($c) },
	deaf => sub ($c) { sleep },
	close => sub ($c) { _exit(0) },
	reset => sub ($c) { setsockopt $c->{socket}, SOL_SOCKET, SO_LINGER, pack 'ii', 1, 0; _exit(0) },
);

sub new ($class, %option) {
	my $self = $class->SUPER::new(address => '127.0.0.1', %option);
	$self->{port} //= free_port();
	$self->{scripts} //= [$self->{script} // croak 'a fake needs a script'];
	return $self;
}

sub port ($self) { return $self->{port} }
sub address ($self) { return $self->{address} }

# The listening socket is made before the fork: once start returns, connects succeed.
sub start ($self) {
	my $listener = IO::Socket::INET->new(Listen => 128, ReuseAddr => 1, LocalAddr => $self->{address},
	    LocalPort => $self->{port}) or croak "fake $self->{name} on $self->{address}:$self->{port}: $!";
	my $pid = fork // croak "fork: $!";

	if ($pid == 0) {
		setpgrp;
		$SIG{CHLD} = 'IGNORE';
		$SIG{$_} = 'DEFAULT' for qw(INT TERM HUP);
		$self->serve($listener);
		_exit(0);
	}
	return $self->adopt($pid);
}

sub serve ($self, $listener) {
	my $number = 0;

	while (1) {
		my $socket = $listener->accept or next;
		my @scripts = @{ $self->{scripts} };
		my $script = $scripts[$number] // $scripts[-1];
		$number++;
		open my $record, '>>:raw', $self->record_path($number) or _exit(1);
		$record->autoflush(1);
		next if fork;
		close $listener;
		play({ socket => $socket, record => $record, in => '', captured => [] }, $script);
	}
}

sub play ($connection, $script) {
	setsockopt $connection->{socket}, IPPROTO_TCP, TCP_NODELAY, 1;
	for my $step (@$script) {
		my ($name, @value) = @$step;
		eval { $steps{$name}->($connection, @value); 1 } or _exit(1);
	}
	_exit(0);
}

sub put ($connection, $bytes) {
	my $sent = 0;

	while ($sent < length $bytes) {
		$sent += syswrite($connection->{socket}, $bytes, length($bytes) - $sent, $sent)
		    // die "write: $!\n";
	}
	return;
}

sub get ($connection) {
	my $n = sysread $connection->{socket}, my $bytes, 65_536;
	return 0 unless $n;
	syswrite $connection->{record}, $bytes;
	$connection->{in} .= $bytes;
	return $n;
}

sub step_expect ($connection, $pattern) {
	while ($connection->{in} !~ $pattern) {
		get($connection) or die "the other side closed\n";
	}
	return take($connection, $pattern);
}

sub take ($connection, $pattern) {
	$connection->{in} =~ $pattern or die "something else\n";
	$connection->{captured} = [map { substr $connection->{in}, $-[$_], $+[$_] - $-[$_] } 1 .. $#+];
	substr $connection->{in}, 0, $+[0], '';
	return;
}

sub step_flood ($connection, $text, $mib) {
	my $block = $text x int(65_536 / length($text) + 1);

	put($connection, $block) for 1 .. $mib * 1_048_576 / length $block;
	return;
}

sub step_starttls ($connection, $pem) {
	require IO::Socket::SSL;
	$connection->{socket} = IO::Socket::SSL->start_SSL($connection->{socket}, SSL_server => 1,
	    SSL_cert_file => $pem, SSL_key_file => $pem) or die "handshake\n";
	return;
}

sub record_path ($self, $number) { return test_dir() . "/$self->{name}.$number.in" }

# What connection NUMBER has sent so far.
sub received ($self, $number = 1) { return read_file($self->record_path($number)) }

sub connections ($self) {
	my $count = 0;
	$count++ while -e $self->record_path($count + 1);
	return $count;
}

sub wait_for_received ($self, $pattern, $number = 1, $seconds = 10) {
	return wait_for(sub { $self->received($number) =~ $pattern }, $seconds,
	    "$pattern at connection $number of $self->{name}");
}

# A port that answers connects with a reset: bound, so that nobody else takes it, but not listening.
sub refusing_port ($address = '127.0.0.1') {
	state @bound;
	my $port = free_port();
	push @bound, IO::Socket::INET->new(ReuseAddr => 1, LocalAddr => $address, LocalPort => $port, Proto => 'tcp')
	    // croak "bind: $!";
	return $port;
}

# A port whose connects stay unanswered: the queue of a listener that never accepts is full.
sub black_hole ($address = '127.0.0.1') {
	state @held;
	my $port = free_port();
	my $listener = IO::Socket::INET->new(Listen => 1, ReuseAddr => 1, LocalAddr => $address,
	    LocalPort => $port) // croak "listen: $!";
	push @held, $listener;
	for (1 .. 8) {
		my $filler = IO::Socket::INET->new(PeerAddr => $address, PeerPort => $port, Blocking => 0);
		push @held, $filler if $filler;
	}
	return $port;
}

1;
