#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Cyrus behind the proxy: users log in with their own passwords, by every
# mechanism, or through Cyrus' proxy user with passwords that only the proxy
# knows; with and without TLS on the way to Cyrus, and where that wants TLS.
# Then their mail is theirs, and Cyrus knows who they are and from where.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Cert qw(make_cert);
use Gatepost::Cyrus;
use Gatepost::Gatepost;
use Gatepost::Imap;
use Gatepost::Pop3;
use Gatepost::Port qw(own_address);
use Gatepost::Process qw(test_dir write_file);
use Gatepost::Sieve;
use MIME::Base64 qw(encode_base64);
use Test::More;

plan skip_all => 'needs root' if $> != 0;

my $dir = test_dir();
my $cert = make_cert();
my $from = own_address();
my $cyrus = Gatepost::Cyrus->new(name => 'cyrus', users => 5, cert => $cert)->start;
# Takes no password without TLS, and then by LOGIN only.
my $strict = Gatepost::Cyrus->new(name => 'strict', users => 5, cert => $cert,
    imapd => { allowplaintext => 'no', sasl_mech_list => 'LOGIN' })->start;

sub base64 (@words) { return encode_base64(join("\0", @words), '') }

# A command and answers to what it asks for; the tagged reply.
sub imap_in_turns ($client, $command, @answers) {
	my $tag = $client->next_tag;

	for my $line ("$tag $command", @answers) {
		$client->send_bytes("$line\r\n");
		my $reply = $client->line;
		return $reply if $reply !~ /^\+/;
	}
	return 'asked for more than there is';
}

sub imap_append_and_fetch ($client, $n, $server) {
	my $text = "Subject: to user$n\r\n\r\n" . join '', map { "line $_ \xe2\x82\xac\r\n" } 1 .. 2_000;

	like($client->append('INBOX', $text), qr/ OK/, 'a message is appended');
	my ($exists) = map { /^\* (\d+) EXISTS/ } $client->cmd('SELECT INBOX');
	is($client->fetch_body($exists), $text, 'and comes back as it was');
}

# Mail comes by another session, which is not through the proxy.
sub imap_idle ($client, $n, $server) {
	my $other = Gatepost::Imap->new(port => $server->port('imaps'), tls => 1);

	$other->login_as($n);
	$client->send_bytes("i IDLE\r\n");
	$client->lines_until(qr/^\+/);
	like($other->append('INBOX', "Subject: new\r\n\r\nNew.\r\n"), qr/ OK/, 'another message comes');
	like(($client->lines_until(qr/EXISTS/, 10))[-1], qr/^\* \d+ EXISTS/, 'IDLE is told');
	$client->send_bytes("DONE\r\n");
	like(($client->lines_until(qr/^i /))[-1], qr/^i OK/, 'and done');
	$other->close;
}

sub imap_capabilities ($client) {
	my @own = qw(CAPABILITY \* IMAP4rev1 SASL-IR ID LOGINDISABLED AUTH=\S+ STARTTLS);
	my ($line) = grep { /^\* CAPABILITY/ } $client->cmd('CAPABILITY');

	return sort grep { my $word = $_; !grep { $word =~ /^$_$/ } @own } split ' ', $line;
}

# What imap_idle has left is the last.
sub pop3_retrieve ($client, $n, $server) {
	my @messages = $client->list('LIST');
	my ($number) = split ' ', $messages[-1] // '';

	like(join("\n", $client->list("RETR $number")), qr/^Subject: new\r?\n.*^New\.$/ms, 'mail is retrieved');
	like($client->cmd('QUIT'), qr/^\+OK/, 'and the end');
}

sub sieve_put_and_get ($client, $n, $server) {
	my $script = "# of user$n\r\nkeep;\r\n";
	like($client->put('s', $script), qr/^OK/, 'a script is taken');
	like($client->cmd('GETSCRIPT "s"'), qr/^\{\d+\+?\}\n\Q$script\E/, 'and comes back');
}

# Cyrus would take it, and then anybody's password.
sub sieve_unauthenticate ($client, $n, $server) {
	$client->send_bytes("NOOP\r\nUNAUTHENTICATE\r\n");
	ok($client->is_closed(10), 'nobody becomes another user behind our back');
}

