#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Who guesses passwords waits longer and longer, and at last has to go; who has
# logged in from the same address before does not, whatever others do there.
# Nobody learns which users exist.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Fake;
use Gatepost::Gatepost;
use Gatepost::Imap;
use Gatepost::Port qw(own_address);
use Gatepost::Process qw(raise_descriptors test_dir wait_for write_file);
use MIME::Base64 qw(encode_base64);
use Test::More;
use Time::HiRes qw(time);

my $waiting = 1000;			# guessers at once
raise_descriptors(4 * $waiting);

# What a protocol says to whom: hello ends what it says at first, login has the response in %s, end its reply.
my %dialects = (
	imap => {
		hello => qr/^\* OK/, login => 'a AUTHENTICATE PLAIN %s', end => qr/^(?:a|\* BYE) /, good => qr/^a OK/,
		bye => qr/^\* BYE \[LIMIT\] Too many failed logins/,
		server => [[send => "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] here\r\n"],
		    [expect => qr/^(\S+) AUTHENTICATE.*\r\n/m], [send => sub ($tag) { "$tag OK in\r\n" }], ['hold']],
	},
	pop3 => {
		hello => qr/^\+OK/, login => 'AUTH PLAIN %s', end => qr/^(?:\+OK|-ERR)/, good => qr/^\+OK/,
		bye => qr/^-ERR \[SYS\/TEMP\] Too many failed logins/,
		server => [[send => "+OK here\r\n"], [expect => qr/^CAPA\r\n/m],
		    [send => "+OK\r\nUSER\r\nSASL PLAIN\r\n.\r\n"], [expect => qr/^AUTH PLAIN.*\r\n/m],
		    [send => "+OK in\r\n"], ['hold']],
	},
	sieve => {
		hello => qr/^OK/, login => 'AUTHENTICATE "PLAIN" "%s"', end => qr/^(?:OK|NO|BYE)/, good => qr/^OK/,
		bye => qr/^BYE \(TRYLATER\) "Too many failed logins/,
		server => [[send => qq("IMPLEMENTATION" "fake"\r\n"SASL" "PLAIN"\r\n"SIEVE" "fileinto"\r\nOK\r\n)],
		    [expect => qr/^AUTHENTICATE.*\r\n/m], [send => "OK\r\n"], ['hold']],
	},
	submission => {
		hello => qr/^220 /, after => "EHLO client.example.org\r\n", ready => qr/^250 /,
		login => 'AUTH PLAIN %s', end => qr/^[245]\d\d /, good => qr/^235/,
		bye => qr/^421 4\.7\.0 \S+ Error: too many failed logins/,
		server => [[send => "220 here ESMTP\r\n"], [expect => qr/^EHLO .*\r\n/m],
		    [send => "250-here\r\n250 AUTH PLAIN\r\n"], [expect => qr/^AUTH PLAIN .*\r\n/m],
		    [send => "235 2.7.0 in\r\n"], ['hold']],
	},
);
my @protocols = sort keys %dialects;
my %servers = map { $_ => Gatepost::Fake->new(name => $_, script => $dialects{$_}{server})->start } @protocols;

my $config = <<'END';
log { level debug }
auth file { source file; path @DIR@/users }
limits slow { auth_failure_delay 2m 4m }
limits quick { auth_failure_delay 200ms 1s }
limits hard { auth_failure_delay none; auth_ban 3 10m 1h }
limits brief { auth_failure_delay none; auth_ban 3 10m 1s }
default listener { starttls off; plaintext_login yes; auth file; max_errors 50 }
END
for my $protocol (@protocols) {
	my ($forward, $port) = ($protocol eq 'submission' ? 'forward none;' : '', $servers{$protocol}->port);

	$config .= "pool $protocol { protocol $protocol; $forward server s { address 127.0.0.1:$port } }\n";
	$config .= "listener $protocol-$_ { protocol $protocol; bind 127.0.0.1:\@PORT{${protocol}_$_}\@; "
	    . "pool $protocol; limits $_ }\n" for qw(slow quick hard brief);
}
# a server that judges logins, and never comes to an end with it
my $judge = Gatepost::Fake->new(name => 'judge', script => [
	[send => "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] here\r\n"], [expect => qr/AUTHENTICATE.*\r\n/], ['hold'],
])->start;
$config .= "auth judged { source server }\npool judged { protocol imap; "
    . 'server s { address 127.0.0.1:' . $judge->port . " } }\n"
    . "listener judged { protocol imap; bind 127.0.0.1:\@PORT{judged_slow}\@; pool judged; auth judged; limits slow }\n";
