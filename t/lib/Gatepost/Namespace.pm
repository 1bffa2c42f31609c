# SPDX-License-Identifier: BSD-2-Clause
#
# Namespace.pm: a network of the test's own, behind a cable that can be
# pulled: clients and servers in it can vanish without a word, which nothing
# on a loopback can.  Needs root; dies where namespaces cannot be made.
package Gatepost::Namespace;
use v5.36;
use Carp qw(croak);
use Gatepost::Process qw(run_command);

require 'syscall.ph';		# has no name for setns of its own

use constant CLONE_NEWNET => 0x4000_0000;

my $owner = $$;
my @made;

# One network of four addresses for each test and number: its end, and ours.
sub new ($class, $number = 0) {
	my $place = ($$ * 4 + $number) % 0x4_0000;
	my $network = sprintf '10.%d.%d', 224 + ($place >> 14) % 16, ($place >> 6) % 256;
	my $host = ($place % 64) * 4;
	my $self = bless {
		name => "gatepost-$$-$number", inside => "gi$$-$number", outside => "go$$-$number",
		address => sprintf('%s.%d', $network, $host + 2),
		our_address => sprintf('%s.%d', $network, $host + 1),
	}, $class;

	push @made, $self;
	$self->ip('netns', 'add', $self->{name});
	$self->ip('link', 'add', $self->{outside}, 'type', 'veth', 'peer', 'name', $self->{inside},
	    'netns', $self->{name});
	$self->ip('addr', 'add', "$self->{our_address}/30", 'dev', $self->{outside});
	$self->ip('link', 'set', $self->{outside}, 'up');
	$self->ip('-n', $self->{name}, 'addr', 'add', "$self->{address}/30", 'dev', $self->{inside});
	$self->ip('-n', $self->{name}, 'link', 'set', 'lo', 'up');
	$self->plug_in;
	return $self;
}

sub address ($self) { return $self->{address} }		# of what runs in the namespace
sub our_address ($self) { return $self->{our_address} }	# of what runs outside

sub ip ($self, @words) {
	my ($status, $text) = run_command("ip $self->{name}", ['ip', @words]);
	croak "no network of our own: ip @words: $text" if $status;
	return;
}

# The cable: what is sent while it is out is lost, in both directions, and nobody is told.
sub unplug ($self) { return $self->ip('-n', $self->{name}, 'link', 'set', $self->{inside}, 'down') }
sub plug_in ($self) { return $self->ip('-n', $self->{name}, 'link', 'set', $self->{inside}, 'up') }

# What is inside reaches whatever the outside does, where that forwards.
sub route_out ($self) {
	return $self->ip('-n', $self->{name}, 'route', 'replace', 'default', 'via', $self->{our_address});
}

# Between this one and OTHER, both of which have a way out, all packets are lost from now on; or no more.
sub part_from ($self, $other) { return $self->part('add', $other) }
sub join_to ($self, $other) { return $self->part('del', $other) }

sub part ($self, $what, $other) {
	my @ends = ($self->{address}, $other->{address});

	$self->ip('rule', $what, 'from', $_->[0], 'to', $_->[1], 'blackhole') for [@ends], [reverse @ends];
	return;
}

# An address where every packet is swallowed, without an answer.
sub swallowing_address ($self) {
	# a network for measurements, nobody's on the Internet
	my $address = $self->{address} =~ s/^10\.2\d\d/198.18/r;

	$self->ip('-n', $self->{name}, 'route', 'replace', 'blackhole', "$address/32");
	$self->ip('route', 'replace', "$address/32", 'via', $self->{address});
	return $address;
}

# Calls CODE inside: the sockets that it opens and the processes that it starts stay there.
sub run_inside ($self, $code) {
	open my $outside, '<', '/proc/self/ns/net' or croak "our namespace: $!";
	open my $inside, '<', "/run/netns/$self->{name}" or croak "$self->{name}: $!";
	enter($inside);
	my @result = eval { $code->() };
	my $failure = $@;
	enter($outside);
	die $failure if $failure;
	return wantarray ? @result : $result[0];
}

sub enter ($namespace) {
	syscall(SYS_setns(), fileno($namespace), CLONE_NEWNET) == 0 or die "setns: $!\n";
	return;
}

END {
	if ($$ == $owner) {
		local ($?, $!);
		for my $network (@made) {
			system "ip link del $network->{outside} 2>/dev/null";
			system "ip netns del $network->{name} 2>/dev/null";
		}
	}
}

1;
