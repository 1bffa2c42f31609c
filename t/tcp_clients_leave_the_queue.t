#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Over plain TCP nothing is read of a client before it has a server; but who
# leaves while it waits in the queue is noticed then, gives its place to those
# behind, and what a client has said before its end is still passed on.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Fake;
use Gatepost::Gatepost;
use IO::Socket::INET;
use Gatepost::Process qw(wait_for);
use Test::More;

my $fake = Gatepost::Fake->new(name => 'server', script => [[expect => qr/\n/], [send => "heard\n"], ['hold']])->start;
my $gatepost = Gatepost::Gatepost->new(values => { SERVER => $fake->port }, config => <<'END')->start;
threads 1
pool t { protocol tcp; max_connections 1; queue_timeout 60s; login_timeout 60s; server s { address 127.0.0.1:@SERVER@ } }
listener t { protocol tcp; bind 127.0.0.1:@PORT{t}@; starttls off; pool t }
END

sub come () { return IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $gatepost->port('t')) // die "connect: $!" }
sub ends ($reason) { return scalar(grep { $_->{reason} eq $reason } $gatepost->events('session')) }

my $first = come();
syswrite $first, "one\n";
is(<$first>, "heard\n", 'the first has the server');
my $before = ends('client left');
my ($leaving, $half, $last) = (come(), come(), come());
syswrite $half, "two\n";
shutdown $half, 1;
close $leaving;
ok(wait_for(sub { ends('client left') > $before }, 20, 'it to be noticed'), 'who leaves the queue is noticed');
is(ends('client left'), $before + 1, 'who has said something stays, though it says no more');
close $first;
is(<$half>, "heard\n", 'and is heard in its turn');
close $half;
syswrite $last, "three\n";
is(<$last>, "heard\n", 'as is the one behind');
done_testing;
