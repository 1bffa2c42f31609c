#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# `show errors` tells of each listener's last client whose input could not be used: who and why, but not what it
# said; to operators alone, and over reloads.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Gatepost;
use Gatepost::Imap;
use Test::More;

my $config = <<'END';
pool imap { port 1; server b1 { address 127.0.0.1 } }
listener first { protocol imap; bind 127.0.0.1:@PORT{first}@; starttls off; plaintext_login yes; pool imap; max_errors 2 }
listener second { protocol imap; bind 127.0.0.1:@PORT{second}@; starttls off; plaintext_login yes; pool imap; accept_proxy 127.0.0.1 }
END
my $gatepost = Gatepost::Gatepost->new(config => $config)->start;

like($gatepost->ask('show errors'), qr/^Total events captured on \[\d\d\/\w{3}\/\d{4}:[\d:.]+\] : 0\n\z/, 'none');
is_deeply($gatepost->ask_json('show errors'), [], 'nor as JSON');

sub err_at ($name, $lines) {
	my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $gatepost->port($name)) or die "connect: $!";
	print {$socket} $lines;
	local $/;
	my $text = <$socket>;	# up to the end
	return $socket->sockport;
}
err_at(first => "hunter2\r\nhunter2\r\nhunter2\r\n");
my $port = err_at(first => "a secret-word\r\nb secret-word\r\nc secret-word\r\n");
my $where = "  backend <NONE> (#-1), server <NONE> (#-1), event #1, src 127.0.0.1:$port\n";
like($gatepost->ask('show errors'), qr/ : 2\n\n\[\S+\] frontend first \(#1\): too many errors while [^\n]+\n\Q$where\E  session [0-9a-f]{16}\n\z/,
    'the last one');
unlike($gatepost->ask('show errors'), qr/hunter2|secret/, 'without its words');
err_at(second => "nonsense\r\n");
my %of = map { $_->{listener} => $_ } @{ $gatepost->ask_json('show errors') };
is($of{first}{count}, 2, 'as JSON');
like($of{second}{error}, qr/^bad PROXY header while /, 'another listener has its own');
is_deeply([map { $_->{listener} } @{ $gatepost->ask_json('show errors second') }], ['second'], 'of one');
is_deeply($gatepost->ask_json('show errors imap'), [], 'a pool has none');
is($gatepost->ask('show errors nobody'), "No such proxy.\n", 'nor nobody');
is($gatepost->ask('user;show errors'), "\nPermission denied\n", 'who sees no clients sees no errors');
ok($gatepost->reload, 'a reload');
is(scalar @{ $gatepost->ask_json('show errors') }, 2, 'forgets nothing');
done_testing;
