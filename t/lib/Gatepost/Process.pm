# SPDX-License-Identifier: BSD-2-Clause
#
# Process.pm: programs that a test starts.  Each has its output in a file of
# the test's own folder, is known by its pid, and is gone when the test ends,
# however it ends.  Also wait_for, the only place where tests wait by polling.
package Gatepost::Process;
use v5.36;
use Carp qw(croak);
use Exporter 'import';
use File::Path qw(remove_tree);
use File::Temp qw(tempdir);
use IO::Socket::INET;
use POSIX qw(WNOHANG _exit);
use Test::More ();
use Time::HiRes qw(time);

our @EXPORT_OK = qw(test_dir wait_for read_file write_file run_command raise_descriptors);

my $owner = $$;		# forked fakes and clients must not clean up
my $test_dir;
my @started;

# What the sanitizers print; any of it in a log fails the test.
my $sanitizer_report = qr/ERROR: (?:Address|Leak)Sanitizer|WARNING: ThreadSanitizer|runtime error:/;

$SIG{$_} = sub { exit 1 } for qw(INT TERM HUP);		# exit runs END
$SIG{PIPE} = 'IGNORE';

# The test's own folder: others may enter (servers drop their rights), removed at the end.
sub test_dir () {
	if (!defined $test_dir) {
		$test_dir = tempdir('gatepost-test.XXXXXX', TMPDIR => 1);
		chmod 0755, $test_dir;
	}
	return $test_dir;
}

sub read_file ($path) {
	open my $file, '<:raw', $path or return '';
	local $/;
	return scalar(<$file>) // '';
}

sub write_file ($path, $text) {
	open my $file, '>:raw', $path or croak "$path: $!";
	print $file $text or croak "$path: $!";
	close $file or croak "$path: $!";
	return $path;
}

# Calls CHECK until it is true and returns that; dies after SECONDS, telling WHAT did not come.
sub wait_for ($check, $seconds, $what) {
	my $deadline = time + $seconds;
	my $pause = 0.002;

	while (1) {
		my $result = $check->();
		return $result if $result;
		croak "waited $seconds s in vain for $what" if time > $deadline;
		select undef, undef, undef, $pause;
		$pause *= 1.5 if $pause < 0.05;
	}
}

