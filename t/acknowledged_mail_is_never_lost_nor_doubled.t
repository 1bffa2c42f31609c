#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Two thousand messages over fifty connections, while the two Postfixes behind
# are killed, stopped and started, and gatepost is reloaded: what a client was
# told is accepted is in a queue, once; what was refused before its end is in
# none.  Of those that were under way when a server died nobody can know: they
# are answered 451, and are there once at most.  No connection is cut.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Cert qw(make_cert);
use Gatepost::Gatepost;
use Gatepost::Postfix;
use Gatepost::Process qw(read_file test_dir write_file);
use IO::Select;
use IO::Socket::INET;
use List::Util qw(max);
use MIME::Base64 qw(encode_base64);
use POSIX qw(_exit);
use Test::More;
use Time::HiRes qw(time);

plan skip_all => 'needs root' if $> != 0;

use constant { CONNECTIONS => 50, MESSAGES => 40, STEP => 120, PATIENCE => 300, PAUSE => 0.2 };

# All that is accepted stays in the hold queue: a delivery that is killed may well be done twice.  Who is refused
# again and again while a server is away is borne, by gatepost too.
my %main = (smtpd_data_restrictions => 'check_client_access static:HOLD', in_flow_delay => '0s',
    smtpd_hard_error_limit => 1000, smtpd_soft_error_limit => 1000, default_process_limit => 150);
my @postfixes = map {
	Gatepost::Postfix->new(name => "p$_", xclient => '127.0.0.1', sasl => 'any', main => \%main)->start
} 1, 2;
my $gatepost = Gatepost::Gatepost->new(values => { CERT => make_cert(),
    map { uc $_->{name} => $_->port } @postfixes }, config => <<'END')->start;
tls main { certificate @CERT@ }
farm f { server p1 { address 127.0.0.1:@P1@ }; server p2 { address 127.0.0.1:@P2@ } }
default pool { farm f; balance roundrobin }
default listener { max_errors 1000 }
pool smtp { }
pool submission { }
listener smtp { bind 127.0.0.1:@PORT{smtp}@; tls main; pool smtp }
listener submission { bind 127.0.0.1:@PORT{submission}@; tls main; pool submission
                      starttls optional; plaintext_login yes }
END

# The clients are one process with one loop.  A connection is { socket, in, name, listener, number (of the
# message), attempt, began (when the first was), awaits (replies that are still to come, of the group that was
# sent), state, due (when a pause ends) }.
my $report = test_dir() . '/report';
my $results = '';		# lines: tag, what became of it
my %cut;			# connections that ended, by listener
my $progress;

sub tag ($c) { return "$c->{name}-$c->{number}-$c->{attempt}." }

sub put ($c, $text, $state, $replies = 1) {
	$c->{state} = $state;
	$c->{awaits} = $replies;
	$c->{replies} = [];
	syswrite $c->{socket}, $text;
	return;
}

sub connect_client ($c) {
	$c->{socket} = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
	    PeerPort => $gatepost->port($c->{listener})) // die "connect: $!";
	$c->{in} = '';
	put($c, '', 'greeting');
	return;
}

# One attempt has ended with a word about it; the next one, of this message or another.  Time bounds them, not
# their number: who is refused at once, as a server is away, makes many, though it pauses as clients do.
sub settle ($c, $what) {
	$results .= tag($c) . " $what\n";
	if ($what eq 'accepted') {
		syswrite $progress, '.';
		$c->{number}++;
		@$c{qw(attempt began)} = (0, time);
	} elsif (time > $c->{began} + PATIENCE) {
		die tag($c) . " cannot be sent: $what\n";
	} else {
		$c->{attempt}++;
	}
	return;
}

sub settle_lost ($c) {
	settle($c, 'unknown') if $c->{state} eq 'text';
	settle($c, 'refused') if $c->{state} =~ /^commands?$/;
	return;
}

sub begin_message ($c) {
	return put($c, "QUIT\r\n", 'quit') if $c->{number} >= MESSAGES;
	return put($c, "QUIT\r\n", 'quit') if $c->{leaves} && $c->{number} % 5 == 0 && !$c->{is_new};
	$c->{is_new} = 0;
	my @commands = ('MAIL FROM:<a@example.org>', 'RCPT TO:<b@example.com>', 'DATA');
	return put($c, join('', map { "$_\r\n" } @commands), 'commands', 3) if $c->{pipelines};
	$c->{commands} = \@commands;
	return put($c, shift(@commands) . "\r\n", 'command');
}

sub send_text ($c) {
	my $text = 'Subject: ' . tag($c) . "\r\n\r\n" . "A line of text\r\n" x ($c->{number} * 10) . '.';

	syswrite $c->{socket}, $text;	# and the end of the line of the dot in another segment
	return put($c, "\r\n", 'text');
}

my %next = (
	greeting => sub ($c, $reply) { put($c, "EHLO client\r\n", 'ehlo') },
	ehlo => sub ($c, $reply) {
		$c->{is_new} = 1;
		return begin_message($c) if $c->{listener} eq 'smtp';
		put($c, 'AUTH PLAIN ' . encode_base64("\0user\0any", '') . "\r\n", 'auth');
	},
	auth => sub ($c, $reply) {
		return begin_message($c) if $reply =~ /^235/;
		put($c, 'AUTH PLAIN ' . encode_base64("\0user\0any", '') . "\r\n", 'auth');
	},
	command => sub ($c, $reply) {
		return send_text($c) if $reply =~ /^354/;
		if ($reply !~ /^250/) {
			settle($c, 'refused');
			return put($c, "RSET\r\n", 'rset');
		}
		put($c, shift(@{ $c->{commands} }) . "\r\n", 'command');
	},
	commands => sub ($c, $reply) {
		return send_text($c) if $reply =~ /^354/;
		settle($c, 'refused');
		return put($c, "RSET\r\n", 'rset');
	},
	rset => sub ($c, $reply) { @$c{qw(state due)} = ('pause', time + PAUSE) },
	text => sub ($c, $reply) {
		settle($c, $reply =~ /^250/ ? 'accepted' : $reply =~ /^451 4\.3\.0/ ? 'unknown'
		    : "failed: $reply");
		begin_message($c);
	},
);

