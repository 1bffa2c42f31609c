#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Every limit with what its excess hears on every protocol: who is refused for now stays, who is one too many
# goes, others are let alone; whoever leaves makes room; a reload forgets nobody.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Cert qw(make_cert);
use Gatepost::Fake;
use Gatepost::Gatepost;
use Gatepost::Imap;
use Gatepost::Port qw(own_address);
use Gatepost::Process qw(test_dir wait_for write_file);
use MIME::Base64 qw(encode_base64);
use Test::More;

my $plain = encode_base64("\0ann\0right", '');
my $bad = encode_base64("\0ann\0wrong", '');
my $smtp_server = [[send => "220 here ESMTP\r\n"], [expect => qr/^EHLO .*\r\n/m],
    [send => "250-here\r\n250-XCLIENT ADDR PORT\r\n250 AUTH PLAIN\r\n"]];
my $host = qr/127\.\d+\.\d+\.\d+/;		# this client's; which one: limits_hold_for_whom_they_are.t
my %dialects = (
	imap => {
		hello => qr/^\* OK/, login => "a AUTHENTICATE PLAIN %s", end => qr/^(?:a |\* BYE)/, good => qr/^a OK/,
		crowd => qr/^\* BYE \[LIMIT\] Too many connections from $host\.\r\n\z/,
		paced => qr/^a NO \[LIMIT\] Too many logins from $host\.$/, user => qr/^a NO \[LIMIT\] Too many sessions of this user/,
		starttls => "a STARTTLS", tls => qr/^a NO \[LIMIT\] Too many new TLS sessions from $host\.$/, bye => qr/^\* BYE \[LIMIT\] Too many new TLS sessions from $host\.\r\n\z/,
		server => [[send => "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] here\r\n"],
		    [expect => qr/^(\S+) AUTHENTICATE.*\r\n/m], [send => sub ($tag) { "$tag OK in\r\n" }], ['hold']],
	},
	pop3 => {
		hello => qr/^\+OK/, login => "AUTH PLAIN %s", end => qr/^(?:\+OK|-ERR)/, good => qr/^\+OK/,
		crowd => qr/^-ERR \[SYS\/TEMP\] Too many connections from $host\.\r\n\z/,
		paced => qr/^-ERR \[LOGIN-DELAY\] Too many logins from $host\.$/, user => qr/^-ERR \[IN-USE\] Too many sessions/,
		starttls => "STLS", tls => qr/^-ERR \[SYS\/TEMP\] Too many new TLS sessions from $host\.\s*$/, bye => qr/^-ERR \[SYS\/TEMP\] Too many new TLS sessions from $host\.\s*$/,
		server => [[send => "+OK here\r\n"], [expect => qr/^CAPA\r\n/m],
		    [send => "+OK\r\nUSER\r\nSASL PLAIN\r\n.\r\n"], [expect => qr/^AUTH PLAIN.*\r\n/m],
		    [send => "+OK in\r\n"], ['hold']],
	},
	sieve => {
		hello => qr/^OK/, login => 'AUTHENTICATE "PLAIN" "%s"', end => qr/^(?:OK|NO|BYE)/, good => qr/^OK/,
		crowd => qr/^BYE \(TRYLATER\) "Too many connections from $host\."\r\n\z/,
		paced => qr/^NO \(TRYLATER\) "Too many logins from $host\."$/, user => qr/^NO \(TRYLATER\) "Too many sessions/,
		starttls => "STARTTLS", tls => qr/^NO \(TRYLATER\) "Too many new TLS sessions from $host\."$/, bye => qr/^BYE \(TRYLATER\) "Too many new TLS sessions from $host\."\r\n\z/,
		server => [[send => qq("IMPLEMENTATION" "fake"\r\n"SASL" "PLAIN"\r\n"SIEVE" "fileinto"\r\nOK\r\n)],
		    [expect => qr/^AUTHENTICATE.*\r\n/m], [send => "OK\r\n"], ['hold']],
	},
	submission => {
		hello => qr/^220 /, after => 'EHLO client.example.org', ready => qr/^250 /,
		login => "AUTH PLAIN %s", end => qr/^[245]\d\d /, good => qr/^235/,
		crowd => qr/^421 4\.7\.0 \S+ Error: too many connections from $host\r\n\z/,
		paced => qr/^450 4\.7\.1 Error: too many AUTH commands from $host$/, user => qr/^454 4\.7\.0 Error: too many sessions/,
		starttls => "STARTTLS", tls => qr/^454 4\.7\.0 Error: too many new TLS sessions from $host$/, bye => qr/^421 4\.7\.0 \S+ Error: too many new TLS sessions from $host\r\n\z/,
		server => [@$smtp_server, [expect => qr/^AUTH PLAIN .*\r\n/m],
		    [send => "235 2.7.0 in\r\n"], ['hold']],
	},
	smtp => {
		hello => qr/^220 /, after => 'EHLO client.example.org', ready => qr/^250 /, end => qr/^[245]\d\d /,
		crowd => qr/^421 4\.7\.0 \S+ Error: too many connections from $host\r\n\z/,
		starttls => "STARTTLS", tls => qr/^454 4\.7\.0 Error: too many new TLS sessions from $host$/, bye => qr/^421 4\.7\.0 \S+ Error: too many new TLS sessions from $host\r\n\z/,
		server => $smtp_server,
	},
);
my @protocols = sort keys %dialects;
my @logins = grep { $dialects{$_}{login} } @protocols;
my %servers = map { $_ => Gatepost::Fake->new(name => $_, script => $dialects{$_}{server})->start } @protocols;
my $cert = make_cert(names => ['localhost']);
my %limits = (crowd => 'client_connections 2', rate => 'client_connection_rate 2', auth => 'client_auth_rate 2',
    tls => 'client_tls_rate 1', user => 'user_connections 2', pair => 'user_client_connections 1');
