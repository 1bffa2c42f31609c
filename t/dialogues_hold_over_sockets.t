#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# The transcripts of t/dialogue, and of t/example with its protocol, with a running
# gatepost and a scripted server: what the client says in a row in one piece, and in
# pieces of one byte.
# t/dialogue/README tells how they are written.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Cert qw(make_cert);
use Gatepost::Fake qw(refusing_port);
use Gatepost::Gatepost qw(example_program);
use Gatepost::Imap;
use Gatepost::Process qw(read_file wait_for);
use MIME::Base64 qw(decode_base64 encode_base64);
use Test::More;

# Why a token is refused, and what is answered to that.
my $reason = encode_base64('{"status":"expired"}', '');
my $answer = [expect => qr/^"?(?:AQ==|=|)"?\r\n/m];

# What the server says to a login; behind one that works, also to a NOOP.
my %imap = (
	ok => [[send => sub ($tag) { "$tag OK [CAPABILITY IMAP4rev1 IDLE MOVE] Logged in\r\n" }],
	    [expect => qr/^(\S+) NOOP\r\n/m], [send => sub ($tag) { "$tag OK NOOP completed.\r\n" }],
	    ['hold']],
	refused => [[send => sub ($tag) { "$tag NO [AUTHENTICATIONFAILED] No such user here\r\n" }],
	    ['hold']],
	later => [[send => sub ($tag) { "$tag NO [UNAVAILABLE] Try later\r\n" }], ['hold']],
	login => [
	    [send => "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN AUTH=XOAUTH2 AUTH=OAUTHBEARER] hi\r\n"],
	    [expect => qr/^(\S+) AUTHENTICATE \S+ [^\r\n]+\r\n/m]],
	explained => [[send => "+ $reason\r\n"], $answer, [send => "L NO [AUTHENTICATIONFAILED] No\r\n"],
	    ['hold']],
	noop => ["zz NOOP\r\n", '^zz OK NOOP completed\.$'],
);
my %pop3 = (
	ok => [[send => "+OK Logged in\r\n"], [expect => qr/^NOOP\r\n/m], [send => "+OK\r\n"], ['hold']],
	refused => [[send => "-ERR [AUTH] No such user here\r\n"], ['hold']],
	later => [[send => "-ERR [SYS/TEMP] Try later\r\n"], ['hold']],
	login => [[send => "+OK hi\r\n"], [expect => qr/^CAPA\r\n/m],
	    [send => "+OK\r\nSASL PLAIN XOAUTH2 OAUTHBEARER\r\n.\r\n"],
	    [expect => qr/^AUTH \S+ [^\r\n]*\r\n/m]],
	explained => [[send => "+ $reason\r\n"], $answer, [send => "-ERR [AUTH] No\r\n"], ['hold']],
	noop => ["NOOP\r\n", '^\+OK$'],
);
my %sieve = (
	ok => [[send => qq(OK "Logged in"\r\n)], [expect => qr/^NOOP\r\n/m], [send => qq(OK "x"\r\n)],
	    ['hold']],
	refused => [[send => qq(NO "No such user here"\r\n)], ['hold']],
	later => [[send => qq(NO (TRYLATER) "Try later"\r\n)], ['hold']],
	login => [[send => qq("SIEVE" "fileinto"\r\n"SASL" "PLAIN XOAUTH2 OAUTHBEARER"\r\nOK "hi"\r\n)],
	    [expect => qr/^AUTHENTICATE "\w+" "[^"]+"\r\n/m]],
	explained => [[send => "\"$reason\"\r\n"], $answer, [send => "NO \"No\"\r\n"], ['hold']],
	noop => ["NOOP\r\n", '^OK "'],
);
my %submission = (
	ok => [[send => "235 2.7.0 Logged in\r\n"], [expect => qr/^NOOP\r\n/m],
	    [send => "250 2.0.0 OK\r\n"], ['hold']],
	refused => [[send => "535 5.7.8 No such user here\r\n"], ['hold']],
	later => [[send => "454 4.7.0 Try later\r\n"], ['hold']],
	login => [[send => "220 server ESMTP\r\n"], [expect => qr/^EHLO [^\r\n]+\r\n/m],
	    [send => "250-server\r\n250-8BITMIME\r\n250 AUTH PLAIN XOAUTH2 OAUTHBEARER\r\n"],
	    [expect => qr/^AUTH \S+ [^\r\n]+\r\n/m]],
	explained => [[send => "334 $reason\r\n"], $answer, [send => "535 5.7.8 No\r\n"], ['hold']],
	noop => ["NOOP\r\n", '^250 '],
);
my %satchel = (
	ok => [[send => "YES Logged in\r\n"], [expect => qr/^PING\r\n/m], [send => "YES Pong\r\n"], ['hold']],
	refused => [[send => "NO Who is that?\r\n"], ['hold']],
	later => [[send => "LATER Not now\r\n"], ['hold']],
	login => [[send => "YES hi\r\n"], [expect => qr/^WHAT\r\n/m],
	    [send => "- SASL PLAIN XOAUTH2 OAUTHBEARER\r\nYES\r\n"],
	    [expect => qr/^AUTH \S+ [^\r\n]+\r\n/m]],
	explained => [[send => "+ $reason\r\n"], $answer, [send => "NO No\r\n"], ['hold']],
	noop => ["PING\r\n", '^YES '],
);
my %spoken = (imap => \%imap, pop3 => \%pop3, sieve => \%sieve, submission => \%submission,
    smtp => { noop => $submission{noop} }, lmtp => { noop => $submission{noop} }, satchel => \%satchel);
# A server that is asked what it announces would count that visit: this is what its clients are offered.
my %fixed = (imap => 'capabilities IDLE', pop3 => 'capabilities TOP UIDL', sieve => 'capabilities "SIEVE fileinto"',
    satchel => 'capabilities BAGS LONG',
    submission => 'capabilities 8BITMIME', smtp => 'capabilities 8BITMIME', lmtp => 'capabilities 8BITMIME');
my @visited = ([send => "421 4.3.2 Come again\r\n"]);

# \xHH, \\ and \*N{text}
sub unescape ($text) {
	return $text =~ s{\\x([0-9a-f]{2})|\\\*(\d+)\{([^\}]*)\}|\\(.)}
	    {defined $1 ? chr hex $1 : defined $2 ? $3 x $2 : $4}gesr;
}

