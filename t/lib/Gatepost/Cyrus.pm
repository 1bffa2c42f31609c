# SPDX-License-Identifier: BSD-2-Clause
#
# Cyrus.pm: a real Cyrus of the test's own: IMAP, POP3 and ManageSieve, its
# folders, ports and users with mailboxes: user1 with password pass-1, and so
# on, and "proxy" with proxy-secret, who may act for these.  Needs root.
package Gatepost::Cyrus;
use v5.36;
use parent -norequire, 'Gatepost::Process';
use Carp qw(croak);
use Gatepost::Imap;
use Gatepost::Port qw(free_port);
use Gatepost::Process qw(test_dir wait_for read_file run_command write_file);
use Gatepost::Syslog;
use Gatepost::Unpacked qw(enclosed library_path unpacked_path);
use IO::Socket::INET;

# name, and perhaps address, users => count, cert => PEM (adds STARTTLS, imaps and pop3s),
# imapd => { NAME => VALUE }: more of imapd.conf, which wins.
sub new ($class, %option) {
	my $name = $option{name} // croak 'a Cyrus needs a name';
	my $dir = test_dir() . "/$name";
	my $self = $class->SUPER::new(address => '127.0.0.1', users => 3, imapd => {},
		%option, dir => $dir, log => "$dir/output");
	my @services = (qw(imap pop3 sieve), $self->{cert} ? qw(imaps pop3s) : ());

	my @folders = map { "$dir/$_" } qw(mail sieve state), map { "state/$_" } qw(db log proc socket);

	mkdir $_ or croak "$_: $!" for $dir, @folders;
	$self->{ports} = { map { $_ => free_port() } @services };
	write_file("$dir/imapd.conf", $self->settings);
	write_file("$dir/cyrus.conf", $self->services);
	$self->{command} = [enclosed($dir, $self->command_of('master', '-M', "$dir/cyrus.conf",
	    '-p', "$dir/master.pid"))];
	$self->{syslog} = Gatepost::Syslog->new(name => "$name.syslog", path => "$dir/dev/log")->start;
	$self->make_users;
	chown +(getpwnam 'nobody')[2, 3], @folders, "$dir/sasldb";
	return $self;
}

# Of imap, pop3, sieve, imaps, pop3s.
sub port ($self, $service = 'imap') { return $self->{ports}{$service} // croak "no $service" }
sub address ($self) { return $self->{address} }

sub settings ($self) {
	my $dir = $self->{dir};
	my %imapd = (
		configdirectory => "$dir/state", sievedir => "$dir/sieve",
		defaultpartition => 'default', 'partition-default' => "$dir/mail",
		servername => "$self->{name}.example.net", cyrus_user => 'nobody',
		admins => 'admin', proxyservers => 'proxy',
		# a refused password is answered at once, and a mailbox may be opened again at once
		failedloginpause => 0, popminpoll => 0,
		allowplaintext => 'yes', sasl_mech_list => 'PLAIN LOGIN', sasl_pwcheck_method => 'auxprop',
		sasl_auxprop_plugin => 'sasldb', sasl_sasldb_path => "$dir/sasldb",
	);

	@imapd{qw(tls_server_cert tls_server_key)} = ($self->{cert}) x 2 if $self->{cert};
	%imapd = (%imapd, %{ $self->{imapd} });
	return join '', map { "$_: $imapd{$_}\n" } sort keys %imapd;
}

# The command line of one of its programs, with the test's configuration.
sub command_of ($self, $program, @words) {
	return (unpacked_path("/usr/lib/cyrus/bin/$program"), '-C', "$self->{dir}/imapd.conf", @words);
}

sub services ($self) {
	my %program = (imap => ['imapd'], imaps => ['imapd', '-s'], pop3 => ['pop3d'],
	    pop3s => ['pop3d', '-s'], sieve => ['timsieved']);
	my @services = map {
		my @command = $self->command_of(@{ $program{$_} });
		qq(  $_ cmd="@command" listen="$self->{address}:$self->{ports}{$_}"\n);
	} sort keys %{ $self->{ports} };

	return <<~"END";
		START {
		  recover cmd="@{[$self->command_of('ctl_cyrusdb', '-r')]}"
		  idled cmd="@{[$self->command_of('idled')]}"
		}
		SERVICES {
		@services}
		EVENTS {
		}
		END
}

sub make_users ($self) {
	my %password = (proxy => 'proxy-secret', admin => 'admin-secret', map { ("user$_" => "pass-$_") } 1 .. $self->{users});
	my @command = (unpacked_path('/usr/sbin/saslpasswd2'), '-c', '-p', '-f', "$self->{dir}/sasldb",
	    '-u', "$self->{name}.example.net");

	for my $user (sort keys %password) {
		my $file = write_file("$self->{dir}/password", $password{$user});
		my ($status, $output) = run_command("$self->{name}.saslpasswd2", [@command, $user],
		    env => { LD_LIBRARY_PATH => library_path() }, stdin => $file);
		croak "saslpasswd2: $output" if $status;
	}
	return;
}

sub start ($self) {
	$self->SUPER::start;
	for my $port (values %{ $self->{ports} }) {
		wait_for(sub {
			croak "$self->{name} ended: " . $self->syslog unless $self->is_running;
			IO::Socket::INET->new(PeerAddr => $self->{address}, PeerPort => $port);
		}, 20, "$self->{name} to listen");
	}
	$self->make_mailboxes unless $self->{has_mailboxes}++;
	return $self;
}

sub make_mailboxes ($self) {
	my $admin = Gatepost::Imap->new($self->{cert} ? (port => $self->port('imaps'), tls => 1)
	    : (port => $self->port('imap')));

	$admin->login('admin', 'admin-secret');
	for (1 .. $self->{users}) {
		my $reply = $admin->cmd("CREATE user/user$_");
		croak "mailbox of user$_: $reply" unless $reply =~ / OK/;
	}
	$admin->close;
	return;
}

sub stop_quietly ($self) {
	$self->signal('TERM');
	$self->wait_for_end(20);
	return;
}

sub syslog ($self) { return $self->{syslog}->log_text }
sub wait_for_syslog ($self, @how) { return $self->{syslog}->wait_for_log(@how) }

1;