my $config = <<'END';
auth file { source file; path @DIR@/users }
auth server { source server }
tls main { certificate @CERT@; session_tickets off }
default limits { auth_failure_delay none; rate_unit 1h }
default listener { plaintext_login yes; max_errors 50; starttls optional; tls main }
END
$config .= "limits $_ { $limits{$_}; exempt 127.0.0.9 }\n" for sort keys %limits;
for my $protocol (@protocols) {
	my ($forward, $port) = ($protocol =~ /s/ ? 'forward none;' : '', $servers{$protocol}->port);

	$forward = '' unless $protocol =~ /^(?:smtp|submission)$/;
	$config .= "pool $protocol { protocol $protocol; $forward server s { address 127.0.0.1:$port } }\n";
	for my $limit (sort keys %limits) {
		for my $auth ($dialects{$protocol}{login} ? qw(file server) : '') {
			my $source = $auth ? "auth $auth" : '';

			$config .= "listener $protocol-$limit-$auth { protocol $protocol; pool $protocol; limits $limit; $source; "
			    . "bind 127.0.0.1:\@PORT{${protocol}_${limit}_$auth}\@ }\n";
		}
	}
	$config .= "listener $protocol-tls { protocol $protocol; pool $protocol; limits tls; "
	    . ($dialects{$protocol}{login} ? 'auth file; ' : '')
	    . "bind_tls 127.0.0.1:\@PORT{${protocol}_implicit}\@ }\n";
}
write_file(test_dir() . '/users', "ann:{PLAIN}right\nbob:{PLAIN}right\n");
my $gatepost = Gatepost::Gatepost->new(values => { CERT => $cert }, config => $config)->start;

my $addresses = 0;
sub new_address () { return own_address(9 * 1000 + $addresses++) }

sub come ($protocol, $limit, $auth, $from) {
	return Gatepost::Imap->new(port => $gatepost->port("${protocol}_${limit}_$auth"), from => $from, greeting => 0,
	    timeout => 30);
}

sub hear_hello ($protocol, $c) {
	my $dialect = $dialects{$protocol};

	$c->lines_until($dialect->{hello});
	$c->send_bytes("$dialect->{after}\r\n")->lines_until($dialect->{ready}) if defined $dialect->{after};
	return $c;
}

sub say_line ($protocol, $c, $line) {
	return ($c->send_bytes("$line\r\n")->lines_until($dialects{$protocol}{end}))[-1];
}

sub login ($protocol, $c, $response = $plain) { return say_line($protocol, $c, sprintf $dialects{$protocol}{login}, $response) }

