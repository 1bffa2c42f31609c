#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# An office of 300 users with 5 connections each, all on one address, logs in under the limits of the example that is
# installed, and comes back all at once when its line was down: nobody is refused, turned away or delayed.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Gatepost;
use Gatepost::Imap;
use Gatepost::Port qw(own_address);
use Gatepost::Process qw(raise_descriptors read_file test_dir wait_for write_file);
use IO::Select;
use IO::Socket::INET;
use Test::More;

use constant { USERS => 300, EACH => 5 };

raise_descriptors(8192);
my ($limits) = read_file("$FindBin::Bin/../etc/gatepost.conf") =~ /^(limits public \{.*?^\})/ms;
ok($limits, 'the example has limits') or BAIL_OUT('no limits');

# An IMAP server of one process, that believes everybody.
my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1024, ReuseAddr => 1) or die $!;
my $pid = fork // die $!;
if ($pid == 0) {
	my $select = IO::Select->new($listener);

	while (my @ready = $select->can_read) {
		for my $socket (@ready) {
			if ($socket == $listener) {
				my $new = $listener->accept or next;
				$select->add($new);
				syswrite $new, "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] here\r\n";
			} elsif (sysread $socket, my $line, 4096) {
				syswrite $socket, "$1 OK in\r\n" if $line =~ /^(\S+) (?:AUTHENTICATE|LOGIN)/;
			} else {
				$select->remove($socket);
				close $socket;
			}
		}
	}
	require POSIX;
	POSIX::_exit(0);
}
END { kill 'TERM', $pid if $pid }

write_file(test_dir() . '/users', join '', map { "user$_:{PLAIN}right\n" } 1 .. USERS);
my $gatepost = Gatepost::Gatepost->new(values => { TO => $listener->sockport }, config => <<"END")->start;
$limits
auth file { source file; path \@DIR\@/users }
pool imap { server s { address 127.0.0.1:\@TO\@ } }
listener imap { bind 127.0.0.1:\@PORT{imap}\@; pool imap; auth file; limits public; starttls off; plaintext_login yes }
END

my $office = own_address(77);
# All are greeted first; so many log in at the same time.
sub come_in ($at_once) {
	my @clients = map { Gatepost::Imap->new(port => $gatepost->port('imap'), from => $office, timeout => 60) }
	    1 .. USERS * EACH;
	my $in = 0;

	is(scalar(grep { $_->greeting =~ /^\* OK/ } @clients), USERS * EACH, 'all are greeted');
	for (my $i = 0; $i < @clients; $i += $at_once) {
		my @group = grep { $_ < @clients } $i .. $i + $at_once - 1;

		$clients[$_]->send_bytes('a LOGIN user' . (1 + $_ % USERS) . " right\r\n") for @group;
		$in += () = grep { ($clients[$_]->lines_until(qr/^a /))[-1] =~ /^a OK/ } @group;
	}
	is($in, USERS * EACH, 'all log in');
	is($gatepost->ask_json('show table limits/public')->[0]{connections}, USERS * EACH, 'and are counted');
	$_->close for @clients;
	wait_for(sub { !grep { $_->{connections} > 0 } @{ $gatepost->ask_json('show table limits/public') } }, 30, 'the end');
	return;
}
come_in(15);
come_in(USERS * EACH);
my ($names, $frontend) = map { [split /,/] } grep { /^# |^imap,FRONTEND/ } split /\n/, $gatepost->ask('show stat');
my %figures;
@figures{@$names} = @$frontend;
is(join(' ', map { $figures{$_} } qw(crowded paced banned delayed_logins failed_logins)), '0 0 0 0 0', 'nobody had to wait');
$gatepost->stop;
done_testing;
