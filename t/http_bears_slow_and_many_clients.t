#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Clients that never end a request, never read an answer, or come by the thousand: others are answered, no
# descriptor and no memory is kept, and mail is relayed as before.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Fake;
use Gatepost::Gatepost;
use Gatepost::Http qw(http);
use Gatepost::Process qw(raise_descriptors wait_for);
use IO::Select;
use IO::Socket::INET;
use Test::More;

raise_descriptors(4096);
my $server = Gatepost::Fake->new(name => 'server', script => [[send => "* OK ready\r\n"], ['hold']])->start;
my $gatepost = Gatepost::Gatepost->new(values => { SERVER => $server->port }, config => <<~'END')->start;
	pool imap { port @SERVER@; server b1 { address 127.0.0.1 } }
	listener imap { bind 127.0.0.1:@PORT{imap}@; starttls off; plaintext_login yes; pool imap }
	admin {
	    socket @DIR@/gatepost.sock { level admin }
	    http 127.0.0.1:@PORT{http}@ { allow 127.0.0.0/8 }
	}
	END
my $port = $gatepost->port('http');
my $connect = sub ($from) {
	return IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port, LocalAddr => $from);
};
my $elsewhere = sub { http("http://127.0.0.1:$port/healthz", '--interface', '127.0.0.77')->{status} };

wait_for(sub { $elsewhere->() == 200 }, 10, 'an answer');
my $before = $gatepost->fd_count;

# a thousand from one address: it gets some, and others theirs
my @crowd = grep { defined } map { $connect->('127.0.0.1') } 1 .. 1000;
cmp_ok(scalar @crowd, '>=', 900, 'a thousand connect');
wait_for(sub { $elsewhere->() == 200 }, 10, 'another address to be answered beside them');
pass('another address is answered beside them');
cmp_ok($gatepost->fd_count, '<', $before + 100, 'of one address few are kept');

# a thousand from a hundred addresses
push @crowd, grep { defined } map { $connect->('127.0.1.' . ($_ % 100 + 1)) } 1 .. 1000;
wait_for(sub { $gatepost->fd_count < $before + 300 }, 10, 'few to be kept');
pass('of all addresses not many are kept');
my $imap = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $gatepost->port('imap'));
like(scalar(<$imap>), qr/^\* OK/, 'mail is served meanwhile');
@crowd = ();
wait_for(sub { $elsewhere->() == 200 }, 10, 'an answer when they are gone');
wait_for(sub { $gatepost->fd_count <= $before + 3 }, 20, 'descriptors to come back');

# those who never end
my %slow = map { ($_ => $connect->('127.0.0.1')) } qw(silent header body pipeline);
print {$slow{header}} "GET / HTTP/1.1\r\nHost: localhost\r\n";
print {$slow{body}} "POST /api/v1/show/version HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nx";
print {$slow{pipeline}} "GET /page.js HTTP/1.1\r\nHost: localhost\r\n\r\n" x 300;
$_->blocking(0) for values %slow;
my %open = %slow;
wait_for(sub {
	for my $name (sort keys %open) {
		# a byte now and then does not help them
		print {$open{$name}} $name eq 'header' ? "X-$$: x\r\n" : 'x' if $name =~ /header|body/;
		next if $name eq 'pipeline';
		my $read = sysread $open{$name}, my $data, 65536;
		delete $open{$name} if defined $read ? $read == 0 : !$!{EAGAIN};
	}
	select undef, undef, undef, 0.2;
	return keys %open == 1;
}, 60, 'slow ones to be hung up on');
pass('who never ends a request is hung up on');
is($elsewhere->(), 200, 'others are answered');
%slow = %open = ();
wait_for(sub { $gatepost->fd_count <= $before + 3 }, 20, 'descriptors to come back');
$gatepost->stop;
done_testing;
