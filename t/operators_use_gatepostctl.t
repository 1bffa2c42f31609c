#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# gatepostctl asks a gatepost: answers and sentences where they belong, exit statuses, words that need quotes,
# JSON, tables on a terminal, payload, and what it says when nobody answers.
use v5.36;
use utf8;
use Encode qw(decode_utf8 encode_utf8);
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::FakeCockpit qw(ctl ctl_apart ctl_program on_terminal stat_json);
use Gatepost::Gatepost;
use Gatepost::Process qw(read_file run_command test_dir write_file);
use JSON::PP qw(decode_json encode_json);
use Test::More;

my $dir = test_dir();
my $gatepost = Gatepost::Gatepost->new(config => <<~'END')->start;
	pool imap { port 1; server b1 { address 127.0.0.1 } }
	listener imap { bind 127.0.0.1:@PORT{imap}@; starttls off; plaintext_login yes; pool imap }
	admin {
	    socket @DIR@/gatepost.sock { level admin }
	    socket 127.0.0.1:@PORT{admin}@ { level user }
	}
	END
my $socket = "$dir/gatepost.sock";
my $version = qr/\d+\.\d+\.\d+/;

sub says ($what, $words, $status, $out, $err) {
	my ($is_status, $is_out, $is_err) = ctl_apart($socket, @$words);

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is($is_status >> 8, $status, "$what: exit status");
	like($is_out, $out, 'what it prints');
	like($is_err, $err, 'what it complains of');
	return;
}

says('an answer', ['show', 'version'], 0, qr/^$version\n\z/, qr/^\z/);
says('an answer as JSON', ['--json', 'show', 'version'], 0, qr/^\{"version":"$version"\}\n\z/, qr/^\z/);
says('the switch behind it', ['show', 'version', '--json'], 0, qr/^\{"version":"$version"\}\n\z/, qr/^\z/);
says('a failure', ['nonsense'], 1, qr/^\z/, qr/^Unknown command: 'nonsense'/);
says('several in one line', ['show version; nonsense;show cli level'], 1, qr/^$version\nadmin\n\z/, qr/^Unknown/);
says('no JSON to be had', ['--json', 'show', 'cli', 'level'], 1, qr/^\z/, qr/does not answer in JSON/);
says('help as it is', ['help'], 0, qr/^  show version +: /m, qr/^\z/);
says('what asks for more lines, of which there are none', ['prompt'], 3, qr/^\z/, qr/has closed the connection/);
says('no command', [], 2, qr/^\z/, qr/^usage: gatepostctl/);
says('an option that there is not', ['-x'], 2, qr/^\z/, qr/usage: gatepostctl/);
says('words behind top', ['top', 'x'], 2, qr/^\z/, qr/takes no words/);
says('its own version', ['--version'], 0, qr/^gatepostctl $version$/, qr/^\z/);
my ($status, $text) = ctl('127.0.0.1:' . $gatepost->port('admin'), 'show', 'cli', 'level');
is($text, "user\n", 'over TCP');
($status, $text) = run_command('ctl', [ctl_program(), 'show', 'version'], env => { GATEPOST_SOCKET => $socket });
like($text, qr/^$version\n\z/, 'the socket out of the environment');
my @rows = @{ decode_json((ctl_apart($socket, '--json', 'help'))[1]) };
my ($row) = grep { $_->{name} eq 'show version' } @rows;
is_deeply([sort keys %$row], [qw(arguments has_json help level name)], 'rows of help as JSON');
ok($row->{has_json} && $row->{level} eq 'user' && $row->{help}, 'and what they say');

