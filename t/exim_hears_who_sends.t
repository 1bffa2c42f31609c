#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Exim behind the proxy: PROXY headers tell it who the client is, as its log
# and the mail show; on submission users log in with their own passwords, or
# through an authenticator of Exim's that believes the proxy.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Cert qw(make_cert);
use Gatepost::Exim;
use Gatepost::Gatepost;
use Gatepost::Port qw(own_address);
use Gatepost::Process qw(test_dir write_file);
use Gatepost::Smtp;
use MIME::Base64 qw(encode_base64);
use Test::More;

plan skip_all => 'needs root' if $> != 0;

my $dir = test_dir();
my $cert = make_cert();
my %exims = (
	exim => Gatepost::Exim->new(name => 'exim', cert => $cert, proxy => 1, refuses => own_address(1)),
	login => Gatepost::Exim->new(name => 'login', proxy => 1, mechanisms => ['LOGIN']),
	bare => Gatepost::Exim->new(name => 'bare'),
);
$_->start for values %exims;

# How Exim is logged in to: what the pool has, and the listener; which of the user's passwords the client
# knows; what Exim says of it.
my $starttls = 'server_tls starttls { ca @CERT@.crt; name mail.example.com }';
my %ways = (
	password => ['server exim { address 127.0.0.1:@EXIM@ }', '', 'pass', qr/ P=esmtpa A=plain:user1 /],
	encrypted => ["server exim { address 127.0.0.1:\@EXIM\@ } $starttls", '', 'pass',
	    qr/ P=esmtpsa X=TLS1\.3:\S+ .*A=plain:user1 /],
	login => ['server login { address 127.0.0.1:@LOGIN@ }', '', 'pass', qr/ P=esmtpa A=login:user1 /],
	master => ['server exim { address 127.0.0.1:@EXIM@ }; login master; master_user proxy
	    master_password_file @DIR@/master', 'auth staff', 'gate', qr/ P=esmtpa A=plain:user1 /],
	trusted => ['server exim { address 127.0.0.1:@EXIM@ }; login trusted
	    master_password_file @DIR@/trusted', 'auth staff', 'gate', qr/ P=esmtpa A=plain:user1 /],
);
write_file("$dir/master", "proxy-secret\n");
write_file("$dir/trusted", "trusted-secret\n");
write_file("$dir/users", "user1:{PLAIN}gate-1\n");
my $config = <<'END';
hostname mail.example.com
tls main { certificate @CERT@ }
auth staff { source file; path @DIR@/users }
default listener { tls main }
default pool { check { kind none }; forward proxy_v2; retries 0 }
pool mx { protocol smtp; forward proxy; server exim { address 127.0.0.1:@EXIM@ } }
pool mxtls { protocol smtp; server exim { address 127.0.0.1:@EXIM@ } @STARTTLS@ }
pool silent { protocol smtp; forward auto; server bare { address 127.0.0.1:@BARE@ } }
END
$config =~ s/\@STARTTLS\@/$starttls/;
$config .= "listener $_ { protocol smtp; pool $_; bind 127.0.0.1:\@PORT{$_}\@ }\n" for qw(mx mxtls silent);
for my $way (sort keys %ways) {
	$config .= "pool $way { protocol submission; $ways{$way}[0] }\n" .
	    "listener $way { protocol submission; pool $way; $ways{$way}[1]\n" .
	    "    bind 127.0.0.1:\@PORT{$way}\@; bind_tls 127.0.0.1:\@PORT{${way}_tls}\@ }\n";
}
my $gatepost = Gatepost::Gatepost->new(config => $config, values => { CERT => $cert,
    map { uc $_ => $exims{$_}->port } keys %exims })->start;
my $from = own_address();

sub client ($name) {
	my $client = Gatepost::Smtp->new(port => $gatepost->port($name), from => $from,
	    tls => scalar $name =~ /_tls$/);

	$client->ehlo('laptop');
	return $client if $name =~ /_tls$|^mx|^silent$/;
	$client->starttls->ehlo('laptop');
	return $client;
}

sub auth_login ($client, $user, $password) {
	$client->expect('334', 'AUTH LOGIN');
	$client->expect('334', encode_base64($user, ''));
	return $client->cmd(encode_base64($password, ''));
}

# By BDAT, in two chunks.
sub send_chunks ($client, %message) {
	my $text = $message{text} =~ s/\n/\r\n/gr;
	my $half = int(length($text) / 2);

	$client->pipeline("MAIL FROM:<$message{from}>", "RCPT TO:<$message{to}[0]>");
	$client->send_bytes("BDAT $half\r\n" . substr $text, 0, $half);
	$client->reply;
	$text = substr $text, $half;
	return $client->send_bytes(sprintf "BDAT %d LAST\r\n%s", length $text, $text)->reply;
}

my %senders = (
	slowly => sub ($client, %message) { $client->send_message(%message) },
	pipelined => sub ($client, %message) { ($client->send_pipelined(%message))[-1] },
	chunks => \&send_chunks,
);

# Sends one in each way; PATTERN is what Exim is to write of each.
sub see_mail_sent ($client, $name, $exim, $to, $pattern) {
	my $port = $client->socket->sockport;

	for my $sender (sort keys %senders) {
		my $lines = join '', map { "line $_ \xe2\x82\xac\n..\n" } 1 .. 500;
		my $reply = $senders{$sender}->($client, from => 'user1@example.com', to => [$to],
		    text => "Subject: $name-$sender\n\n$lines");
		my ($id) = $reply =~ /^250 OK id=(\S+)/m;

		ok($id, "$name, $sender: accepted") or diag($reply);
		my $line = $exim->wait_for_log(qr/ \Q$id\E <= user1\@example\.com /);
		like($line, qr/ H=\(laptop\) \[\Q$from\E\]:$port /, "$name, $sender: Exim knows the client");
		like($line, $pattern, "$name, $sender: and what it did");
		ok($gatepost->wait_for_event(message => { reply => qr/ id=\Q$id\E$/ }),
		    "$name, $sender: the event tells the reply");
		my $text = $exim->wait_for_message(qr/^Subject: $name-$sender$/m);
		like($text, qr/^Received: from \[\Q$from\E\] \(port=$port helo=laptop\)/m,
		    "$name, $sender: and so will who reads it");
		is($text =~ s/\A.*?\n\n//sr, $lines, "$name, $sender: the mail is as it was");
	}
}

for my $way (sort keys %ways) {
	my (undef, undef, $words, $pattern) = @{ $ways{$way} };
	my $exim = $exims{$way eq 'login' ? 'login' : 'exim'};

	for my $name ($way, "${way}_tls") {
		my $client = client($name);

		like($client->auth('user1', 'wrong'), qr/^535 5\.7\.8 /, "$name: a wrong password");
		like(auth_login($client, 'user1', 'wrong'), qr/^535 5\.7\.8 /, "$name: by LOGIN, too");
		my @right = ('user1', "$words-1");
		like($name eq $way ? $client->auth(@right) : auth_login($client, @right), qr/^235 /,
		    "$name: the right one");
		see_mail_sent($client, $name, $exim, 'far@example.net', $pattern);
		like($client->quit, qr/^221 /, "$name: the end");
	}
}
for my $name (qw(mx mxtls)) {
	my $client = client($name);

	see_mail_sent($client, $name, $exims{exim}, 'bob@example.com',
	    $name eq 'mx' ? qr/ P=esmtp / : qr/ P=esmtps /);
	my @replies = $client->pipeline('MAIL FROM:<>',
	    map { "RCPT TO:<$_>" } qw(unknown@example.com far@example.net bob@example.com));
	is(join(' ', map { substr $_, 0, 3 } @replies), '250 550 550 250', "$name: Exim judges recipients");
	$client->quit;
}
my $client = Gatepost::Smtp->new(port => $gatepost->port('mx'), from => own_address(1));
$client->ehlo;
is($client->cmd('MAIL FROM:<>'), '550 not from there', 'whom Exim refuses hears its reason');
$client->close;
$client = client('silent');
like($client->cmd('MAIL FROM:<>'), qr/^4/, 'an Exim that cannot be told the address is not used');
like($gatepost->wait_for_log(qr/ silent .*offers no way to pass the client's address/), qr/back=silent\/bare/,
    'and the log says why');

unlike($gatepost->log_text . join('', $gatepost->event_lines), qr/-secret|(?:pass|gate)-1/,
    'no log has a password');

$gatepost->stop;
$_->stop_quietly for values %exims;
done_testing;
