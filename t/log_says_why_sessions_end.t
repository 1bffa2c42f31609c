#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# What ended a session is told by its right name, with the words of the server
# that had part in it: an operator reads nothing else.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Cert qw(make_cert);
use Gatepost::Fake qw(black_hole);
use Gatepost::Gatepost;
use Gatepost::Imap;
use Gatepost::Smtp;
use Test::More;

my $imap_greeting = "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] ready\r\n";
my $locked = Gatepost::Fake->new(name => 'locked', script => [[send => $imap_greeting],
    [expect => qr/^(\w+) (?:LOGIN|AUTHENTICATE).*\r\n/m],
    [send => sub ($tag) { "$tag NO [AUTHENTICATIONFAILED] locked, see ticket 77\r\n" }], ['hold']])->start;
# an echo of what it was sent
my $leaky = Gatepost::Fake->new(name => 'leaky', script => [[send => $imap_greeting],
    [expect => qr/^(\w+) (?:LOGIN|AUTHENTICATE) (.*)\r\n/m],
    [send => sub ($tag, $line) { "$tag NO what is $line\r\n" }], ['hold']])->start;
my @logged_in = ([send => "220 server ESMTP\r\n"], [expect => qr/^EHLO .*\r\n/m],
    [send => "250-server\r\n250 AUTH PLAIN\r\n"], [expect => qr/^AUTH PLAIN .*\r\n/m],
    [send => "235 2.7.0 in\r\n"]);
my $tired = Gatepost::Fake->new(name => 'tired', script => [@logged_in, [expect => qr/^NOOP\r\n/m],
    [send => "250 2.0.0 Ok\r\n421 4.4.2 timeout\r\n"], ['hold']])->start;
my $strict = Gatepost::Fake->new(name => 'strict', script => [@logged_in, [expect => qr/^MAIL .*\r\n/m],
    [send => "250 2.1.0 Ok\r\n"], ['hold']])->start;
my $silent = black_hole();

my $gatepost = Gatepost::Gatepost->new(values => { CERT => make_cert(),
    map({ uc $_->{name} => $_->port } $locked, $leaky, $tired, $strict), SILENT => $silent },
    config => <<'END')->start;
tls main { certificate @CERT@ }
default pool { check { kind none }; retries 0 }
default listener { tls main; plaintext_login yes }
pool locked { protocol imap; server s { address 127.0.0.1:@LOCKED@ } }
pool leaky { protocol imap; server s { address 127.0.0.1:@LEAKY@ } }
pool silent { protocol imap; server s { address 127.0.0.1:@SILENT@ } }
pool tired { protocol submission; forward none; server s { address 127.0.0.1:@TIRED@ } }
pool strict { protocol submission; forward none; server s { address 127.0.0.1:@STRICT@ } }
listener locked { protocol imap; bind 127.0.0.1:@PORT{locked}@; pool locked }
listener leaky { protocol imap; bind 127.0.0.1:@PORT{leaky}@; pool leaky }
listener silent { protocol imap; bind 127.0.0.1:@PORT{silent}@; pool silent; login_timeout 2s }
listener tired { protocol submission; bind 127.0.0.1:@PORT{tired}@; pool tired }
listener strict { protocol submission; bind 127.0.0.1:@PORT{strict}@; pool strict; max_errors 3 }
END

my $c = Gatepost::Imap->new(port => $gatepost->port('locked'));
like($c->cmd('LOGIN bob secret'), qr/ NO /, 'a login that the server refuses');
like($gatepost->wait_for_log(qr/ locked 127\.0\.0\.1.*login refused: /), qr/locked, see ticket 77/,
    'the log has its words');

$c = Gatepost::Imap->new(port => $gatepost->port('leaky'));
like($c->cmd('LOGIN bob secret'), qr/ NO /, 'a login whose words are echoed');
unlike($gatepost->wait_for_log(qr/ leaky 127\.0\.0\.1.*login refused: /), qr/AGJvYgBzZWNyZXQ|what is/,
    'the log has them not');

$c = Gatepost::Imap->new(port => $gatepost->port('silent'));
$c->send_bytes("a LOGIN bob secret\r\n");
is($gatepost->wait_for_event('login_failed', { listener => 'silent' })->{server}, 'silent/s',
    'a login that takes too long is an event, and its server is named');
ok($gatepost->wait_for_event('session', { listener => 'silent', reason => 'login timeout' }), 'and so it ends');

$c = Gatepost::Smtp->new(port => $gatepost->port('tired'));
$c->ehlo;
like($c->auth('bob', 'secret'), qr/^235 /, 'a server that takes its leave between two mails');
$c->cmd('NOOP');
like($c->line, qr/^421 /, 'the client hears so');
ok($gatepost->wait_for_event('session', { listener => 'tired', reason => 'server left' }),
    'it was not lost: it has gone');
is(scalar(grep { / tired 127/ } $gatepost->log_lines(qr/server lost/)), 0, 'and the log does not say so');

$c = Gatepost::Smtp->new(port => $gatepost->port('strict'));
$c->ehlo;
$c->auth('bob', 'secret');
like($c->cmd('MAIL FROM:<a@example.org>'), qr/^250 /, 'a mail has begun');
$c->cmd("JUNK $_") for 1 .. 2;
$c->cmd('JUNK 3');
like($c->rest, qr/\A421 4\.7\.0 \S+ Error: too many errors\r\n\z/, 'a client with too many errors hears so, once');
ok($gatepost->wait_for_event('session', { listener => 'strict', reason => 'too many errors' }),
    'it is told of by that name');
done_testing;
