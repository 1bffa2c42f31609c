# SPDX-License-Identifier: BSD-2-Clause
#
# Postfix.pm: a real Postfix of the test's own, with all its files in the
# test's folder: it never looks at /etc/postfix.  What it accepts is delivered
# into one maildir, a file for each recipient.  Needs root.
package Gatepost::Postfix;
use v5.36;
use parent -norequire, 'Gatepost::Process';
use Carp qw(croak);
use Gatepost::Port qw(free_port);
use Gatepost::Process qw(test_dir wait_for read_file write_file);
use Gatepost::SaslServer;
use IO::Socket::INET;

my $programs = '/usr/lib/postfix/sbin';

# name, and perhaps
#   address, port
#   xclient => 1		takes XCLIENT from everybody, or => networks from those
#   proxy => 1			wants a PROXY header on each connection
#   postscreen => 1		has postscreen in front (which wants the header then)
#   sasl => { USER => PASSWORD }	AUTH PLAIN and LOGIN for these; => 'any' for everybody
#   cert => PEM			adds STARTTLS; tls_port then has TLS from the first byte
#   domain			whose mail is taken from everybody; example.com
#   main => { NAME => VALUE }	more of main.cf, which wins
# No address is trusted unless main has mynetworks.  Recipients that begin with "unknown" are refused.
sub new ($class, %option) {
	my $name = $option{name} // croak 'a Postfix needs a name';
	my $dir = test_dir() . "/$name";
	my $self = $class->SUPER::new(
		address => '127.0.0.1', domain => 'example.com', main => {},
		command => ["$programs/master", '-c', "$dir/conf", '-d'],
		%option, dir => $dir, log => "$dir/output");

	$self->{port} //= free_port();
	$self->{tls_port} //= free_port() if $self->{cert};
	$self->make_folders;
	$self->{auth} = Gatepost::SaslServer->new(name => "$name.auth", users => $self->{sasl},
	    path => "$dir/auth")->start if $self->{sasl};
	write_file("$dir/conf/boxes", "if !/^unknown/\n/./ all/\nendif\n");
	write_file("$dir/conf/master.cf", $self->services);
	$self->configure;
	return $self;
}

sub port ($self) { return $self->{port} }
sub tls_port ($self) { return $self->{tls_port} }
sub address ($self) { return $self->{address} }

sub make_folder ($self, $name, $mode, $user = undef, $group = undef) {
	my $path = "$self->{dir}/$name";

	mkdir $path or croak "$path: $!";
	my $uid = defined $user ? getpwnam $user : 0;
	my $gid = defined $group ? getgrnam $group : 0;
	chown $uid // croak("no user $user"), $gid // croak("no group $group"), $path;
	chmod $mode, $path or croak "$path: $!";
	return;
}

sub make_folders ($self) {
	$self->make_folder($_, 0755) for '', qw(conf queue queue/pid);
	$self->make_folder('data', 0700, 'postfix');
	$self->make_folder('mail', 0700, 'nobody', 'nogroup');
	$self->make_folder("queue/$_", 0700, 'postfix')
	    for qw(active bounce corrupt defer deferred flush hold incoming private saved trace);
	$self->make_folder('queue/maildrop', 01730, 'postfix', 'postdrop');
	$self->make_folder('queue/public', 02710, 'postfix', 'postdrop');
	return;
}

sub services ($self) {
	my $place = "$self->{address}:$self->{port}";
	my $smtpd = $self->{postscreen} ? <<~"END" : "$place inet n - n - - smtpd\n";
		$place inet n - n - 1 postscreen
		smtpd pass - - n - - smtpd
		dnsblog unix - - n - 0 dnsblog
		tlsproxy unix - - n - 0 tlsproxy
		END

	$smtpd .= "$self->{address}:$self->{tls_port} inet n - n - - smtpd -o smtpd_tls_wrappermode=yes\n"
	    if $self->{tls_port};
	return $smtpd . <<~"END";
		cleanup unix n - n - 0 cleanup
		qmgr unix n - n 300 1 qmgr
		tlsmgr unix - - n 1000? 1 tlsmgr
		rewrite unix - - n - - trivial-rewrite
		bounce unix - - n - 0 bounce
		defer unix - - n - 0 bounce
		trace unix - - n - 0 bounce
		verify unix - - n - 1 verify
		flush unix n - n 1000? 0 flush
		showq unix n - n - - showq
		proxymap unix - - n - - proxymap
		error unix - - n - - error
		retry unix - - n - - error
		discard unix - - n - - discard
		virtual unix - n n - - virtual
		lmtp unix - - n - - lmtp
		smtp unix - - n - - smtp
		anvil unix - - n - 1 anvil
		postlog unix-dgram n - n - 1 postlogd
		END
}

