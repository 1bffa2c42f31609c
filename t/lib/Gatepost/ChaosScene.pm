# SPDX-License-Identifier: BSD-2-Clause
#
# ChaosScene.pm: three proxies, three Dovecots with a mailbox store each, and Redis (a server; or one that three
# sentinels watch; or a Redis Cluster of three), each in a network namespace of its own; Postfix, which delivers
# through the proxies, in that of the caller, which must have no other network: own_network.
package Gatepost::ChaosScene;
use v5.36;
use Carp qw(croak);
use Exporter 'import';
use File::Basename qw(dirname);
use Gatepost::Dovecot;
use Gatepost::Gatepost;
use Gatepost::Namespace;
use Gatepost::Port qw(free_port);
use Gatepost::Postfix;
use Gatepost::Process qw(run_command test_dir wait_for write_file);
use Gatepost::Redis;
use IO::Socket::INET;

our @EXPORT_OK = qw(own_network);

use constant { COUNT => 3, SECRET => 'redis-secret' };

my @protocols = qw(imap pop3 sieve submission);

# Runs the program again in a network that has nothing but itself.
sub own_network (@arguments) {
	my $mark = 'GATEPOST_CHAOS_NETWORK';

	if (!$ENV{$mark}) {
		local $ENV{$mark} = 1;
		exec 'unshare', '--net', $^X, (map { "-I$_" } @INC), $0, @arguments;
		die "unshare: $!\n";
	}
	delete $ENV{$mark};
	system(qw(ip link set lo up)) == 0 or die "no network of our own\n";
	write_file('/proc/sys/net/ipv4/ip_forward', "1\n");
	return;
}

# kind => single, sentinel or cluster, users => count, lease => of the block `cluster`, if that is to be told.
sub new ($class, %option) {
	my $self = bless { %option }, $class;
	my $number = 0;

	for my $name (map { my $what = $_; map { "$what$_" } 1 .. COUNT } qw(lb d r)) {
		my $place = $self->{place}{$name} = Gatepost::Namespace->new($number++);
		$place->route_out;
	}
	$self->start_servers;
	$self->start_redis;
	$self->start_proxies;
	$self->start_mail;
	return $self;
}

sub address ($self, $name) { return $self->{place}{$name}->address }
sub inside ($self, $name, $code) { return $self->{place}{$name}->run_inside($code) }
sub proxies ($self) { return sort keys %{ $self->{proxy} } }
sub servers ($self) { return sort keys %{ $self->{server} } }

sub start_servers ($self) {
	my %port = $self->{server_port}->%* = map { $_ => free_port() } @protocols, 'lmtp';
	my $mx = $self->{mail_port} = free_port();

	for my $n (1 .. COUNT) {
		my $name = "d$n";
		my $hub = $self->{place}{$name}->our_address;

		$self->{server}{$name} = Gatepost::Dovecot->new(name => $name, address => $self->address($name),
		    users => $self->{users}, trusted => '10.0.0.0/8', port => $port{imap}, pop3 => 1,
		    pop3_port => $port{pop3}, sieve_port => $port{sieve}, relay_port => $mx, lmtp => 1,
		    submission_port => $port{submission}, lmtp_port => $port{lmtp}, settings => <<~"END");
			auth_username_format = %Ln
			log_timestamp = "%s.%{usecs} "
			login_log_format_elements = user=<%u> method=%m rip=%r rport=%b mpid=%e session=<%{session}>
			submission_relay_host = $hub
			submission_max_mail_size = 1M
			service managesieve {
			  process_limit = 1000
			}
			service submission {
			  client_limit = 50
			  service_count = 0
			}
			END
		$self->start_server($name);
	}
	return;
}

sub start_server ($self, $name) {
	$self->inside($name, sub { $self->{server}{$name}->start });
	return;
}

