#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Sessions of all protocols with login at a Dovecot, as operators see them: by every filter, counted, one by one;
# and ended: each client hears so in its protocol's words, and nobody else.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Cert qw(make_cert);
use Gatepost::Dovecot;
use Gatepost::Fake;
use Gatepost::Gatepost;
use Gatepost::Imap;
use Gatepost::Pop3;
use Gatepost::Port qw(free_port own_address);
use Gatepost::Postfix;
use Gatepost::Process qw(wait_for);
use Gatepost::Sieve;
use Gatepost::Smtp;
use MIME::Base64 qw(encode_base64);
use Test::More;

plan skip_all => 'needs root' if $> != 0;

my $relay = Gatepost::Postfix->new(name => 'relay', xclient => '127.0.0.1')->start;
my $dovecot = Gatepost::Dovecot->new(name => 'd1', pop3 => 1, sieve_port => free_port(), users => 10,
    relay_port => $relay->port)->start;
my $slow = Gatepost::Fake->new(name => 'slow', script => [
	[send => "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] ready\r\n"], [expect => qr/(?:LOGIN|AUTHENTICATE) .*\n/],
	['hold']])->start;
my $gatepost = Gatepost::Gatepost->new(values => { SLOW => $slow->port, CERT => make_cert(), IMAP => $dovecot->port,
    POP3 => $dovecot->pop3_port, SIEVE => $dovecot->{sieve_port}, SUBMISSION => $dovecot->submission_port },
    config => <<'END')->start;
users { default_domain example.com }
tls main { certificate @CERT@ }
default listener { starttls optional; plaintext_login yes; tls main }
farm f { close_spread 1s; server d1 { address 127.0.0.1 } }
pool imap { farm f; port @IMAP@ }
pool pop3 { farm f; port @POP3@ }
pool sieve { farm f; port @SIEVE@ }
pool submission { farm f; port @SUBMISSION@ }
pool slow { protocol imap; server s { address 127.0.0.1:@SLOW@ } }
listener slow { protocol imap; bind 127.0.0.1:@PORT{slow}@; pool slow; capabilities IDLE }
listener imap { bind 127.0.0.1:@PORT{imap}@; bind_tls 127.0.0.1:@PORT{imaps}@; pool imap }
listener pop3 { bind 127.0.0.1:@PORT{pop3}@; pool pop3 }
listener sieve { bind 127.0.0.1:@PORT{sieve}@; pool sieve }
listener submission { bind 127.0.0.1:@PORT{submission}@; pool submission }
END

sub port ($name) { return (port => $gatepost->port($name), timeout => 20) }
my $far = own_address();
my %come = (
	imap => sub ($n, %o) { my $c = Gatepost::Imap->new(port('imap'), %o); $c->login_as($n); $c },
	imaps => sub ($n, %o) { my $c = Gatepost::Imap->new(port('imaps'), tls => 1, %o); $c->login_as($n); $c },
	pop3 => sub ($n, %o) { my $c = Gatepost::Pop3->new(port('pop3'), %o); $c->user_pass("user$n", "pass-$n"); $c },
	sieve => sub ($n, %o) { my $c = Gatepost::Sieve->new(port('sieve'), %o); $c->authenticate("user$n", "pass-$n");
	    $c },
	submission => sub ($n, %o) { my $c = Gatepost::Smtp->new(port('submission'), %o); $c->ehlo;
	    $c->expect('235', 'AUTH PLAIN ' . encode_base64("\0user$n\0pass-$n", '')); $c },
);
# Behind the login nobody reads along in POP3 and ManageSieve: there, words of ours might stand within a message.
my %bye = (
	imap => "* BYE [UNAVAILABLE] Please connect again.\r\n",
	imaps => "* BYE [UNAVAILABLE] Please connect again.\r\n",
	pop3 => '', sieve => '',
	submission => "421 4.3.2 Please connect again.\r\n",
);

# user1 over everything, user2 from elsewhere, and one who has not logged in.
my %client = map { $_ => $come{$_}->(1) } sort keys %come;
my $second = $come{imap}->(2, from => $far);
my $stranger = Gatepost::Pop3->new(port('pop3'));
wait_for(sub { @{ $gatepost->ask_json('show sess state relay') } == 6 }, 10, 'six sessions that relay');

sub sessions ($words) { return @{ $gatepost->ask_json("show sess $words") } }
sub listeners ($words) { return join ' ', sort map { $_->{listener} } sessions($words) }

