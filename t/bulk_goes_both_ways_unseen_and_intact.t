#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Two hundred MiB go through a plain TCP listener, each way at once, whole and
# in order: to who reads at once and to who reads slowly.  The end of one
# direction passes on behind its last byte, and the other goes on.  They move
# through pipes of the kernel, of which there are few, and which are not made
# for sessions that say little.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Digest::MD5;
use Gatepost::Gatepost;
use IO::Select;
use IO::Socket::INET;
use Test::More;

use constant {
	TOTAL => 200 * 1_048_576,
	BEHIND => 8 * 1_048_576,		# what the server says after the client's end
	AT_ONCE => 1_048_576,
	SLOWLY => 24 * 1024,
	PIPES_MAX => 8,				# of a thread
	PATIENCE => 60,
};

# Repeats only after an odd length, so that what is lost or doubled shows.
my $pattern = join '', map { pack 'N', $_ * 2_654_435_761 % 2**32 } 1 .. 262_147;
my $length = length $pattern;
my $twice = $pattern . $pattern;

my $server = IO::Socket::INET->new(Listen => 5, LocalAddr => '127.0.0.1') or die "listen: $@";
my $gatepost = Gatepost::Gatepost->new(values => { SERVER => $server->sockport }, wait => [],
    config => <<'END')->start;
threads 1
shutdown_timeout 0s
pool bulk { protocol tcp; server s { address 127.0.0.1:@SERVER@ } }
listener bulk { protocol tcp; bind 127.0.0.1:@PORT{bulk}@; pool bulk }
END

sub pipes () {
	my $pid = $gatepost->pid;
	return scalar grep { (readlink($_) // '') =~ /^pipe:/ } glob "/proc/$pid/fd/*";
}

# Both ends of a session that relays.
sub open_session () {
	my $client = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $gatepost->port('bulk'))
	    or die "connect: $@";
	my $peer = $server->accept or die "accept: $!";
	$_->blocking(0) for $client, $peer;
	return map { { socket => $_, sent => 0, got => 0, digest => Digest::MD5->new, ended => 0 } } $client, $peer;
}

sub send_some ($end, $total) {
	my $rest = $total - $end->{sent};
	my $n = syswrite $end->{socket}, $twice, ($rest < $length ? $rest : $length), $end->{sent} % $length;
	die "write: $!" if !defined $n && !$!{EAGAIN};
	$end->{sent} += $n // 0;
	return;
}

sub receive_some ($end, $most) {
	my $n = sysread $end->{socket}, (my $data), $most;
	$end->{ended} = 1 if defined $n && $n == 0;
	return if !$n;
	$end->{got} += $n;
	$end->{digest}->add($data);
	return;
}

# Sends $total from each end that has sent less, until each has got what is wanted; what goes wrong, or nothing.
sub exchange ($total, @ends) {
	while (grep { $_->{got} < $_->{wanted} } @ends) {
		my $reading = IO::Select->new(map { $_->{socket} } grep { $_->{got} < $_->{wanted} } @ends);
		my $writing = IO::Select->new(map { $_->{socket} } grep { $_->{sent} < $total } @ends);
		my ($can_read, $can_write) = IO::Select->select($reading, $writing, undef, PATIENCE)
		    or return 'nothing moves';
		for my $end (@ends) {
			send_some($end, $total) if grep { $_ == $end->{socket} } @$can_write;
			receive_some($end, $end->{most}) if grep { $_ == $end->{socket} } @$can_read;
			return 'an early end' if $end->{ended};
		}
	}
	return '';
}

sub digest_of ($total) {
	my $digest = Digest::MD5->new;

	$digest->add($pattern) for 1 .. int($total / $length);
	return $digest->add(substr $pattern, 0, $total % $length)->hexdigest;
}

# The next byte or end, awaited.
sub await_more ($end) {
	IO::Select->new($end->{socket})->can_read(PATIENCE) or return;
	receive_some($end, AT_ONCE);
	return 1;
}

my ($whole, $others) = (digest_of(TOTAL), pipes());
my @idle_session = open_session();
@$_{qw(wanted most)} = (100, AT_ONCE) for @idle_session;
is(exchange(100, @idle_session), '', 'a little goes both ways');
is(pipes(), $others, 'without a pipe');

for my $most ([AT_ONCE, AT_ONCE], [SLOWLY, AT_ONCE], [AT_ONCE, SLOWLY]) {
	my ($client, $peer) = open_session();
	my $what = sprintf 'client reads %d KiB, server %d KiB at a time', map { $_ / 1024 } @$most;

	($client->{most}, $peer->{most}) = @$most;
	$_->{wanted} = TOTAL for $client, $peer;
	is(exchange(TOTAL, $client, $peer), '', "$what: all comes");
	is($_->{digest}->clone->hexdigest, $whole, "$what: intact") for $client, $peer;

	shutdown $client->{socket}, 1;
	await_more($peer);
	ok($peer->{ended} && $peer->{got} == TOTAL, "$what: the client's end comes last");
	$client->{wanted} = TOTAL + BEHIND;
	$peer->{wanted} = $peer->{got};
	$client->{sent} = TOTAL + BEHIND;
	$peer->{ended} = 0;
	is(exchange(TOTAL + BEHIND, $client, $peer), '', "$what: the server goes on");
	is($client->{digest}->hexdigest, digest_of(TOTAL + BEHIND), "$what: intact to the last byte");
	close $peer->{socket};
	await_more($client);
	ok($client->{ended}, "$what: then its end comes, too");
	close $client->{socket};
	my $event = $gatepost->wait_for_event(session => { bytes_up => TOTAL, bytes_down => TOTAL + BEHIND });
	is($event->{reason}, 'done', "$what: the event has the bytes, and all is well");
	cmp_ok(pipes(), '>', $others, "$what: through pipes");
	cmp_ok(pipes(), '<=', $others + 2 * PIPES_MAX, "$what: few of them");
}
$_->{wanted} = 200 for @idle_session;
is(exchange(200, @idle_session), '', 'the idle session goes on');
$gatepost->stop;
done_testing;
