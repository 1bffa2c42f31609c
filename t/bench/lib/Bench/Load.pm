# SPDX-License-Identifier: BSD-2-Clause
#
# Load.pm: runs the load generator against a peer and gives the figures.  It
# pauses, with nothing under way, before and after what is measured, so that
# the peer's CPU time between the two is that of the sessions counted.
package Bench::Load;
use v5.36;
use Bench::Peer;
use Carp qw(croak);
use Gatepost::Process qw(test_dir);
use IPC::Open2 qw(open2);

use constant { SETTLE_S => 0.05, SETTLE_MEMORY_S => 0.3, WARMUP_S => 0.3 };

# program => path, host, core => N or undef, seconds, sessions => those that idle.
sub new ($class, %option) { return bless {%option}, $class }

# What the program can do: { name, service, kind, clients } in its order.
sub scenarios ($self) {
	open my $list, '-|', $self->{program}, 'list' or croak "$self->{program}: $!";
	return map { my %row; @row{qw(name service kind clients)} = split; \%row } <$list>;
}

sub pause ($seconds) { return select undef, undef, undef, $seconds }

sub start ($self, $scenario, $port) {
	my $clients = $scenario->{kind} eq 'memory' ? $self->{sessions} : $scenario->{clients};
	my $warmup = $self->{seconds} < WARMUP_S ? $self->{seconds} : WARMUP_S;
	my $pid = open2(my $out, my $in, Bench::Peer::pinned($self->{core}), $self->{program}, 'run',
	    $scenario->{name}, $self->{host}, $port, $clients, $warmup, $self->{seconds});
	my $process = Gatepost::Process->new(name => 'load')->adopt($pid);

	return { process => $process, out => $out, in => $in };
}

# The next line; dies of an error that it tells.
sub line ($run) {
	my $line = readline $run->{out};

	croak "ended without a word\n" unless defined $line;
	chomp $line;
	die "$1\n" if $line =~ /^error (.+)/;
	return $line;
}

sub finish ($run) {
	close $run->{in};
	eval { $run->{process}->wait_for_end(10) };
	return $run->{process}->kill_now;
}

# One run: { units, bytes, p50_ns, p99_ns, cpu_ns, memory }, or { error }.
sub measure ($self, $peer, $scenario) {
	my $is_memory = $scenario->{kind} eq 'memory';

	if ($is_memory) {		# what others left behind is not to be counted
		$peer->end;
		$peer->start;
		pause(SETTLE_MEMORY_S);
	}
	my $empty = $is_memory ? $peer->memory : 0;
	my $run = $self->start($scenario, $peer->port($scenario->{service}));
	my %result = eval {
		line($run);
		pause($is_memory ? SETTLE_MEMORY_S : SETTLE_S);
		my $memory = $is_memory ? $peer->memory : 0;
		my $begin = $peer->cpu_ns;
		print { $run->{in} } "go\n";
		$run->{in}->flush;
		my %figures = split ' ', line($run);
		pause(SETTLE_S);
		die "the kernel counts no CPU time\n" if $peer->cpu_ns <= $begin;
		(%figures, cpu_ns => $peer->cpu_ns - $begin, memory => $memory - $empty);
	};
	my $error = $@;
	finish($run);
	return $error ? { error => $error =~ s/\s+\z//r } : \%result;
}

1;
