# SPDX-License-Identifier: BSD-2-Clause
#
# FakeCockpit.pm: a socket that answers commands as a gatepost would whose farm is in a state that a test makes
# up, and gatepostctl run against any socket: with its output in a pipe, or on a terminal.
package Gatepost::FakeCockpit;
use v5.36;
use parent -norequire, 'Gatepost::Process';
use Carp qw(croak);
use Exporter 'import';
use File::Basename qw(dirname);
use Gatepost::Process qw(run_command read_file test_dir write_file);
use IO::Pty;
use IO::Socket::UNIX;
use JSON::PP qw(encode_json);
use POSIX qw(_exit);

our @EXPORT_OK = qw(ctl ctl_apart on_terminal ctl_program stat_json info_json);

sub ctl_program () { return dirname($ENV{GATEPOST} // croak 'use t/run') . '/gatepostctl' }

# Its exit status and all that it printed.
sub ctl ($socket, @words) {
	return run_command('ctl', [ctl_program(), '-s', $socket, @words], log => fresh('ctl'));
}

# The exit status, stdout and stderr.
sub ctl_apart ($socket, @words) {
	my ($out, $err) = (fresh('out'), fresh('err'));
	my ($status) = run_command('ctl', ['sh', '-c', 'exec "$@" >"$OUT" 2>"$ERR"', 'sh', ctl_program(), '-s', $socket,
	    @words], log => fresh('ctl'), env => { OUT => $out, ERR => $err });
	return ($status, read_file($out), read_file($err));
}

sub fresh ($name) {
	state $count = 0;
	return test_dir() . "/$name." . ++$count;
}

# Runs a command on a terminal of so many columns; what it printed, once it has ended, and its exit status.
# `talk` is called with the terminal and may write to it and read from it before.
sub on_terminal ($command, %option) {
	my $pty = IO::Pty->new;
	my $pid = fork // croak "fork: $!";

	if ($pid == 0) {
		$pty->make_slave_controlling_terminal;
		my $slave = $pty->slave;
		resize($slave, $option{columns} // 80, $option{rows} // 24);
		%ENV = (%ENV, TERM => 'xterm', %{ $option{env} // {} });
		delete $ENV{NO_COLOR} unless exists(($option{env} // {})->{NO_COLOR});
		open STDIN, '<&', $slave;
		open STDOUT, '>&', $slave;
		open STDERR, '>&', $slave;
		close $pty;
		exec { $command->[0] } @$command or _exit(127);
	}
	$pty->close_slave;
	my $text = $option{talk} ? $option{talk}->($pty, $pid) : '';
	local $SIG{ALRM} = sub { kill KILL => $pid; croak "@$command does not end: $text" };
	alarm 60;
	while (sysread $pty, $text, 65536, length $text) { }
	waitpid $pid, 0;
	alarm 0;
	return ($text =~ s/\r\n/\n/gr, $?);
}

# TIOCSWINSZ
sub resize ($terminal, $columns, $rows) {
	ioctl $terminal, 0x5414, pack('S4', $rows, $columns, 0, 0) or croak "TIOCSWINSZ: $!";
	return;
}

# answers => { "show stat json" => TEXT, … }, all else is unknown; path => where.
sub new ($class, %option) {
	my $self = $class->SUPER::new(name => 'cockpit', command => [], %option);
	$self->{path} //= test_dir() . '/cockpit.sock';
	$self->{asked} = test_dir() . '/asked';
	return $self;
}

sub path ($self) { return $self->{path} }

# What it was asked, line by line.
sub asked ($self) { return split /\n/, read_file($self->{asked}) }

sub start ($self) {
	unlink $self->{path};
	my $listener = IO::Socket::UNIX->new(Local => $self->{path}, Listen => 20) // croak "$self->{path}: $!";
	my $pid = fork // croak "fork: $!";

	if ($pid == 0) {
		$SIG{TERM} = 'DEFAULT';
		while (my $socket = $listener->accept) {
			eval { $self->serve($socket) };
			close $socket;
		}
		_exit(0);
	}
	close $listener;
	return $self->adopt($pid);
}

sub serve ($self, $socket) {
	my $line = <$socket> // return;
	chomp $line;
	# a payload ends with an empty line
	my @payload;
	while ($line =~ /<<$/ && defined(my $more = <$socket>)) {
		last if $more eq "\n";
		push @payload, $more;
	}
	write_file($self->{asked}, join '', read_file($self->{asked}), "$line\n", @payload);
	for my $command ('set severity-output all', $line =~ s/^set severity-output all;//r) {
		my $answer = $self->{answers}{$command};
		# a file is read at each question, so that a test can change it
		$answer = read_file($$answer) if ref $answer;
		$answer = "[3]: Unknown command: '$command'.\n" if !defined $answer && $command !~ /^set severity/;
		$answer = "[6]: $answer" if defined $answer && length $answer && $answer !~ /^\[\d\]: /;
		print {$socket} ($answer // '') . "\n";
	}
	return;
}

my @columns = qw(pxname svname qcur scur smax stot bin bout econ eresp status weight rate check_status last_chk addr
    recent_sessions recent_failures recent_refused recent_login_ms last_failure last_failure_age
    failures_in_row);
my %type = (FRONTEND => 'Frontend', BACKEND => 'Backend');

# HAProxy's JSON of rows, each { pxname => …, svname => …, … }.
sub stat_json (@rows) {
	my $id = 0;

	return encode_json([map {
		my $row = $_;
		my $kind = $type{ $row->{svname} } // 'Server';
		$id++;
		[map { +{ objType => $kind, proxyId => 1, id => $id, %{ field($_, $columns[$_], $row->{ $columns[$_] }) } } }
		    grep { defined $row->{ $columns[$_] } } 0 .. $#columns]
	} @rows]) . "\n";
}

sub info_json (%info) {
	my $pos = 0;
	return encode_json([map { field($pos++, $_, $info{$_}) } sort keys %info]) . "\n";
}

sub field ($pos, $name, $value) {
	my $is_number = $value =~ /^\d+$/;
	return { field => { pos => $pos, name => $name }, processNum => 1,
	    tags => { origin => 'Metric', nature => 'Gauge', scope => 'Process' },
	    value => { type => $is_number ? 'u64' : 'str', value => $is_number ? 0 + $value : $value } };
}

1;
