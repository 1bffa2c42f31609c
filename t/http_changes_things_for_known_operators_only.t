#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Who may do what over HTTP: passwords, slow and quick ones, of a file that may change; TLS; no change for
# strangers or for other sites' pages; a reload keeps what is kept and ends the rest.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Cert qw(make_cert);
use Gatepost::Gatepost;
use Gatepost::Http qw(http);
use Gatepost::Process qw(test_dir wait_for write_file);
use IO::Socket::INET;
use IO::Socket::SSL qw(SSL_VERIFY_NONE);
use Test::More;

my $slow = crypt 'hunter2', '$6$rounds=200000$saltsaltsalt';
my $users = write_file(test_dir() . '/users', "alice:{PLAIN}secret\nbob:{SHA512-CRYPT}$slow\n");
make_cert(path => test_dir() . '/cert.pem');
my $config = <<~'END';
	tls main { certificate @DIR@/cert.pem; min_version TLSv1.3 }
	pool imap { port 1; server b1 { address 127.0.0.1 } }
	listener imap { bind 127.0.0.1:@PORT{imap}@; starttls off; plaintext_login yes; pool imap }
	admin {
	    socket @DIR@/gatepost.sock { level admin }
	    http 127.0.0.1:@PORT{http}@ { level admin; password_file @DIR@/users }
	    http 127.0.0.1:@PORT{user}@ { level user; password_file @DIR@/users }
	    http 127.0.0.1:@PORT{https}@ { level admin; password_file @DIR@/users; tls main }
	    EXTRA
	}
	END
my $gatepost = Gatepost::Gatepost->new(config => $config =~ s/EXTRA/http 127.0.0.1:\@PORT{extra}\@/r)->start;
my %url = map { ($_ => ($_ eq 'https' ? 'https' : 'http') . '://127.0.0.1:' . $gatepost->port($_)) }
    qw(http user https extra);
my @own = ('-X', 'POST', '-H', 'X-Gatepost: yes');
my @alice = ('-u', 'alice:secret');

# who it is
my $stranger = http("$url{http}/");
is($stranger->{status}, 401, 'nobody');
like($stranger->{headers}{'www-authenticate'}, qr/^Basic realm="gatepost"/, 'is asked who he is');
is(http("$url{http}$_", '-u', 'alice:wrong')->{status}, 401, "a wrong password at $_") for '/', '/metrics', '/api/v1';
is(http("$url{http}/stats", @alice)->{status}, 200, 'the right one');
is(http("$url{http}/stats", '-u', 'bob:hunter2')->{status}, 200, "one that takes long") for 1 .. 3;
is(http("$url{http}/stats", '-u', 'bob:hunter3')->{status}, 401, 'a wrong one that takes long');
is(http("$url{http}/stats", '-u', $_)->{status}, 401, "no such user: $_") for 'carl:hunter2', ':', 'alice:', 'x' x 2000 . ':y';
is(http("$url{http}/stats", '-H', "Authorization: $_")->{status}, 401, $_)
    for 'Basic', 'Basic !', 'Basic YWxpY2U=', 'Bearer YWxpY2U6c2VjcmV0', 'Basic AAAA';
is(http("$url{http}$_")->{status}, 200, "$_ asks for no password") for '/healthz', '/readyz';
like($gatepost->log_text, qr/login of alice from 127\.0\.0\.1 refused/, 'what is refused is logged');
unlike($gatepost->log_text, qr/hunter|secret|wrong|carl/, 'without passwords, and what may be one');

# whether it may change things; `show version` stands for any command
my $what = '/api/v1/show/version';
is(http("$url{http}$what", @alice, @own)->{status}, 200, 'by a known operator, with the header');
is(http("$url{http}$what", @own)->{status}, 401, 'by a stranger');
is(http("$url{extra}$what", @own)->{status}, 403, 'where no password is asked for');
is(http("$url{http}$what", @alice, '-X', 'POST')->{status}, 403, 'as a form of any page would ask');
is(http("$url{http}$what", @alice, @own, '-H', "Origin: $_")->{status}, 403, "from $_")
    for 'https://evil.example.com', 'null', "$url{user}", 'http://127.0.0.1';
is(http("$url{http}$what", @alice, @own, '-H', "Origin: $url{http}")->{status}, 200, 'from its own page');
is(http("$url{http}$what", @alice, @own, '--data-binary', 'x' x 100_000)->{status}, 413, 'a body that is too long');
ok(http("$url{http}/api/v1", @alice)->{json}->()->{may_change}, 'alice may change things');
is(http("$url{http}/api/v1", @alice)->{json}->()->{user}, 'alice', 'and is known by her name');
ok(!http("$url{user}/api/v1", @alice)->{json}->()->{may_change}, 'not where the level is user');

# TLS
is(http("$url{https}/stats", @alice)->{status}, 200, 'over TLS');
is(http("$url{https}$what", @alice, @own, '-H', "Origin: $url{https}")->{status}, 200, 'a change over TLS');
is(http("$url{https}/stats", @alice, '--tls-max', '1.2')->{status}, 0, 'what the tls block forbids');
is(http($url{https} =~ s/^https/http/r . '/stats', @alice)->{status}, 0, 'no clear text there');
my $half = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $gatepost->port('https'));
print {$half} "\x16\x03\x01";

# a file that changes
write_file("$users.new", "alice:{PLAIN}other\n");
rename "$users.new", $users or die;
$gatepost->wait_for_log(qr/http 127\S+: users reloaded/, 30);
wait_for(sub { http("$url{http}/stats", '-u', 'alice:other')->{status} == 200 }, 30, 'the new password');
is(http("$url{http}/stats", @alice)->{status}, 401, 'the old one is forgotten');
write_file("$users.new", "alice:{NONSENSE}x\n");
rename "$users.new", $users or die;
$gatepost->wait_for_log(qr/the old users stay in use/, 30);
is(http("$url{http}/stats", '-u', 'alice:other')->{status}, 200, 'a bad file is not taken');
$gatepost->configure($config =~ s/EXTRA//r);
ok(!$gatepost->reload, 'and no reload takes it');
is(http("$url{extra}/healthz")->{status}, 200, 'which changes nothing');
write_file($users, "alice:{PLAIN}third\n");

# a reload, while a handshake and a connection are under way
my $kept = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $gatepost->port('http'));
my $over_tls = IO::Socket::SSL->new(PeerAddr => '127.0.0.1', PeerPort => $gatepost->port('https'),
    SSL_verify_mode => SSL_VERIFY_NONE);
for my $socket ($kept, $over_tls) {
	my $answer = '';

	print {$socket} "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
	sysread $socket, $answer, 4096, length $answer or last while $answer !~ /\r\n\r\nok\n/;
}
ok($gatepost->reload, 'a reload with a good file');
is(http("$url{extra}/healthz")->{status}, 0, 'ends what is gone');
is(http("$url{http}/stats", '-u', 'alice:third')->{status}, 200, 'takes the users anew');
for my $socket ($kept, $over_tls) {
	print {$socket} "GET /healthz HTTP/1.0\r\n\r\n";
	local $/;
	like(scalar(<$socket>), qr/^HTTP\/1\.\d 200 OK\r\n/, 'and keeps connections');
}
my $nothing = '';
ok(!sysread($half, $nothing, 1), 'a handshake that was not over is ended');
make_cert(path => test_dir() . '/cert.pem', name => 'new.example.com');
ok($gatepost->reload, 'a new certificate');
like(`curl -svk $url{https}/healthz 2>&1`, qr/subject: CN=new\.example\.com/, 'is shown');

$gatepost->stop;
done_testing;
