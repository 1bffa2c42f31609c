# SPDX-License-Identifier: BSD-2-Clause
#
# Haproxy.pm: a real HAProxy in TCP mode, in front of what is tested.  Its
# ports are known by name.
package Gatepost::Haproxy;
use v5.36;
use parent -norequire, 'Gatepost::Process';
use Carp qw(croak);
use Gatepost::Port qw(free_port);
use Gatepost::Process qw(test_dir write_file);
use IO::Socket::UNIX;

$ENV{PATH} .= ':/usr/sbin';

# name, and ways => { NAME => { to => PORT, send => 'send-proxy-v2', bind => 'ssl crt FILE', from => ADDRESS } }:
# what the listener NAME does.  stats => 1: it can be asked how its servers are.
sub new ($class, %option) {
	my $name = $option{name} // croak 'a HAProxy needs a name';
	my $dir = test_dir();
	my $self = $class->SUPER::new(%option, ports => {}, stats_path => "$dir/$name.stats",
	    command => ['haproxy', '-db', '-f', "$dir/$name.cfg"]);

	write_file("$dir/$name.cfg", $self->config);
	return $self;
}

sub port ($self, $name) { return $self->{ports}{$name} //= free_port() }

sub config ($self) {
	my $text = <<~'END';
		global
		  maxconn 100
		defaults
		  mode tcp
		  timeout connect 10s
		  timeout client 60s
		  timeout server 60s
		  timeout check 10s
		END
	$text =~ s/(?<=maxconn 100\n)/  stats socket $self->{stats_path} level admin\n/ if $self->{stats};

	for my $name (sort keys %{ $self->{ways} }) {
		my %way = (bind => '', send => '', from => '127.0.0.1', %{ $self->{ways}{$name} });
		$text .= <<~"END";
			listen $name
			  bind 127.0.0.1:@{[$self->port($name)]} $way{bind}
			  server s 127.0.0.1:$way{to} source $way{from} $way{send}
			END
	}
	return $text;
}

# A look whether it listens makes a session behind it, as a health check of its own would.
sub start ($self) {
	$self->SUPER::start;
	$self->wait_until_listening($self->port($_)) for sort keys %{ $self->{ways} };
	return $self;
}

# What a line of commands is answered, as HAProxy's operators see it.
sub ask ($self, $line) {
	my $socket = IO::Socket::UNIX->new(Peer => $self->{stats_path}) or croak "$self->{stats_path}: $!";

	print {$socket} "$line\n";
	local $/;
	return scalar <$socket>;
}

# The row of `show stat` about the server of the listener NAME: { column => value }.
sub stat ($self, $name) {
	my $socket = IO::Socket::UNIX->new(Peer => $self->{stats_path}) or croak "$self->{stats_path}: $!";
	my @names;

	print $socket "show stat\n";
	while (my $line = <$socket>) {
		my @values = split /,/, $line;
		@names = split /,/, $line =~ s/^# //r if $line =~ /^# /;
		next if @values < 2 || "@values[0, 1]" ne "$name s";
		my %row;
		@row{@names} = @values;
		return \%row;
	}
	croak "$self->{name} has no $name";
}

1;
