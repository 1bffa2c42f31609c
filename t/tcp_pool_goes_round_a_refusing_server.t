#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Plain TCP over three servers, one of which refuses: nobody notices.  With
# leastconn a new session goes where the fewest are, with roundrobin to each
# in turn, by weight; with all servers gone the connection ends and the log
# says why.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Fake qw(refusing_port);
use Gatepost::Gatepost;
use Gatepost::Imap;
use Test::More;

my %fakes = map {
	$_ => Gatepost::Fake->new(name => $_, script => [[send => "$_\n"], ['hold']])->start
} qw(a b);
my $gatepost = Gatepost::Gatepost->new(values => { A => $fakes{a}->port, B => $fakes{b}->port,
    GONE => refusing_port(), NONE => refusing_port() }, config => <<'END', wait => [])->start;
threads 1
shutdown_timeout 0s
farm f {
    server gone { address 127.0.0.1:@GONE@ }
    server a { address 127.0.0.1:@A@ }
    server b { address 127.0.0.1:@B@ }
}
pool least { protocol tcp; farm f }
pool round { protocol tcp; farm f; balance roundrobin }
pool weighted {
    protocol tcp; balance roundrobin
    server a { address 127.0.0.1:@A@; weight 3 }
    server b { address 127.0.0.1:@B@ }
    server gone { address 127.0.0.1:@GONE@; weight 0 }
}
pool dead {
    protocol tcp
    server gone { address 127.0.0.1:@GONE@ }
    server nowhere { address 127.0.0.1:@NONE@ }
}
default listener { protocol tcp }
listener least { bind 127.0.0.1:@PORT{least}@; pool least }
listener round { bind 127.0.0.1:@PORT{round}@; pool round }
listener weighted { bind 127.0.0.1:@PORT{weighted}@; pool weighted }
listener dead { bind 127.0.0.1:@PORT{dead}@; pool dead }
END
my %sessions;	# that have been opened, of each listener

sub connect_to ($name) {
	$sessions{$name}++;
	return Gatepost::Imap->new(port => $gatepost->port($name), timeout => 10);
}

# Closes it and waits until gatepost has counted it off.
sub end_session ($name, $client) {
	state %ended;
	my $count = ++$ended{$name};
	$client->close;
	Gatepost::Process::wait_for(sub { grep({ $_->{listener} eq $name } $gatepost->events('session')) >= $count },
	    10, "the end of session $count of $name");
	return;
}

my @clients = map { connect_to('least') } 1 .. 10;
my %on;
push @{ $on{ $_->greeting } }, $_ for @clients;
is_deeply({ map { $_ => scalar @{ $on{$_} } } keys %on }, { a => 5, b => 5 }, 'leastconn: half of ten each');
end_session('least', $_) for splice @{ $on{a} }, 0, 3;
push @{ $on{a} }, map { connect_to('least') } 1 .. 3;
is_deeply([map { $_->greeting } @{ $on{a} }], [('a') x 5], 'leastconn: what has become free is taken first');

@clients = map { connect_to('round') } 1 .. 8;
my $order = join '', map { $_->greeting } @clients;
like($order, qr/^(?:ab){4}$|^(?:ba){4}$/, 'roundrobin: in turn');
end_session('round', $_) for @clients[0 .. 3];
my $more = join '', map { connect_to('round')->greeting } 1 .. 4;
is($more, substr($order, 0, 4), 'roundrobin: whoever has left');

$order = join '', map { connect_to('weighted')->greeting } 1 .. 8;
is($order =~ tr/a//, 6, 'roundrobin: three in four to a weight of 3');
unlike($order, qr/bb|a{4}/, 'roundrobin: smoothly');

ok($gatepost->log_lines(qr/ least 127\.0\.0\.1 back=least\/gone: server failed: connection refused while connecting/),
    'the log tells of the server that refuses');
my $client = connect_to('dead');
is($client->greeting, undef, 'all servers refuse: the connection ends');
my $event = $gatepost->wait_for_event(session => { listener => 'dead' });
is($event->{reason}, 'no server', 'and the event says why');
ok(!defined $event->{server}, 'without a server');
like($gatepost->wait_for_log(qr/ dead 127\.0\.0\.1.*no server: /), qr/too many servers failed/, 'as does the log');

$gatepost->stop;
$_->kill_now for values %fakes;
done_testing;
