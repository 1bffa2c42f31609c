# SPDX-License-Identifier: BSD-2-Clause
#
# Imap.pm: a raw IMAP client that shows every byte: plain, STARTTLS, TLS from
# the first byte, over TCP or a unix socket.  It is cheap, so that one test
# can hold thousands of them.  Each read has a deadline.
package Gatepost::Imap;
use v5.36;
use Carp qw(croak);
use IO::Select;
use IO::Socket::INET;
use IO::Socket::IP;
use IO::Socket::SSL ();
use IO::Socket::UNIX;
use Socket qw(IPPROTO_TCP TCP_NODELAY);
use Time::HiRes qw(time);

# port or path, and perhaps address, from (own address), tls => 1, sni, timeout; greeting => 0 reads none.
# undef and $@ when there is no connection; dies when one goes wrong later.
sub new ($class, %option) {
	my $self = bless { address => '127.0.0.1', timeout => 30, in => '', tags => 0, %option }, $class;

	$self->{socket} = $self->connect_socket or return undef;
	$self->start_tls if $self->{tls};
	$self->{greeting} = $self->line if $option{greeting} // 1;
	return $self;
}

sub connect_socket ($self) {
	if (defined $self->{path}) {
		return IO::Socket::UNIX->new(Peer => $self->{path});
	}
	my $class = $self->{address} =~ /:/ ? 'IO::Socket::IP' : 'IO::Socket::INET';
	my $socket = $class->new(PeerAddr => $self->{address}, PeerPort => $self->{port}, Proto => 'tcp',
	    (defined $self->{from} ? (LocalAddr => $self->{from}) : ())) or return undef;
	setsockopt $socket, IPPROTO_TCP, TCP_NODELAY, 1;
	return $socket;
}

