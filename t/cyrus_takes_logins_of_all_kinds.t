#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Cyrus behind the proxy: users log in with their own passwords, by every
# mechanism, or through Cyrus' proxy user with passwords that only the proxy
# knows; with and without TLS on the way to Cyrus.  Then their mail is theirs.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Cert qw(make_cert);
use Gatepost::Cyrus;
use Gatepost::Gatepost;
use Gatepost::Imap;
use Gatepost::Process qw(test_dir write_file);
use MIME::Base64 qw(encode_base64);
use Test::More;

plan skip_all => 'needs root' if $> != 0;

my $dir = test_dir();
my $cert = make_cert();
my $cyrus = Gatepost::Cyrus->new(name => 'cyrus', cert => $cert)->start;

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

sub imap_append_and_fetch ($client, $n) {
	my $text = "Subject: to user$n\r\n\r\n" . join '', map { "line $_ \xe2\x82\xac\r\n" } 1 .. 2_000;

	like($client->append('INBOX', $text), qr/ OK/, 'a message is appended');
	my ($exists) = map { /^\* (\d+) EXISTS/ } $client->cmd('SELECT INBOX');
	is($client->fetch_body($exists), $text, 'and comes back as it was');
}

# Mail comes by another session, which is not through the proxy.
sub imap_idle ($client, $n) {
	my $other = Gatepost::Imap->new(port => $cyrus->port('imap'));

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

	return join ' ', sort grep { my $word = $_; !grep { $word =~ /^$_$/ } @own } split ' ', $line;
}

# Of each protocol: its client; how to log in, by mechanism; the reply to a good and to a bad login;
# what is offered afterwards, but for what is the proxy's own; what works then, with client and number
# of the user.
my %protocols = (
	imap => {
		client => 'Gatepost::Imap',
		log_in => {
			LOGIN => sub ($client, $user, $password) { $client->cmd("LOGIN $user $password") },
			'AUTHENTICATE PLAIN' => sub ($client, $user, $password) {
				$client->cmd('AUTHENTICATE PLAIN ' . base64('', $user, $password));
			},
			'PLAIN in turns' => sub ($client, $user, $password) {
				imap_in_turns($client, 'AUTHENTICATE PLAIN', base64('', $user, $password));
			},
			'AUTHENTICATE LOGIN' => sub ($client, $user, $password) {
				imap_in_turns($client, 'AUTHENTICATE LOGIN', base64($user), base64($password));
			},
		},
		good => qr/^\S+ OK/,
		bad => qr/^\S+ NO \[AUTHENTICATIONFAILED\]/,
		offered => \&imap_capabilities,
		works => [\&imap_append_and_fetch, \&imap_idle],
	},
);

# How Cyrus is logged in to; which of the user's passwords the client knows; how Cyrus calls that.
my %ways = (
	password => ['', 'pass', qr/ PLAIN User/],
	master => ['login master; master_user proxy; master_password_file @DIR@/master', 'gate', qr/ PLAIN User/],
	encrypted => ['server_tls starttls { ca @CERT@.crt; name mail.example.com }', 'pass', qr/ PLAIN\+TLS User/],
);
write_file("$dir/master", "proxy-secret\n");
write_file("$dir/users", join '', map { "user$_:{PLAIN}gate-$_\n" } 1 .. keys %ways);
my $config = <<'END';
hostname mail.example.com
tls main { certificate @CERT@ }
auth staff { source file; path @DIR@/users }
default listener { tls main; max_errors 50 }
END
for my $protocol (sort keys %protocols) {
	for my $way (sort keys %ways) {
		my $name = "${protocol}_$way";
		my $auth = $way eq 'master' ? 'auth staff' : '';
		$config .= <<~"END";
			pool $name { protocol $protocol; server c { address 127.0.0.1:@{[$cyrus->port($protocol)]} }
			             $ways{$way}[0] }
			listener $name { protocol $protocol; pool $name; $auth
			                 bind 127.0.0.1:\@PORT{$name}\@; bind_tls 127.0.0.1:\@PORT{${name}_tls}\@ }
			END
	}
}
my $gatepost = Gatepost::Gatepost->new(config => $config, values => { CERT => $cert })->start;

# Not logged in; on TLS.
sub client ($protocol, $way, $is_implicit) {
	my $class = $protocols{$protocol}{client};
	my $name = "${protocol}_$way";

	return $class->new(port => $gatepost->port("${name}_tls"), tls => 1) if $is_implicit;
	return $class->new(port => $gatepost->port($name))->starttls;
}

my %seen;

# The next line in which Cyrus lets the user in.
sub next_login ($protocol, $user) {
	return $cyrus->wait_for_syslog(qr/ cyrus\/$protocol\[\d+\]: login: \S+ \[127\.0\.0\.1\] $user /, 10,
	    ++$seen{"$protocol $user"});
}

# By every mechanism; the client that is in at last.
sub log_in ($protocol, $way, $n) {
	my $row = $protocols{$protocol};
	my $client;

	for my $mechanism (sort keys %{ $row->{log_in} }) {
		for my $is_implicit (0, 1) {
			my $name = join ', ', $protocol, $way, $mechanism, $is_implicit ? 'TLS' : 'STARTTLS';
			my $log_in = $row->{log_in}{$mechanism};

			$client->close if $client;
			$client = client($protocol, $way, $is_implicit);
			like($log_in->($client, "user$n", 'wrong'), $row->{bad}, "$name: a wrong password");
			like($log_in->($client, "user$n", "$ways{$way}[1]-$n"), $row->{good}, "$name: the right one");
			like(next_login($protocol, "user$n"), $ways{$way}[2], "$name: Cyrus says who it is");
		}
	}
	return $client;
}

for my $protocol (sort keys %protocols) {
	my $row = $protocols{$protocol};
	my ($log_in) = values %{ $row->{log_in} };
	my $n = 0;

	for my $way (sort keys %ways) {
		my $client = log_in($protocol, $way, ++$n);
		my $direct = $row->{client}->new(port => $cyrus->port($protocol));

		like($log_in->($direct, "user$n", "pass-$n"), $row->{good}, "$protocol: Cyrus without the proxy");
		next_login($protocol, "user$n");
		is($row->{offered}->($client), $row->{offered}->($direct), "$protocol, $way: what Cyrus has is offered");
		$direct->close;
		$_->($client, $n) for @{ $row->{works} };
		$client->close;
	}
}
unlike($gatepost->log_text . join('', $gatepost->event_lines), qr/proxy-secret|(?:pass|gate)-\d/,
    'no log has a password');

$gatepost->stop;
$cyrus->stop_quietly;
done_testing;