# What came from the server is a whole group of replies.
sub on_replies ($c) {
	my $reply = $c->{replies}[-1];

	if ($c->{state} eq 'quit' || $reply =~ /^421/) {
		$cut{"$c->{listener}: $reply"}++ if $c->{state} ne 'quit';
		settle_lost($c);
		close $c->{socket};
		return $c->{number} < MESSAGES ? connect_client($c) : ($c->{socket} = undef);
	}
	return $next{ $c->{state} }->($c, $reply);
}

sub on_input ($c) {
	my $n = sysread $c->{socket}, $c->{in}, 65_536, length $c->{in};

	if (!$n) {
		$cut{"$c->{listener}: without a word while $c->{state}"}++;
		settle_lost($c);
		return connect_client($c);
	}
	while ($c->{socket} && $c->{in} =~ s/\A(?:\d{3}-[^\n]*\n)*(\d{3}(?: [^\n]*)?)\r\n//) {
		push @{ $c->{replies} }, $1;
		on_replies($c) if @{ $c->{replies} } >= $c->{awaits} || $1 =~ /^421/;
	}
	return;
}

sub run_clients {
	my @all = map {
		{ name => "m$_", number => 0, attempt => 0, began => time,
		    listener => $_ % 2 ? 'smtp' : 'submission', pipelines => $_ % 3 == 0, leaves => $_ % 5 == 0 }
	} 1 .. CONNECTIONS;

	connect_client($_) for @all;
	while (my %by_socket = map { $_->{socket} ? ($_->{socket} => $_) : () } @all) {
		my @pausing = sort { $a->{due} <=> $b->{due} } grep { $_->{state} eq 'pause' } values %by_socket;
		my $pause = @pausing ? max(0, $pausing[0]{due} - time) : 60;
		my @ready = IO::Select->new(map { $_->{socket} } values %by_socket)->can_read($pause);
		die "nothing happens any more\n" unless @ready || @pausing;
		on_input($by_socket{$_}) for @ready;
		begin_message($_) for grep { $_->{state} eq 'pause' && $_->{due} <= time } @pausing;
	}
	write_file("$report.cut", join '', map { "$cut{$_} × $_\n" } sort keys %cut);
	return write_file($report, $results);
}

pipe my $heard, $progress or die "pipe: $!";
my $child = fork // die "fork: $!";
if ($child == 0) {
	close $heard;
	eval { run_clients(); 1 } or print STDERR "# clients: $@";
	_exit(0);
}
close $progress;

# Waits for COUNT more to be accepted; false when all are.
sub wait_for_mail ($count) {
	while ($count > 0) {
		my $n = sysread $heard, my $dots, $count or return 0;
		$count -= $n;
	}
	return 1;
}

my $turns = 0;
for (;; $turns++) {
	my $postfix = $postfixes[$turns % 2];
	wait_for_mail(STEP) or last;
	$turns % 3 == 2 ? $postfix->stop_quietly : $postfix->kill_now;
	my $is_going_on = wait_for_mail(STEP);
	$postfix->start;
	ok($gatepost->reload, 'gatepost takes its configuration again');
	last unless $is_going_on;
}
waitpid $child, 0;
diag("servers went down $turns times; ", read_file("$report.cut"));
cmp_ok($turns, '>=', 5, 'servers went down and came back several times');

# tag => how often it is in a queue, whole
my %found;
for my $path (map { glob "$_->{dir}/queue/{hold,incoming,active,deferred}/*" } @postfixes) {
	next unless -x $path && read_file($path) =~ /Subject: (m\d+-\d+-\d+\.)/;
	$found{$1}++;
}
my %result = map { split / /, $_, 2 } split /\n/, read_file($report);
my %tags;	# by what became of them
push @{ $tags{ $result{$_} } }, $_ for sort keys %result;

is(scalar @{ $tags{accepted} // [] }, CONNECTIONS * MESSAGES, 'all messages are accepted in the end');
is_deeply([grep { ($found{$_} // 0) == 0 } @{ $tags{accepted} }], [], 'none of them is lost');
is_deeply([grep { $found{$_} > 1 } sort keys %found], [], 'none is there twice');
is_deeply([grep { $found{$_} } @{ $tags{refused} // [] }], [], 'none is there that was refused');
is_deeply([grep { !exists $result{$_} } sort keys %found], [], 'none is there that nobody sent');
is_deeply([grep { !/^(?:accepted|refused|unknown)$/ } sort keys %tags], [], 'all others are answered 451');
my @there = grep { $found{$_} } @{ $tags{unknown} // [] };
diag(sprintf '%d refused before their end, %d under way, of which %d are there',
    map { scalar @$_ } $tags{refused} // [], $tags{unknown} // [], \@there);
is(read_file("$report.cut") =~ s/^\d+ × submission: 421 .*\n//mgr, '',
    'no connection was cut, but those for which there is no password any more');

$gatepost->stop;
$_->stop_quietly for @postfixes;
done_testing;