is(listeners(''), 'imap imap imap pop3 pop3 sieve submission', 'all');
is(listeners('user User1'), 'imap imap pop3 sieve submission', 'of a user, in another spelling');
is(listeners("client $far"), 'imap', 'of a client');
is(listeners('client 127.0.0.0/8'), 'imap imap imap pop3 pop3 sieve submission', 'of a network');
is(listeners('listener pop3'), 'pop3 pop3', 'of a listener');
is(listeners('protocol imap'), 'imap imap imap', 'of a protocol');
is(listeners('pool sieve'), 'sieve', 'of a pool');
is(listeners('server imap/d1'), 'imap imap imap', 'at an endpoint');
is(listeners('server f/d1'), 'imap imap imap pop3 sieve submission', 'at a server of a farm');
is(listeners('server d1 user user2'), 'imap', 'two words');
is(listeners('server d2'), '', 'at a server that is none');
is(listeners('state command'), 'pop3', 'before the login');
is(listeners('tls yes'), 'imap', 'over TLS');
is(listeners('tls no protocol imap'), 'imap imap', 'without');
is(listeners('older 1h'), '', 'older than');
is(listeners('idle 1h'), '', 'idle for');
wait_for(sub { sessions('idle 1s') == 7 && sessions('older 1s') == 7 }, 10, 'all to have been idle for a second');
$second->cmd('NOOP');
is(listeners('idle 1s user user2'), '', 'who has spoken is idle no more');
my ($row) = sessions('user user2');
is_deeply([@{$row}{qw(user client server state while tls)}],
    ['user2@example.com', $far, 'imap/d1', 'relay', 'relaying', undef], 'a row');
cmp_ok($row->{bytes_up}, '>', 0, 'with bytes of the living');
like($gatepost->ask('show sess user user2'), qr/^session +user +client .*\n\w{16}  user2\@example\.com +\Q$far\E  imap /,
    'as a table');
my $one = $gatepost->ask_json("show sess $row->{session}");
is($one->{servers}, 'imap/d1 (relaying)', 'one of them with all details');
is($one->{local}, '127.0.0.1:' . $gatepost->port('imap'), 'where it came to');
is($one->{client}, "$far:" . $second->socket->sockport, 'whence');
like($gatepost->ask("show sess $row->{session}"), qr/^session: $row->{session}\n.*^user: user2\@example\.com\n/ms,
    'for people too');
is(() = $gatepost->ask('show sess all') =~ /^session: /mg, 7, 'all of them with all details');
my ($tls) = grep { $_->{tls_version} } @{ $gatepost->ask_json('show sess all') };
like($tls->{tls_version}, qr/^TLSv1\.[23]$/, 'TLS');

for (['show sess nonsense x', qr/^'nonsense' is no word/], ['show sess user bob state x', qr/^There is no state 'x', but/],
    ['show sess user a client x', qr/^'x' is neither an address/], ['show sess user a server', qr/wants a value/],
    ['show sess 123', qr/^Session not found\.$/], ['show sess user a older x', qr/is no duration/],
    ['kick user', qr/wants a name/], ['kick server nowhere', qr/^No such server\.$/],
    ['kick listener nowhere', qr/^No such frontend\.$/], ['kick session 1', qr/^No such session/],
    ['kick user a b', qr/wants a name/], ['shutdown session', qr/^Session pointer expected/],
    ['shutdown session 1', qr/^No such session/], ['shutdown sessions server d1', qr/^Require 'backend\/server'\.$/],
    ['shutdown sessions server imap/x', qr/^No such server\.$/], ['who x', qr/^'who' takes/],
    ['operator; kick user a', qr/^Permission denied$/m], ['user; show sess', qr/^Permission denied$/m]) {
	like($gatepost->ask($_->[0]), $_->[1], "$_->[0] is refused");
}
is_deeply($gatepost->ask_json('kick user nobody'), { sessions => 0 }, 'nobody is kicked');
is(listeners(''), 'imap imap imap pop3 pop3 sieve submission', 'and all are still there');

# Who is there.
my ($who) = grep { $_->{user} eq 'user1@example.com' } @{ $gatepost->ask_json('who') };
is_deeply($who, { user => 'user1@example.com', sessions => 5, protocols => 'imap,pop3,sieve,submission',
    clients => '127.0.0.1', servers => 'imap/d1,pop3/d1,sieve/d1,submission/d1' }, 'who');
is(@{ $gatepost->ask_json('who user 1') }, 1, 'the first of them');
is_deeply([map { "$_->{server} $_->{sessions} $_->{users}" } @{ $gatepost->ask_json('who server') }],
    ['imap/d1 3 2', 'pop3/d1 1 1', 'sieve/d1 1 1', 'submission/d1 1 1'], 'by server');
