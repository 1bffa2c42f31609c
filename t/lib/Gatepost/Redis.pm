# SPDX-License-Identifier: BSD-2-Clause
#
# Redis.pm: a real Redis of the test's own, in memory only: on a port of
# loopback, or of an address that is told, and on a unix socket, with a
# password; and a client of it.
package Gatepost::Redis;
use v5.36;
use parent -norequire, 'Gatepost::Process';
use Carp qw(croak);
use Gatepost::Port qw(free_port);
use Gatepost::Process qw(test_dir);

# name, and perhaps address, password (which is not empty), settings => [words of its command line].
sub new ($class, %option) {
	my $name = $option{name} // croak 'a Redis needs a name';
	my $self = $class->SUPER::new(address => '127.0.0.1', port => free_port(), password => 'redis-secret',
	    settings => [], path => test_dir() . "/$name.socket", %option);

	$self->{command} = ['redis-server', '--bind', $self->{address}, '--port', $self->{port},
	    '--unixsocket', $self->{path}, '--unixsocketperm', '777', '--dir', test_dir(), '--save', '',
	    '--requirepass', $self->{password}, @{ $self->{settings} }];
	return $self;
}

sub address ($self) { return $self->{address} }
sub port ($self) { return $self->{port} }
sub path ($self) { return $self->{path} }
sub password ($self) { return $self->{password} }

sub start ($self) {
	delete $self->{socket};
	$self->SUPER::start;
	$self->{socket} = $self->wait_until_listening;
	$self->ask('AUTH', $self->{password});
	return $self;
}

# What Redis answers to a command: text, undef, or a reference to a list.  Dies of an error.
sub ask ($self, @words) {
	print { $self->{socket} } join '', '*' . @words . "\r\n", map { '$' . length($_) . "\r\n$_\r\n" } @words;
	$self->{socket}->flush;
	return $self->read_reply;
}

sub read_reply ($self) {
	my $line = readline($self->{socket}) // croak "$self->{name} is gone";
	my ($type, $rest) = $line =~ /^(.)(.*)\r\n\z/s or croak "$self->{name} says $line";

	croak "$self->{name}: $rest" if $type eq '-';
	return $rest if $type eq '+' || $type eq ':';
	return undef if $rest < 0;
	return [map { $self->read_reply } 1 .. $rest] if $type eq '*';
	my $length = $rest + 2;
	read($self->{socket}, my $text, $length) == $length or croak "$self->{name} is gone";
	return substr $text, 0, $rest;
}

1;