# Runs a program to its end; its exit status and all it printed.
sub run_command ($name, $command, %option) {
	my $process = __PACKAGE__->new(name => $name, command => $command, %option)->start;
	my $status = $process->wait_for_end($option{seconds} // 60);
	return ($status, $process->log_text);
}

# Lets this test hold COUNT open descriptors.
sub raise_descriptors ($count) {
	system('prlimit', '--pid', $$, "--nofile=$count:") == 0 or croak "cannot have $count descriptors";
	return;
}

# name, command => [...], and perhaps env => {}, limits => { nofile => N }, stdin => path.
sub new ($class, %option) {
	my $self = bless { env => {}, limits => {}, dir => test_dir(), %option }, $class;
	$self->{log} //= "$self->{dir}/$self->{name}.log";
	return $self;
}

sub start ($self) {
	my @command = @{ $self->{command} };

	croak "$self->{name} runs already" if $self->is_running;
	# Within the child, so that the pid is the program's own.
	unshift @command, 'prlimit', map({ "--$_=$self->{limits}{$_}" } sort keys %{ $self->{limits} }), '--'
	    if %{ $self->{limits} };
	my $pid = fork // croak "fork: $!";
	if ($pid == 0) {
		setpgrp;
		%ENV = (%ENV, %{ $self->{env} });
		$SIG{PIPE} = 'DEFAULT';
		open STDIN, '<', $self->{stdin} // '/dev/null' or _exit(126);
		open STDOUT, '>>', $self->{log} or _exit(126);
		open STDERR, '>&', \*STDOUT;
		no warnings 'exec';
		exec { $command[0] } @command or do {
			syswrite STDERR, "cannot run $command[0]: $!\n";
			_exit(127);
		};
	}
	@$self{qw(pid status)} = ($pid, undef);
	push @started, $self unless grep { $_ == $self } @started;
	return $self;
}

# Takes over a forked child that runs no program of its own (see Fake.pm).
sub adopt ($self, $pid) {
	@$self{qw(pid status)} = ($pid, undef);
	push @started, $self;
	return $self;
}

# A child of our own accepts clients for good; each has a process in which SERVE is called with its socket.
# `came` is called in the child for each of them, before.
sub serve_each ($self, $listener, $serve, $came = sub { }) {
	my $pid = fork // croak "fork: $!";

	return $self->adopt($pid) if $pid;
	setpgrp;
	$SIG{CHLD} = 'IGNORE';
	$SIG{$_} = 'DEFAULT' for qw(INT TERM HUP);
	while (1) {
		my $client = $listener->accept or next;
		$came->();
		next if fork;
		close $listener;
		$serve->($client);
		_exit(0);
	}
}

# Waits for a server to take connections at its address; the first one.
sub wait_until_listening ($self, $port = $self->{port}) {
	return wait_for(sub {
		croak "$self->{name} ended: " . $self->log_text unless $self->is_running;
		IO::Socket::INET->new(PeerAddr => $self->{address} // '127.0.0.1', PeerPort => $port);
	}, 20, "$self->{name} to listen on $port");
}

sub pid ($self) { return $self->{pid} }
sub log_text ($self) { return read_file($self->{log}) }

sub log_lines ($self, $pattern) {
	return grep { $_ =~ $pattern } split /\n/, $self->log_text;
}

# Waits for COUNT lines of the log to match and returns the last of these.
sub wait_for_log ($self, $pattern, $seconds = 10, $count = 1) {
	return wait_for(sub {
		my @lines = $self->log_lines($pattern);
		return @lines >= $count ? $lines[-1] : undef;
	}, $seconds, "$count × $pattern in $self->{log}");
}

sub is_running ($self) {
	return 0 unless defined $self->{pid} && !defined $self->{status};
	my $got = waitpid $self->{pid}, WNOHANG;
	# not our child as long as the one that started it lives (see Gatepost.pm, upgrade)
	return 1 if $got == 0 || ($got < 0 && kill 0, $self->{pid});
	$self->{status} = $got == $self->{pid} ? $? : -1;
	return 0;
}

sub signal ($self, $name) {
	return kill($name, $self->{pid}) if $self->is_running;
	return 0;
}

# Waits for the end; the status as wait(2) gives it.
sub wait_for_end ($self, $seconds = 30) {
	wait_for(sub { !$self->is_running }, $seconds, "the end of $self->{name}");
	return $self->{status};
}

# Asks to end (SIGTERM) and checks that it ended well: exit code 0 and no sanitizer report.
sub stop ($self, $seconds = 30) {
	$self->signal('TERM');
	my $status = eval { $self->wait_for_end($seconds) };
	my $failure = $@;
	$self->kill_now if $failure;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	Test::More::is($failure || $status, 0, "$self->{name} ends with exit code 0");
	$self->check_reports;
	return $status;
}

sub check_reports ($self) {
	my @reports = $self->log_lines($sanitizer_report);

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	Test::More::is(scalar @reports, 0, "no sanitizer reports in the log of $self->{name}")
	    or Test::More::diag($self->log_text);
	$self->{checked} = 1;
	return @reports == 0;
}

# kill -9, with all its children.
sub kill_now ($self) {
	return unless defined $self->{pid};
	kill 'CONT', -$self->{pid} if $self->is_running;
	kill 'KILL', -$self->{pid};
	# a child that has just been forked leads no group yet
	kill 'KILL', $self->{pid} if $self->is_running;
	waitpid $self->{pid}, 0 if $self->is_running;
	$self->{status} //= $?;
	return;
}

sub show_log ($self) {
	my @lines = split /\n/, $self->log_text;
	@lines = ('…', @lines[-40 .. -1]) if @lines > 40;
	Test::More::diag(join "\n", "--- $self->{name}:", @lines);
	return;
}

END {
	if ($$ == $owner) {
		my $status = $?;
		local ($@, $!);
		my $failed = $status != 0 || !Test::More->builder->is_passing;

		$_->kill_now for reverse @started;
		for my $process (@started) {
			if (!$process->{checked} && $process->log_lines($sanitizer_report)) {
				$failed = $status ||= 1;
			}
			$process->show_log if $failed;
		}
		if (defined $test_dir) {
			chdir '/';
			remove_tree($test_dir) unless $ENV{GATEPOST_KEEP};
		}
		$? = $status;
	}
}

1;