is_deeply([map { "$_->{client} $_->{sessions}" } @{ $gatepost->ask_json('who client') }], ['127.0.0.1 6', "$far 1"],
    'by client');
is_deeply([map { "$_->{listener} $_->{sessions} $_->{users} $_->{protocol}" } @{ $gatepost->ask_json('who listener') }],
    ['imap 3 2 imap', 'pop3 2 1 pop3', 'sieve 1 1 sieve', 'submission 1 1 submission'], 'by listener');

# The end: in everybody's words, of user1 alone.
is($gatepost->ask('kick user USER1 reason "mail is moved"'), "sessions: 5\n", 'a user is kicked');
is($client{$_}->rest, $bye{$_}, "over $_ the client " . ($bye{$_} ? 'hears so' : 'is closed'))
    for sort keys %client;
like($gatepost->wait_for_log(qr/ has 5 sessions ended/),
    qr/: uid \d+ \(pid \d+\) has 5 sessions ended: user USER1, reason "mail is moved"$/, 'and so does the log');
like($second->cmd('NOOP'), qr/ OK/, 'others go on');
is(scalar(grep { $_->{reason} eq 'ended by an operator' } $gatepost->wait_for_events('session', 5)), 5,
    'the access log has the reason');
my $coming = Gatepost::Imap->new(port('slow'));
$coming->send_bytes("a LOGIN user4 pass-4\r\n");
wait_for(sub { sessions('state route') == 1 }, 10, 'one who is logging in');
is(listeners('user user4'), 'slow', 'is found by the name');
is((sessions('user user4'))[0]{user}, undef, 'which is not said, as it may be a password');
is($gatepost->ask('kick user user4'), "sessions: 1\n", 'and kicked');
is($coming->rest, $bye{imap}, 'and hears so');
is($gatepost->ask("kick client $far"), "sessions: 1\n", 'a client is kicked');
is($second->rest, $bye{imap}, 'and hears so');
is($gatepost->ask('kick listener pop3 now'), "sessions: 1\n", 'a listener\'s, who has not logged in');
is($stranger->rest, "-ERR [SYS/TEMP] Please connect again.\r\n", 'and hears so');

# In the middle of something, an end waits for its end; at once it does not.
my $text = "Subject: long\r\n\r\n" . ('x' x 998 . "\r\n") x 16_000;
sub fetching () {
	my $c = $come{imap}->(3);
	$c->cmd('SELECT INBOX');
	$c->send_bytes("x FETCH 1 BODY[]\r\n");
	$c->lines_until(qr/FETCH \(/);
	return $c;
}
like($come{imap}->(3)->append('INBOX', $text), qr/ OK/, 'a large message');
my ($busy, $other) = (fetching(), fetching());
my @ids = map { my $p = $_->socket->sockport; map { $_->{session} } grep { $_->{client} =~ /:$p$/ }
    @{ $gatepost->ask_json('show sess all') } } $busy, $other;
is($gatepost->ask("kick session $ids[0]"), "sessions: 1\n", 'kicked within a message');
my ($leaving) = grep { $_->{session} eq $ids[0] } @{ $gatepost->ask_json('show sess all') };
is("$leaving->{state} $leaving->{leaving}", 'drain 1', 'it waits for the boundary');
like($busy->rest, qr/x\r\n[^\r\n]*\)\r\n(?:[^\r\n]*\r\n)*\Q$bye{imap}\E\z/,
    'the message comes as a whole, and then the end');
is($gatepost->ask("shutdown session $ids[1]"), '', 'shut within a message');
unlike($other->rest, qr/BYE/, 'without a word, as it would be taken for something else');
wait_for(sub { sessions('') == 0 }, 10, 'nobody to be left');

# Over the spread, or at once.
my @many = map { $come{imap}->($_) } 1 .. 5;
is($gatepost->ask('kick server d1'), "sessions: 5\n", 'a server\'s');
is($_->rest, $bye{imap}, 'within close_spread it hears so') for @many;
@many = map { $come{imap}->($_) } 1 .. 5;
is($gatepost->ask('shutdown sessions server imap/d1'), '', 'a server\'s at once');
is($_->rest, $bye{imap}, 'it hears so') for @many;
wait_for(sub { sessions('') == 0 }, 10, 'nobody to be left');
$gatepost->stop;
$slow->kill_now;
$dovecot->stop;
$relay->stop_quietly;
done_testing;
