#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# With `balance user` a login never goes to another server because its own
# refuses connections or is full: it is tried again every second, or waits in
# the queue, then hears NO [UNAVAILABLE] and may try again.  With leastconn
# another server takes it at once.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Fake;
use Gatepost::Gatepost;
use Gatepost::Imap;
use Test::More;
use Time::HiRes qw(time);

my $script = [[send => "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] ready\r\n"],
    [expect => qr/^(\S+) AUTHENTICATE[^\r\n]*\r\n/m], [send => sub ($tag) { "$tag OK in\r\n" }], ['hold']];
my %fakes = map { $_ => Gatepost::Fake->new(name => $_, script => $script)->start } qw(a b);
my $gatepost = Gatepost::Gatepost->new(values => { A => $fakes{a}->port, B => $fakes{b}->port },
    config => <<'END')->start;
threads 1
shutdown_timeout 0s
farm f { server a { address 127.0.0.1:@A@ }; server b { address 127.0.0.1:@B@ } }
default pool { check { kind none }; protocol imap; farm f }
pool patient { retries 10 }
pool hasty { retries 1 }
pool full { max_connections 1; queue_timeout 1500ms }
pool unbound { balance leastconn; retries 1 }
# with capabilities that are written, servers are not asked for their own, and only clients are counted
default listener { protocol imap; starttls off; plaintext_login yes; capabilities IDLE }
listener patient { bind 127.0.0.1:@PORT{patient}@; pool patient }
listener hasty { bind 127.0.0.1:@PORT{hasty}@; pool hasty }
listener full { bind 127.0.0.1:@PORT{full}@; pool full }
listener unbound { bind 127.0.0.1:@PORT{unbound}@; pool unbound }
END

sub client ($name) { return Gatepost::Imap->new(port => $gatepost->port($name)) }

# The server that a login went to.
sub server_of ($name, $user) {
	my $client = client($name);
	$client->login($user, 'x');
	$client->close;
	my $event = $gatepost->wait_for_event(session => { listener => $name, user => $user });
	return $event->{server} =~ s{.*/}{}r;
}

# Two users with the same server, and that one's name.
my %users;
push @{ $users{ server_of('patient', "u$_") } }, "u$_" for 1 .. 12;
is(scalar keys %users, 2, 'users are on both servers');
my ($own) = sort { @{ $users{$b} } <=> @{ $users{$a} } } keys %users;
my ($other) = grep { $_ ne $own } keys %users;
my ($user, $second) = @{ $users{$own} };
is(server_of($_, $user), $own, "the same server in pool $_") for qw(hasty full);

# Full: the second login waits for the first session to end.
my $first = client('full');
$first->login($second, 'x');
my $client = client('full');
my $begin = time;
like($client->cmd("LOGIN $user x"), qr/^\S+ NO \[UNAVAILABLE\]/,
    'full: unavailable when the queue took too long');
cmp_ok(time - $begin, '>=', 1.4, 'full: and not before');
like($gatepost->wait_for_log(qr/ full 127\.0\.0\.1.*no server: /), qr/the queue took too long/,
    'full: the log says so');
$client->send_bytes("w LOGIN $user x\r\n");
is(eval { $client->line(0.3) }, undef, 'full: in the same session it waits again');
$first->close;
like($client->line, qr/^w OK/, 'full: and is served when the first one has gone');
$client->close;
$gatepost->wait_for_event(session => { listener => 'full', user => $user, bytes_up => 0, reason => 'done' });
is(scalar(grep { $_->{user} eq $user && $_->{server} !~ m{/$own$} } $gatepost->events('login')), 0,
    'full: by its own server');

# Away: tried every second, until it is back; the other one is never asked.
$fakes{$own}->kill_now;
my $asked = $fakes{$other}->connections;
$begin = time;
like(client('hasty')->cmd("LOGIN $user x"), qr/^\S+ NO \[UNAVAILABLE\]/,
    'away: unavailable after a second try');
cmp_ok(time - $begin, '>=', 0.9, 'away: a second later');
$client = client('patient');
$client->send_bytes("w LOGIN $user x\r\n");
$gatepost->wait_for_log(qr/ patient 127\.0\.0\.1 back=patient\/$own: server failed: connection refused/,
    10, 2);
$fakes{$own}->start;
like($client->line, qr/^w OK/, 'away: served by a later try, when it is back');
is($fakes{$other}->connections, $asked, 'away: the other server was never asked');

# Unbound: another one takes it.
$fakes{$own}->kill_now;
$begin = time;
client('unbound')->login("u$_", 'x') for 1 .. 4;
cmp_ok(time - $begin, '<', 0.9, 'unbound: nobody waits for a server that is away');
is($fakes{$other}->connections, $asked + 4, 'unbound: another one takes them');

$gatepost->stop;
$_->kill_now for values %fakes;
done_testing;
