# SPDX-License-Identifier: BSD-2-Clause
#
# Login.pm: logs in by any protocol, with any SASL mechanism or the protocol's
# own command, before or on TLS: one row a protocol, one sub a mechanism.
package Gatepost::Login;
use v5.36;
use Carp qw(croak);
use Digest::MD5 qw(md5);
use Digest::SHA qw(hmac_sha256 sha256);
use Exporter 'import';
use Gatepost::Imap;
use MIME::Base64 qw(decode_base64 encode_base64);

our @EXPORT_OK = qw(log_in offer);

# What a protocol says: hello reads what a server says at first, and again after TLS, and list asks what is
# offered where hello does not tell; native is the login by the protocol's own command, auth begins SASL, wrap
# is a response's shape; challenge and final are patterns of the server's lines; user_check is a command that
# only who is logged in may give, and its good reply.
my %dialects = (
	imap => {
		hello => sub ($c, $is_again) { $c->line unless $is_again },
		starttls => ['s STARTTLS', qr/^s OK/],
		native => sub ($user, $password) { qq(b LOGIN "$user" "$password") },
		auth => sub ($mechanism, $ir) { "b AUTHENTICATE $mechanism" . (defined $ir ? " $ir" : '') },
		wrap => '%s', challenge => qr/^\+ ?(.*)/, final => qr/^b (OK|NO|BAD)/, good => qr/^b OK/,
		user_check => ['c STATUS INBOX (MESSAGES)', qr/^c (?:OK|NO|BAD)/, qr/^c OK/],
		quit => ['z LOGOUT', qr/^z OK/],
	},
	pop3 => {
		hello => sub ($c, $is_again) { $c->line unless $is_again },
		starttls => ['STLS', qr/^\+OK/],
		native => sub ($user, $password) { "USER $user\r\nPASS $password" },
		native_replies => 2,
		list => ['CAPA', qr/^\./],
		auth => sub ($mechanism, $ir) { "AUTH $mechanism" . (defined $ir ? " $ir" : '') },
		wrap => '%s', challenge => qr/^\+ (.*)/, final => qr/^(?:\+OK|-ERR)/, good => qr/^\+OK/,
		user_check => ['STAT', qr/^[-+]/, qr/^\+OK \d/],
		quit => ['QUIT', qr/^\+OK/],
	},
	sieve => {
		hello => sub ($c, $is_again) { $c->lines_until(qr/^OK/) },
		starttls => ['STARTTLS', qr/^OK/],
		auth => sub ($mechanism, $ir) {
			qq(AUTHENTICATE "$mechanism") . (defined $ir ? qq( "$ir") : '');
		},
		wrap => '"%s"', challenge => qr/^"(.*)"/, final => qr/^(?:OK|NO|BYE)/, good => qr/^OK/,
		user_check => ['LISTSCRIPTS', qr/^(?:OK|NO)/, qr/^OK/],
		quit => ['LOGOUT', qr/^OK/],
	},
	submission => {
		hello => sub ($c, $is_again) {
			$c->lines_until(qr/^220 /) unless $is_again;
			$c->send_bytes("EHLO client.example.org\r\n")->lines_until(qr/^250 /);
		},
		starttls => ['STARTTLS', qr/^220/],
		auth => sub ($mechanism, $ir) { "AUTH $mechanism" . (defined $ir ? " $ir" : '') },
		wrap => '%s', challenge => qr/^334 (.*)/, final => qr/^[245]\d\d /, good => qr/^235/,
		user_check => ["MAIL FROM:<a\@example.com>\r\nRCPT TO:<b\@example.com>", qr/^[2345]\d\d /, qr/^250/],
		checks => 2,
		quit => ['QUIT', qr/^221/],
	},
);

sub saslname ($name) { return $name =~ s/=/=3D/gr =~ s/,/=2C/gr }

sub hmac_md5 ($key, $text) {
	$key = md5($key) if length $key > 64;
	$key .= "\0" x (64 - length $key);
	return md5(($key ^. "\x5c" x 64) . md5(($key ^. "\x36" x 64) . $text));
}

# RFC 5802, section 3.
sub scram_proof ($password, $salt, $rounds, $message) {
	my $block = hmac_sha256($salt . "\0\0\0\1", $password);
	my $salted = $block;

	for (2 .. $rounds) {
		$block = hmac_sha256($block, $password);
		$salted ^.= $block;
	}
	my $client = hmac_sha256('Client Key', $salted);
	my $server = hmac_sha256(hmac_sha256('Server Key', $salted), $salted);
	return ($client ^. hmac_sha256($message, sha256($client)),
	    hmac_sha256($message, hmac_sha256('Server Key', $salted)));
}

sub scram ($user, $password) {
	my $nonce = join '', map { ('a' .. 'z')[rand 26] } 1 .. 20;
	my $bare = 'n=' . saslname($user) . ",r=$nonce";
	my $expected;

	return { initial => "n,,$bare", respond => sub ($challenge) {
		if (defined $expected) {
			croak 'the server does not know the password' if $challenge ne 'v=' . $expected;
			return '';
		}
		my ($r, $salt, $rounds) = $challenge =~ /^r=(\Q$nonce\E[^,]+),s=([^,]+),i=(\d+)$/
		    or croak "not of SCRAM: $challenge";
		my $last = 'c=biws,r=' . $r;
		my ($proof, $signature) = scram_proof($password, decode_base64($salt), $rounds,
		    "$bare,$challenge,$last");
		$expected = encode_base64($signature, '');
		return "$last,p=" . encode_base64($proof, '');
	} };
}

