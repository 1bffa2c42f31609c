# SPDX-License-Identifier: BSD-2-Clause
#
# Farm.pm: several proxies with a Redis between them, in front of several
# Dovecots that have a mailbox store each, so that a user who is on two of
# them is seen.  The proxies are lb1, lb2 and so on, the servers d1, d2 …
package Gatepost::Farm;
use v5.36;
use Carp qw(croak);
use Exporter 'import';
use Gatepost::Dovecot;
use Gatepost::Gatepost;
use Gatepost::Imap;
use Gatepost::Pop3;
use Gatepost::Port qw(free_port own_address);
use Gatepost::Process qw(test_dir wait_for write_file);
use Gatepost::Redis;
use Gatepost::Sieve;

our @EXPORT_OK = qw(lives log_in);

my %class = (imap => 'Gatepost::Imap', pop3 => 'Gatepost::Pop3', sieve => 'Gatepost::Sieve');

# Perhaps proxies, servers, users => how many; cluster, farm, pool, top => more of these blocks, top's of none (of
# `cluster` by itself that Redis may take its time, on a busy machine); server => sub ($proxy, $server) that gives
# more of a server's block, by their numbers; redis => 0: each proxy is alone.  @DIR@, servers' addresses as @D1@ and
# ports as @IMAP@ are filled in.  All runs, and the proxies know each other, when it returns.
sub new ($class, %option) {
	my $self = bless { proxies => 3, servers => 3, users => 10, cluster => 'timeout 2s', farm => '', pool => '', top => '',
	    server => sub { '' }, redis => 1, %option, port => { map { $_ => free_port() } qw(imap pop3 sieve lmtp) } },
	    $class;
	my ($port, $users, $dir) = (@{$self}{qw(port users)}, test_dir());

	$self->{dovecot} = { map { ("d$_" => Gatepost::Dovecot->new(name => "d$_", address => own_address($_),
	    users => $users, port => $port->{imap}, pop3 => 1, pop3_port => $port->{pop3}, sieve_port => $port->{sieve},
	    lmtp => 1, lmtp_port => $port->{lmtp}, settings => 'auth_username_format = %Ln')->start) }
	    1 .. $self->{servers} };
	write_file("$dir/users", join '', map { "user$_\@example.com:{PLAIN}pass-$_\n" } 1 .. $users);
	if ($self->{redis}) {
		$self->{redis} = Gatepost::Redis->new(name => 'redis')->start;
		write_file("$dir/redis.password", $self->{redis}->password . "\n");
	}
	my %values = ((map { uc($_) => $port->{$_} } keys %$port),
	    map { uc($_) => $self->{dovecot}{$_}->address } keys %{ $self->{dovecot} });
	$self->{proxy} = [map { Gatepost::Gatepost->new(name => "lb$_", config => $self->config($_), values => \%values)->start }
	    1 .. $self->{proxies}];
	$self->await_peers if $self->{redis};
	return $self;
}

sub config ($self, $i) {
	my ($port, $dovecot) = @{$self}{qw(port dovecot)};
	my $servers = join '', map { "server $_ { address ${\$dovecot->{$_}->address}; ${\$self->{server}->($i, s/d//r)} }\n" }
	    sort keys %$dovecot;
	my $cluster = $self->{redis} ? "cluster { redis redis://127.0.0.1:${\$self->{redis}->port}/2\n" .
	    "password_file \@DIR\@/redis.password; name lb$i; prefix test; $self->{cluster} }\n" : '';
	my $pools = join '', map { "pool $_ { port $port->{$_} }\n" } sort keys %$port;
	my $listeners = join '', map { "listener $_ { bind 127.0.0.1:\@PORT{$_}\@; pool $_ }\n" } sort keys %class;

	return <<~"END";
		users { default_domain example.com }
		auth file { source file; path \@DIR\@/users }
		$self->{top}
		${cluster}farm f { affinity 10m; $self->{farm}
		$servers}
		default pool { check { kind none }; farm f; close_spread 0s; login_timeout 10s; $self->{pool} }
		${pools}default listener { starttls off; plaintext_login yes; auth file }
		${listeners}listener lmtp { bind 127.0.0.1:\@PORT{lmtp}\@; pool lmtp; auth none; plaintext_login no }
		END
}

# As `config` says now: settings of the object may have changed.
sub reload ($self) {
	$self->{proxy}[$_ - 1]->configure($self->config($_))->reload or return 0 for 1 .. $self->{proxies};
	return 1;
}

sub await_peers ($self) {
	for my $proxy ($self->proxies) {
		wait_for(sub { @{ $proxy->ask_json('show cluster') } == $self->{proxies} }, 60,
		    "all to be known at $proxy->{name}");
	}
	return;
}

sub proxies ($self) { return @{ $self->{proxy} } }
sub proxy ($self, $i) { return $self->{proxy}[$i - 1] }
sub dovecot ($self, $name) { return $self->{dovecot}{$name} }
sub names ($self) { return sort keys %{ $self->{dovecot} } }
sub redis ($self) { return $self->{redis} }

# A client of the proxy's who has not logged in; at a listener of the test's own, by IMAP.
sub client ($self, $i, $listener = 'imap') {
	return ($class{$listener} // $class{imap})->new(port => $self->proxy($i)->port($listener), timeout => 30);
}
# What a client hears who logs in as userN.
sub log_in ($client, $n) {
	my @login = ("user$n", "pass-$n");

	return $client->authenticate(@login) if $client->isa('Gatepost::Sieve');
	return $client->user_pass(@login) if $client->isa('Gatepost::Pop3');
	return scalar $client->cmd("LOGIN @login");
}
# userN's session there.
sub come ($self, $i, $n, $listener = 'imap') {
	my $client = $self->client($i, $listener);
	my $reply = log_in($client, $n);

	croak "user$n at lb$i, $listener: $reply" unless $reply =~ /^(?:\S+ )?\+?OK/;
	return $client;
}

sub place ($self, $i, $n) {
	my ($row) = grep { $_->{farm} eq 'f' } @{ $self->proxy($i)->ask_json("user user$n") };
	return $row;
}
sub where_is ($self, $i, $n) { return $self->place($i, $n)->{server} }
sub redis_at ($self, $i) { return $self->proxy($i)->ask_json('show cluster redis') }
sub await_redis ($self, $state) {
	for my $i (1 .. $self->{proxies}) {
		wait_for(sub { $self->redis_at($i)->{state} eq $state }, 60, "Redis to be $state at lb$i");
	}
	return;
}

sub stop ($self) {
	$_->stop for $self->proxies;
	$_->stop_quietly for values %{ $self->{dovecot} };
	return;
}

# Of an IMAP session.
sub lives ($client) { return $client->cmd('NOOP') =~ / OK/ }

1;