# who cannot be asked
for my $case ([$socket . 'x', qr/there is no socket .*gatepost does not run/], ['127.0.0.1:1', qr/nobody listens/],
    ['nowhere', qr/neither a socket's path/]) {
	($status, $text) = ctl($case->[0], 'show', 'version');
	is($status >> 8, 3, "no connection to $case->[0]");
	like($text, $case->[1], 'and why');
}
SKIP: {
	skip 'only root can be another user', 4 if $>;
	chown 0, scalar(getgrnam('mail')), $socket;
	my @as = qw(setpriv --reuid=65534 --regid=65534 --clear-groups);
	my @ask = (@as, ctl_program(), '-s', $socket, 'show', 'version');
	for my $case ([0660, qr/for the user root and the group mail; `usermod -aG mail/], [0600, qr/root alone/]) {
		chmod $case->[0], $socket;
		($status, $text) = run_command('denied' . $case->[0], \@ask);
		is($status >> 8, 3, 'whom the socket does not let in');
		like($text, $case->[1], 'hears who may');
	}
	chmod 0600, $socket;
}

# on a terminal
($text, $status) = on_terminal([ctl_program(), '-s', $socket, 'show', 'version']);
like($text, qr/^\e\[1mversion\e\[0m: $version\n\z/, 'a record, in colour');
for my $case (['--no-color'], [env => { NO_COLOR => 1 }], [env => { TERM => 'dumb' }]) {
	my @option = $case->[0] eq 'env' ? @$case : ();
	my @switch = @option ? () : @$case;
	($text) = on_terminal([ctl_program(), '-s', $socket, @switch, 'show', 'version'], @option);
	like($text, qr/^version: $version\n\z/, 'without: ' . encode_json($case));
}

my @stat = ({ pxname => 'imap', svname => 'FRONTEND', status => 'OPEN', scur => 7 },
    { pxname => 'imap', svname => 'b1', status => 'UP', scur => 5, weight => 1, last_chk => 'all is well' },
    { pxname => 'imap', svname => 'b2', status => 'DOWN', scur => 0, weight => 1, last_chk => 'refused ' x 20 });
my $list = encode_utf8('[{"user":"jörg","server":"d1","state":"up"},')
    . '{"user":"\u001b[2Jx","server":"d2","state":"drain"}]';
my $fake = Gatepost::FakeCockpit->new(answers => {
	'help json' => encode_json([map { +{ name => $_, arguments => '', level => 'user', help => 'X.',
	    has_json => /show/ ? JSON::PP::true : JSON::PP::false } }
	    'show stat', 'show users', 'show none', 'set ssl cert', 'show slow']) . "\n",
	'show stat json' => stat_json(@stat), 'show users json' => "$list\n", 'show none json' => "[]\n",
	'set ssl cert x <<' => "[6]: taken\n", 'kick user "a b" "x;\"y\\\\"' => "kicked\n",
	'show slow json' => qq({"error":"It is too slow."}\n) =~ s/^/[3]: /r,
})->start;
($text) = on_terminal([ctl_program(), '-s', $fake->path, 'show', 'stat'], columns => 100);
my @lines = split /\n/, decode_utf8($text);
like($lines[0], qr/^\e\[1mproxy\e\[0m/, 'show stat is a table');
like($text, qr/b1 .*\e\[32mUP\e\[0m/, 'who is up is green');
like($text, qr/b2 .*\e\[1;31mDOWN\e\[0m/, 'who is down is red');
is(scalar(grep { length(s/\e\[[\d;]*m//gr) > 100 } @lines), 0, 'nothing is wider than the terminal');
like(decode_utf8($text), qr/refused.*…/, 'for it is cut');
($text) = on_terminal([ctl_program(), '-s', $fake->path, 'show', 'users']);
my @plain = map { s/\e\[[\d;]*m//gr } split /\n/, decode_utf8($text);
is_deeply(\@plain, ['user      server  state', 'jörg      d1      up', '\x1b[2Jx  d2      drain'],
    'a list is a table, without what a terminal would obey');
like($text, qr/\e\[33mdrain/, 'drain is yellow');
($text) = on_terminal([ctl_program(), '-s', $fake->path, 'show', 'none']);
is($text, "(none)\n", 'an empty list');
($text, $status) = on_terminal([ctl_program(), '-s', $fake->path, 'show', 'slow']);
is($text, "It is too slow.\n", 'a failure as JSON is a sentence again');
is($status >> 8, 1, 'and its exit status');

($status, $text) = ctl($fake->path, 'kick', 'user', 'a b', 'x;"y\\');
is($text, "kicked\n", 'words that need quotes') or diag(($fake->asked)[-1]);
write_file("$dir/pem", "one\n\ntwo\n");
($status, $text) = run_command('payload', [ctl_program(), '-s', $fake->path, qw(set ssl cert x <<)], stdin => "$dir/pem");
is($text, "taken\n", 'with what stands in standard input');
is_deeply([($fake->asked)[-2, -1]], [qw(one two)], 'all of it: an empty line would end it');
$gatepost->stop;
($status, $text) = ctl($socket, 'show', 'version');
is($status >> 8, 3, 'gatepost has ended');
done_testing;