for my $protocol (@protocols) {
	my $dialect = $dialects{$protocol};
	my $auth = $dialect->{login} ? 'file' : '';
	my ($crowd, $rate, $other) = map { new_address } 1 .. 3;
	my @here = map { hear_hello($protocol, come($protocol, 'crowd', $auth, $crowd)) } 1 .. 2;

	like(come($protocol, 'crowd', $auth, $crowd)->rest, $dialect->{crowd}, "$protocol: one connection too many");
	ok(hear_hello($protocol, come($protocol, 'crowd', $auth, $other)), "$protocol: others come in");
	ok(hear_hello($protocol, come($protocol, 'crowd', $auth, '127.0.0.9')), "$protocol: and whoever is exempt") for 1 .. 3;
	(pop @here)->close;
	ok(wait_for(sub { eval { hear_hello($protocol, come($protocol, "crowd", $auth, $crowd)) } }, 20, "room"),
	    "$protocol: who leaves makes room");
	hear_hello($protocol, come($protocol, 'rate', $auth, $rate))->close for 1 .. 2;
	like(come($protocol, 'rate', $auth, $rate)->rest, $dialect->{crowd}, "$protocol: one connection too soon");

	# TLS: the first handshake is taken, the second one heard and turned away, and the third not begun
	my $tls = new_address();
	my ($first, $second) = map { hear_hello($protocol, come($protocol, 'tls', $auth, $tls)) } 1, 2;

	say_line($protocol, $first, $dialect->{starttls});
	$first->start_tls;
	ok(say_line($protocol, $first, 'a NONSENSE'), "$protocol: a first TLS session");
	like(say_line($protocol, $second, $dialect->{starttls}), $dialect->{tls}, "$protocol: who came before it has none");
	like(say_line($protocol, hear_hello($protocol, come($protocol, 'tls', $auth, $tls)), $dialect->{starttls}),
	    $dialect->{tls}, "$protocol: STARTTLS is refused then");
	my $implicit = Gatepost::Imap->new(port => $gatepost->port("${protocol}_implicit"), from => $tls, greeting => 0,
	    timeout => 30, tls => 1);
	like($implicit->rest, $dialect->{bye}, "$protocol: and one that began with TLS is told");
}

for my $protocol (@logins) {
	my $dialect = $dialects{$protocol};
	my $from = new_address();
	my $c = hear_hello($protocol, come($protocol, 'auth', 'file', $from));

	unlike(login($protocol, $c, $bad), $dialect->{good}, "$protocol: a login") for 1 .. 2;
	like(login($protocol, $c), $dialect->{paced}, "$protocol: one login too many, and the session stays");
	like(login($protocol, $c), $dialect->{paced}, "$protocol: as long as it tries");
	for my $auth (qw(file server)) {
		my @places = map { new_address } 1 .. 3;
		my @in = map { hear_hello($protocol, come($protocol, 'user', $auth, $_)) } @places;

		like(login($protocol, $in[$_]), $dialect->{good}, "$protocol: session $_ of a user, judged by the $auth") for 0, 1;
		like(login($protocol, $in[2]), $dialect->{user}, "$protocol: one too many");
		$in[0]->close;
		ok(wait_for(sub { login($protocol, $in[2]) =~ $dialect->{good} }, 20, 'room'),
		    "$protocol: in the same session there is room later");
		$_->close for @in;
		my ($here, $there) = map { new_address } 1 .. 2;
		@in = map { hear_hello($protocol, come($protocol, 'pair', $auth, $_)) } $here, $here, $there;
		like(login($protocol, $in[0]), $dialect->{good}, "$protocol: a user's session from an address");
		like(login($protocol, $in[1]), $dialect->{user}, "$protocol: the second one from there is too many");
		like(login($protocol, $in[2]), $dialect->{good}, "$protocol: and from elsewhere it is none");
		$_->close for @in;
		ok(wait_for(sub { $gatepost->events('session') >= 0 + $gatepost->events('login') }, 20, 'all to be gone'),
		    "$protocol: all are gone");
	}
}

# Who is inside stays counted over a reload.
my $from = new_address();
my @here = map { hear_hello('imap', come('imap', 'crowd', 'file', $from)) } 1 .. 2;
ok($gatepost->reload, 'a reload');
like(come('imap', 'crowd', 'file', $from)->rest, $dialects{imap}{crowd}, 'forgets nobody');
$gatepost->stop;
done_testing;
