# SPDX-License-Identifier: BSD-2-Clause
#
# Exim.pm: a real Exim of the test's own, its folders, port and users: user1
# with password pass-1, and so on, "proxy" with proxy-secret, who may act for
# these, and trusted-secret as everybody's.  Its log is its main log.  What it
# accepts is delivered into one maildir.  Needs root.
package Gatepost::Exim;
use v5.36;
use parent -norequire, 'Gatepost::Process';
use Carp qw(croak);
use Gatepost::Port qw(free_port);
use Gatepost::Process qw(test_dir wait_for read_file write_file);
use Gatepost::Unpacked qw(enclosed unpacked_path);

# name, and perhaps
#   address, users => count
#   cert => PEM		adds STARTTLS
#   proxy => 1			wants a PROXY header on each connection
#   mechanisms => [...]		of AUTH: PLAIN, LOGIN
#   refuses => ADDRESS		of a client
# Mail is taken for example.com, but not where the recipient begins with "unknown", and for everybody from
# those who are logged in.
sub new ($class, %option) {
	my $name = $option{name} // croak 'an Exim needs a name';
	my $dir = test_dir() . "/$name";
	my $program = unpacked_path('/usr/sbin/exim4');
	my $self = $class->SUPER::new(
		address => '127.0.0.1', users => 3, mechanisms => [qw(PLAIN LOGIN)], refuses => '',
		%option, dir => $dir, log => "$dir/mainlog", program => $program);

	$self->{port} = free_port();
	mkdir $_ or croak "$_: $!" for $dir, "$dir/spool", "$dir/mail";
	chmod 0777, $dir, "$dir/spool", "$dir/mail";
	chmod 0666, write_file($self->{log}, '');
	write_file("$dir/users", join '', map { "user$_: pass-$_\n" } 1 .. $self->{users});
	write_file("$dir/exim.conf", $self->settings);
	$self->{command} = [enclosed($dir, $program, '-C', "$dir/exim.conf", '-bdf')];
	return $self;
}

sub port ($self) { return $self->{port} }
sub address ($self) { return $self->{address} }

sub settings ($self) {
	my ($dir, $cert) = @$self{qw(dir cert)};
	my $tls = $cert ? "tls_advertise_hosts = *\ntls_certificate = $cert\ntls_privatekey = $cert\n"
	    : "tls_advertise_hosts =\n";
	my $proxy = $self->{proxy} ? "hosts_proxy = *\n" : '';

	# not setuid root, it delivers as the user that it has
	return $tls . $proxy . $self->main_settings . $self->rules . $self->authenticators;
}

sub main_settings ($self) {
	return <<~"END";
		exim_path = $self->{program}
		keep_environment = LD_LIBRARY_PATH
		spool_directory = $self->{dir}/spool
		log_file_path = $self->{dir}/%slog
		pid_file_path = $self->{dir}/exim.pid
		primary_hostname = $self->{name}.example.net
		local_interfaces = $self->{address}
		daemon_smtp_ports = $self->{port}
		host_lookup =
		rfc1413_hosts =
		log_selector = +incoming_port +smtp_connection +proxy
		acl_smtp_connect = check_client
		acl_smtp_rcpt = check_rcpt
		deliver_drop_privilege
		END
}

sub rules ($self) {
	return <<~"END";
		begin acl
		check_client:
		  deny hosts = $self->{refuses}
		       message = not from there
		  accept
		check_rcpt:
		  deny local_parts = ^unknown
		  accept domains = example.com
		  accept authenticated = *
		  deny message = relay not permitted
		begin routers
		all:
		  driver = accept
		  transport = maildir
		begin transports
		maildir:
		  driver = appendfile
		  directory = $self->{dir}/mail
		  maildir_format
		  delivery_date_add
		  envelope_to_add
		END
}

# In Exim's words; fails for a user who is not there.
sub password_of ($self, $user) {
	return "{\${lookup{$user}lsearch{$self->{dir}/users}{\$value}fail}}";
}

# As PLAIN's $auth1 to $auth3: for whom, who, the password.
sub plain ($self) {
	return <<~"END";
		plain:
		  driver = plaintext
		  public_name = PLAIN
		  server_prompts = :
		  server_condition = \${if or{ \\
		    {and{{eq{\$auth2}{proxy}}{eq{\$auth3}{proxy-secret}}}} \\
		    {and{{eq{\$auth1}{}}{eq{\$auth3}{trusted-secret}}}} \\
		    {and{{eq{\$auth1}{}}{eq{\$auth3}@{[$self->password_of('$auth2')]}}}} }}
		  server_set_id = \${if eq{\$auth1}{}{\$auth2}{\$auth1}}
		END
}

sub login ($self) {
	return <<~"END";
		login:
		  driver = plaintext
		  public_name = LOGIN
		  server_prompts = Username:: : Password::
		  server_condition = \${if eq{\$auth2}@{[$self->password_of('$auth1')]}}
		  server_set_id = \$auth1
		END
}

sub authenticators ($self) {
	my %text = (PLAIN => $self->plain, LOGIN => $self->login);
	return join '', "begin authenticators\n", map { $text{$_} } @{ $self->{mechanisms} };
}

sub start ($self) {
	$self->SUPER::start;
	$self->wait_until_listening;
	return $self;
}

sub stop_quietly ($self) {
	$self->signal('TERM');
	$self->wait_for_end(20);
	return;
}

# The text of the message that matches, once it is delivered.
sub wait_for_message ($self, $pattern, $seconds = 20) {
	return wait_for(sub {
		my ($found) = grep { $_ =~ $pattern } map { read_file($_) } glob "$self->{dir}/mail/new/*";
		return $found;
	}, $seconds, "a message like $pattern at $self->{name}");
}

1;
