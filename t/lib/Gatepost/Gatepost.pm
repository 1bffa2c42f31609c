# SPDX-License-Identifier: BSD-2-Clause
#
# Gatepost.pm: the gatepost under test.  A test writes its configuration as
# text with @NAME@ for values, @PORT{name}@ for a free port and @DIR@ for the
# test's folder; the access log is JSON and read as events.
package Gatepost::Gatepost;
use v5.36;
use parent -norequire, 'Gatepost::Process';
use Carp qw(croak);
use Exporter 'import';
use File::Basename qw(dirname);
use Gatepost::Port qw(free_port);
use Gatepost::Process qw(test_dir wait_for read_file write_file);
use IO::Socket::INET;
use IO::Socket::UNIX;
use JSON::PP qw(decode_json);
use POSIX ();

our @EXPORT_OK = qw(example_program);

# config => text, and perhaps values => {}, name, limits, wait => [names of ports to wait for;
# all by default], program => example_program().
sub new ($class, %option) {
	my $binary = $option{program} // $ENV{GATEPOST} // croak 'GATEPOST does not name the program; use t/run';
	my $name = $option{name} // 'gatepost';
	my $dir = test_dir();
	my $self = $class->SUPER::new(values => {}, %option, name => $name, ports => {},
	    conf => "$dir/$name.conf", access_log => "$dir/$name.access.json", pid_file => "$dir/$name.pid",
	    command => [$binary, '-f', '-c', "$dir/$name.conf"]);

	$self->configure($self->{config});
	return $self;
}

