#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# A proxy that is alone moves a user: the sessions end, the flush_script runs while whoever comes waits, and then
# all are at the new server.  Scripts that fail, are killed or cannot be run keep nobody out, and an operator's own
# hold outlives the move.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Farm qw(lives);
use Gatepost::Process qw(read_file test_dir wait_for write_file);
use IO::Select;
use IO::Socket::UNIX;
use Test::More;

my $dir = test_dir();
write_file("$dir/deed", 'true');
write_file("$dir/flush", <<"END");
#!/bin/sh
echo "\$@ \$GATEPOST_USER \$GATEPOST_FARM \$GATEPOST_OLD_SERVER \$GATEPOST_NEW_SERVER" >>$dir/flushed
. $dir/deed
END
chmod 0755, "$dir/flush";
my $farm = Gatepost::Farm->new(proxies => 1, servers => 2, users => 3, redis => 0,
    farm => 'flush_script @DIR@/flush; flush_timeout 1h');
my $gatepost = $farm->proxy(1);

sub other ($n) { my $at = $farm->where_is(1, $n); return (grep { $_ ne $at } $farm->names)[0] }
# What the operator is told, who need not wait for it.
sub begin ($command) {
	my $socket = IO::Socket::UNIX->new(Peer => "$dir/lb1.sock") or die "admin: $!\n";

	print {$socket} "$command\n";
	return $socket;
}
sub answer ($socket) {
	local $/;
	return readline($socket) =~ s/\n\z//r;
}
sub flushed () { return scalar(() = read_file("$dir/flushed") =~ /^FLUSH/mg) }

# The order of it all.
my $session = $farm->come(1, 1);
my ($old, $new) = ($farm->where_is(1, 1), other(1));
write_file("$dir/deed", "until test -e $dir/go; do sleep 0.05; done");
my $move = begin("user user1 move $new");
like($session->rest, qr/^\* BYE \[UNAVAILABLE\]/m, 'the session ends');
wait_for(sub { flushed() == 1 }, 20, 'the script to run');
my ($from, $to) = map { quotemeta $farm->dovecot($_)->address } $old, $new;
like(read_file("$dir/flushed"), qr/^FLUSH \d+ $from $to up 1 user1\@example\.com f $old $new$/m, 'it is told what is done');
like($farm->place(1, 1)->{held}, qr/^\d+$/, 'meanwhile the user is on hold');
my $waits = $farm->client(1);
$waits->send_bytes("a LOGIN user1 pass-1\r\n");
wait_for(sub { @{ $gatepost->ask_json('show sess user user1') } == 1 }, 20, 'the login to be under way');
ok(!IO::Select->new($move)->can_read(0), 'the operator waits as well');
ok(!IO::Select->new($waits->socket)->can_read(0), 'and whoever comes');
ok(lives($farm->come(1, 2)), 'others do not');
write_file("$dir/go", '');
like(answer($move), qr/^user: user1\@example\.com\nserver: $new\nkicked: 1$/, 'the script is done: the move is over');
like(($waits->lines_until(qr/^a /))[-1], qr/^a OK/, 'and who has waited gets in');
ok($farm->dovecot($new)->wait_for_log(qr/Login: user=<user1>/, 20), 'at the new server');
is($farm->where_is(1, 1), $new, 'where the user is bound');
is($farm->place(1, 1)->{held}, undef, 'the hold has ended');

# Scripts that do not do their work.
for (['exit 7', qr/error: flush_script of farm f: exit code 7, user user1\@example\.com$/, 'one that fails'],
    ['exec sleep 1000', qr/error: flush_script of farm f: killed after 1000 ms, user user1\@example\.com$/, 'one that hangs'],
    ['kill -11 $$', qr/error: flush_script of farm f: signal 11, user user1\@example\.com$/, 'one that crashes']) {
	my ($deed, $line, $what) = @$_;

	write_file("$dir/deed", $deed);
	my $patience = $deed =~ /sleep/ ? '1s' : '1h';
	$gatepost->configure($farm->config(1) =~ s/flush_timeout 1h/flush_timeout $patience/r)->reload;
	my $there = other(1);
	like($gatepost->ask("user user1 move $there"), qr/^The user was moved\. The flush_script failed: see the log\.$/,
	    "$what: the operator hears so");
	ok($gatepost->wait_for_log($line), 'the log says what it was');
	my $again = $farm->come(1, 1);
	is($farm->where_is(1, 1), $there, 'the user gets in, at the new server');
	is($farm->place(1, 1)->{held}, undef, 'and is not on hold');
}
unlink "$dir/flush" or die "$dir/flush: $!\n";
my $there = other(1);
like($gatepost->ask("user user1 move $there"), qr/^The user was moved\. The flush_script failed/, 'one that has gone');
is($farm->where_is(1, 1), $there, 'keeps nobody either');
ok(lives($farm->come(1, 1)), 'or out');

# An operator's own hold, which is longer, and one that is shorter.
write_file("$dir/deed", 'true');
write_file("$dir/flush", "#!/bin/sh\n");
chmod 0755, "$dir/flush";
$gatepost->ask('user user1 hold 1h');
$there = other(1);
like($gatepost->ask("user user1 move $there"), qr/^server: $there$/m, 'a user on hold is moved');
like($farm->place(1, 1)->{held}, qr/^\d+$/, 'and is still on hold');
$gatepost->ask('user user1 release');
is($farm->place(1, 1)->{held}, undef, 'until it is released');

# One who is on hold and bound nowhere: nobody has had a session.
my $nobody = other(9);
$gatepost->ask('user user9 hold 1h');
like($gatepost->ask("user user9 move $nobody"), qr/^server: $nobody\nkicked: 0$/m, 'one on hold who is not bound is moved, too');
like($farm->place(1, 9)->{held}, qr/^\d+$/, 'and is still on hold');
is($farm->where_is(1, 9), $nobody, 'at the new server');

# One who is bound nowhere, and an operator who leaves.
my $unbound = other(3);
like($gatepost->ask("user user3 move $unbound"), qr/^server: $unbound\nkicked: 0$/m, 'one who is not bound is moved, too');
my $third = $farm->come(1, 3);
is($farm->where_is(1, 3), $unbound, 'and comes there');
write_file("$dir/flush", "#!/bin/sh\nexec sleep 1000\n");
$gatepost->configure($farm->config(1) =~ s/flush_timeout 1h/flush_timeout 1s/r)->reload;
my $last = other(3);
close begin("user user3 move $last");
like($third->rest, qr/^\* BYE/m, 'an operator asks and leaves: the sessions end');
ok($gatepost->wait_for_log(qr/killed after 1000 ms, user user3\@example\.com$/, 20), 'the script has its time');
my $again = $farm->come(1, 3);
is($farm->where_is(1, 3), $last, 'and the user gets in, at the new server');
is($farm->place(1, 3)->{held}, undef, 'nobody has to release the user');
$farm->stop;
done_testing;
