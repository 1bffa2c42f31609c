#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# A reload gives an address to another listener, drops a listener where
# clients wait to be accepted, and changes the servers of a pool: nobody who
# is connected or waits loses his connection, and who comes later gets the
# new, keepalive of an open address included.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Cert qw(make_cert);
use Gatepost::Fake;
use Gatepost::Gatepost;
use Gatepost::Imap;
use Gatepost::Process qw(run_command wait_for);
use Test::More;

my %fakes = map {
	$_ => Gatepost::Fake->new(name => $_, script => [[send => "$_\n"], ([expect => qr/(.*)\n/],
	    [send => sub ($word) { "$word\n" }]) x 20])->start
} qw(a b c);
my $gatepost = Gatepost::Gatepost->new(wait => [], values => { CERT => make_cert(),
    map { uc $_ => $fakes{$_}->port } keys %fakes }, config => '');

sub connect_to ($name, %option) {
	return Gatepost::Imap->new(port => $gatepost->port($name), timeout => 20, %option);
}

sub answers ($client, $what) {
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is(eval { $client->send_bytes("word\n"); $client->line } // $@, 'word', $what);
}

sub reload_with ($config) {
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	ok($gatepost->configure("threads 1\nshutdown_timeout 0s\ntls main { certificate \@CERT\@ }\ndefault listener { protocol tcp }\n"
	    . $config)->reload, 'reloaded');
	return;
}

$gatepost->configure(<<'END')->start;
threads 1
shutdown_timeout 0s
default listener { protocol tcp }
pool one { server a { address 127.0.0.1:@A@ } }
pool two { server b { address 127.0.0.1:@B@ } }
listener one { bind 127.0.0.1:@PORT{moved}@; pool one }
listener two { bind 127.0.0.1:@PORT{two}@; pool two }
listener old { bind 127.0.0.1:@PORT{old}@; pool one; max_connections 1 }
END

my $before = connect_to('moved');
is($before->greeting, 'a', 'the address is one listener\'s');
# Of the listener that goes: one is served, three wait in the queue of the kernel.
my $served = connect_to('old');
is($served->greeting, 'a', 'a listener that is full');
my @waiting = map { connect_to('old', greeting => 0) } 1 .. 3;
is(eval { $_->line(0.2) }, undef, 'a client waits') for @waiting;

reload_with(<<'END');
pool one { server a { address 127.0.0.1:@A@ } }
pool two { server b { address 127.0.0.1:@B@ } }
listener one { bind 127.0.0.1:@PORT{fresh}@; pool one }
listener two { bind 127.0.0.1:@PORT{two}@ 127.0.0.1:@PORT{moved}@; pool two }
END
answers($before, 'who was there stays');
is(connect_to('moved')->greeting, 'b', 'the address is another listener\'s now');
is(connect_to('fresh')->greeting, 'a', 'and the first has a new one');
is($_->line, 'a', 'who waited at the dropped one is served') for @waiting;
answers($served, 'who was served there stays');
wait_for(sub { !connect_to('old', greeting => 0) }, 10, 'the dropped listener to close');
$before->close;
my $event = $gatepost->wait_for_event(session => { client_port => qr/^\d+$/, listener => 'one', server => 'one/a' });
ok($event, 'a session of before is logged with its own listener and server');

# The same address as TLS.
reload_with(<<'END');
pool two { server b { address 127.0.0.1:@B@ } }
listener two { bind 127.0.0.1:@PORT{two}@; bind_tls 127.0.0.1:@PORT{moved}@; tls main; pool two }
END
is(connect_to('moved', tls => 1)->greeting, 'b', 'from now on with TLS');

# Servers: b goes, c comes, a keeps its name and gets another address.
my $on_b = connect_to('two');
is($on_b->greeting, 'b', 'a session at the server that goes');
reload_with(<<'END');
pool two { server c { address 127.0.0.1:@C@ } }
listener two { bind 127.0.0.1:@PORT{two}@; pool two }
END
is(connect_to('two')->greeting, 'c', 'a new session at the server that came');
reload_with(<<'END');
pool two { server c { address 127.0.0.1:@A@ }; server b { address 127.0.0.1:@B@; weight 0 } }
listener two { bind 127.0.0.1:@PORT{two}@; pool two }
END
is(connect_to('two')->greeting, 'a', 'the same server at another address');
answers($on_b, 'the session at the server that went stays');

# The options of TCP, which clients inherit from the listening socket.
sub keepalive_of ($client) {
	my $port = $client->socket->sockport;
	my ($status, $text) = run_command('ss', ['ss', '-Htno', "dport = :$port"]);
	unlink $gatepost->{dir} . '/ss.log';
	return $text =~ /timer:\(keepalive,([\d.]+(?:min|sec))/ ? $1 : "none: $text";
}

reload_with(<<'END');
pool two { server b { address 127.0.0.1:@B@ } }
listener two { bind 127.0.0.1:@PORT{two}@; pool two; tcp_keepalive 1h 30s 4 }
END
like(keepalive_of(my $patient = connect_to('two')), qr/^(?:59|60)min$/, 'another tcp_keepalive');

ok($gatepost->log_lines(qr/reloaded: listeners: 2 kept, old dropped; pools: 2 kept; tls: 0 kept, main new/),
    'the log tells what became of it');

$gatepost->stop;
$_->kill_now for values %fakes;
done_testing;