# Of each protocol: its client; how to log in, by mechanism, that which every Cyrus takes first; the reply to
# a good and to a bad login, and where no server can be had, and what our log says then of a Cyrus that wants
# TLS; what Cyrus logs of the client's address, if it can be told; what is offered, but for what is the proxy's
# own; what works then, with client, number of the user and Cyrus; the ways to log in to Cyrus.
my %protocols = (
	imap => {
		client => 'Gatepost::Imap',
		log_in => [
			LOGIN => sub ($client, $user, $password) { $client->cmd("LOGIN $user $password") },
			'AUTHENTICATE PLAIN' => sub ($client, $user, $password) {
				$client->cmd('AUTHENTICATE PLAIN ' . base64('', $user, $password));
			},
			'PLAIN in turns' => sub ($client, $user, $password) {
				imap_in_turns($client, 'AUTHENTICATE PLAIN', base64('', $user, $password));
			},
			'AUTHENTICATE LOGIN' => sub ($client, $user, $password) {
				imap_in_turns($client, 'AUTHENTICATE LOGIN', base64($user),
				    base64($password));
			},
		],
		good => qr/^\S+ OK/,
		bad => qr/^\S+ NO \[AUTHENTICATIONFAILED\]/,
		unavailable => qr/^\S+ NO \[UNAVAILABLE\]/,
		forbidden => qr/server allows no login here/,
		address => qr/ client id .* "x-originating-ip" "\Q$from\E"/,
		offered => \&imap_capabilities,
		works => [\&imap_append_and_fetch, \&imap_idle],
		ways => [qw(implicit literal master password starttls)],
	},
	pop3 => {
		client => 'Gatepost::Pop3',
		log_in => [
			'USER and PASS' => sub ($client, $user, $password) { $client->user_pass($user, $password) },
			'AUTH PLAIN' => sub ($client, $user, $password) { $client->auth($user, $password) },
		],
		good => qr/^\+OK/,
		bad => qr/^-ERR \[AUTH\]/,
		unavailable => qr/^-ERR \[SYS\/TEMP\]/,
		forbidden => qr/server allows no login here/,
		offered => sub ($client) {
			return sort grep { !/^(?:SASL|STLS|USER|IMPLEMENTATION)\b/ } $client->list('CAPA');
		},
		works => [\&pop3_retrieve],
		ways => [qw(implicit literal master password starttls)],
	},
	sieve => {
		client => 'Gatepost::Sieve',
		log_in => ['AUTHENTICATE PLAIN' => sub ($client, $user, $password) {
			$client->authenticate($user, $password);
		}],
		good => qr/^OK/,
		bad => qr/^NO/,
		unavailable => qr/^NO \(TRYLATER\)/,
		forbidden => qr/server offers no SASL|no login/,
		offered => sub ($client) {
			my $own = qr/^"(?:IMPLEMENTATION|VERSION|SASL|STARTTLS|OWNER|UNAUTHENTICATE)"|^OK/;
			return sort grep { !/$own/ } split /\n/, $client->cmd('CAPABILITY');
		},
		works => [\&sieve_put_and_get, \&sieve_unauthenticate],
		ways => [qw(master password starttls)],
	},
);

# How Cyrus is logged in to: which one, what the pool has, which of the user's passwords the client knows,
# and how Cyrus calls that.
my $verify = '{ ca @CERT@.crt; name mail.example.com }';
my %ways = (
	password => [$cyrus, '', 'pass', qr/ PLAIN User/],
	starttls => [$cyrus, "server_tls starttls $verify", 'pass', qr/ PLAIN\+TLS User/],
	implicit => [$cyrus, "server_tls implicit $verify", 'pass', qr/ PLAIN\+TLS User/],
	literal => [$strict, "server_tls starttls $verify", 'pass', qr/ plaintext\+TLS User/],
	master => [$cyrus, 'login master; master_user proxy; master_password_file @DIR@/master', 'gate',
	    qr/ PLAIN User/],
);
write_file("$dir/master", "proxy-secret\n");
write_file("$dir/users", join '', map { "user$_:{PLAIN}gate-$_\n" } 1 .. keys %ways);

# The service of Cyrus that is used.
sub service ($protocol, $way) { return $protocol . ($way eq 'implicit' ? 's' : '') }

# Pool and listener; the listener's ports are NAME and NAME_tls.
sub blocks ($name, $protocol, $port, $in_pool, $in_listener) {
	return <<~"END";
		pool $name { protocol $protocol; server c { address 127.0.0.1:$port }; $in_pool }
		listener $name {
		    protocol $protocol; pool $name; $in_listener
		    bind 127.0.0.1:\@PORT{$name}\@; bind_tls 127.0.0.1:\@PORT{${name}_tls}\@
		}
		END
}