sub settings ($self) {
	my $dir = $self->{dir};
	my $nobody = getpwnam 'nobody';
	my %main = (
		compatibility_level => '3.6',
		queue_directory => "$dir/queue", data_directory => "$dir/data",
		maillog_file => "$dir/maillog", maillog_file_prefixes => test_dir(),
		myhostname => "$self->{name}.example.net", mydestination => '',
		inet_interfaces => $self->{address}, inet_protocols => 'ipv4',
		mynetworks => '192.0.2.255/32', smtpd_peername_lookup => 'no', disable_dns_lookups => 'yes',
		virtual_mailbox_domains => $self->{domain}, virtual_mailbox_base => "$dir/mail",
		virtual_mailbox_maps => "regexp:$dir/conf/boxes", virtual_minimum_uid => 1,
		virtual_uid_maps => "static:$nobody", virtual_gid_maps => 'static:' . getgrnam('nogroup'),
		default_transport => 'virtual', virtual_destination_recipient_limit => 100,
		smtpd_relay_restrictions =>
		    'permit_mynetworks, permit_sasl_authenticated, reject_unauth_destination',
		smtpd_client_connection_count_limit => 0,
		smtpd_tls_security_level => $self->{cert} ? 'may' : 'none',
		smtpd_sasl_auth_enable => $self->{sasl} ? 'yes' : 'no',
	);
	$main{smtpd_authorized_xclient_hosts} = $self->{xclient} eq '1' ? '0.0.0.0/0' : $self->{xclient}
	    if $self->{xclient};
	my $reader = $self->{postscreen} ? 'postscreen' : 'smtpd';
	$main{"${reader}_upstream_proxy_protocol"} = 'haproxy' if $self->{proxy};
	@main{qw(smtpd_tls_cert_file smtpd_tls_key_file)} = ($self->{cert}) x 2 if $self->{cert};
	@main{qw(smtpd_sasl_type smtpd_sasl_path)} = ('dovecot', "$dir/auth") if $self->{sasl};
	return (%main, %{ $self->{main} });
}

# Writes main.cf; with changed values where `main` is given.  reload makes it true.
sub configure ($self, %main) {
	$self->{main} = { %{ $self->{main} }, %main };
	my %all = $self->settings;
	my $path = "$self->{dir}/conf/main.cf";

	write_file("$path.new", join '', map { "$_ = $all{$_}\n" } sort keys %all);
	# Postfix waits for two seconds when it is younger
	utime time - 10, time - 10, "$path.new" or croak "$path.new: $!";
	rename "$path.new", $path or croak "$path: $!";
	return $self;
}

# The master's processes now.
sub children ($self) { return split ' ', read_file("/proc/$self->{pid}/task/$self->{pid}/children") }

# Idle processes end; those that have a client keep to what they had read until it is gone.
sub reload ($self) {
	my %old = map { $_ => 1 } $self->children;

	$self->signal('HUP') or croak "$self->{name} does not run";
	eval { wait_for(sub { !grep { $old{$_} } $self->children }, 2, 'old processes to end') };
	return;
}

sub start ($self) {
	$self->SUPER::start;
	wait_for(sub {
		croak "$self->{name} ended: " . $self->log_text . $self->maillog unless $self->is_running;
		$self->is_ready;
	}, 20, "$self->{name} to listen");
	return $self;
}

# It listens as soon as its master runs; what speaks is begun by the first client.
sub is_ready ($self) {
	return IO::Socket::INET->new(PeerAddr => $self->{address}, PeerPort => $self->{port}) ? 1 : 0;
}

# Nobody holds its socket.
sub can_listen ($self) {
	return IO::Socket::INET->new(LocalAddr => $self->{address}, LocalPort => $self->{port},
	    Proto => 'tcp', ReuseAddr => 1) ? 1 : 0;
}

# The master takes its processes with it; those hold its sockets, and end a moment later.
sub stop_quietly ($self) {
	$self->signal('TERM');
	$self->wait_for_end(20);
	wait_for(sub { $self->can_listen }, 10, "all of $self->{name} to end");
	return;
}

sub kill_now ($self) {
	my $is_running = $self->is_running;

	$self->SUPER::kill_now;
	eval { wait_for(sub { $self->can_listen }, 5, 'all of it to end') } if $is_running;
	return;
}

# Holds or resumes the master and all its processes.
sub freeze ($self) { return kill 'STOP', -$self->{pid} }
sub thaw ($self) { return kill 'CONT', -$self->{pid} }

# All that waits is tried now.
sub flush ($self) { return system('/usr/sbin/postkick', '-c', "$self->{dir}/conf", qw(public qmgr IDAF)) == 0 }

sub maillog ($self) { return read_file("$self->{dir}/maillog") }
sub maillog_lines ($self, $pattern) { return grep { $_ =~ $pattern } split /\n/, $self->maillog }

# Waits for COUNT lines to match and returns the last of these.
sub wait_for_maillog ($self, $pattern, $seconds = 10, $count = 1) {
	return wait_for(sub {
		my @lines = $self->maillog_lines($pattern);
		return @lines >= $count ? $lines[-1] : undef;
	}, $seconds, "$count × $pattern in the log of $self->{name}");
}

# What has been delivered, in no order: { to, text } for each recipient of each message; with PATTERN
# those whose text matches.
sub messages ($self, $pattern = qr//) {
	my @found;

	for my $path (glob "$self->{dir}/mail/all/new/*") {
		my $text = read_file($path);
		my ($to) = $text =~ /^Delivered-To: (.*)$/m;
		push @found, { to => $to, text => $text } if $text =~ $pattern;
	}
	return @found;
}

# Waits for COUNT such messages; more than these are a failure.
sub wait_for_messages ($self, $pattern, $count = 1, $seconds = 20) {
	my @found = wait_for(sub {
		my @seen = $self->messages($pattern);
		return @seen >= $count ? \@seen : undef;
	}, $seconds, "$count messages like $pattern at $self->{name}")->@*;
	croak scalar(@found) . " messages like $pattern at $self->{name}, not $count" if @found > $count;
	return wantarray ? @found : $found[0];
}

# Nothing is under way any more: what was accepted has been delivered, bounced or put off.
sub wait_until_quiet ($self, $seconds = 20) {
	return wait_for(sub {
		!grep { -f } map { glob "$self->{dir}/queue/$_/*" } qw(incoming active maildrop)
	}, $seconds, "the queue of $self->{name} to be empty");
}

1;
