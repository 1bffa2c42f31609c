# SPDX-License-Identifier: BSD-2-Clause
#
# NightFarm.pm: six real Dovecots behind a gatepost that checks them, users who read their mail all the time, and
# the ways in which one of the six breaks at night.  The sixth is behind a cable that can be pulled.
package Gatepost::NightFarm;
use v5.36;
use Carp qw(croak);
use Gatepost::Cert qw(make_cert);
use Gatepost::Dovecot;
use Gatepost::Fake;
use Gatepost::Gatepost;
use Gatepost::Imap;
use Gatepost::Namespace;
use IO::Select;
use Gatepost::Port qw(free_port own_address);
use Gatepost::Process qw(read_file test_dir wait_for write_file);
use POSIX qw(_exit);

use constant { SERVERS => 6, USERS => 48, READERS => 8, FULL_AT => 3 };

# What befalls which server at night, and what the engineer does about it.
sub faults ($class) {
	my @faults = (
		[stopped => 3, 'The service was stopped', \&stop_server, \&start_server],
		[frozen => 1, 'The machine hangs: it accepts connections and says nothing', \&freeze_server,
		    \&thaw_server],
		[disk => 5, 'The storage hangs: it greets, and nobody gets at mail', \&hang_disk, \&free_disk],
		[slow => 2, 'The storage is slow: a login takes two seconds', \&slow_disk, \&free_disk],
		[expired => 4, 'Nobody renewed its certificate',
		    sub ($farm, $n) { $farm->change_certificate($n, days => -1) }, \&change_certificate],
		[name => 1, 'It has got the certificate of another server',
		    sub ($farm, $n) { $farm->change_certificate($n, names => ['d9.example.com']) },
		    \&change_certificate],
		[master => 2, 'Somebody changed the master password there',
		    sub ($farm, $n) { $farm->set_master($n, 'changed') },
		    sub ($farm, $n) { $farm->set_master($n, 'master-secret') }],
		[full => 5, 'It runs as many imap processes as it may', \&fill_server, \&empty_server],
		[resets => 3, 'It greets, and breaks connections off then', \&reset_server, \&unreset_server],
		[cable => 6, 'The network swallows all packets to it', \&pull_cable, \&plug_cable],
	);

	return map { my %fault; @fault{qw(name server what break heal)} = @$_; \%fault } @faults;
}

sub new ($class) {
	my $dir = test_dir();
	my $self = bless { dir => $dir, port => free_port(), network => Gatepost::Namespace->new,
	    ca => make_cert(name => 'night CA', days => 900) }, $class;

	write_file("$dir/master-password", "master-secret\n");
	write_file("$dir/users", join '', map { "user$_:{PLAIN}gate-$_\n" } 1 .. USERS);
	for my $n (1 .. SERVERS) {
		$self->{address}[$n] = $n == SERVERS ? $self->{network}->address : own_address($n);
		$self->write_certificate($n);
		$self->{dovecot}[$n] = $self->dovecot($n);
	}
	$self->start_server($_) for 1 .. SERVERS;
	return $self;
}

# A login waits for a script of ours, which is where a disk would be waited for.
sub dovecot ($self, $n) {
	my ($dir, $name) = ($self->{dir}, "d$n");

	$self->set_master($n, 'master-secret');
	write_file("$dir/$name.login", "#!/bin/sh\n[ -e $dir/$name.wait ] && sleep \"\$(cat $dir/$name.wait)\"\nexec \"\$@\"\n");
	chmod 0755, "$dir/$name.login";
	return Gatepost::Dovecot->new(name => $name, address => $self->{address}[$n], port => $self->{port},
	    trusted => '127.0.0.0/8 10.0.0.0/8', users => USERS, cert => "$dir/$name.pem",
	    masters => "$dir/$name.masters", settings => <<~"END");
		service imap {
		  executable = imap imap-postlogin
		  service_count = 1
		}
		service imap-postlogin {
		  executable = script-login $dir/$name.login
		  user = \$default_internal_user
		  unix_listener imap-postlogin {
		    mode = 0666
		  }
		}
		END
}

