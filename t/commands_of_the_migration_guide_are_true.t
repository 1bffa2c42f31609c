#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Each command that doc/migration.md tells those who come from the Director is taken by a proxy of a cluster; each
# of doveadm's own commands is told of; and a pin holds before the first login.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use File::Basename qw(dirname);
use Gatepost::Farm;
use Gatepost::Process qw(read_file run_command test_dir);
use Test::More;

my $farm = Gatepost::Farm->new(proxies => 2, servers => 2, users => 2);
my $control = dirname($ENV{GATEPOST}) . '/gatepostctl';
my $text = read_file("$FindBin::Bin/../doc/migration.md");
my ($table) = $text =~ /^\| doveadm director \|.*?\n((?:\|.*\n)+)/m or die "no table\n";
my @rows = map { [map { s/^ | $//gr } (split /\|/)[1 .. 3]] } grep { !/^\|-/ } split /\n/, $table;
my $count = 0;
sub run (@words) { return run_command('gatepostctl' . $count++, [$control, '-s', test_dir() . '/lb1.sock', @words]) }

my $session = $farm->come(1, 1);
for my $row (@rows) {
	my ($theirs, $ours, $why) = @$row;

	for my $command ($ours =~ /`([^`]+)`/g, $why =~ /`((?:user|show|flush|users) [^`]+)`/g) {
		my ($status, $answer) = run(split / /, $command =~ s/\bb\@/user1\@/r);
		is($status, 0, "`$command`") or diag($answer);
	}
	run('ready', $_) for $farm->names;
}
my (undef, $help) = run_command('doveadm', ['doveadm', 'director']);
my %theirs = map { $_ => 1 } map { /`((?:ring )?\w+)/g } map { $_->[0] } @rows;
for my $name (qw(status map add update up down remove move kick flush dump), map { "ring $_" } qw(add remove status)) {
	ok($theirs{$name}, "`doveadm director $name` is told of");
}
my @have = grep { $_ ne 'ring' } $help =~ /^  (\w+) /mg;
cmp_ok(scalar @have, '>=', 11, 'this doveadm knows them');
is(join(' ', grep { !$theirs{$_} } @have), '', 'and no others');

my ($old) = $farm->proxy(1)->ask('where user2') =~ /^(\w+)/;
my ($pin) = grep { $_ ne $old } $farm->names;
run('user', 'user2@example.com', 'pin', $pin);
my $pinned = $farm->come(2, 2);
is($farm->where_is(1, 2), $pin, 'a pin holds before the first login, at the other proxy');
run('user', 'user2@example.com', 'unpin');
is($farm->where_is(1, 2), $pin, 'who is unpinned stays bound');
$farm->stop;
done_testing;
