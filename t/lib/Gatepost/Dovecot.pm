# SPDX-License-Identifier: BSD-2-Clause
#
# Dovecot.pm: a real Dovecot 2.3 of the test's own: its folders, ports, users
# (user1 with password pass-1, and so on) and mail.  Works as root and not.
package Gatepost::Dovecot;
use v5.36;
use parent -norequire, 'Gatepost::Process';
use Carp qw(croak);
use Gatepost::Port qw(free_port);
use Gatepost::Process qw(read_file test_dir write_file);

my $delivered = 0;

$ENV{PATH} .= ':/usr/sbin';	# where dovecot is, and others than root do not look

# name, and perhaps address, port, users => count, trusted => networks, cert => PEM (adds STARTTLS and
# imaps), pop3 => 1 (adds it, and with cert pop3s), sieve_port => ManageSieve's, relay_port => that of the
# mail server here which gets what users send (adds submission), lmtp => 1 (adds it, whatever the domain
# behind user1), masters => file of those who may log in
# for others, any_user => "password=…": whom it lets in under any name, user_lines => more lines of its file of
# users, auth => 1 (adds sockets where others ask: auth_socket, master_socket, auth_port), settings => text added
# to the configuration.
sub new ($class, %option) {
	my $name = $option{name} // croak 'a Dovecot needs a name';
	my $dir = test_dir() . "/$name";
	my $self = $class->SUPER::new(
		address => '127.0.0.1', users => 10, trusted => '127.0.0.0/8 ::1/128', settings => '',
		command => ['dovecot', '-F', '-c', "$dir/dovecot.conf"],
		limits => { nofile => '8192:' },
		%option, dir => $dir, log => "$dir/dovecot.log");

	mkdir "$dir" or croak "$dir: $!";
	mkdir "$dir/$_" or croak "$dir/$_: $!" for qw(run state mail);
	$self->{port} //= free_port();
	$self->{tls_port} //= free_port() if $self->{cert};
	$self->{pop3_port} //= free_port() if $self->{pop3};
	$self->{pop3s_port} //= free_port() if $self->{pop3} && $self->{cert};
	$self->{lmtp_port} //= free_port() if $self->{lmtp};
	$self->{submission_port} //= free_port() if $self->{relay_port};
	$self->{auth_port} //= free_port() if $self->{auth};
	if ($> == 0) {
		my ($uid, $gid) = (getpwnam 'mail')[2, 3];
		chown $uid, $gid, "$dir/mail";
	}
	write_file("$dir/users", join '', map({ "user$_:{PLAIN}pass-$_\n" } 1 .. $self->{users}),
	    $self->{user_lines} // '');
	write_file("$dir/dovecot.conf", $self->config);
	return $self;
}

sub port ($self) { return $self->{port} }
sub tls_port ($self) { return $self->{tls_port} }
sub pop3_port ($self) { return $self->{pop3_port} }
sub lmtp_port ($self) { return $self->{lmtp_port} }
sub submission_port ($self) { return $self->{submission_port} }
sub address ($self) { return $self->{address} }
sub auth_port ($self) { return $self->{auth_port} }
sub auth_socket ($self) { return "$self->{dir}/run/gatepost-client" }
sub master_socket ($self) { return "$self->{dir}/run/gatepost-master" }

# Root's Dovecot drops to the users of its package; another's does everything as that one.
sub config_users ($self) {
	return "mail_uid = mail\nmail_gid = mail\nfirst_valid_uid = 1\nfirst_valid_gid = 1\n" if $> == 0;
	my ($user, $group) = (scalar getpwuid $>, scalar getgrgid $));
	return <<~"END";
		default_internal_user = $user
		default_login_user = $user
		default_internal_group = $group
		mail_uid = $user
		mail_gid = $group
		first_valid_uid = 1
		first_valid_gid = 1
		service anvil {
		  chroot =
		}
		service stats {
		  chroot =
		}
		END
}

sub config_masters ($self) {
	my $config = '';

	$config .= <<~"END" if defined $self->{masters};
		auth_master_user_separator = *
		passdb {
		  driver = passwd-file
		  master = yes
		  args = scheme=PLAIN $self->{masters}
		  result_success = continue
		}
		END
	$config .= <<~"END" if defined $self->{any_user};
		passdb {
		  driver = static
		  args = $self->{any_user}
		}
		END
	return $config;
}

sub config_tls ($self) {
	return "ssl = no\n" unless $self->{cert};
	return <<~"END";
		ssl = yes
		ssl_cert = <$self->{cert}
		ssl_key = <$self->{cert}
		END
}

# As IMAP's: few processes.
sub config_pop3 ($self) {
	return '' unless $self->{pop3};
	my $pop3s_port = $self->{pop3s_port} // 0;
	my $chroot = $> == 0 ? '' : 'chroot =';

	return <<~"END";
		protocols = \$protocols pop3
		service pop3-login {
		  service_count = 0
		  process_limit = 4
		  client_limit = 4000
		  $chroot
		  inet_listener pop3 {
		    port = $self->{pop3_port}
		  }
		  inet_listener pop3s {
		    port = $pop3s_port
		    ssl = yes
		  }
		}
		service pop3 {
		  service_count = 0
		  client_limit = 25
		  process_limit = 200
		}
		END
}