# failures for a user count at all listeners
write_file(test_dir() . '/users', join '', map { "$_:{PLAIN}right\n" } 'zoe', map { ("bob-$_", "ann-$_") } @protocols);
my $gatepost = Gatepost::Gatepost->new(config => $config)->start;

# Each call gives an address that nobody has come from.
my $addresses = 0;
sub new_address () { return own_address(8 * 1000 + $addresses++) }

sub come ($protocol, $limits, $from) {
	return Gatepost::Imap->new(port => $gatepost->port("${protocol}_$limits"), from => $from, greeting => 0,
	    timeout => 30);
}

sub hear_hello ($protocol, $c) {
	my $dialect = $dialects{$protocol};

	$c->lines_until($dialect->{hello});
	$c->send_bytes($dialect->{after})->lines_until($dialect->{ready}) if defined $dialect->{after};
	return $c;
}

sub greeted ($protocol, $limits, $from) { return hear_hello($protocol, come($protocol, $limits, $from)) }

sub ask ($protocol, $c, $user, $password) {
	return $c->send_bytes(sprintf "$dialects{$protocol}{login}\r\n",
	    encode_base64("\0$user\0$password", ''));
}

sub answer ($protocol, $c) { return ($c->lines_until($dialects{$protocol}{end}))[-1] }

sub try ($protocol, $c, @who) { return answer($protocol, ask($protocol, $c, @who)) }

sub is_silent ($c) { return !length $c->{in} && !defined $c->fill(time + 0.01) }

# The waits of the logins from there, in ms, once there are COUNT.
sub waits_of ($from, $count) {
	my $pattern = qr/ \Q$from\E: the login waits for (\d+) ms/;

	$gatepost->wait_for_log($pattern, 30, $count);
	return map { $_ =~ $pattern } $gatepost->log_lines($pattern);
}

for my $protocol (@protocols) {
	my $good = $dialects{$protocol}{good};
	my ($bob, $ann) = ("bob-$protocol", "ann-$protocol");
	my ($office, @elsewhere) = map { new_address } 1 .. 4;

	like(try($protocol, greeted($protocol, 'slow', $office), $bob, 'right'), $good,
	    "$protocol: bob has been there");
	my $guesser = greeted($protocol, 'slow', $office);
	unlike(try($protocol, $guesser, $ann, 'guess-1'), $good, "$protocol: a first guess is answered");
	ask($protocol, $guesser, $ann, 'guess-2');
	is_deeply([waits_of($office, 1)], [120_000], "$protocol: the second one waits");
	like(try($protocol, greeted($protocol, 'slow', $office), $bob, 'right'), $good,
	    "$protocol: bob, who came later, does not");
	ok(is_silent($guesser), "$protocol: and the guesser waits still");
	# nor for what is done to his name elsewhere
	my $other = greeted($protocol, 'slow', $elsewhere[0]);
	try($protocol, $other, $bob, 'guess-1');
	like(try($protocol, greeted($protocol, 'slow', $office), $bob, 'right'), $good,
	    "$protocol: at his office");
	ask($protocol, greeted($protocol, 'slow', $elsewhere[1]), $bob, 'right');
	is_deeply([waits_of($elsewhere[1], 1)], [120_000], "$protocol: but where nobody knows him");

	my ($known, $unknown) = map { [map { try($protocol, $_->[0], @{$_}[1, 2]) }
	    ([greeted($protocol, 'quick', $elsewhere[2]), $_, "x-$_"])] } $ann, "nobody-$protocol";
	is_deeply($known, $unknown, "$protocol: a wrong password and an unknown user sound the same");
}

