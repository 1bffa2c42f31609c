# SPDX-License-Identifier: BSD-2-Clause
#
# Peer.pm: one of those that are compared.  A peer is a file in t/bench/peers:
# its configuration, with comments that say how it is run, how it tells its
# version and what it needs.  @PORT{service}@ makes it offer that service on a
# free port; @SERVER{role}@ is a port of the mock servers.  What all its
# processes have used is read from /proc.
package Bench::Peer;
use v5.36;
use parent -norequire, 'Gatepost::Process';
use Carp qw(croak);
use File::Basename qw(basename dirname);
use Gatepost::Port qw(free_port);
use Gatepost::Process qw(read_file test_dir wait_for write_file);
use IO::Socket::INET;
use POSIX qw(_SC_CLK_TCK sysconf);

use constant { FILES_MAX => 20_000 };	# open files of one process

my $folder = dirname(__FILE__) . '/../../peers';

# The names of all peers, gatepost and direct first.
sub names ($class) {
	my %rank = (direct => 0, gatepost => 1);
	my @names = map { basename($_, '.conf') } glob "$folder/*.conf";

	return sort { ($rank{$a} // 2) <=> ($rank{$b} // 2) || $a cmp $b } @names;
}

# name, values => { HOST, CERT, LOAD, GATEPOST }, servers => { ROLE => PORT }, core => N or undef.
sub new ($class, %option) {
	my $template = "$folder/$option{name}.conf";
	my $text = -e $template ? read_file($template) : croak "no peer $option{name}";
	my $conf = test_dir() . "/$option{name}.conf";
	my $self = $class->SUPER::new(%option, ports => {}, conf => $conf, limits => { nofile => open_files() });

	$self->{values} = { %{ $option{values} }, CONF => $conf, DIR => test_dir() };
	$self->{text} = $text =~ s/\@(\w+)\@/$self->{values}{$1} \/\/ croak "no \@$1\@"/ger
	    =~ s/\@PORT\{([\w-]+)\}\@/$self->{ports}{$1} \/\/= free_port()/ger
	    =~ s/\@SERVER\{(\w+)\}\@/$option{servers}{$1} \/\/ croak "no server $1"/ger;
	$self->{command} = [pinned($option{core}), $self->words_of('run')];
	return $self;
}

sub words_of ($self, $what) {
	return $self->{text} =~ /^# $what: (.+)$/m ? split ' ', $1 : ();
}

# The words before a command that keep it on a core.
sub pinned ($core) { return defined $core ? ('taskset', '-c', $core) : () }

sub open_files () {
	my ($soft, $hard) = read_file('/proc/self/limits') =~ /^Max open files\s+(\S+)\s+(\S+)/m;
	my $count = !defined $hard || $hard eq 'unlimited' || $hard > FILES_MAX ? FILES_MAX : $hard;

	return "$count:$count";
}

sub port ($self, $service) { return $self->{ports}{$service} }

# What it needs and is not there.
sub missing ($self) {
	my @folders = split /:/, $ENV{PATH};

	return grep { my $file = $_; !grep { -e } $file =~ m{^/} ? $file : map { "$_/$file" } @folders }
	    $self->words_of('needs');
}

# "haproxy 2.6.12", or undef.
sub version ($self) {
	my @command = $self->words_of('version') or return undef;
	my ($status, $output) = Gatepost::Process::run_command("$self->{name}.version", \@command);

	return $output =~ /(\d+(?:\.\d+)+)/ ? "$self->{name} $1" : undef;
}

sub start ($self) {
	write_file($self->{conf}, $self->{text});
	$self->SUPER::start;
	for my $port (sort values %{ $self->{ports} }) {
		wait_for(sub {
			croak "$self->{name} ended" unless $self->is_running;
			IO::Socket::INET->new(PeerAddr => $self->{values}{HOST}, PeerPort => $port);
		}, 20, "$self->{name} on port $port");
	}
	return $self;
}

# By SIGTERM, or by force if that is not heard.
sub end ($self) {
	$self->signal('TERM');
	eval { $self->wait_for_end(10) };
	return $self->kill_now;
}

# Its process and all that came from it.
sub pids ($self) {
	my %children;

	for my $stat (map { read_file($_) } glob '/proc/[0-9]*/stat') {
		push @{ $children{$2} }, $1 if $stat =~ /^(\d+) \(.*\) \S (\d+)/s;
	}
	my @pids = $self->pid;
	for (my $i = 0; $i < @pids; $i++) {
		push @pids, @{ $children{ $pids[$i] } // [] };
	}
	return @pids;
}

# CPU time of its processes so far, in nanoseconds where the kernel counts them.
sub cpu_ns ($self) {
	my $sum = 0;

	for my $task (map { glob "/proc/$_/task/*" } $self->pids) {
		my ($ns) = split ' ', read_file("$task/schedstat");
		$sum += $ns // ticks_of($task) * 1e9 / sysconf(_SC_CLK_TCK);
	}
	return $sum;
}

sub ticks_of ($task) {
	my @fields = split ' ', read_file("$task/stat") =~ s/^.*\)//sr;

	return ($fields[11] // 0) + ($fields[12] // 0);
}

# Their memory in bytes: pages that several share count once.
sub memory ($self) {
	my $sum = 0;

	for my $pid ($self->pids) {
		$sum += $1 * 1024 if read_file("/proc/$pid/smaps_rollup") =~ /^Pss:\s+(\d+) kB/m;
	}
	return $sum;
}

1;
