#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# A server that stops, dies, dribbles or says nonsense costs its own
# recipients a 451 and nobody else anything; a client that leaves behind its
# message takes nothing with it; a user who is moved while mail is on its way
# gets it at one server only.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Gatepost;
use Gatepost::LmtpServer;
use Gatepost::Process qw(test_dir wait_for write_file);
use Gatepost::Smtp;
use POSIX qw(_exit);
use Test::More;

my $dir = test_dir();
my $lost = '451 4.3.0 Mail server was lost, try again later';

# What a message tells the first server to do, within its text or at its end.
sub misbehave ($server, $word, $line) {
	$server->{wish} = $1 if $word eq 'text' && $line =~ /^X-Wish: (\S+)/;
	my $wish = $server->{wish} // '';
	if ($word eq 'text' && $wish =~ /^(?:stop|exit)-in-text$/) {
		kill 'STOP', $$ if $wish =~ /^stop/;
		_exit(0);
	}
	return undef unless $word eq 'dot';
	$server->{wish} = '';
	kill 'STOP', $$ if $wish eq 'stop';
	_exit(0) if $wish eq 'exit';
	wait_for(sub { -e "$dir/go" }, 60, 'the file go') if $wish eq 'wait';
	return 'garbage' if $wish eq 'garbage';
	return '421 4.3.2 going' if $wish eq 'leave';
	return '354 more' if $wish eq 'odd';
	if ($wish eq 'dribble') {
		for (split //, "250-d1 has\r\n250 it\r\n") {
			syswrite $server->{socket}, $_;
			select undef, undef, undef, 0.01;
		}
		return '';
	}
	return undef;
}

my %servers = map { $_ => Gatepost::LmtpServer->new(name => $_,
    $_ eq 'd1' ? (hook => \&misbehave, receive_buffer => 65_536) : (), $_ eq 'd3' ? (smtp => 1) : ())->start }
    qw(d1 d2 d3);

sub write_users ($mover) {
	write_file("$dir/users.new", join '', "mover:::::::server=$mover\n", map { my $n = $_;
	    ("a${n}:::::::server=d$n\n", map { "u$n.${_}:::::::server=d$n\n" } 1 .. 400) } 1, 2);
	rename "$dir/users.new", "$dir/users";
	return;
}

write_users('d1');
my $gatepost = Gatepost::Gatepost->new(values => { map { uc $_ => $servers{$_}->port } keys %servers },
    config => <<'END')->start;
hostname lb.example.com
auth users { source file; path @DIR@/users }
farm f { affinity 1m; server d1 { address 127.0.0.1:@D1@ }; server d2 { address 127.0.0.1:@D2@ } }
pool lmtp { farm f; retries 1 }
pool mx { protocol smtp; forward none; server d3 { address 127.0.0.1:@D3@ } }
listener lmtp {
    bind 127.0.0.1:@PORT{lmtp}@; pool lmtp; reply_timeout 3s; lookup users
}
listener idle { protocol lmtp; bind 127.0.0.1:@PORT{idle}@; pool lmtp; reply_timeout 1s; idle_timeout 2s }
listener mixed {
    protocol lmtp; bind 127.0.0.1:@PORT{mixed}@; pool lmtp; reply_timeout 3s
    route world { recipient_domain example.net; pool mx }
}
END

sub connect_client ($listener = 'lmtp') {
	my $c = Gatepost::Smtp->new(port => $gatepost->port($listener), timeout => 30);
	$c->expect('250', 'LHLO mta.example.org');
	return $c;
}