my %mechanisms = (
	PLAIN => sub ($user, $password) {
		return { initial => "\0$user\0$password", respond => sub ($) { "\0$user\0$password" } };
	},
	LOGIN => sub ($user, $password) {
		my @answers = ($user, $password);
		return { respond => sub ($) { shift @answers } };
	},
	'CRAM-MD5' => sub ($user, $password) {
		return { respond => sub ($challenge) {
			"$user " . unpack 'H*', hmac_md5($password, $challenge);
		} };
	},
	'SCRAM-SHA-256' => \&scram,
	EXTERNAL => sub ($user, $) { return { initial => '', respond => sub ($) { '' } } },
	XOAUTH2 => sub ($user, $token) {
		my $message = "user=$user\1auth=Bearer $token\1\1";

		return { initial => $message, respond => sub ($challenge) { length $challenge ? '' : $message } };
	},
	OAUTHBEARER => sub ($user, $token) {
		my $message = 'n,a=' . saslname($user) . ",\1auth=Bearer $token\1\1";
		return { initial => $message, respond => sub ($challenge) { length $challenge ? "\1" : $message } };
	},
);

sub expect ($c, $pair) {
	my ($command, $pattern) = @$pair;
	my $reply = $c->send_bytes("$command\r\n")->line // croak "$command: connection ended";

	$reply = $c->line while $reply !~ $pattern && $reply =~ /^\*/;
	croak "$command: $reply" if $reply !~ $pattern;
	return $reply;
}

sub encode ($text) { return length $text ? encode_base64($text, '') : '=' }

sub authenticate ($c, $dialect, $option) {
	my $exchange = $mechanisms{$option->{mechanism}}->(@{$option}{qw(user password)});
	my $initial = $option->{in_turns} ? undef : $exchange->{initial};

	$c->send_bytes($dialect->{auth}->($option->{mechanism}, defined $initial ? encode($initial) : undef)
	    . "\r\n");
	while (1) {
		my $line = $c->line // croak 'connection ended within the login';
		return $line if $line =~ $dialect->{final};
		next unless $line =~ $dialect->{challenge};
		my $challenge = decode_base64($1);
		# without an initial response it is what an empty challenge asks for
		my $is_first = $option->{in_turns} && defined $exchange->{initial} && !$c->{has_begun}++;
		my $response = $is_first ? $exchange->{initial} : $exchange->{respond}->($challenge);
		$c->send_bytes(sprintf "$dialect->{wrap}\r\n", encode_base64($response, ''));
	}
}

sub native ($c, $dialect, $option) {
	$c->send_bytes($dialect->{native}->(@{$option}{qw(user password)}) . "\r\n");
	my $reply;
	$reply = ($c->lines_until($dialect->{final}))[-1] for 1 .. $dialect->{native_replies} // 1;
	return $reply;
}

# protocol, port, tls => clear, starttls or implicit, mechanism ('' is the protocol's own login command), user,
# password (or token), and perhaps in_turns => 1 (no initial response), handshake => options of the handshake.
# The reply, and in list context whether it was good and the client, which is logged in then.
sub log_in (%option) {
	my $dialect = $dialects{$option{protocol}} // croak "no protocol $option{protocol}";
	my $c = Gatepost::Imap->new(port => $option{port}, greeting => 0, timeout => 20) or croak "connect: $!";
	my %handshake = %{ $option{handshake} // {} };

	$c->start_tls(%handshake) if $option{tls} eq 'implicit';
	$dialect->{hello}->($c, 0);
	if ($option{tls} eq 'starttls') {
		expect($c, $dialect->{starttls});
		$c->start_tls(%handshake);
		$dialect->{hello}->($c, 1);
	}
	my $reply = $option{mechanism} eq '' ? native($c, $dialect, \%option)
	    : authenticate($c, $dialect, \%option);
	return wantarray ? ($reply, $reply =~ $dialect->{good} ? 1 : 0, $c) : $reply;
}

# What a client is offered on TLS from the first byte.
sub offer ($protocol, $port) {
	my $dialect = $dialects{$protocol};
	my $c = Gatepost::Imap->new(port => $port, tls => 1, greeting => 0) or croak "connect: $!";
	my @lines = $dialect->{hello}->($c, 0);

	if (my ($command, $end) = @{ $dialect->{list} // [] }) {
		push @lines, $c->send_bytes("$command\r\n")->lines_until($end);
	}
	$c->close;
	return join "\n", @lines;
}

# Has protocols' own login command.
sub has_native ($protocol) { return exists $dialects{$protocol}{native} }

# Does what only a user may, and takes its leave; the replies that are not good.
sub use_and_quit ($protocol, $c) {
	my $dialect = $dialects{$protocol};
	my ($command, $end, $good) = @{ $dialect->{user_check} };

	$c->send_bytes("$command\r\n");
	my @replies = map { ($c->lines_until($end))[-1] } 1 .. $dialect->{checks} // 1;
	expect($c, $dialect->{quit});
	$c->close;
	return grep { $_ !~ $good } @replies;
}

1;
