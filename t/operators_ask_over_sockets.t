#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Operators ask over a unix socket and over loopback, as HAProxy's tools do: lists of commands, prompts, levels
# that can only be lowered, half-closed connections, lines that never end.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Gatepost;
use Gatepost::Process qw(test_dir);
use IO::Socket::INET;
use IO::Socket::UNIX;
use Test::More;

my $gatepost = Gatepost::Gatepost->new(config => <<~'END')->start;
	pool imap { port 1; server b1 { address 127.0.0.1 } }
	listener imap { bind 127.0.0.1:@PORT{imap}@; starttls off; plaintext_login yes; pool imap }
	admin {
	    socket @DIR@/gatepost.sock { mode 0640; level admin }
	    socket 127.0.0.1:@PORT{admin}@ { level user }
	}
	END

is((stat test_dir() . '/gatepost.sock')[2] & 07777, 0640, 'the file of a socket has its mode');
like($gatepost->ask('show version'), qr/^\d+\.\d+\.\d+\n\z/, 'an answer');
my @answers = split /^\n/m, $gatepost->ask('show cli level; operator;show cli level ;help show version');
is($answers[0], "admin\n", 'commands between semicolons are answered in their order');
is($answers[-2], "operator\n", 'a level can be lowered');
like($answers[-1], qr/show version +: \w/, 'help for some words');
like($gatepost->ask('nonsense'), qr/^Unknown command/, 'what is no command');
like($gatepost->ask('show nonsense'), qr/better match:\n.*show version/s, 'what is nearly one');
is_deeply([keys %{ $gatepost->ask_json('show version') }], ['version'], 'the same as JSON');

my $open = sub ($input, %option) {
	my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $gatepost->port('admin'));

	$socket->autoflush(1);
	print {$socket} $input;
	shutdown $socket, 1 if $option{shut};
	local $/;
	return scalar <$socket>;
};

is($open->("show cli level\r\n"), "user\n\n", 'over loopback, with CRLF');
is($open->("prompt\nadmin\nshow cli level\nquit\n"), "\n> Unknown command: 'admin'. `help` lists those "
    . "there are.\n\n> user\n\n> ", 'after `prompt` the connection goes on; nobody raises a level');
is($open->("show cli level\n", shut => 1), "user\n\n", 'who has shut his side hears the answer');
is($open->('show', shut => 1), '', 'half a line is no command');
is($open->('x' x 40_000), "Too much input.\n\n", 'a line that never ends');
like($open->(join(' ', ('word') x 100) . "\n"), qr/^Too many words/, 'a line of many words');
my @crowd = map { IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $gatepost->port('admin')) } 1 .. 257;
is(scalar readline $crowd[-1], undef, 'of a crowd that says nothing the last is turned away');
is($gatepost->ask('show cli level'), "admin\n", 'and another socket has room all the same');
close $_ for @crowd;
ok($gatepost->is_running, 'gatepost still runs');
done_testing;
