# SPDX-License-Identifier: BSD-2-Clause
#
# Dnsmasq.pm: a real name server on loopback that answers for the zone `test`
# from the records it is given, and changes them while it runs.
package Gatepost::Dnsmasq;
use v5.36;
use parent -norequire, 'Gatepost::Process';
use Gatepost::Port qw(free_port);
use Gatepost::Process qw(test_dir wait_for write_file);
use IO::Socket::INET;

$ENV{PATH} .= ':/usr/sbin';

# name, and records => [lines of its configuration, host-record=, srv-host=, server= ...].
sub new ($class, %option) {
	my $dir = test_dir();
	my $self = $class->SUPER::new(port => free_port(), %option);
	my @user = $> == 0 ? ('--user=root') : ();

	$self->{conf} = "$dir/$self->{name}.conf";
	$self->{command} = ['dnsmasq', '-k', @user, "--conf-file=$self->{conf}"];
	return $self;
}

sub port ($self) { return $self->{port} }

# Time to live 0 is what changes at once; nobody is asked beyond what the records say.
sub start ($self) {
	write_file($self->{conf}, join "\n", "port=$self->{port}", 'listen-address=127.0.0.1', 'bind-interfaces',
	    'no-resolv', 'no-hosts', 'no-poll', 'no-negcache', 'pid-file=', @{ $self->{records} }, '');
	$self->SUPER::start;
	wait_for(sub { IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $self->{port}) }, 20,
	    "$self->{name} to listen");
	return $self;
}

# Other records, by a start anew: only some kinds are read again without one.
sub change ($self, @records) {
	$self->kill_now;
	$self->{records} = [@records];
	return $self->start;
}

1;