# With a clock that jumps as we say: see t/clock/clock.c.
sub own_clock ($self, $name, $program) {
	my $library = test_dir() . '/clock.so';
	my ($sanitizer) = `ldd $program` =~ m{=> (\S*/lib[at]san\S+)};

	if (!-e $library) {
		my ($status, $text) = run_command('cc', ['cc', '-shared', '-fPIC', '-O2', '-o', $library,
		    dirname(__FILE__) . '/../../clock/clock.c']);
		croak $text if $status;
	}
	write_file(test_dir() . "/clock.$name", pack 'q', 0);
	return { LD_PRELOAD => join(' ', $sanitizer // (), $library), CLOCK_FILE => test_dir() . "/clock.$name" };
}

sub step_clock ($self, $name, $seconds) {
	open my $file, '+<:raw', test_dir() . "/clock.$name" or croak "the clock of $name: $!";
	syswrite $file, pack 'q', $seconds;
	return;
}

sub start_redis ($self) {
	my $kind = $self->{kind};
	my $count = $kind eq 'single' ? 1 : COUNT;

	for my $n (1 .. $count) {
		my $name = "r$n";
		my @more = ('--masterauth', SECRET);

		push @more, '--cluster-enabled', 'yes', '--cluster-config-file', test_dir() . "/nodes.$name",
		    '--cluster-port', free_port(), '--cluster-node-timeout', 2000 if $kind eq 'cluster';
		$self->{redis}{$name} = Gatepost::Redis->new(name => $name, address => $self->address($name),
		    password => SECRET, settings => \@more, env => $self->own_clock($name, '/usr/bin/redis-server'));
		$self->inside($name, sub { $self->{redis}{$name}->start });
		# not in its command line: one that is killed as a master is not to come back as a replica
		$self->{redis}{$name}->ask('REPLICAOF', $self->address('r1'), $self->{redis}{r1}->port)
		    if $kind eq 'sentinel' && $n > 1;
	}
	my @at = map { $_->address . ':' . $_->port } map { $self->{redis}{$_} } sort keys %{ $self->{redis} };
	$self->{url} = "redis://$at[0]";
	$self->start_sentinels if $kind eq 'sentinel';
	$self->join_cluster(@at) if $kind eq 'cluster';
	return;
}

sub start_sentinels ($self) {
	my @at;

	for my $n (1 .. COUNT) {
		my ($name, $port) = ("s$n", free_port());
		my $address = $self->address("r$n");

		push @at, "$address:$port";
		write_file(test_dir() . "/$name.conf", <<~"END");
			bind $address
			port $port
			dir ${\test_dir()}
			sentinel monitor mail ${\$self->address('r1')} ${\$self->{redis}{r1}->port} 2
			sentinel auth-pass mail ${\SECRET}
			sentinel down-after-milliseconds mail 1500
			sentinel failover-timeout mail 5000
			END
		$self->{sentinel}{$name} = Gatepost::Process->new(name => $name,
		    command => ['redis-server', test_dir() . "/$name.conf", '--sentinel']);
		$self->inside("r$n", sub { $self->{sentinel}{$name}->start });
	}
	$_->wait_for_log(qr/\+sentinel sentinel/, 30, COUNT - 1) for values %{ $self->{sentinel} };
	$self->{url} = 'redis+sentinel://' . join(',', @at) . '/mail';
	return;
}

sub join_cluster ($self, @at) {
	my ($status, $text) = run_command('redis-cli', ['redis-cli', '-a', SECRET, '--no-auth-warning', '--cluster',
	    'create', @at, '--cluster-yes']);

	croak $text if $status;
	for my $redis (values %{ $self->{redis} }) {
		wait_for(sub { $redis->ask('CLUSTER', 'INFO') =~ /cluster_state:ok/ }, 60, 'the cluster to be well');
	}
	$self->{url} = 'redis+cluster://' . join ',', @at;
	return;
}

sub config ($self) {
	my $lease = $self->{lease} ? "lease $self->{lease}s" : '';
	my $pools = join '', map { "pool $_ { port \@TO_\U$_\E\@ }\n" } @protocols, 'lmtp';
	my $listeners = join '', map { "listener $_ { bind \@ADDRESS\@:\@PORT{$_}\@; pool $_ }\n" } @protocols;
	my $servers = join '; ', map { "server $_ { address ${\$self->address($_)} }" } $self->servers;

	return <<~"END";
		users { default_domain example.com }
		auth file { source file; path \@DIR\@/users }
		cluster { redis $self->{url}; password_file \@DIR\@/redis.password; name \@NAME\@; prefix chaos;
		    timeout 1s; $lease }
		farm f { affinity 10m; $servers }
		default pool { check { kind protocol; interval 1s; fast_interval 200ms; down_interval 300ms; fall 2
		    timeout 3s }; farm f; close_spread 0s; login_timeout 10s; connect_timeout 2s }
		$pools
		default listener { starttls off; plaintext_login yes; auth file; login_timeout 10s }
		$listeners
		listener lmtp { bind \@ADDRESS\@:\@PORT{lmtp}\@; pool lmtp; auth none; plaintext_login no }
		END
}

sub start_proxies ($self) {
	write_file(test_dir() . '/users', join '', map { "user$_\@example.com:{PLAIN}pass-$_\n" } 1 .. $self->{users});
	write_file(test_dir() . '/redis.password', SECRET . "\n");
	for my $n (1 .. COUNT) {
		my $name = "lb$n";
		my $proxy = $self->{proxy}{$name} = Gatepost::Gatepost->new(name => $name, config => $self->config,
		    wait => [], env => $self->own_clock($name, $ENV{GATEPOST}), values => { NAME => $name,
		    ADDRESS => $self->address($name), map { ("TO_\U$_" => $self->{server_port}{$_}) } @protocols, 'lmtp' });

		$self->start_proxy($name);
	}
	for my $proxy (values %{ $self->{proxy} }) {
		wait_for(sub { @{ $proxy->ask_json('show cluster') } == COUNT }, 30, 'the proxies to know each other');
	}
	return;
}

sub start_proxy ($self, $name) {
	my $proxy = $self->{proxy}{$name};

	$self->inside($name, sub { $proxy->start });
	wait_for(sub { IO::Socket::INET->new(PeerAddr => $self->address($name), PeerPort => $proxy->port('imap')) },
	    30, "$name to listen");
	return;
}

# Each mail goes through a proxy of its own, and at the next try through another one.
sub start_mail ($self) {
	my $at = $self->{mail_address} = $self->{place}{lb1}->our_address;
	my $ways = join ',', map { 'lmtp:inet:[' . $self->address($_) . ']:' . $self->{proxy}{$_}->port('lmtp') }
	    $self->proxies;

	$self->{postfix} = Gatepost::Postfix->new(name => 'mx', address => '0.0.0.0', port => $self->{mail_port},
	    main => { inet_interfaces => 'all', transport_maps => "randmap:{$ways}", minimal_backoff_time => '1s',
	    maximal_backoff_time => '3s', queue_run_delay => '1s', in_flow_delay => '0s',
	    virtual_transport => 'error', lmtp_connect_timeout => '2s', lmtp_data_done_timeout => '15s',
	    lmtp_rcpt_timeout => '15s', lmtp_lhlo_timeout => '5s', mynetworks => '10.0.0.0/8' })->start;
	return;
}

# Where clients go.
sub doors ($self) {
	return { map {
		my $name = $_;
		($name => { address => $self->address($name),
		    map { $_ => $self->{proxy}{$name}->port($_) } @protocols })
	} $self->proxies };
}

# The subjects of what is in each store, by user.
sub stores ($self) {
	my %stores;

	for my $name ($self->servers) {
		for my $user (map { "user$_" } 1 .. $self->{users}) {
			$stores{$name}{$user} = [map { /^Subject: (\w+)/m ? $1 : () }
			    $self->{server}{$name}->messages($user)];
		}
	}
	return \%stores;
}

1;