# The replies to a message to these.
sub deliver ($c, $text, @to) {
	my @replies = $c->send_pipelined(from => 's@example.org', to => \@to, text => $text);
	return (@replies[@to + 2 .. $#replies], map { $c->reply } 2 .. @to);
}

my $c = connect_client();
my $big = "A line of seventy octets or so, as mail has them, now and then at least.\n" x 60_000;
for my $wish (qw(stop-in-text exit-in-text stop exit garbage leave odd)) {
	for my $text ("Subject: $wish\nX-Wish: $wish\n\n", "Subject: big-$wish\nX-Wish: $wish\n\n$big") {
		my $what = length $text > 1000 ? "$wish, with a large message" : $wish;
		is_deeply([deliver($c, $text, 'a1', 'a2', 'a1')], [$lost, '250 2.0.0 d2 has a2', $lost], $what);
	}
}
is_deeply([deliver($c, "Subject: dribble\nX-Wish: dribble\n\n", 'a2', 'a1')],
    ['250 2.0.0 d2 has a2', "250-d1 has\n250 it"], 'a reply that dribbles is one');
is_deeply([deliver($c, "Subject: well\n\n", 'a1', 'a2')], ['250 2.0.0 d1 has a1', '250 2.0.0 d2 has a2'],
    'the same session goes on');
is(scalar(grep { /^a1 .*-in-text/ } $servers{d1}->delivered), 0, 'no part of a message was taken for one');

# Octet by octet.
$c->send_slowly("MAIL FROM:<s\@example.org>\r\nRCPT TO:<a1>\r\nRCPT TO:<a2>\r\nDATA\r\n");
like(join("\n", map { $c->reply } 1 .. 4), qr/^250.*\n250.*\n250.*\n354 /, 'commands octet by octet');
$c->send_slowly("Subject: slow\r\n\r\n..\r\n.\r\n");
is_deeply([map { $c->reply } 1, 2], ['250 2.0.0 d1 has a1', '250 2.0.0 d2 has a2'], 'and the message');

# A thousand recipients; each of them twice, but the last.
my @many = map { ("u1.$_", "u2.$_", $_ % 2 ? "u1.$_" : ()) } 1 .. 400;
is_deeply([deliver($c, "Subject: many\n\n", @many)], [map { "250 2.0.0 d" . substr($_, 1, 1) . " has $_" } @many],
    scalar(@many) . ' recipients');

# A client that is gone behind the dot.
my $gone = connect_client();
$gone->pipeline('MAIL FROM:<gone@example.org>', 'RCPT TO:<a1>', 'RCPT TO:<a2>', 'DATA');
$gone->send_bytes("Subject: gone\r\nX-Wish: wait\r\n\r\n.\r\n");
wait_for(sub { grep { /^a2 gone/ } $servers{d2}->delivered }, 10, 'the other server to have it');
setsockopt $gone->socket, Socket::SOL_SOCKET(), Socket::SO_LINGER(), pack 'ii', 1, 0;
$gone->close;
write_file("$dir/go", '');
wait_for(sub { grep { /^a1 gone/ } $servers{d1}->delivered }, 10, 'the slow server to have it');
my $event = $gatepost->wait_for_event('message', { server => 'lmtp/d1', from => 'gone@example.org' });
is($event->{status}, 'accepted', 'what the server said is in the log, though nobody hears it');
$gatepost->wait_for_event('session', { reason => 'client lost' });

# A user who is moved while a message is sent.
my $first = connect_client();
$first->pipeline('MAIL FROM:<s@example.org>', 'RCPT TO:<mover>', 'RCPT TO:<a2>', 'RCPT TO:<a1>', 'DATA');
$first->send_bytes("Subject: moving\r\n\r\n");
write_users('d2');
my $second = connect_client();
wait_for(sub {
	$second->expect('250', 'RSET');
	$second->expect('250', 'MAIL FROM:<s@example.org>');
	$second->cmd('RCPT TO:<mover>') eq '250 2.1.5 d2 takes mover';
}, 30, 'the new server to take mail for the user');
$first->send_bytes(".\r\n");
is_deeply([map { $first->reply } 1 .. 3], ['451 4.3.0 The user is being moved, try again later',
    '250 2.0.0 d2 has a2', $lost], 'mail that was on its way is put off, with all of it for that server');
is(scalar(grep { /^mover| moving / } $servers{d1}->delivered), 0, 'the old server has none');
like((deliver($first, "Subject: next\n\n", 'a1'))[0], qr/^250 2\.0\.0 d1 has a1$/, 'and the session goes on');
$second->expect('354', 'DATA');
is($second->cmd("Subject: moved\r\n\r\n."), '250 2.0.0 d2 has mover', 'the new one has');

# Servers of SMTP have one reply for all.
my $mixed = connect_client('mixed');
is_deeply([deliver($mixed, "Subject: one\n\n", 'x@example.net', 'y@example.net')],
    ['250 2.0.0 d3 has it', '250 2.0.0 d3 has it'], 'a server of SMTP');
is_deeply([deliver($mixed, "Subject: two\n\n", 'x@example.net', 'full-y@example.net')],
    [('452 4.2.2 d3 full full-y@example.net') x 2], 'what it refuses it refuses for all');
like(join(' ', deliver($mixed, "Subject: three\n\n", 'x@example.net', 'a2', 'y@example.net')),
    qr/^250 2\.0\.0 d3 has it 250 2\.0\.0 d[12] has a2 250 2\.0\.0 d3 has it$/, 'it stands beside others');

# Time runs for a client that is the one to speak, though servers are kept for it.
my $idle = connect_client('idle');
like((deliver($idle, "Subject: idle\n\n", 'a2'))[0], qr/^250 /, 'a client that says no more');
like($idle->reply, qr/^421 4\.4\.2 \S+ Error: timeout exceeded$/, 'is sent away');
$_->quit for $c, $first, $second, $mixed;
$gatepost->stop;
done_testing;
