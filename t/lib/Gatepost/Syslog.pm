# SPDX-License-Identifier: BSD-2-Clause
#
# Syslog.pm: the syslog daemon of one server: what comes to its socket is
# written to its log, a line each, without the priority.
package Gatepost::Syslog;
use v5.36;
use parent -norequire, 'Gatepost::Process';
use Carp qw(croak);
use IO::Socket::UNIX;
use POSIX qw(_exit);
use Socket qw(SOCK_DGRAM);

use constant MESSAGE_MAX => 65_536;

# name, path of the socket.
sub new ($class, %option) {
	return $class->SUPER::new(%option);
}

# The socket is there once start returns.
sub start ($self) {
	my $socket = IO::Socket::UNIX->new(Local => $self->{path}, Type => SOCK_DGRAM)
	    or croak "$self->{path}: $!";
	chmod 0666, $self->{path} or croak "$self->{path}: $!";
	open my $log, '>>', $self->{log} or croak "$self->{log}: $!";
	my $pid = fork // croak "fork: $!";

	if ($pid == 0) {
		setpgrp;
		$SIG{$_} = 'DEFAULT' for qw(INT TERM HUP);
		while (defined $socket->recv(my $message, MESSAGE_MAX)) {
			syswrite $log, $message =~ s/^<\d+>//r =~ s/\n*\z/\n/r;
		}
		_exit(0);
	}
	return $self->adopt($pid);
}

1;
