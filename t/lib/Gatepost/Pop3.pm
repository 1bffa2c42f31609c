# SPDX-License-Identifier: BSD-2-Clause
#
# Pop3.pm: a raw POP3 client that shows every byte, as Imap.pm does for IMAP.
package Gatepost::Pop3;
use v5.36;
use parent -norequire, 'Gatepost::Imap';
use Carp qw(croak);
use Gatepost::Imap;
use MIME::Base64 qw(encode_base64);

# The status line of the reply.
sub cmd ($self, $command) {
	$self->send_bytes("$command\r\n");
	return $self->line;
}

# The lines of a reply of several: without status and end, and without the dots that are added to lines.
sub list ($self, $command) {
	my $status = $self->cmd($command) // 'the end';
	croak "$command: $status" unless $status =~ /^\+OK/;
	my @lines = $self->lines_until(qr/^\.$/);
	pop @lines;
	return map { s/^\.//r } @lines;
}

# As a good client: plaintext left over is an error.
sub starttls ($self, %tls) {
	my $reply = $self->cmd('STLS');
	croak "STLS: $reply" unless $reply =~ /^\+OK/;
	croak "plaintext after STLS: $self->{in}" if length $self->{in};
	return $self->start_tls(%tls);
}

# USER and PASS; the reply.
sub user_pass ($self, $user, $password) {
	my $reply = $self->cmd("USER $user");
	return $reply =~ /^\+OK/ ? $self->cmd("PASS $password") : $reply;
}

# AUTH PLAIN with all of it at once; the reply.
sub auth ($self, $user, $password, $authzid = '') {
	return $self->cmd('AUTH PLAIN ' . encode_base64("$authzid\0$user\0$password", ''));
}

1;
