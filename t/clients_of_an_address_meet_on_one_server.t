#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# balance source over plain TCP: an address goes to one server, to the same
# through two proxies whose files have the servers in another order, and when
# a server is taken out of the file only its clients move.  A server that
# refuses has its clients at the next one of their order, and
# hash_balance_factor sends on what is too much for one.  Beside it `first`,
# which fills one server behind the other, and `random`, which finds all.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Fake qw(refusing_port);
use Gatepost::Gatepost;
use Gatepost::Imap;
use Gatepost::Port qw(own_address);
use List::Util qw(uniq);
use Test::More;

my @names = qw(a b c d);
my %fakes = map {
	$_ => Gatepost::Fake->new(name => $_, script => [[send => "$_\n"], ['hold']])->start
} @names;
my @addresses = map { own_address($_) } 1 .. 24;
my $rest = <<'END';
threads 1
shutdown_timeout 0s
default listener { protocol tcp }
END

sub servers (@list) {
	return join '', map { "    server $_ { address 127.0.0.1:" . $fakes{$_}->port . " }\n" } @list;
}

sub home ($gatepost, $name, $address) {
	my $client = Gatepost::Imap->new(port => $gatepost->port($name), from => $address, timeout => 10);
	my $server = $client->greeting;
	$client->close;
	return $server;
}

sub homes ($gatepost, $name) {
	return [map { home($gatepost, $name, $_) } @addresses];
}

my $one = Gatepost::Gatepost->new(name => 'one', wait => [], values => { GONE => refusing_port() },
    config => $rest . <<"END")->start;
farm all {
@{[servers(@names)]}}
pool all { protocol tcp; farm all; balance source }
pool most { protocol tcp; balance source
@{[servers(qw(a b d))]}}
pool broken { protocol tcp; balance source
@{[servers(qw(a b d))]}    server c { address 127.0.0.1:\@GONE@ } }
pool hot { protocol tcp; farm all; balance source; hash_balance_factor 150 }
pool row { protocol tcp; farm all; balance first; max_connections 2 }
pool lots { protocol tcp; farm all; balance random }
listener all { bind 127.0.0.1:\@PORT{all}@; pool all }
listener most { bind 127.0.0.1:\@PORT{most}@; pool most }
listener broken { bind 127.0.0.1:\@PORT{broken}@; pool broken }
listener hot { bind 127.0.0.1:\@PORT{hot}@; pool hot }
listener row { bind 127.0.0.1:\@PORT{row}@; pool row }
listener lots { bind 127.0.0.1:\@PORT{lots}@; pool lots }
END
my $two = Gatepost::Gatepost->new(name => 'two', wait => [], config => $rest . <<"END")->start;
pool all { protocol tcp; balance source
@{[servers(reverse @names)]}}
listener all { bind 127.0.0.1:\@PORT{all}@; pool all }
END

my $homes = homes($one, 'all');
cmp_ok(uniq(@$homes), '>', 1, 'several servers have clients');
is_deeply(homes($one, 'all'), $homes, 'each comes back to its own');
is_deeply(homes($two, 'all'), $homes, 'through the other proxy, too');
my $most = homes($one, 'most');
is_deeply([map { $homes->[$_] eq 'c' ? 'c' : $most->[$_] } keys @$homes], $homes,
    'without one server only its clients are elsewhere');
is_deeply(homes($one, 'broken'), $most, 'and there they are as well while it refuses');

my %hot = (port => $one->port('hot'), from => $addresses[0], timeout => 10);
my @clients = map { Gatepost::Imap->new(%hot) } 1 .. 32;
my %count;
$count{ $_->greeting }++ for @clients;
is($count{ $homes->[0] }, 12, 'of 32 sessions of one address its server has half as much again as a quarter');

my @row = map { Gatepost::Imap->new(port => $one->port('row'), timeout => 10) } 1 .. 5;
is(join('', map { $_->greeting } @row), 'aabbc', 'first fills one server behind the other');

my @lots = map { Gatepost::Imap->new(port => $one->port('lots'), timeout => 10) } 1 .. 40;
my %lots;
$lots{ $_->greeting }++ for @lots;
is(scalar keys %lots, 4, 'random finds them all');

$_->stop for $one, $two;
$_->kill_now for values %fakes;
done_testing;
