#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# At one socket some may ask more than others: the kernel says as whom, and in which groups, a process has
# connected.  Real processes of other users ask.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Gatepost;
use Gatepost::Process qw(run_command test_dir);
use Test::More;

plan skip_all => 'needs root, to be others' if $> != 0;

my %id = ((map { ($_ => scalar getpwnam $_) } qw(daemon mail news nobody)), games => scalar getgrnam 'games');
plan skip_all => 'the users of Debian are not there' if grep { !defined } values %id;
chmod 0711, test_dir() or die 'chmod: ', test_dir(), ": $!";

# Two numbers that no user and no group has.
use constant { NO_USER => 54321, NO_GROUP => 54322 };
my $config = <<~'END';
	pool imap { port 1; server b1 { address 127.0.0.1 } }
	listener imap { bind 127.0.0.1:@PORT{imap}@; starttls off; plaintext_login yes; pool imap }
	admin {
	    socket @DIR@/gatepost.sock { level admin }
	    socket @DIR@/all.sock { mode 0666; level user; ROWS }
	    socket @DIR@/operators.sock { mode 0666; admin_users root; admin_groups games }
	    socket 127.0.0.1:@PORT{admin}@ { level user }
	}
	END
my $rows = "operator_users mail ${\NO_USER}; operator_groups games; admin_users root daemon; admin_groups ${\NO_GROUP}";
my $gatepost = Gatepost::Gatepost->new(config => $config =~ s/ROWS/$rows/r)->start;

my $asked = 0;
# What a process of this user, with this group and these besides, is told.
sub ask_as ($user, $group, $others, $line, $socket = 'all') {
	my $others_option = @$others ? '--groups=' . join(',', @$others) : '--clear-groups';
	my $ask = 'use IO::Socket::UNIX; my $s = IO::Socket::UNIX->new(Peer => shift) or die $!; '
	    . 'print {$s} shift, "\n"; $s->flush; print <$s>';
	my ($status, $text) = run_command("ask-$asked", ['setpriv', "--reuid=$user", "--regid=$group", $others_option,
	    '--', $^X, '-e', $ask, test_dir() . "/$socket.sock", $line]);

	$asked++;
	die "as $user: $text" if $status;
	return $text =~ s/\n+\z//r;
}

my ($plain, $games) = ($id{nobody}, $id{games});
for (
    ['nobody', $id{nobody}, $plain, [], 'user'],
    ['mail', $id{mail}, $plain, [], 'operator'],
    ['a user without a name', NO_USER, $plain, [], 'operator'],
    ['a member of games by its own group', $id{nobody}, $games, [], 'operator'],
    ['a member of games by another', $id{nobody}, $plain, [NO_USER, $games], 'operator'],
    ['daemon', $id{daemon}, $plain, [], 'admin'],
    ['daemon, a member of games, too', $id{daemon}, $plain, [$games], 'admin'],
    ['mail, a member of a group without a name', $id{mail}, $plain, [1 .. 100, NO_GROUP], 'admin'],
    ['a user with the number of a group', NO_GROUP, $plain, [], 'user'],
    ['root', 0, 0, [], 'admin'],
) {
	my ($who, $user, $group, $others, $level) = @$_;
	is(ask_as($user, $group, $others, 'show cli level'), $level, "$who: $level");
}
is(ask_as($id{nobody}, $plain, [], 'show cli level', 'operators'), 'operator', 'others have the level of the socket');
is(ask_as($id{nobody}, $plain, [$games], 'show cli level', 'operators'), 'admin', 'and who is named has more');
is(ask_as($id{nobody}, $plain, [], 'disable server imap/b1'), 'Permission denied', 'a level is what may be done');
is(ask_as($id{daemon}, $plain, [], 'disable server imap/b1'), '', 'by him who has it');
like($gatepost->ask('show changes'), qr/uid $id{daemon} \(pid \d+\)/, 'and it is known who it was');
is(ask_as($id{daemon}, $plain, [], 'operator; show cli level; user ; show cli level') =~ s/\n+/ /gr, ' operator user',
    'he can lower it, too');

$gatepost->configure($config =~ s/ROWS/operator_users daemon/r);
ok($gatepost->reload, 'a reload');
is(ask_as($id{daemon}, $plain, [], 'show cli level'), 'operator', 'takes what it takes');
is(ask_as($id{mail}, $plain, [], 'show cli level'), 'user', 'from all');

for (
    ['level admin; admin_users mail', qr/admin_users: all have the level admin at this socket already/],
    ['level operator; operator_groups games', qr/operator_groups: all have the level operator at this socket/],
    ['admin_users none-such', qr/admin_users: there is no user none-such/],
    ['admin_groups games none-such', qr/admin_groups: there is no group none-such/],
    ['admin_users 4294967295', qr/there is no user 4294967295/],
) {
	my ($row, $error) = @$_;
	$gatepost->configure($config =~ s/level user; ROWS/$row/r);
	ok(!$gatepost->reload, "no reload: $row");
	like($gatepost->log_text, $error, 'and why');
}
$gatepost->configure($config =~ s/ROWS//r =~ s/level user \}/level user; admin_users root }/r);
ok(!$gatepost->reload, 'no reload: users of an address');
like($gatepost->log_text, qr/an address knows no users/, 'and why');
done_testing;
