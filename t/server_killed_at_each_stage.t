#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# A server that dies before the login is done: the client hears NO
# [UNAVAILABLE], stays and may try again, and the log tells what gatepost was
# doing.  In the relay the connection ends, without words inside a literal.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Cert qw(make_cert);
use Gatepost::Dovecot;
use Gatepost::Fake qw(black_hole refusing_port);
use Gatepost::Gatepost;
use Gatepost::Imap;
use Gatepost::Port qw(free_port own_address);
use Test::More;

my $greeting = "* OK [CAPABILITY IMAP4rev1 SASL-IR ID LITERAL+ AUTH=PLAIN] fake ready\r\n";
my $bare_greeting = "* OK fake ready\r\n";
my $command = qr/^(\S+) [^\r\n]+\r\n/;
my $login = qr/^(\S+) (?:LOGIN|AUTHENTICATE)\b/m;

# stage => [script, what the log says gatepost was doing]
my %stages = (
	refused => [undef, qr/while connecting/],
	unanswered => [undef, qr/while connecting/],
	reset_on_accept => [[['reset']], qr/while (?:connecting|reading greeting)/],
	closed_before_greeting => [[['close']], qr/while reading greeting/],
	half_a_greeting => [[[send => '* OK fa'], ['close']], qr/while reading greeting/],
	bye_greeting => [[[send => "* BYE go away\r\n"], ['close']], qr/while reading greeting/],
	no_imap => [[[send => "220 mail.example.com ESMTP\r\n"], ['hold']], qr/while reading greeting/],
	closed_after_greeting => [[[send => $greeting], ['close']], qr/while /],
	closed_at_first_command => [[[send => $greeting], [expect => $command], ['close']], qr/while /],
	closed_at_capability => [[[send => $bare_greeting],
	    [expect => qr/^(\S+) CAPABILITY\r\n/m], ['reset']],
	    qr/while .*capabilit/i],
	closed_at_login => [[[send => $greeting =~ s/ ID//r], [expect => $login], ['close']],
	    qr/while .*(?:log(?:ging )?in|authenticate|user|password)/i],
	reset_at_login => [[[send => $greeting =~ s/ ID//r], [expect => $login], ['reset']],
	    qr/while .*(?:log(?:ging )?in|authenticate|user|password)/i],
	bye_at_login => [[[send => $greeting =~ s/ ID//r], [expect => $login],
	    [send => "* BYE overloaded\r\n"], ['close']],
	    qr/while .*(?:log(?:ging )?in|authenticate|user|password)/i],
	silent_at_login => [[[send => $greeting =~ s/ ID//r], [expect => $login], ['hold']],
	    qr/while .*(?:log(?:ging )?in|authenticate|user|password)/i],
);

my $config = 'tls main { certificate @CERT@ }' . "\n";
my %values = (CERT => make_cert());
for my $stage (sort keys %stages) {
	my $script = $stages{$stage}[0];
	$values{"SERVER_$stage"} = $stage eq 'refused' ? refusing_port()
	    : $stage eq 'unanswered' ? black_hole()
	    : Gatepost::Fake->new(name => $stage, script => $script)->start->port;
	$config .= <<~"END";
		pool $stage {
		    protocol imap; port \@SERVER_$stage\@; retries 0; queue_timeout 0s
		    connect_timeout 2s; login_timeout 3s
		    server $stage { address 127.0.0.1 }
		}
		listener $stage { protocol imap; bind_tls 127.0.0.1:\@PORT{$stage}\@; tls main; pool $stage }
		END
}

# In the relay: after the login, the server dies in a literal or between two responses.
my @logged_in = ([send => $greeting =~ s/ ID//r], [expect => qr/^(\S+) (?:LOGIN|AUTHENTICATE)[^\r\n]*\r\n/m],
    [send => sub ($tag) { "$tag OK [CAPABILITY IMAP4rev1] in\r\n" }],
    [expect => qr/^(\S+) FETCH[^\r\n]*\r\n/m]);
my $part = "* 1 FETCH (BODY[] {1000}\r\n" . 'x' x 300;
my %relays = (
	closed_in_literal => [@logged_in, [send => $part], ['close']],
	reset_in_literal => [@logged_in, [send => $part], [expect => qr/NOOP/], ['reset']],
	closed_between_responses => [@logged_in, [send => "* 1 EXISTS\r\n"], ['close']],
);
for my $relay (sort keys %relays) {
	my $fake = Gatepost::Fake->new(name => $relay, script => $relays{$relay})->start;
	$values{"SERVER_$relay"} = $fake->port;
	$config .= <<~"END";
		pool $relay { protocol imap; port \@SERVER_$relay\@; server $relay { address 127.0.0.1 } }
		listener $relay { protocol imap; bind_tls 127.0.0.1:\@PORT{$relay}\@; tls main; pool $relay }
		END
}

# A real server that is away and comes back, and a pool where another one takes the login.
my ($returning, $steady) = map {
	Gatepost::Dovecot->new(name => "d$_", address => own_address($_))
} 1, 2;
$values{RETURNING} = $returning->address;
$values{RETURNING_PORT} = $returning->port;
$values{STEADY_PORT} = $steady->port;
$values{STEADY} = $steady->address;
$values{ABSENT} = own_address(3);
$config .= <<'END';
pool returning {
    protocol imap; port @RETURNING_PORT@; retries 0; queue_timeout 0s
    server d1 { address @RETURNING@ }
}
listener returning { protocol imap; bind_tls 127.0.0.1:@PORT{returning}@; tls main; pool returning }
pool unbound {
    protocol imap; port @STEADY_PORT@; balance roundrobin
    server absent { address @ABSENT@ }
    server d2 { address @STEADY@ }
}
listener unbound { protocol imap; bind_tls 127.0.0.1:@PORT{unbound}@; tls main; pool unbound }
END
$steady->start;
my $gatepost = Gatepost::Gatepost->new(values => \%values, config => $config)->start;

sub client ($listener) {
	return Gatepost::Imap->new(port => $gatepost->port($listener), tls => 1, timeout => 15);
}

for my $stage (sort keys %stages) {
	my $pattern = $stages{$stage}[1];
	my $before = () = $gatepost->log_lines($pattern);
	my $client = client($stage);
	my $reply = eval { $client->cmd('LOGIN user1 pass-1') } // "nothing: $@";
	like($reply, qr/^\S+ NO \[UNAVAILABLE\]/, "$stage: the client hears so");
	ok(eval { $gatepost->wait_for_log($pattern, 5, $before + 1) },
	    "$stage: the log tells while doing what")
	    or diag($@);
	like(eval { $client->cmd('NOOP') }, qr/ OK/, "$stage: the session goes on");
	$client->close;
}

my $client = client('returning');
like($client->cmd('LOGIN user1 pass-1'), qr/ NO \[UNAVAILABLE\]/, 'an absent server is unavailable');
$returning->start;
like($client->cmd('LOGIN user1 pass-1'), qr/ OK/, 'in the same session the login works when it is back');
$client->close;

for my $n (1 .. 4) {
	$client = client('unbound');
	like($client->cmd("LOGIN user$n pass-$n"), qr/ OK/,
	    "unbound: login $n goes to the server that is there");
	$client->close;
}

for my $relay (sort keys %relays) {
	$client = client($relay);
	$client->login_as(1);
	$client->send_bytes("f FETCH 1 BODY[]\r\n");
	if ($relay =~ /literal/) {
		is($client->take_bytes(length $part), $part, "$relay: what the server sent arrives");
		$client->send_bytes("g NOOP\r\n") if $relay =~ /reset/;
		is($client->rest(10), '', "$relay: and nothing of ours inside the literal");
	} else {
		like($client->rest(10), qr/^\* 1 EXISTS\r\n(?:\* BYE [^\r\n]*\r\n)?\z/,
		    "$relay: at most a BYE follows");
	}
	ok($client->{ended}, "$relay: the connection ends");
	$client->close;
	my $event = eval { $gatepost->wait_for_event(session => { server => qr/$relay/ }) };
	my $reason = $relay =~ /reset/ ? qr/^server lost$/ : qr/^server|^done$/;
	like($event->{reason} // '', $reason, "$relay: the session event says why") or diag($@);
}

$gatepost->stop;
$_->stop for $returning, $steady;
done_testing;
