# SPDX-License-Identifier: BSD-2-Clause
#
# SickBench.pm: the same three real servers, d1 to d3, behind gatepost and
# behind HAProxy, which checks them as often and as patiently.  Clients come to
# both all the while; d2 falls sick, and is well again.  What both noticed and
# when, and who was not served, becomes a table.  Gatepost must notice all, and
# fail nobody who could be served; of times nothing is judged.
package Gatepost::SickBench;
use v5.36;
use Carp qw(croak);
use Fcntl qw(:flock O_CREAT O_RDWR);
use Gatepost::Gatepost;
use Gatepost::Port qw(free_port);
use Gatepost::Process qw(read_file test_dir wait_for write_file);
use IO::Socket::UNIX;
use POSIX qw(_exit);
use Test::More;
use Time::HiRes qw(sleep time);

use constant { CLIENTS => 2, TRIES_AFTER => 12 };

$ENV{PATH} .= ':/usr/sbin';	# haproxy's

my @sides = qw(gatepost haproxy);

# protocol; servers => { d1 => ADDRESS … }, port;
# pool => lines of gatepost's pool, listener => of its listener, values => for them;
# checks => lines of HAProxy, server => words for each of its servers;
# visit => CODE that is given a port and a number: a client's whole session, true when it was served;
# event => the access log's for one that was; careful => 1: d2 falls sick between the visits, for what
# cannot be served by another server once it has begun.
sub new ($class, %option) {
	my $self = bless {
		pool => '', listener => '', values => {}, checks => '', server => '', event => 'login',
		table => [], at => { haproxy => free_port() }, dir => test_dir(), %option,
	}, $class;

	$self->start_gatepost;
	$self->start_haproxy;
	for my $side (@sides) {
		wait_for(sub {
			my %state = $self->states($side);
			return 3 == grep { ($state{$_} // '') eq 'up' } keys %{ $self->{servers} };
		}, 20, "$side to see three servers");
	}
	for my $side (@sides) {
		$self->start_client($side, $_) for 1 .. CLIENTS;
	}
	return $self;
}

sub gatepost ($self) { return $self->{gatepost} }

# As often, as patient and as hasty: 500 ms, 200 ms while it is going up or down.
sub start_gatepost ($self) {
	my %servers = %{ $self->{servers} };
	my $servers = join '; ', map { "server $_ { address $servers{$_} }" } sort keys %servers;

	$self->{gatepost} = Gatepost::Gatepost->new(values => $self->{values}, config => <<~"END")->start;
		log { target stderr; level info }
		pool bench {
		    protocol $self->{protocol}; port $self->{port}; balance roundrobin
		    retries 3; connect_timeout 500ms; login_timeout 20s
		    check {
		        interval 500ms; fast_interval 200ms; down_interval 500ms
		        rise 2; fall 3; timeout 500ms
		    }
		    $self->{pool}
		    $servers
		}
		listener bench {
		    protocol $self->{protocol}; bind 127.0.0.1:\@PORT{bench}\@; starttls off; pool bench
		    $self->{listener}
		}
		END
	$self->{at}{gatepost} = $self->{gatepost}->port('bench');
	return;
}

sub start_haproxy ($self) {
	my $dir = $self->{dir};
	my $check = 'check inter 500ms fastinter 200ms downinter 500ms rise 2 fall 3';
	my $servers = join '', map { "  server $_ $self->{servers}{$_}:$self->{port} $check "
	    . "on-marked-down shutdown-sessions $self->{server}\n" } sort keys %{ $self->{servers} };

	write_file("$dir/haproxy.cfg", <<~"END" . $self->{checks} . $servers);
		global
		  stats socket $dir/haproxy.sock
		defaults
		  mode tcp
		  timeout connect 500ms
		  timeout client 60s
		  timeout server 60s
		  timeout check 500ms
		listen bench
		  bind 127.0.0.1:$self->{at}{haproxy}
		  balance roundrobin
		  retries 3
		  option redispatch 1
		END
	$self->{haproxy} = Gatepost::Process->new(name => 'haproxy',
	    command => ['haproxy', '-db', '-f', "$dir/haproxy.cfg"])->start;
	wait_for(sub { -S "$dir/haproxy.sock" }, 20, 'haproxy');
	return;
}

# Which servers that side holds for up, and which for down.
sub states ($self, $side) {
	return map { m{\bbench/(d\d) is (up|down)} } $self->{gatepost}->log_lines(qr{\bbench/d\d is })
	    if $side eq 'gatepost';
	my $socket = IO::Socket::UNIX->new(Peer => "$self->{dir}/haproxy.sock") or croak "haproxy.sock: $!";
	print $socket "show stat\n";
	my @rows = map { [split /,/] } <$socket>;
	$self->{haproxy_said} = { map { ($_->[1] => $_->[36] =~ s/^\* //r) } grep { @$_ > 36 } @rows };
	return map { ($_->[1] => $_->[17] =~ /^UP/ ? 'up' : 'down') }
	    grep { @$_ > 36 && $_->[1] =~ /^d/ } @rows;
}

sub sees ($self, $side, $state) { return ({ $self->states($side) }->{d2} // '') eq $state }

# Why d2 is down, as that side tells it: "L4CON".
sub reason ($self, $side) {
	return $self->{haproxy_said}{d2} if $side eq 'haproxy';
	my @lines = $self->{gatepost}->log_lines(qr{\bbench/d2 is down: });
	return @lines ? $lines[-1] =~ s/.* is down: (\w+):.*/$1/r : '';
}

# Clients hold this lock together while they are at something.
sub open_lock ($self, $side) {
	sysopen my $lock, "$self->{dir}/$side.lock", O_CREAT | O_RDWR or croak "$side.lock: $!";
	return $lock;
}

# Comes again and again until it is told to stop: a letter for each visit.
sub start_client ($self, $side, $number) {
	my $parent = $$;
	my $pid = fork // croak "fork: $!";

	if ($pid == 0) {
		setpgrp;
		$SIG{$_} = 'DEFAULT' for qw(INT TERM HUP);
		open my $out, '>>', "$self->{dir}/$side.tries" or _exit(1);
		my $lock = $self->open_lock($side);
		for (my $n = $number; !-e "$self->{dir}/stop"; $n += CLIENTS) {
			sleep 0.03 while -e "$self->{dir}/$side.pause" && getppid == $parent;
			_exit(0) if getppid != $parent;
			flock $lock, LOCK_SH;
			my $served = eval { $self->{visit}->($self->{at}{$side}, $n) };
			syswrite $out, $served ? '.' : 'F';
			flock $lock, LOCK_UN;
			sleep 0.03;
		}
		_exit(0);
	}
	push @{ $self->{clients} }, Gatepost::Process->new(name => "$side.$number")->adopt($pid);
	return;
}

# Calls CODE while no client of that side is at anything.
sub at_rest ($self, $side, $code) {
	my $lock = $self->open_lock($side);

	write_file("$self->{dir}/$side.pause", '');
	flock $lock, LOCK_EX;
	$code->();
	unlink "$self->{dir}/$side.pause";
	# closing would not do: what was started meanwhile has inherited it
	flock $lock, LOCK_UN;
	return;
}

sub tries ($self, $side) { return read_file("$self->{dir}/$side.tries") }

# The state that d2 has then, what happens, and how to do it: the time until both know, and who failed
# meanwhile.
sub event ($self, $state, $what, $do) {
	my %before = map { $_ => length $self->tries($_) } @sides;
	my (%after, %visits);

	if ($self->{careful}) {
		my $plain = $do;
		$do = sub { $self->at_rest('haproxy', sub { $self->at_rest('gatepost', $plain) }) };
	}
	my $began = time;
	$do->();
	wait_for(sub {
		$after{$_} //= time - $began for grep { $self->sees($_, $state) } @sides;
		return keys %after == @sides;
	}, 30, "both to see d2 $state: $what");
	# then some more, which must go elsewhere
	my %at = map { $_ => length $self->tries($_) } @sides;
	wait_for(sub { !grep { length($self->tries($_)) < $at{$_} + TRIES_AFTER } @sides }, 60, 'clients');
	$visits{$_} = substr $self->tries($_), $before{$_} for @sides;
	push @{ $self->{table} }, [$what, $state, map {
		sprintf('%5.2f', $after{$_}), $state eq 'down' ? $self->reason($_) : '',
		    scalar($visits{$_} =~ tr/F//) . ' of ' . length $visits{$_}
	} @sides];
	pass("$what: both know that d2 is $state");
	is($visits{gatepost} =~ tr/F//, 0, "$what: gatepost fails nobody");
	return;
}

sub servers_of ($self) { return map { $_->{server} } $self->{gatepost}->events($self->{event}) }

# Of those who come from now on nobody is served by d2; or somebody is.
sub goes_there ($self, $wanted, $what) {
	my $before;

	$self->at_rest('gatepost', sub { $before = () = $self->servers_of });
	my @later = @{ wait_for(sub {
		my @all = $self->servers_of;
		return @all >= $before + TRIES_AFTER ? [@all[$before .. $#all]] : undef;
	}, 60, 'visits') };
	my $there = grep { $_ eq 'bench/d2' } @later;
	ok($wanted ? $there : !$there, "$what: " . ($wanted ? 'some go there' : 'no new session goes there'))
	    or diag("@later");
	return;
}

# d2 falls sick by $fall and is well again by $rise.
sub sickness ($self, $what, $fall, $rise) {
	$self->event('down', $what, $fall);
	$self->goes_there(0, $what);
	$self->event('up', "$what no more", $rise);
	$self->goes_there(1, "$what no more");
	return;
}

# Ends clients and proxies, and prints the table.
sub finish ($self) {
	write_file("$self->{dir}/stop", '');
	$_->wait_for_end(60) for @{ $self->{clients} };
	diag(sprintf "%-36s %-5s %29s  %29s", 'what happens to one of three', 'd2 is',
	    'gatepost: s, why, not served', 'HAProxy: s, why, not served');
	diag(sprintf "%-36s %-5s %8s %-8s %11s  %8s %-8s %11s", @$_) for @{ $self->{table} };
	$self->{gatepost}->stop;
	$self->{haproxy}->kill_now;
	return;
}

1;