sub read_transcript ($path) {
	my %transcript = (name => $path =~ s{.*/(.*)\.txt$}{$1}r, proto => 'imap', tls => 'active',
	    login => '', end => 'open', pieces => '', plaintext_login => 'no', trusted => 'no',
	    mechanisms => '', lines => []);

	for my $line (split /\n/, read_file($path)) {
		if ($line =~ /^([CSTA])([:~-])(?: (.*))?$/) {
			my ($kind, $mark, $text) = ($1, $2, $3 // '');
			$text = unescape($text) if $kind =~ /[CA]/;
			$text .= "\r\n" if "$kind$mark" eq 'C:';
			push @{ $transcript{lines} }, [$mark eq '~' ? '~' : $kind, $text];
		} elsif ($line =~ /^(\w+): (.*)$/ && exists $transcript{$1}) {
			$transcript{$1} = $2;
		} elsif ($line !~ /^(?:#|$)/) {
			die "$path: cannot read: $line\n";
		}
	}
	return \%transcript;
}

# Each transcript has its server and its listener; without TLS and without passwords there can be none
# where users log in.
my @transcripts = grep { $_->{tls} ne 'no' || $_->{plaintext_login} eq 'yes' || $_->{trusted} eq 'yes' ||
    $_->{proto} =~ /^(?:smtp|lmtp)$/ }
    map { read_transcript($_) } glob "$FindBin::Bin/{,example/}dialogue/*.txt";
my %values = (CERT => make_cert(), NOBODY => refusing_port());
my $begin = "hostname mail.example\ntls main { certificate \@CERT\@ }\n";
my %config = (main => $begin, example => $begin);
my %place = (active => 'bind_tls', offered => 'bind', no => 'starttls off; bind');
for my $transcript (@transcripts) {
	my $name = $transcript->{name};
	my $which = $transcript->{which} = $transcript->{proto} eq 'satchel' ? 'example' : 'main';
	my $spoken = $transcript->{spoken} = $spoken{ $transcript->{proto} };
	# once for each way to send
	my @scripts = map { [@{ $spoken->{login} }, @{ $spoken->{$_} }] } (split ' ', $transcript->{login}) x 2;

	@scripts = [@visited] if $transcript->{end} eq 'server';
	$transcript->{server} = Gatepost::Fake->new(name => $name, scripts => \@scripts)->start if @scripts;
	$values{"SERVER_$name"} = $transcript->{server} ? $transcript->{server}->port : $values{NOBODY};
	my $trusted = $transcript->{trusted} eq 'yes' ? 'trusted 127.0.0.1;' : '';
	my $starttls = $transcript->{proto} eq 'lmtp' && $transcript->{tls} eq 'offered' ?
	    'starttls optional;' : '';
	my $offer = $transcript->{mechanisms} ? "auth $name;" : '';
	$config{$which} .= "auth $name { source server; mechanisms $transcript->{mechanisms} }\n" if $offer;
	$config{$which} .= <<~"END";
		pool $name {
		    protocol $transcript->{proto}; port \@SERVER_$name\@; retries 0; queue_timeout 0s; forward none
		    server s { address 127.0.0.1 }
		}
		listener $name {
		    protocol $transcript->{proto}; tls main; pool $name; max_errors 100
		    plaintext_login $transcript->{plaintext_login}; $starttls $trusted $offer $fixed{ $transcript->{proto} }
		    $place{ $transcript->{tls} } 127.0.0.1:\@PORT{$name}\@
		}
		END
}
my %gatepost = (
	main => Gatepost::Gatepost->new(values => \%values, config => $config{main}),
	example => Gatepost::Gatepost->new(values => \%values, config => $config{example}, name => 'example',
	    program => example_program()),
);
$_->start for values %gatepost;

# user|password, or user|token
sub credentials ($message) {
	return "$1|$2" if $message =~ /^(?:user=|n,a=)(.*?),?\x01.*?auth=Bearer (.*?)\x01\x01\z/s;
	return join '|', (split /\0/, $message, -1)[1, 2];
}

# Waits for a login with these credentials, behind the last that was looked for.
sub expect_credentials ($run, $wanted) {
	my $server = $run->{transcript}{server};
	my @seen;

	return if eval {
		wait_for(sub {
			@seen = map { credentials(decode_base64($_)) }
			    map { $server->received($_) =~ /AUTH\w* "?\w+"? "?([^"\s]+)"?\r\n/ ? $1 : '' }
			    $run->{transcript}{logins} + 1 .. $server->connections;
			for my $i (0 .. $#seen) {
				next if $seen[$i] ne $wanted;
				$run->{transcript}{logins} += $i + 1;
				return 1;
			}
			return 0;
		}, 10, 'the login');
	};
	die "credentials: @seen instead of $wanted\n";
}

sub play_line ($run, $kind, $text) {
	my $client = $run->{client};

	if ($kind eq 'C') {
		my $send = $run->{send};
		# what ends in the middle of it is told by the lines that follow
		eval { $client->$send($text) } or $run->{transcript}{end} eq 'closed' or die $@;
	} elsif ($kind eq 'T') {
		$client->start_tls;
	} elsif ($kind eq 'A') {
		expect_credentials($run, $text);
	} else {
		my $line = $client->line // 'the end';
		die "there is '$line' instead of '$text'\n"
		    unless $kind eq '~' ? $line =~ /$text/ : $line eq $text;
	}
	return;
}

# Nothing more was said, and the connection is open, or not, or goes to a server.
sub play_end ($run) {
	my ($client, $transcript) = @$run{qw(client transcript)};

	if ($transcript->{end} eq 'open') {
		my ($noop, $answer) = @{ $transcript->{spoken}{noop} };
		$client->send_bytes($noop);
		play_line($run, '~', $answer);
	} elsif ($transcript->{end} eq 'server') {
		my $wanted = ++$transcript->{connections};
		wait_for(sub { $transcript->{server}->connections >= $wanted }, 10, 'the server');
	} else {
		my $rest = $client->rest;
		die "more was said: $rest\n" if length $rest;
		die "the connection is open\n" unless $client->{ended};
	}
	return;
}

sub play ($transcript, $send) {
	my $gatepost = $gatepost{ $transcript->{which} };
	my $client = Gatepost::Imap->new(port => $gatepost->port($transcript->{name}), greeting => 0,
	    timeout => 10, tls => $transcript->{tls} eq 'active');
	my $run = { client => $client, transcript => $transcript, send => $send };
	my @lines = @{ $transcript->{lines} };

	while (my ($kind, $text) = @{ shift @lines // [] }) {
		# in one piece what is said in a row
		$text .= (shift @lines)->[1] while $kind eq 'C' && @lines && $lines[0][0] eq 'C';
		play_line($run, $kind, $text);
	}
	play_end($run);
	$client->close;
	return 1;
}

for my $transcript (@transcripts) {
	my $name = $transcript->{name};
	$transcript->{logins} = 0;
	ok(eval { play($transcript, 'send_bytes') }, "$name: at once") or diag($@);
	$transcript->{logins} = split ' ', $transcript->{login};
	next if $transcript->{pieces} eq 'whole';
	ok(eval { play($transcript, 'send_slowly') }, "$name: in pieces of one byte") or diag($@);
}

$_->stop for values %gatepost;
done_testing;
