# SPDX-License-Identifier: BSD-2-Clause
#
# AgentScript.pm: contrib/gatepost-agent as its systemd unit runs it: as the
# user postfix, without any way to more rights.  It is asked directly, or
# listens and runs it for each connection, as systemd or inetd would.  Needs root.
package Gatepost::AgentScript;
use v5.36;
use parent -norequire, 'Gatepost::Process';
use Carp qw(croak);
use File::Copy qw(copy);
use FindBin;
use Gatepost::Port qw(free_port);
use Gatepost::Process qw(test_dir read_file run_command write_file);
use IO::Socket::INET;
use POSIX qw(_exit);

# name, options => [...] of every call; prepare => shell commands that run before it, in a mount namespace of
# the call's own.
sub new ($class, %option) {
	my $name = $option{name} // croak 'an agent needs a name';
	my $dir = test_dir() . "/$name";
	my $self = $class->SUPER::new(options => [], prepare => ':', count => 0, %option, dir => $dir,
	    program => "$dir/gatepost-agent");

	# The user may not be able to enter the folders of the source.
	mkdir $dir or croak "$dir: $!";
	mkdir "$dir/state" or croak "$dir/state: $!";
	chown scalar(getpwnam 'postfix'), scalar(getgrnam 'postfix'), "$dir/state";
	copy("$FindBin::Bin/../contrib/gatepost-agent", $self->{program}) or croak "$self->{program}: $!";
	chmod 0755, $self->{program};
	return $self;
}

sub state_path ($self, $name) { return "$self->{dir}/state/$name" }
sub port ($self) { return $self->{port} //= free_port() }

sub command ($self, @options) {
	return ('unshare', '-m', 'sh', '-ec', "$self->{prepare}\n" . 'exec "$@"', 'sh',
	    qw(setpriv --reuid=postfix --regid=postfix --clear-groups --no-new-privs), $self->{program},
	    "--state=$self->{dir}/state", @{ $self->{options} }, @options);
}

# Runs it once; its exit code and all that it printed.
sub run ($self, @options) {
	my ($status, $text) = run_command("$self->{name}.run" . $self->{count}++, [$self->command(@options)]);

	return ($status >> 8, $text);
}

# Runs it once; its line, which it must have printed, alone.
sub line ($self, @options) {
	my ($code, $text) = $self->run(@options);

	croak "exit code $code: $text" if $code != 0;
	croak "not one line: $text" unless $text =~ /\A[ -~]+\n\z/;
	return $text =~ s/\n//r;
}

# Listens.  What changes is read from a file for each connection: options.
sub set_options ($self, @options) {
	write_file("$self->{dir}/options.new", join "\n", @options);
	rename "$self->{dir}/options.new", "$self->{dir}/options" or croak "$self->{dir}/options: $!";
	return;
}

sub start ($self) {
	my $listener = IO::Socket::INET->new(Listen => 16, ReuseAddr => 1, LocalAddr => '127.0.0.1',
	    LocalPort => $self->port) or croak "$self->{name}: $!";
	return $self->serve_each($listener, sub ($socket) {
		open STDIN, '<&', $socket or _exit(126);
		open STDOUT, '>&', $socket or _exit(126);
		open STDERR, '>>', $self->{log} or _exit(126);
		close $socket;
		exec $self->command(split /\n/, read_file("$self->{dir}/options")) or _exit(127);
	});
}

1;