# A guesser of many passwords, and a device with an old one.
my $from = new_address();
my $guesser = greeted('imap', 'quick', $from);
like(try('imap', $guesser, 'carl', "guess-$_"), qr/^a NO/, "guess $_ is answered") for 1 .. 6;
is_deeply([waits_of($from, 5)], [200, 400, 800, 1000, 1000], 'after longer and longer waits');
$from = new_address();
my $device = greeted('imap', 'quick', $from);
like(try('imap', $device, 'dora', 'old'), qr/^a NO/, "the old password, $_") for 1 .. 4;
is_deeply([waits_of($from, 3)], [200, 200, 200], 'the same wrong password counts once');

# Guesses that come at the same time do not get around that.
my @places = map { new_address } 1 .. 2;
ask('imap', my $first = hear_hello('imap', come('judged', 'slow', $places[0])), 'fay', 'guess-1');
wait_for(sub { grep { $judge->received($_) =~ /AUTHENTICATE/ } 1 .. $judge->connections }, 20, 'the first guess');
ask('imap', my $second = hear_hello('imap', come('judged', 'slow', $places[1])), 'fay', 'guess-2');
is_deeply([waits_of($places[1], 1)], [120_000], 'who comes while a login of the user is under way waits');
$_->{socket}->close for $first, $second;

# Bans: each protocol's words, and the end.
for my $protocol (@protocols) {
	my ($dialect, $banned, $free) = ($dialects{$protocol}, new_address(), new_address());
	my $c = greeted($protocol, 'hard', $banned);

	try($protocol, $c, "user-$_", 'guess') for 1 .. 3;
	like($c->rest, $dialect->{bye}, "$protocol: three guesses, and the guesser has to go");
	$c = come($protocol, 'hard', $banned);
	like($c->rest, qr/$dialect->{bye}.*\r\n\z/, "$protocol: later clients hear so, and nothing else");
	like(try($protocol, greeted($protocol, 'hard', $free), 'zoe', 'right'), $dialect->{good},
	    "$protocol: others do not");
	$gatepost->wait_for_log(qr/ \Q$banned\E is banned for 3600 s, after 3 failed logins within 600 s/);
	is(scalar $gatepost->log_lines(qr/ \Q$banned\E is banned/), 1, "$protocol: one line tells of it");
}
$from = new_address();
my $brief = greeted('imap', 'brief', $from);
try('imap', $brief, "user-$_", 'guess') for 1 .. 3;
like($brief->rest, $dialects{imap}{bye}, 'banned for a second');
ok(wait_for(sub { come('imap', 'brief', $from)->line =~ $dialects{imap}{hello} }, 30, 'the end of the ban'),
    'a ban ends');
ok($gatepost->wait_for_event('session', { reason => 'banned' }), 'events tell of the banned');

# A thousand guessers of one address wait; nobody else does.
$from = new_address();
try('imap', greeted('imap', 'slow', $from), 'erin', 'guess');
my @guessers = map { greeted('imap', 'slow', $from) } 1 .. $waiting;
ask('imap', $guessers[$_], 'erin', "guess-$_") for 0 .. $#guessers;
is(scalar waits_of($from, $waiting), $waiting, "$waiting guessers wait");
for my $protocol (@protocols) {
	like(try($protocol, greeted($protocol, 'slow', new_address()), 'zoe', 'right'), $dialects{$protocol}{good},
	    "$protocol: a user at another address logs in meanwhile");
}
is(scalar(grep { !is_silent($_) } @guessers[0 .. 9]), 0, 'and no guesser was answered');
$_->{socket}->close for @guessers;
ok(wait_for(sub {
	(grep { $_->{client} eq $from && $_->{reason} eq 'client left' } $gatepost->events('session')) >= $waiting;
}, 60, 'the guessers to be gone'), 'those who leave are gone before their time');
is(scalar $gatepost->log_lines(qr/ imap-slow \Q$from\E.*login refused/), 1, 'and nobody was asked about them');
$gatepost->stop;
done_testing;
