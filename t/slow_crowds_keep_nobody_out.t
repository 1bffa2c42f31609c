#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# A crowd that sends an octet now and then, one that says nothing, and one that opens and closes all the time:
# good clients log in before, among and after them, and how long that takes is printed.  Then clients whose
# replies are late: each costs a timer, and what that is in memory is printed.
#
# CROWD=1000 LOGINS=200 prove ... for figures that mean something.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Fake;
use Gatepost::Gatepost;
use Gatepost::Imap;
use Gatepost::Process qw(raise_descriptors test_dir wait_for write_file);
use Gatepost::Smtp;
use IO::Select;
use IO::Socket::INET;
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);

my $crowd = $ENV{CROWD} // 300;
my $hurried = int($crowd / 5);		# who opens and closes
my $logins = $ENV{LOGINS} // 60;

local $SIG{PIPE} = 'IGNORE';
raise_descriptors(4 * $crowd + 512);

my $imap = Gatepost::Fake->new(name => 'imap', script => [
	[send => "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] fake ready\r\n"],
	[expect => qr/^(\S+) AUTHENTICATE[^\r\n]*\r\n/m],
	[send => sub ($tag) { "$tag OK [CAPABILITY IMAP4rev1] in\r\n" }], ['hold'] ])->start;
write_file(test_dir() . '/users', "ann:{PLAIN}right\n");
my $gatepost;
sub start_gatepost ($name) {
	return Gatepost::Gatepost->new(name => $name, values => { IMAP => $imap->port }, config => <<~'END')->start;
		threads 2
		auth file { source file; path @DIR@/users }
		limits tar { soft_errors 1; hard_errors 0; error_delay 1m }
		pool imap { port @IMAP@; server s1 { address 127.0.0.1 } }
		pool smtp { port @IMAP@; forward none; server s1 { address 127.0.0.1 } }
		listener imap { bind 127.0.0.1:@PORT{imap}@; starttls off; plaintext_login yes; pool imap; auth file }
		listener mx { protocol smtp; bind 127.0.0.1:@PORT{mx}@; pool smtp; starttls off; limits tar }
		END
}

# One after the other; a line of how long they took.
sub log_in ($when) {
	my @ms;

	for (1 .. $logins) {
		my $began = time;
		my $c = Gatepost::Imap->new(port => $gatepost->port('imap'), timeout => 60);

		push @ms, 1000 * (time - $began) if $c && eval { $c->login('ann', 'right'); 1 };
		$c->close if $c;
	}
	@ms = sort { $a <=> $b } @ms;
	is(scalar @ms, $logins, "all log in $when");
	diag(sprintf '%-28s login p50 %.1f ms, p99 %.1f ms, longest %.1f ms', $when, map { $ms[$_ * $#ms] // 0 } 0.5, 0.99, 1);
}

sub sessions () { return scalar(() = $gatepost->ask("show sess") =~ /^[0-9a-f]{16}\b/mg) }

sub connect_to ($name) {
	return IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $gatepost->port($name)) // die "connect: $!";
}

# Each in a process of its own: until it is told to end.
my @names = qw(imap mx);
sub come_slowly () {
	my @slow = map { connect_to($names[$_ % 2]) } 1 .. $crowd;
	my @silent = map { connect_to($names[$_ % 2]) } 1 .. $crowd;

	while (1) {
		syswrite $_, 'x' for @slow;
		sleep 0.25;
	}
}

sub come_and_go () {
	while (1) {
		my @hurried = map { connect_to($names[$_ % 2]) } 1 .. $hurried;
		close $_ for @hurried;
	}
}

$gatepost = start_gatepost('crowded');
log_in('before');
my @crowds;
for my $way (\&come_slowly, \&come_and_go) {
	my $pid = fork // die "fork: $!";
	if ($pid == 0) {
		eval { $way->() };
		POSIX::_exit(1);
	}
	push @crowds, $pid;
}
wait_for(sub { sessions() >= 2 * $crowd }, 120, 'the crowd');
log_in("among $crowd slow, $crowd silent, $hurried hurried");
kill KILL => @crowds;
waitpid $_, 0 for @crowds;
ok(wait_for(sub { sessions() == 0 }, 60, 'the crowd to be gone'), 'nothing is left of the crowd');
log_in('after');
$gatepost->stop;

# Replies that are late, in a process whose memory nothing else was taken of.
$gatepost = start_gatepost('late');
log_in('before late replies');
sub mib ($kib) { return sprintf '%.1f MiB', $kib / 1024 }
my $empty = $gatepost->memory;
my @clients = map { Gatepost::Smtp->new(port => $gatepost->port('mx'), timeout => 60) } 1 .. $crowd;
my $greeted = $gatepost->memory;
$_->cmd('FOO') for @clients;
$_->send_bytes("FOO\r\nNOOP\r\n") for @clients;
wait_for(sub { $gatepost->ask('show metrics') =~ /delayed_replies_total\{[^}]*"mx"[^}]*\} $crowd$/m }, 60, 'late replies');
my $late = $gatepost->memory;
diag(sprintf '%d clients: %s, greeted %s, with a late reply %s: %.0f and %.0f octets a client', $crowd,
    mib($empty), mib($greeted), mib($late), map { 1024 * $_ / $crowd } $greeted - $empty, $late - $empty);
log_in("among $crowd late replies");
is(scalar(grep { length $_->{in} || IO::Select->new($_->socket)->can_read(0) } @clients), 0, 'and none of these comes');
like($gatepost->ask('show sess'), qr/waiting behind refused commands/, 'which is shown');
$_->close for @clients;
ok(wait_for(sub { sessions() == 0 }, 60, 'the late ones to be gone'), 'who leaves is gone at once');
$gatepost->stop;
done_testing;