# Scripts lie in the user's home.
sub config_sieve ($self) {
	return '' unless $self->{sieve_port};
	my $chroot = $> == 0 ? '' : 'chroot =';

	return <<~"END";
		protocols = \$protocols sieve
		service managesieve-login {
		  service_count = 0
		  process_limit = 4
		  $chroot
		  inet_listener sieve {
		    port = $self->{sieve_port}
		  }
		}
		END
}

# The relay is told who the client is.
sub config_submission ($self) {
	return '' unless $self->{relay_port};
	my $chroot = $> == 0 ? '' : 'chroot =';

	return <<~"END";
		protocols = \$protocols submission
		submission_relay_host = 127.0.0.1
		submission_relay_port = $self->{relay_port}
		submission_relay_trusted = yes
		service submission-login {
		  service_count = 0
		  process_limit = 4
		  $chroot
		  inet_listener submission {
		    port = $self->{submission_port}
		  }
		}
		END
}

sub config_auth ($self) {
	return '' unless $self->{auth};
	return <<~"END";
		service auth {
		  unix_listener gatepost-client {
		    mode = 0666
		  }
		  unix_listener gatepost-master {
		    mode = 0666
		  }
		  inet_listener gatepost-inet {
		    address = 127.0.0.1
		    port = $self->{auth_port}
		  }
		}
		END
}

sub config_lmtp ($self) {
	return '' unless $self->{lmtp};
	return <<~"END";
		protocols = \$protocols lmtp
		auth_username_format = %Ln
		postmaster_address = postmaster\@example.com
		service lmtp {
		  process_limit = 50
		  inet_listener lmtp {
		    port = $self->{lmtp_port}
		  }
		}
		END
}

sub config ($self) {
	my $dir = $self->{dir};
	my $tls_port = $self->{tls_port} // 0;
	my $chroot = $> == 0 ? '' : 'chroot =';

	# Without the penalty socket, a refused password delays no later login of the same address.
	# Several sessions share an imap process: thousands of processes would only measure the machine.
	my $text = <<~"END";
		base_dir = $dir/run
		state_dir = $dir/state
		log_path = $dir/dovecot.log
		log_timestamp = "%Y-%m-%d %H:%M:%S "
		protocols = imap
		listen = $self->{address}
		login_trusted_networks = $self->{trusted}
		login_greeting = $self->{name} ready
		disable_plaintext_auth = no
		auth_failure_delay = 0
		auth_verbose = yes
		auth_cache_size = 0
		mail_location = maildir:$dir/mail/%u
		mail_max_userip_connections = 0
		default_client_limit = 6000
		default_process_limit = 500
		default_vsz_limit = 2 G
		passdb {
		  driver = passwd-file
		  args = scheme=PLAIN username_format=%u $dir/users
		}
		userdb {
		  driver = static
		  args = home=$dir/mail/%u
		}
		service imap-login {
		  service_count = 0
		  process_limit = 4
		  client_limit = 4000
		  $chroot
		  inet_listener imap {
		    port = $self->{port}
		  }
		  inet_listener imaps {
		    port = $tls_port
		    ssl = yes
		  }
		}
		service anvil {
		  unix_listener anvil-auth-penalty {
		    mode = 0
		  }
		}
		service imap {
		  service_count = 0
		  client_limit = 25
		  process_limit = 200
		}
		END
	return $text . $self->config_users . $self->config_tls . $self->config_pop3 . $self->config_sieve .
	    $self->config_submission . $self->config_lmtp . $self->config_auth . $self->config_masters .
	    $self->{settings} . "\n";
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

# Holds or resumes the master and all its processes.
sub freeze ($self) { return kill 'STOP', -$self->{pid} }
sub thaw ($self) { return kill 'CONT', -$self->{pid} }

# The processes of one name that it runs.
sub children ($self, $name) {
	return map { m{^/proc/(\d+)/} } grep {
		my ($what, $group) = read_file($_) =~ /^\d+ \((.*)\) \S \d+ (\d+)/;
		defined $group && $group == $self->{pid} && $what eq $name;
	} glob '/proc/[0-9]*/stat';
}

# What is in the user's INBOX, in no order.
sub messages ($self, $user) {
	return map { read_file($_) } glob "$self->{dir}/mail/$user/{new,cur}/*";
}

# Adds a message to the user's INBOX, as a mail delivery agent does: written in tmp, renamed into new.
sub deliver ($self, $user, $message) {
	my $box = "$self->{dir}/mail/$user";
	my $file = sprintf '%d.M%dP%d.test', time, ++$delivered, $$;
	my @owner = (stat "$self->{dir}/mail")[4, 5];

	for my $folder ($box, map { "$box/$_" } qw(tmp new cur)) {
		next if -d $folder;
		mkdir $folder, 0700 or croak "$folder: $!";
		chown @owner, $folder if $> == 0;
	}
	write_file("$box/tmp/$file", $message);
	chown @owner, "$box/tmp/$file" if $> == 0;
	rename "$box/tmp/$file", "$box/new/$file" or croak "$box/new/$file: $!";
	return;
}

1;