# kind => what is added to the pool's check.
sub gatepost ($self, %option) {
	my $kind = $option{kind} // '';
	my $config = join '', <<~'END', map { "\tserver d$_ { address $self->{address}[$_] }\n" } 1 .. SERVERS;
		auth staff { source file; path @DIR@/users }
		farm mail {
			affinity 15m
		END
	$config .= <<~'END';
		}
		pool imap {
			farm mail; port @SERVER_PORT@
			server_tls starttls { ca @CA@ }
			login master; master_user gp; master_password_file @DIR@/master-password
			connect_timeout 1s; login_timeout 10s; queue_timeout 3s
			check { @KIND@ interval 1s; fast_interval 300ms; down_interval 1s; rise 2; fall 2; timeout 1s }
		}
		listener imap { bind 127.0.0.1:@PORT{imap}@; starttls off; plaintext_login yes; auth staff; pool imap }
		admin { socket @DIR@/gatepost.sock { level admin }; http 127.0.0.1:@PORT{http}@ }
		END
	return $self->{gatepost} = Gatepost::Gatepost->new(config => $config =~ s/\@KIND\@/$kind/r,
	    values => { SERVER_PORT => $self->{port}, CA => $self->{ca} });
}

sub write_certificate ($self, $n, %option) {
	return make_cert(name => "d$n", names => [$self->{address}[$n]], by => $self->{ca}, path => "$self->{dir}/d$n.pem",
	    %option);
}

sub set_master ($self, $n, $password) {
	return write_file("$self->{dir}/d$n.masters", "gp:{PLAIN}$password\n");
}

sub change_certificate ($self, $n, %option) {
	$self->write_certificate($n, %option);
	return $self->restart($n);
}

sub restart ($self, $n) {
	$self->stop_server($n);
	return $self->start_server($n);
}

sub stop_server ($self, $n) { return $self->{dovecot}[$n]->stop_quietly }

sub start_server ($self, $n) {
	my $start = sub { $self->{dovecot}[$n]->start };
	return $n == SERVERS ? $self->{network}->run_inside($start) : $start->();
}

sub freeze_server ($self, $n) { return $self->{dovecot}[$n]->freeze }
sub thaw_server ($self, $n) { return $self->{dovecot}[$n]->thaw }
# Logins wait, and who works on mail hangs in the middle of it.
sub hang_disk ($self, $n) {
	write_file("$self->{dir}/d$n.wait", "60\n");
	kill 'STOP', $self->{dovecot}[$n]->children('imap');
	return;
}

sub slow_disk ($self, $n) { return write_file("$self->{dir}/d$n.wait", "2\n") }
sub free_disk ($self, $n) {
	unlink "$self->{dir}/d$n.wait";
	return $self->{dovecot}[$n]->thaw;
}

sub pull_cable ($self, $n) { return $self->{network}->unplug }
sub plug_cable ($self, $n) { return $self->{network}->plug_in }

# Few processes, and others hold all of them.  Whoever comes by gatepost stands still meanwhile; the server is not
# restarted, or its users would go elsewhere.
sub fill_server ($self, $n) {
	my $dovecot = $self->{dovecot}[$n];

	kill 'STOP', @{ $self->{readers} };
	$self->reconfigure($n, "service imap {\n  process_limit = @{[FULL_AT]}\n  client_limit = 1\n}\n");
	$self->{holders} = [];
	# those that the old processes still took do not count, and who only had to wait too long says nothing
	my $full = qr/process_limit \(\d+\) reached/;
	my $before = () = $dovecot->log_lines($full);
	for my $user (1 .. 8 * FULL_AT) {
		push @{ $self->{holders} }, eval { $self->hold($n, $user) } // ();
		last if (() = $dovecot->log_lines($full)) > $before;
	}
	croak "d$n takes everybody" if (() = $dovecot->log_lines($full)) == $before;
	kill 'CONT', @{ $self->{readers} };
	return;
}

# A session of somebody who does not come through gatepost; dies where there is no room.
sub hold ($self, $n, $user) {
	my $client = Gatepost::Imap->new(address => $self->{address}[$n], port => $self->{port}, timeout => 4);

	$client->cmd("LOGIN user$user*gp master-secret") =~ /^\S+ OK/m or croak "user$user cannot log in at d$n";
	return $client;
}

sub reconfigure ($self, $n, $text) {
	my $dovecot = $self->{dovecot}[$n];
	my $before = () = $dovecot->log_lines(qr/SIGHUP received/);

	write_file("$dovecot->{dir}/dovecot.conf", $dovecot->config . $text);
	$dovecot->signal('HUP');
	return $dovecot->wait_for_log(qr/SIGHUP received/, 20, $before + 1);
}

sub empty_server ($self, $n) {
	delete $self->{holders};
	return $self->reconfigure($n, '');
}

