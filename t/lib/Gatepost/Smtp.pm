# SPDX-License-Identifier: BSD-2-Clause
#
# Smtp.pm: a raw SMTP client that shows every byte, as Imap.pm does for IMAP:
# plain, STARTTLS or TLS from the first byte, whole groups of commands or one
# byte at a time.
package Gatepost::Smtp;
use v5.36;
use parent -norequire, 'Gatepost::Imap';
use Carp qw(croak);
use Gatepost::Imap;
use MIME::Base64 qw(encode_base64);

# As Gatepost::Imap; also before => bytes sent ahead of everything (a PROXY header).
sub new ($class, %option) {
	my $self = $class->SUPER::new(%option, tls => 0, greeting => 0) or return undef;

	$self->send_bytes($option{before}) if defined $option{before};
	$self->start_tls if $option{tls};
	$self->{greeting} = $self->reply if $option{greeting} // 1;
	return $self;
}

# One reply, all its lines with \n between; undef when the connection has ended before.
sub reply ($self, $seconds = $self->{timeout}) {
	my @lines;

	while (1) {
		my $line = $self->line($seconds);
		if (!defined $line) {
			croak "connection ended within a reply: @lines" if @lines;
			return undef;
		}
		push @lines, $line;
		croak "no reply: $line" unless $line =~ /^\d{3}(?:[- ]|$)/;
		last if $line !~ /^\d{3}-/;
	}
	return join "\n", @lines;
}

sub cmd ($self, $command) {
	$self->send_bytes("$command\r\n");
	return $self->reply;
}

# The replies to several commands that are sent in one segment.
sub pipeline ($self, @commands) {
	$self->send_bytes(join '', map { "$_\r\n" } @commands);
	return map { $self->reply } @commands;
}

# Dies unless the reply to COMMAND begins with CODE ("250", or "25"); returns the reply.
sub expect ($self, $code, $command) {
	my $reply = $self->cmd($command) // croak "$command: connection ended";
	croak "$command: $reply" unless $reply =~ /^\Q$code\E/;
	return $reply;
}

# The keywords that EHLO tells, in capitals, and what stands behind each.
sub ehlo ($self, $name = 'client.example.org') {
	my ($first, @lines) = split /\n/, $self->expect('250', "EHLO $name");
	return { map { /^250[- ](\S+) ?(.*)$/ ? (uc $1 => $2) : () } @lines };
}

# As a good client: plaintext left over is an error; EHLO is the caller's.
sub starttls ($self, %tls) {
	$self->expect('220', 'STARTTLS');
	croak "plaintext after STARTTLS: $self->{in}" if length $self->{in};
	return $self->start_tls(%tls);
}

# AUTH PLAIN; the reply.
sub auth ($self, $user, $password) {
	return $self->cmd('AUTH PLAIN ' . encode_base64("\0$user\0$password", ''));
}

# A message as it goes over the wire: lines end with CRLF, dots are doubled, without the dot at the end.
sub as_data ($text) {
	$text =~ s/\r?\n/\r\n/g;
	$text .= "\r\n" unless $text =~ /\r\n\z/;
	return $text =~ s/^\./../mgr;
}

# A transaction step by step; from, to => [...], text.  The reply to the end of data, or the one that
# refused it before (of recipients: when none was accepted).
sub send_message ($self, %message) {
	my $reply = $self->cmd("MAIL FROM:<$message{from}>");
	return $reply if $reply !~ /^2/;
	my @replies = map { $self->cmd("RCPT TO:<$_>") } @{ $message{to} };
	return $replies[-1] unless grep { /^2/ } @replies;
	$reply = $self->cmd('DATA');
	return $reply if $reply !~ /^3/;
	return $self->send_bytes(as_data($message{text}) . ".\r\n")->reply;
}

# The same with all commands up to DATA in one segment; the replies, that to the end of data last.
sub send_pipelined ($self, %message) {
	my @replies = $self->pipeline("MAIL FROM:<$message{from}>",
	    (map { "RCPT TO:<$_>" } @{ $message{to} }), 'DATA');
	return @replies if $replies[-1] !~ /^3/;
	return (@replies, $self->send_bytes(as_data($message{text}) . ".\r\n")->reply);
}

sub quit ($self) {
	my $reply = $self->cmd('QUIT');
	$self->close;
	return $reply;
}

1;
