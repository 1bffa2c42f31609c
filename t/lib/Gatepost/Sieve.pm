# SPDX-License-Identifier: BSD-2-Clause
#
# Sieve.pm: a raw ManageSieve client that shows every byte, as Imap.pm does
# for IMAP: plain, STARTTLS or TLS from the first byte.
package Gatepost::Sieve;
use v5.36;
use parent -norequire, 'Gatepost::Imap';
use Carp qw(croak);
use Gatepost::Imap;
use MIME::Base64 qw(encode_base64);

# As Gatepost::Imap; the greeting is all its lines.
sub new ($class, %option) {
	my $self = $class->SUPER::new(%option, greeting => 0) or return undef;

	$self->{greeting} = $self->response if $option{greeting} // 1;
	return $self;
}

# One response: its lines up to OK, NO or BYE, each with its literal within, \n between.
sub response ($self, $seconds = $self->{timeout}) {
	my @lines;

	do {
		my $line = $self->line($seconds) // croak "connection ended, after: @lines";
		$line .= "\n" . $self->take_bytes($1) . $self->line($seconds) while $line =~ /\{(\d+)\}\z/;
		push @lines, $line;
	} until ($lines[-1] =~ /^(?:OK|NO|BYE)\b/);
	return join "\n", @lines;
}

sub cmd ($self, $command) {
	$self->send_bytes("$command\r\n");
	return $self->response;
}

# As a good client: plaintext left over is an error.  What is said behind the handshake is returned.
sub starttls ($self, %tls) {
	my $reply = $self->cmd('STARTTLS');
	croak "STARTTLS: $reply" unless $reply =~ /^OK/;
	croak "plaintext after STARTTLS: $self->{in}" if length $self->{in};
	$self->start_tls(%tls);
	return $self->response;
}

# The response to AUTHENTICATE PLAIN.
sub authenticate ($self, $user, $password) {
	return $self->cmd('AUTHENTICATE "PLAIN" "' . encode_base64("\0$user\0$password", '') . '"');
}

# A script as a literal; the response.
sub put ($self, $name, $script) {
	return $self->cmd(sprintf qq(PUTSCRIPT "%s" {%d+}\r\n%s), $name, length $script, $script);
}

1;
