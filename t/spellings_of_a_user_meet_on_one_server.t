#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# However a user's name is written, as bob, Bob@example.com or bob*master, and
# whichever protocol it comes by, all of a user's sessions are on one server.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Cert qw(make_cert);
use Gatepost::Dovecot;
use Gatepost::Gatepost;
use Gatepost::Login qw(log_in);
use Gatepost::Port qw(free_port own_address);
use Gatepost::Process qw(test_dir wait_for write_file);
use Test::More;

my $dir = test_dir();
my @users = qw(ann bob carl dora emil);
my %port = map { $_ => free_port() } qw(imap pop3 sieve);
write_file("$dir/masters", "master:{PLAIN}master-secret\n");
write_file("$dir/people", join '', map { "$_\@example.com:{PLAIN}secret\n" } @users);
my @dovecots = map { Gatepost::Dovecot->new(name => "d$_", address => own_address($_), port => $port{imap},
    pop3 => 1, pop3_port => $port{pop3}, sieve_port => $port{sieve}, settings => <<"END")->start } 1 .. 3;
auth_username_format = %Lu
auth_default_realm = example.com
auth_master_user_separator = *
passdb {
  driver = passwd-file
  args = username_format=%u $dir/people
}
passdb {
  driver = passwd-file
  master = yes
  args = username_format=%n $dir/masters
  result_success = continue
}
END
my $servers = join "\n", map { "    server $_->{name} { address @{[$_->address]} }" } @dovecots;
my $services = join "\n", map { "pool $_ { farm f; port $port{$_} }\n" .
    "listener $_ { bind_tls 127.0.0.1:\@PORT{$_}\@; tls main; pool $_ }" } sort keys %port;
my $gatepost = Gatepost::Gatepost->new(values => { CERT => make_cert() }, config => <<"END")->start;
tls main { certificate \@CERT\@ }
users { default_domain example.com; master_separator "*" }
farm f {
    affinity 15m
$servers
}
$services
END

my (%servers, @clients);
for my $user (@users) {
	for my $name ($user, "\u$user\@example.com", "$user*master", uc $user) {
		for my $protocol (sort keys %port) {
			my ($reply, $is_good, $client) = log_in(protocol => $protocol,
			    port => $gatepost->port($protocol), tls => 'implicit', mechanism => 'PLAIN', user => $name,
			    password => $name =~ /\*/ ? 'master-secret' : 'secret');
			ok($is_good, "$name by $protocol") or diag($reply);
			my $event = $gatepost->wait_for_event(login => { listener => $protocol,
			    client_port => $client->socket->sockport });
			is($event->{user}, "$user\@example.com", 'is who it is');
			$servers{$user}{ $event->{server} =~ s{.*/}{}r }++;
			push @clients, $client;
		}
	}
	is_deeply([values %{ $servers{$user} }], [12], "all of $user is on one server")
	    or diag(explain($servers{$user}));
}
cmp_ok(scalar keys %{ { map { (keys %$_)[0] => 1 } values %servers } }, '>', 1, 'users are on several servers');
# the servers say so, too
my %seen;
wait_for(sub {
	%seen = map { my $d = $_; $d->{name} => scalar $d->log_lines(qr/Login: user=</) } @dovecots;
	my $sum = 0;
	$sum += $_ for values %seen;
	return $sum == @clients;
}, 10, 'the logins in the logs of the servers');
my %wanted = map { $_->{name} => 0 } @dovecots;
$wanted{ (keys %{ $servers{$_} })[0] } += 12 for @users;
is_deeply(\%seen, \%wanted, 'which have had just these logins');

$_->close for @clients;
$gatepost->stop;
$_->stop for @dovecots;
done_testing;
