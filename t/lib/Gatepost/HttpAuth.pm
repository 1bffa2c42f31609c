# SPDX-License-Identifier: BSD-2-Clause
#
# HttpAuth.pm: a server that judges logins by HTTP, as nginx's auth_http wants
# it, and goes wrong on purpose where the test says so.  One process serves
# all connections and keeps them; what it was asked is written down.
package Gatepost::HttpAuth;
use v5.36;
use parent -norequire, 'Gatepost::Process';
use Carp qw(croak);
use Gatepost::Port qw(free_port);
use Gatepost::Process qw(test_dir wait_for read_file);
use IO::Poll qw(POLLIN POLLOUT POLLHUP POLLERR);
use IO::Socket::INET;
use IO::Socket::UNIX;
use JSON::PP ();
use POSIX qw(_exit);
use Time::HiRes qw(time);

my $drip_pause = 0.02;

# name, answer => CODE, and perhaps path (of a unix socket) and address.  CODE is given a request, { uri, headers
# (names in lower case), lines, connection, count (within the connection) }, and runs in the server, so that only
# files tell it of what changes.  It returns what is to be done:
#   headers => { NAME => VALUE }, status => '200 OK', body => '', after => seconds, close => 1 (afterwards)
#   raw => TEXT       in the place of all that
#   drip => 1         a byte at a time
#   hang => 1         nothing, ever
sub new ($class, %option) {
	my $self = $class->SUPER::new(address => '127.0.0.1', %option);
	$self->{port} //= free_port() unless defined $self->{path};
	croak 'a HttpAuth needs an answer' unless ref $self->{answer} eq 'CODE';
	return $self;
}

sub port ($self) { return $self->{port} }
sub record_path ($self) { return test_dir() . "/$self->{name}.requests" }

# The listening socket is made before the fork: once start returns, connects succeed.
sub start ($self) {
	my $listener = defined $self->{path}
	    ? IO::Socket::UNIX->new(Listen => 1024, Local => $self->{path})
	    : IO::Socket::INET->new(Listen => 4096, ReuseAddr => 1, LocalAddr => $self->{address},
		LocalPort => $self->{port});
	croak "$self->{name}: $!" unless $listener;
	chmod 0666, $self->{path} if defined $self->{path};
	my $pid = fork // croak "fork: $!";

	if ($pid == 0) {
		setpgrp;
		$SIG{$_} = 'DEFAULT' for qw(INT TERM HUP);
		eval { $self->serve($listener); 1 } or print {*STDERR} "$self->{name}: $@";
		_exit(0);
	}
	close $listener;
	return $self->adopt($pid);
}

sub serve ($self, $listener) {
	my (%connections, $number);
	my $poll = IO::Poll->new;

	open $self->{record}, '>>:raw', $self->record_path or die "$!\n";
	$self->{record}->autoflush(1);
	$listener->blocking(0);
	$poll->mask($listener => POLLIN);
	while (1) {
		my $now = time;
		my $pause = 1;
		for my $c (values %connections) {
			$pause = 0.005 if grep { $_ > $now } $c->{due} // 0, $c->{next_byte} // 0;
		}
		$poll->poll($pause);
		if ($poll->events($listener)) {
			while (my $socket = $listener->accept) {
				$socket->blocking(0);
				$connections{$socket} = { socket => $socket, in => '', out => '', count => 0,
				    number => ++$number };
			}
		}
		for my $key (keys %connections) {
			my $c = $connections{$key};
			my $is_alive = $self->turn($c, $poll->events($c->{socket}) & (POLLIN | POLLHUP | POLLERR));
			$poll->mask($c->{socket} => !$is_alive ? 0 : POLLIN |
			    ($c->{out} ne '' && !$c->{drips} && time >= ($c->{due} // 0) ? POLLOUT : 0));
			delete $connections{$key} unless $is_alive;
		}
	}
}

# What there is to do for a connection; false at its end.
sub turn ($self, $c, $can_read) {
	if ($can_read) {
		my $n = sysread $c->{socket}, $c->{in}, 65_536, length $c->{in};
		return 0 if defined $n ? $n == 0 : !$!{EAGAIN};
	}
	if ($c->{out} eq '' && !$c->{hangs} && $c->{in} =~ s/\A(.*?\r\n)\r\n//s) {
		$self->hear($c, $1);
		return 0 if $c->{out} eq '' && $c->{closes};
	}
	return 1 if $c->{out} eq '' || time < ($c->{due} // 0);
	return 1 if $c->{drips} && time < ($c->{next_byte} // 0);
	my $n = syswrite $c->{socket}, $c->{out}, $c->{drips} ? 1 : 65_536;
	return $!{EAGAIN} ? 1 : 0 unless defined $n;
	substr $c->{out}, 0, $n, '';
	$c->{next_byte} = time + $drip_pause;
	return $c->{out} ne '' || !$c->{closes};
}

sub hear ($self, $c, $text) {
	my ($first, @lines) = split /\r\n/, $text;
	my %headers = map { /^([^:]+): ?(.*)$/s ? (lc $1 => $2) : () } @lines;
	my %request = (uri => (split ' ', $first)[1], first => $first, headers => \%headers, lines => \@lines,
	    connection => $c->{number}, count => ++$c->{count});

	syswrite $self->{record}, JSON::PP->new->latin1->canonical->encode(\%request) . "\n";
	my %reply = (status => '200 OK', headers => {}, body => '', after => 0, %{ $self->{answer}->(\%request) });
	@$c{qw(due closes drips hangs)} = (time + $reply{after}, $reply{close}, $reply{drip}, $reply{hang});
	return if $reply{hang};
	my $rest = join '', map { "$_: $reply{headers}{$_}\r\n" } sort keys %{ $reply{headers} };
	$c->{out} = $reply{raw} // "HTTP/1.1 $reply{status}\r\n${rest}Content-Length: "
	    . length($reply{body}) . "\r\n\r\n$reply{body}";
	return;
}

# All that was asked so far.
sub requests ($self) {
	return map { JSON::PP->new->latin1->decode($_) } grep { /\}$/ } split /\n/, read_file($self->record_path);
}

sub wait_for_requests ($self, $count, $seconds = 20) {
	return @{ wait_for(sub {
		my @requests = $self->requests;
		return @requests >= $count ? \@requests : undef;
	}, $seconds, "$count questions to $self->{name}") };
}

1;