my $config = <<'END';
hostname mail.example.com
tls main { certificate @CERT@ }
auth staff { source file; path @DIR@/users }
default listener { tls main }
END
for my $protocol (sort keys %protocols) {
	$config .= blocks("${protocol}_bare", $protocol, $strict->port($protocol), 'retries 0', '');
	for my $way (@{ $protocols{$protocol}{ways} }) {
		my ($server, $in_pool) = @{ $ways{$way} };
		$config .= blocks("${protocol}_$way", $protocol, $server->port(service($protocol, $way)),
		    $in_pool, $way eq 'master' ? 'auth staff' : '');
	}
}
my $gatepost = Gatepost::Gatepost->new(config => $config, values => { CERT => $cert })->start;

# Not logged in; on TLS.
sub client ($protocol, $way, $is_implicit) {
	my $port = $gatepost->port("${protocol}_$way" . ($is_implicit ? '_tls' : ''));
	my $client = $protocols{$protocol}{client}->new(port => $port, from => $from, tls => $is_implicit);

	$client->starttls unless $is_implicit;
	return $client;
}

my %seen;

# The next line in which Cyrus lets the user in.
sub next_login ($server, $service, $user) {
	return $server->wait_for_syslog(qr/ cyrus\/$service\[\d+\]: login: \S+ \[127\.0\.0\.1\] $user /, 10,
	    ++$seen{"$server $service $user"});
}

# By every mechanism; the client that is in at last.
sub log_in ($protocol, $way, $n) {
	my ($server, undef, $words, $pattern) = @{ $ways{$way} };
	my $row = $protocols{$protocol};
	my %mechanisms = @{ $row->{log_in} };
	my $client;

	for my $mechanism (sort keys %mechanisms) {
		for my $is_implicit (0, 1) {
			my $name = join ', ', $protocol, $way, $mechanism, $is_implicit ? 'TLS' : 'STARTTLS';
			my $log_in = $mechanisms{$mechanism};

			$client->close if $client;
			$client = client($protocol, $way, $is_implicit);
			like($log_in->($client, "user$n", 'wrong'), $row->{bad}, "$name: a wrong password");
			like($log_in->($client, "user$n", "$words-$n"), $row->{good}, "$name: the right one");
			like(next_login($server, service($protocol, $way), "user$n"), $pattern,
			    "$name: Cyrus says who it is");
		}
	}
	return $client;
}

# What is offered to CLIENT, who is in, is what it would be without the proxy; before, a server may have said
# that it has more than it greets with.
sub compare_offers ($protocol, $way, $n, $client) {
	my $row = $protocols{$protocol};
	my $server = $ways{$way}[0];
	my $direct = $row->{client}->new(port => $server->port($protocol));
	my $fresh = client($protocol, $way, 1);
	$direct->starttls;
	my %has = map { $_ => 1 } $row->{offered}->($direct);
	my @offered = $row->{offered}->($fresh);

	ok(@offered > 0, "$protocol, $way: there is an offer before the login");
	is(join(' ', grep { !$has{$_} } @offered), '', "$protocol, $way: of what Cyrus has");
	like($row->{log_in}[1]->($direct, "user$n", "pass-$n"), $row->{good},
	    "$protocol, $way: without the proxy");
	next_login($server, $protocol, "user$n");
	is_deeply([$row->{offered}->($client)], [$row->{offered}->($direct)],
	    "$protocol, $way: all of it afterwards");
	$_->close for $direct, $fresh;
}

for my $protocol (sort keys %protocols) {
	my $row = $protocols{$protocol};
	my $n = 0;

	for my $way (@{ $row->{ways} }) {
		my $server = $ways{$way}[0];
		my $client = log_in($protocol, $way, ++$n);

		ok($server->wait_for_syslog($row->{address}), "$protocol, $way: Cyrus knows the address")
		    if $row->{address};
		compare_offers($protocol, $way, $n, $client);
		$_->($client, $n, $server) for @{ $row->{works} };
		$client->close;
	}
	like($row->{log_in}[1]->(client($protocol, 'bare', 1), 'user1', 'pass-1'), $row->{unavailable},
	    "$protocol: a Cyrus that wants TLS is given no password without");
	ok($gatepost->wait_for_log(qr/ ${protocol}_bare .*$row->{forbidden}/), "$protocol: and the log says why");
}
unlike($gatepost->log_text . join('', $gatepost->event_lines), qr/proxy-secret|(?:pass|gate)-\d/,
    'no log has a password');

$gatepost->stop;
$_->stop_quietly for $cyrus, $strict;
done_testing;