# The handshake alone; options as IO::Socket::SSL names them.  False and $IO::Socket::SSL::SSL_ERROR
# when it fails.
sub handshake ($self, %tls) {
	# one context for all: a new one reads all the certificates of the system, for tens of milliseconds
	state $context = IO::Socket::SSL::SSL_Context->new(SSL_verify_mode => 0);
	my @context = %tls ? (SSL_verify_mode => 0) : (SSL_reuse_ctx => $context);

	return IO::Socket::SSL->start_SSL($self->{socket}, @context, Timeout => $self->{timeout},
	    SSL_hostname => $self->{sni} // '', %tls);
}

sub start_tls ($self, %tls) {
	$self->handshake(%tls) or croak "TLS handshake: $IO::Socket::SSL::SSL_ERROR";
	$self->{secure} = 1;
	return $self;
}

# STARTTLS as a good client does it: plaintext left over is an error.
sub starttls ($self, %tls) {
	my $reply = $self->cmd('STARTTLS');
	croak "STARTTLS: $reply" unless $reply =~ / OK/;
	croak "plaintext after STARTTLS: $self->{in}" if length $self->{in};
	return $self->start_tls(%tls);
}

sub socket ($self) { return $self->{socket} }
sub greeting ($self) { return $self->{greeting} }
sub fingerprint ($self) { return $self->{socket}->get_fingerprint('sha256') }

# All bytes, waiting for room where there is none.
sub send_bytes ($self, $bytes) {
	my $sent = 0;

	while ($sent < length $bytes) {
		# a TLS record at most: IO::Socket::SSL would block or return half of it anyway
		my $n = syswrite $self->{socket}, $bytes, 16_384, $sent;
		croak "write: $!" unless defined $n;
		$sent += $n;
	}
	return $self;
}

# One byte in each segment.
sub send_slowly ($self, $bytes) {
	$self->send_bytes($_) for split //, $bytes;
	return $self;
}

# Reads what there is: bytes read, 0 at the end, undef at the deadline.
sub fill ($self, $deadline) {
	my $pending = $self->{secure} ? $self->{socket}->pending : 0;

	if (!$pending) {
		my $left = $deadline - time;
		return undef if $left <= 0 || !IO::Select->new($self->{socket})->can_read($left);
	}
	my $n = sysread $self->{socket}, $self->{in}, 65_536, length $self->{in};
	$self->{error} = "$!" unless defined $n;
	$self->{ended} = 1 unless $n;
	return $n // 0;
}

# One line without its CRLF; undef when the connection has ended.
sub line ($self, $seconds = $self->{timeout}) {
	my $deadline = time + $seconds;
	my $end;

	while (($end = index $self->{in}, "\n") < 0) {
		my $n = $self->fill($deadline);
		croak "no line within $seconds s, only '$self->{in}'" unless defined $n;
		return undef if $n == 0;
	}
	return substr($self->{in}, 0, $end + 1, '') =~ s/\r?\n\z//r;
}

# Exactly COUNT bytes.
sub take_bytes ($self, $count, $seconds = $self->{timeout}) {
	my $deadline = time + $seconds;

	while (length $self->{in} < $count) {
		croak sprintf 'only %d of %d bytes', length $self->{in}, $count unless $self->fill($deadline);
	}
	return substr $self->{in}, 0, $count, '';
}

# Everything up to the end of the connection; what came so far when SECONDS are over.
sub rest ($self, $seconds = $self->{timeout}) {
	my $deadline = time + $seconds;

	while ($self->fill($deadline)) { }
	return substr $self->{in}, 0, length $self->{in}, '';
}

# True when the server ends the connection within SECONDS.
sub is_closed ($self, $seconds = $self->{timeout}) {
	$self->rest($seconds);
	return $self->{ended} // 0;
}

# Lines up to and with the first that matches; dies when the connection ends before.
sub lines_until ($self, $pattern, $seconds = $self->{timeout}) {
	my @lines;

	while (1) {
		my $line = $self->line($seconds) // croak "connection ended, after: @lines";
		push @lines, $line;
		return @lines if $line =~ $pattern;
	}
}

sub next_tag ($self) { return sprintf 'a%03d', ++$self->{tags} }

# Sends a command with the next tag; the tagged reply, or in list context all lines with it last.
sub cmd ($self, $command) {
	my $tag = $self->next_tag;
	$self->send_bytes("$tag $command\r\n");
	my @lines = $self->lines_until(qr/^\Q$tag\E /);
	return wantarray ? @lines : $lines[-1];
}

sub login ($self, $user, $password) {
	my $reply = $self->cmd(qq(LOGIN "$user" "$password"));
	croak "login of $user: $reply" unless $reply =~ /^\S+ OK/;
	return $reply;
}

# As user N of a Dovecot of ours.
sub login_as ($self, $n) { return $self->login("user$n", "pass-$n") }

# APPEND with a synchronising literal; the tagged reply.
sub append ($self, $mailbox, $message) {
	my $tag = $self->next_tag;

	$self->send_bytes(sprintf "%s APPEND %s {%d}\r\n", $tag, $mailbox, length $message);
	my $go = $self->line // croak 'connection ended instead of a continuation';
	return $go unless $go =~ /^\+/;
	$self->send_bytes($message)->send_bytes("\r\n");
	return ($self->lines_until(qr/^\Q$tag\E /))[-1];
}

# The whole message NUMBER of the selected mailbox.
sub fetch_body ($self, $number) {
	my $tag = $self->next_tag;

	$self->send_bytes("$tag FETCH $number BODY.PEEK[]\r\n");
	my ($head) = ($self->lines_until(qr/\{\d+\}$/))[-1];
	my ($size) = $head =~ /\{(\d+)\}$/;
	my $body = $self->take_bytes($size);
	$self->lines_until(qr/^\Q$tag\E OK/);
	return $body;
}

sub close ($self) {
	return unless $self->{socket};
	$self->{secure} ? $self->{socket}->close(SSL_fast_shutdown => 1) : CORE::close($self->{socket});
	$self->{socket} = undef;
	return;
}

1;