# No real one does that at a word: a fake takes its place.
sub reset_server ($self, $n) {
	$self->stop_server($n);
	$self->{fake} = Gatepost::Fake->new(name => "fake-d$n", address => $self->{address}[$n], port => $self->{port},
	    script => [[send => "* OK [CAPABILITY IMAP4rev1 SASL-IR STARTTLS LOGINDISABLED] d$n ready\r\n"],
	    [expect => qr/\n/], ['reset']]);
	return $self->{fake}->start;
}

sub unreset_server ($self, $n) {
	delete($self->{fake})->kill_now;
	return $self->start_server($n);
}

# Readers share the users: each logs in as one after the other, looks at the INBOX, and leaves.
sub start_readers ($self) {
	my $port = $self->{gatepost}->port('imap');

	for my $reader (1 .. READERS) {
		$self->add_reader(sub ($n) { read_mail($port, $n % (USERS / READERS) * READERS + $reader) });
	}
	$self->add_reader(sub ($n) { stay($port, 1 .. USERS) });
	return;
}

sub add_reader ($self, $code) {
	my $pid = fork // croak "fork: $!";
	if ($pid == 0) {
		setpgrp;
		$SIG{TERM} = 'DEFAULT';
		for (my $n = 0;; $n++) {
			eval { $code->($n) };
			select undef, undef, undef, 0.05;
		}
	}
	push @{ $self->{readers} }, $pid;
	return;
}

# A session of each, as mail programs have them, in which something is asked every second; who is thrown out comes
# back.
sub stay ($port, @users) {
	my %session;

	while (1) {
		for my $n (@users) {
			eval { ask_again($session{$n} //= come($port, $n)); 1 } or delete $session{$n};
		}
		select undef, undef, undef, 0.5;
	}
}

# Logs in without waiting for the answer.
sub come ($port, $n) {
	my $client = Gatepost::Imap->new(port => $port, timeout => 5) // die "no connection\n";
	$client->send_bytes("n0 LOGIN user$n gate-$n\r\n");
	return { client => $client, turn => 0, heard => '' };
}

# Asks for news once the last answer has come.
sub ask_again ($session) {
	my $socket = $session->{client}->socket;

	while (IO::Select->new($socket)->can_read(0)) {
		sysread $socket, $session->{heard}, 65_536, length $session->{heard} or die "the end\n";
	}
	return if $session->{heard} !~ /^n$session->{turn} (\w+)/m;
	die "refused\n" if $1 ne 'OK';
	$session->{heard} = '';
	$session->{turn}++;
	$session->{client}->send_bytes("n$session->{turn} NOOP\r\n");
	return;
}

sub read_mail ($port, $n) {
	my $client = Gatepost::Imap->new(port => $port, timeout => 15);

	return if $client->cmd("LOGIN user$n gate-$n") !~ /^\S+ OK/m;
	$client->cmd('SELECT INBOX');
	$client->cmd('LOGOUT');
	return;
}

sub stop_readers ($self) {
	for my $pid (@{ delete $self->{readers} // [] }) {
		kill KILL => $pid;
		waitpid $pid, 0;
	}
	return;
}

sub stop ($self) {
	$_->stop_quietly for grep { defined } @{ $self->{dovecot} };
	return;
}

# Puts what the watch sees into the guide, between the case's marks there: with the addresses of a farm that one
# could have.
sub write_case ($self, $guide, $fault, $watch, $sign) {
	my ($name, $n) = @$fault{qw(name server)};
	my $text = $watch->transcript('imap', "d$n");
	my $metric = $sign->[1] =~ /\{/ ? $sign->[1] =~ s/\{/{server="d$n",/r : "$sign->[1]\{server=\"d$n\"}";

	croak "doctor has changed its mind: $text" if $text !~ /^\s+(?:wrong|note) +servers +imap.d$n /m;
	for my $k (1 .. SERVERS) {
		my $address = quotemeta $self->{address}[$k];
		$text =~ s/$address:$self->{port}( *)/sprintf '%-*s', length $&, "10.1.0.1$k:143"/ge;
		$text =~ s/$address/10.1.0.1$k/g;
	}
	$text =~ s/ +$//mg;
	my $case = "```\n$text```\n\nIn Prometheus: `$metric` grows, at d$n alone.\n";
	$case =~ s/`[^`]*` grows, at/`$metric` is 1, at/ if $metric =~ /state=/;
	$case =~ s/ grows, at d$n alone/ of its logins is $sign->[2] s, the others' far less/ if $metric =~ /_seconds/;
	my $all = read_file($guide);
	$all =~ s/(<!-- case $name -->\n).*?(<!-- end -->\n)/$1$case$2/s or croak "$guide has no case $name";
	write_file($guide, $all);
	return;
}

1;