# The gatepost with the protocol and the block of t/example.
sub example_program () {
	my $program = dirname($ENV{GATEPOST} // croak 'use t/run') . '/build/example/gatepost-example';
	croak "no $program: `make example` makes it" unless -x $program;
	return $program;
}

# Writes the configuration anew; reload makes it true.
sub configure ($self, $config) {
	my ($own, $dir) = ('', test_dir());

	$own .= "pid_file $self->{pid_file}\n" unless $config =~ /^\s*pid_file\b/m;
	$own .= "threads 2\n" unless $config =~ /^\s*threads\b/m;
	# other tests may keep the machine busy
	$own .= "stress off\n" unless $config =~ /^\s*stress\b/m;
	# a fake server is asked once, for its capabilities; who tests checks says which
	$own .= "default pool { check { kind none } }\n" unless $config =~ /\bcheck\s*\{|^\s*default\s+pool\b/m;
	$own .= "shutdown_timeout 5s\n" unless $config =~ /^\s*shutdown_timeout\b/m;
	$own .= "log access { target $self->{access_log}; format json }\n"
	    unless $config =~ /^\s*log\s+access\b/m;
	$own .= "admin { socket $dir/$self->{name}.sock { level admin } }\n" unless $config =~ /^\s*admin\b/m;
	write_file("$self->{conf}.new", $own . $self->fill_in($config));
	rename "$self->{conf}.new", $self->{conf} or croak "$self->{conf}: $!";
	return $self;
}

sub fill_in ($self, $text) {
	my %value = (DIR => test_dir(), %{ $self->{values} });

	$text =~ s/\@PORT\{(\w+)\}\@/$self->port($1)/ge;
	$text =~ s/\@(\w+)\@/$value{$1} \/\/ croak "no value for \@$1\@"/ge;
	return $text;
}

# The port behind @PORT{name}@.
sub port ($self, $name) { return $self->{ports}{$name} //= free_port() }

sub start ($self) {
	unlink $self->{pid_file};
	$self->SUPER::start;
	wait_for(sub {
		croak "$self->{name} ended at its start:\n" . $self->log_text unless $self->is_running;
		-s $self->{pid_file};
	}, 30, "the pid file of $self->{name}");
	$self->wait_for_port($_) for @{ $self->{wait} // [sort keys %{ $self->{ports} }] };
	return $self;
}

sub wait_for_port ($self, $name) {
	return wait_for(sub { IO::Socket::INET->new(PeerAddr => '127.0.0.1',
	    PeerPort => $self->port($name)) },
	    10, "$self->{name} to listen on $name");
}

# The line that ends each reload, and what tells a bad one.
my $reload_line = qr/\breload(?:ed|\s+failed)\b/;
my $reload_failed = qr/\breload failed\b/;

# SIGHUP, then waits for the log to tell how it went: true when the configuration was taken.
sub reload ($self, $seconds = 20) {
	my $before = () = $self->log_lines($reload_line);
	$self->signal('HUP') or croak "$self->{name} does not run";
	return $self->wait_for_log($reload_line, $seconds, $before + 1) !~ $reload_failed;
}

# Orphans become our children, so that we hear how they end.
sub become_reaper () {
	state $done = 0;
	my %prctl = (x86_64 => 157, aarch64 => 167);
	my $number = $prctl{ (POSIX::uname())[4] } // croak 'prctl has which number here?';

	return if $done++;
	syscall($number, 36, 1, 0, 0, 0) == 0 or croak "PR_SET_CHILD_SUBREAPER: $!";
	return;
}

# SIGUSR2, then waits for another process to serve: from then on it is meant by $self.  Returns the old one, or
# nothing when the upgrade failed.
sub upgrade ($self, $seconds = 20) {
	my $line = qr/\b(?:upgraded: process \d+ serves|upgrade failed)/;
	my $before = () = $self->log_lines($line);

	$self->wait_for_log(qr/\bgatepost \S+ started\b/);
	become_reaper();
	$self->signal('USR2') or croak "$self->{name} does not run";
	return $self->follow($self->wait_for_log($line, $seconds, $before + 1));
}

# As a line of the log says that tells of an upgrade.
sub follow ($self, $line) {
	my ($pid) = $line =~ /upgraded: process (\d+) serves/ or return;
	my $old = Gatepost::Process->new(name => "$self->{name} before", log => $self->{log})->adopt($self->{pid});

	wait_for(sub { read_file($self->{pid_file}) == $pid }, 10, "the pid file to name $pid");
	$self->{pid} = $pid;
	return $old;
}

# The access log's events, perhaps of one kind.
sub events ($self, $kind = undef) {
	return map { decode_json($_) } $self->event_lines($kind);
}

# Not decoded, which is slow for thousands; a last line without its end is left out.
sub event_lines ($self, $kind = undef) {
	my $wanted = defined $kind ? qr/"event":\s*"\Q$kind\E".*\}$/ : qr/\}$/;
	return grep { $_ =~ $wanted } split /\n/, read_file($self->{access_log});
}

# Waits for an event with all FIELDS (text, or a pattern); returns it.
sub wait_for_event ($self, $kind, $fields = {}, $seconds = 10) {
	return wait_for(sub {
		for my $event ($self->events($kind)) {
			return $event unless grep { !matches($event->{$_}, $fields->{$_}) } keys %$fields;
		}
		return undef;
	}, $seconds, "an event $kind with " . join ', ', map { "$_=$fields->{$_}" } sort keys %$fields);
}

# Logs are written a little later: all of this kind, once there are so many at least.
sub wait_for_events ($self, $kind, $count, $seconds = 10) {
	my @events;

	wait_for(sub { (@events = $self->events($kind)) >= $count }, $seconds, "$count events $kind");
	return @events;
}

sub matches ($value, $wanted) {
	return 0 unless defined $value;
	return ref $wanted ? $value =~ $wanted : $value eq $wanted;
}

# What an operator's line is answered, at the socket @DIR@/NAME.sock, which a configuration without
# an admin block gets; several commands stand between semicolons.
sub ask ($self, $line, $seconds = 20) {
	my $path = test_dir() . "/$self->{name}.sock";
	my $socket = IO::Socket::UNIX->new(Peer => $path) // croak "$path: $!";
	my $answer = '';

	print {$socket} "$line\n";
	local $SIG{ALRM} = sub { croak "no answer to `$line` in $seconds s" };
	alarm $seconds;
	while (sysread $socket, $answer, 65536, length $answer) { }
	alarm 0;
	return $answer =~ s/\n\z//r;
}

sub ask_json ($self, $line, $seconds = 20) {
	return decode_json($self->ask("$line json", $seconds));
}

sub fd_count ($self) {
	return scalar(() = glob "/proc/$self->{pid}/fd/*");
}

# A size of /proc/PID/smaps_rollup in KiB: Pss, Rss …
sub memory ($self, $what = 'Pss') {
	my ($size) = read_file("/proc/$self->{pid}/smaps_rollup") =~ /^$what:\s+(\d+) kB/m;
	return $size // 0;
}

1;
