#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# `check now` tells all that servers say to a check, TLS and certificate too, but no password; of sick servers,
# of those that are down or have no address, and of several services at once.  It counts for no verdict, and
# an operator may leave meanwhile.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Cert qw(make_cert);
use Gatepost::Dovecot;
use Gatepost::Fake qw(refusing_port);
use Gatepost::Gatepost;
use Gatepost::Process qw(test_dir wait_for write_file);
use IO::Socket::UNIX;
use Test::More;

my $cert = make_cert(name => '127.0.0.1', names => ['127.0.0.1']);
my $old_cert = make_cert(name => '127.0.0.1', names => ['127.0.0.1'], days => -1);
my $dovecot = Gatepost::Dovecot->new(name => 'dovecot', cert => $cert, pop3 => 1)->start;
my $old = Gatepost::Dovecot->new(name => 'old', cert => $old_cert)->start;
write_file(test_dir() . '/password', "pass-1\n");
my $silent = Gatepost::Fake->new(name => 'silent', script => [['hold']])->start;
my $echo = Gatepost::Fake->new(name => 'echo', script => [
	[send => "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] ready\r\n"],
	[expect => qr/^(\S+) (AUTH.*?)\r\n/m], [send => sub ($tag, $line) { "$tag NO no $line\r\n" }],
	['hold']])->start;

my $gatepost = Gatepost::Gatepost->new(values => { IMAP => $dovecot->port, IMAPS => $dovecot->tls_port,
    POP3 => $dovecot->pop3_port, OLD => $old->tls_port, CERT => $cert, OLDCERT => $old_cert,
    SILENT => $silent->port, ECHO => $echo->port, REFUSED => refusing_port() }, config => <<'END')->start;
default pool { check { interval 1h; fast_interval 1h; down_interval 1h; fall 1; timeout 20s } }
farm f { server d1 { address 127.0.0.1 } }
pool imap { farm f; port @IMAP@ }
pool pop3 { farm f; port @POP3@ }
pool imaptls { protocol imap; server_tls starttls { ca @CERT@ }; server s { address 127.0.0.1:@IMAP@ } }
pool expired { protocol imap; server_tls implicit { ca @OLDCERT@ }; server s { address 127.0.0.1:@OLD@ } }
pool login { protocol imap; server s { address 127.0.0.1:@IMAP@ }
    check { kind login; user user1; password_file @DIR@/password; interval 1h }
    check { kind send_expect; expect "OK"; send "a LOGOUT\r\n"; expect "BYE"; interval 1h } }
pool echo { protocol imap; server s { address 127.0.0.1:@ECHO@ }
    check { kind login; user user1; password_file @DIR@/password; interval 1h; timeout 5s } }
pool refused { protocol imap; server s { address 127.0.0.1:@REFUSED@ } }
pool silent { protocol imap; server s { address 127.0.0.1:@SILENT@ } }
pool lost { protocol imap; server s { address nowhere.invalid:143 } }
pool unused { protocol imap; check { kind none }; server s { address 127.0.0.1:@IMAP@ } }
listener imap { bind 127.0.0.1:@PORT{imap}@; starttls off; plaintext_login yes; pool imap }
END

my $text = $gatepost->ask('check now imap/d1');
like($text, qr{^imap/d1 check 1 \(protocol\): L7OK: answers as it should, \d+ ms$}m, 'the verdict');
like($text, qr/^ +0 ms  -- connecting to 127\.0\.0\.1:\d+\n +\d+ ms  -- connected$/m, 'steps');
like($text, qr/^ +\d+ ms  S: \* OK \[CAPABILITY .*\n +\d+ ms  C: \S+ LOGOUT\n/m, 'the dialogue');

$text = $gatepost->ask('check now f/d1');
like($text, qr{^imap/d1 check 1.*^pop3/d1 check 1.*S: \+OK.*C: CAPA.*S: TOP}ms, 'all services of a server');
$text = $gatepost->ask('check now imaptls/s');
like($text, qr/C: \S+ STARTTLS\n.*-- TLSv1\.3, TLS_\w+\n.*C: \S+ LOGOUT/s, 'TLS');
like($text, qr/-- the server's certificate: CN=127\.0\.0\.1, issued by .*; good for \d+ more days\n/,
    'the certificate');
$text = $gatepost->ask('check now expired/s');
like($text, qr{L6RSP: .*expired.* while starting TLS.*-- the server's certificate: .*expired \d+ days ago}s,
    'a certificate that is not believed is shown');

my $login = $gatepost->ask_json('check now login/s');
is(scalar @$login, 2, 'every check of the pool');
is("$login->[0]{code} $login->[1]{code}", 'L7OK L7OK', 'both are good');
my @client = map { $_->{text} } grep { $_->{from} eq 'client' } @{ $login->[0]{lines} };
like("@client", qr/^\S+ AUTHENTICATE \[\d+ octets\] \S+ LOGOUT$/, 'credentials are not shown');
is_deeply([map { $_->{text} } grep { $_->{from} eq 'client' } @{ $login->[1]{lines} }], ['[10 octets]'],
    'nor what an operator has servers sent');
like(join("\n", map { $_->{text} } grep { $_->{from} eq 'server' } @{ $login->[1]{lines} }), qr/BYE/,
    'but what they say to it');
$text = $gatepost->ask('check now echo/s');
like($text, qr/S: \[\d+ octets that repeat a secret\]/, 'a server that repeats the password');
unlike($text, qr/pass-1/, 'is not repeated');

like($gatepost->ask('check now refused/s'), qr/^refused\/s .*L4CON: connection refused while connecting, /,
    'a server that is down');
like($gatepost->ask('check now lost/s'), qr/^lost\/s .*: no address is known, 0 ms$/, 'a name without address');
is($gatepost->ask_json('check now unused/s')->[0]{code}, 'L7OK', 'one that is never checked');
is($gatepost->ask('check now imap/d9'), "No such server.\n", 'no server');
is($gatepost->ask('check now nobody'), "No such server.\n", 'no server at all');
is($gatepost->ask('check now'), "Which server?\n", 'no name');

my $up = grep { $_->{state} eq 'up' } $gatepost->events('health');
for my $round (1 .. 3) {
	my $socket = IO::Socket::UNIX->new(Peer => test_dir() . '/gatepost.sock');
	print {$socket} "check now silent/s\n";
	$socket->close;
}
my $waiting = IO::Socket::UNIX->new(Peer => test_dir() . '/gatepost.sock');
print {$waiting} "check now silent/s\n";
wait_for(sub { $silent->connections >= 5 }, 10, 'checks to be under way') if $silent->can('connections');
ok($gatepost->reload, 'a reload while checks are under way');
like(join('', <$waiting>), qr/reloaded meanwhile/, 'ends them with words');
is(scalar(grep { $_->{state} eq 'up' } $gatepost->events('health')), $up, 'no verdict counts them');

$gatepost->stop;
$_->kill_now for $silent, $echo;
$_->stop_quietly for $dovecot, $old;
done_testing;
