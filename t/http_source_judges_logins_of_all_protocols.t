#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# A real nginx judges logins by HTTP and HTTPS and names the servers, real
# Dovecots and one that is not.  Its certificate must be good.  Then Mailu's
# endpoint, as it is told of: it wants more headers than nginx sends, and says
# why it refuses in words of each protocol.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Cert qw(make_cert);
use Gatepost::Dovecot;
use Gatepost::Fake;
use Gatepost::Gatepost;
use Gatepost::HttpAuth;
use Gatepost::Login qw(log_in);
use Gatepost::Nginx;
use Gatepost::Port qw(free_port);
use Gatepost::Process qw(test_dir);
use Gatepost::Smtp;
use Test::More;

my $dir = test_dir();
my $cert = make_cert(names => ['mail.example.com', '127.0.0.1']);
my $other = make_cert(name => 'elsewhere.example.com');
my $dovecot = Gatepost::Dovecot->new(name => 'store', cert => $cert, pop3 => 1, sieve_port => free_port(),
    any_user => 'password=shared-secret allow_real_nets=127.0.0.0/8')->start;
my $relay = Gatepost::Fake->new(name => 'relay', script => [
    [send => "220 relay.example.com ESMTP\r\n"],
    [expect => qr/^EHLO [^\r\n]*\r\n/m], [send => "250-relay.example.com\r\n250 XCLIENT NAME ADDR LOGIN\r\n"],
    [expect => qr/^XCLIENT [^\r\n]*\r\n/m], [send => "220 relay.example.com ESMTP\r\n"],
    [expect => qr/^EHLO [^\r\n]*\r\n/m], [send => "250-relay.example.com\r\n250 XCLIENT NAME ADDR LOGIN\r\n"],
    ['hold']])->start;
my $mx = Gatepost::Fake->new(name => 'mx', script => [
    [send => "220 mx.example.com ESMTP\r\n"], [expect => qr/^EHLO [^\r\n]*\r\n/m], [send => "250 mx.example.com\r\n"],
    [expect => qr/^MAIL [^\r\n]*\r\n/m], [send => "250 2.1.0 Ok\r\n"],
    [expect => qr/^RCPT [^\r\n]*\r\n/m], [send => "250 2.1.5 Taken by mx\r\n"], ['hold']])->start;
my %server = (smtp => $mx->port, imap => $dovecot->port, pop3 => $dovecot->pop3_port, sieve => $dovecot->{sieve_port},
    submission => $relay->port);

# Mailu: what it wants is missing (400), or the login is judged by unquoted names and passwords.
my %codes = (
	imap => ['AUTHENTICATIONFAILED', 'LIMIT'], sieve => ['AuthFailed', 'AuthFailed'],
	submission => ['535 5.7.8', '451 4.3.2'],
);
sub unquoted ($text) { return $text =~ s/%([0-9A-F]{2})/chr hex $1/ger }
my $mailu = Gatepost::HttpAuth->new(name => 'mailu', answer => sub ($request) {
	my %h = %{ $request->{headers} };
	my ($user, $pass) = map { unquoted($h{$_}) } qw(auth-user auth-pass);
	my $protocol = $h{'auth-protocol'};

	return { status => '400 Bad Request' } if grep { ($h{$_} // '') !~ /^\d+$/ } qw(auth-port client-port);
	return { status => '400 Bad Request' } if ($h{'client-ip'} // '') eq ''
	    || !($codes{$protocol} || $h{'auth-method'} eq 'none' && $protocol eq 'smtp');
	return { status => '500 Internal' } if $h{'auth-method'} !~ /^(?:none|plain|login)?$/;
	return { headers => { 'Auth-Status' => 'OK', 'Auth-Server' => '127.0.0.1', 'Auth-User' => $user,
	    'Auth-Port' => $server{$protocol}, 'Auth-User-Exists' => 'True' } }
	    if $pass eq 'p%ss 1' || $h{'auth-method'} eq 'none';
	my $is_limited = $pass eq 'again';
	return { headers => { 'Auth-Error-Code' => $codes{$protocol}[$is_limited], 'Auth-Wait' => 0,
	    'Auth-Status' => $is_limited ? 'Temporary authentication failure (rate-limit)'
		: 'Authentication credentials invalid' } };
})->start;

my $nginx = Gatepost::Nginx->new(name => 'judge', values => { CERT => $cert, OTHER => $other, %server },
    config => <<'END')->start;
http {
    map "$http_auth_user:$http_auth_pass" $verdict {
        "user1:gate-1" OK;
        default        "Invalid login or password";
    }
    map $http_auth_protocol $server_port_of {
        imap @imap@;
        pop3 @pop3@;
        sieve @sieve@;
        smtp @submission@;
    }
    keepalive_requests 3;
    ssl_certificate_key @CERT@;
    ssl_certificate @CERT@;
    server {
        listen 127.0.0.1:@PORT{elsewhere}@ ssl;
        ssl_certificate_key @OTHER@;
        ssl_certificate @OTHER@;
        add_header Auth-Status OK;
    }
    server {
        listen 127.0.0.1:@PORT{http}@;
        listen 127.0.0.1:@PORT{https}@ ssl;
        location /auth {
            add_header Auth-Status $verdict;
            add_header Auth-Server 127.0.0.1;
            add_header Auth-Port $server_port_of;
            return 204;
        }
        location /page {
            add_header Auth-Status $verdict;
            add_header Auth-Server 127.0.0.1;
            add_header Auth-Port $server_port_of;
            return 200 "a page that nobody reads";
        }
    }
}
END

my %ways = (
	http => "url http://127.0.0.1:\@HTTP\@/auth",
	page => "url http://127.0.0.1:\@HTTP\@/page",
	https => "url https://127.0.0.1:\@HTTPS\@/auth; ca $cert",
	stranger => "url https://127.0.0.1:\@HTTPS\@/auth; ca $other",
	unvouched => "url https://127.0.0.1:\@HTTPS\@/auth",
	misnamed => "url https://127.0.0.1:\@ELSEWHERE\@/auth; ca $other",
	mailu => "url http://127.0.0.1:\@MAILU\@/internal/auth/email; escape strict;\n"
	    . "    header Auth-Port \$local_port; header Client-Port \$client_port",
	mailu_submission => "url http://127.0.0.1:\@MAILU\@/internal/auth/email; escape strict;\n"
	    . "    header Auth-Port \$local_port; header Client-Port \$client_port;\n"
	    . "    header Auth-Protocol submission",
	mailu_bare => "url http://127.0.0.1:\@MAILU\@/internal/auth/email; escape strict",
);
my %listeners = (
	(map { ("http_$_" => [$_, 'http'], "https_$_" => [$_, 'https']) } qw(imap pop3 sieve submission)),
	(map { ("mailu_$_" => [$_, $_ eq 'submission' ? 'mailu_submission' : 'mailu']) } sort keys %codes),
	page => [imap => 'page'], stranger => [imap => 'stranger'], unvouched => [imap => 'unvouched'],
	misnamed => [imap => 'misnamed'], mailu_bare => [imap => 'mailu_bare'],
);
my $auths = join '', map { "auth $_ { source http; $ways{$_} }\n" } sort keys %ways;
my $text = join '', map { my ($protocol, $way) = @{ $listeners{$_} };
	"listener $_ { protocol $protocol; bind_tls 127.0.0.1:\@PORT{$_}\@; auth $way; pool $protocol }\n"
} sort keys %listeners;
my $pools = join '', map { "pool $_ { login trusted; master_password_file $dir/shared }\n" } qw(imap pop3 sieve);
Gatepost::Process::write_file("$dir/shared", "shared-secret\n");
my $gatepost = Gatepost::Gatepost->new(values => { CERT => $cert, HTTP => $nginx->port('http'),
    HTTPS => $nginx->port('https'), ELSEWHERE => $nginx->port('elsewhere'), MAILU => $mailu->port },
    config => <<"END")->start;
threads 1
hostname mail.example.com
tls main { certificate \@CERT\@ }
default listener { tls main; starttls off; max_errors 50 }
${auths}${pools}pool submission { login xclient }
pool smtp { forward none }
listener mailu_mx { protocol smtp; bind 127.0.0.1:\@PORT{mailu_mx}\@; auth none; lookup mailu; pool smtp }
$text
END

sub attempt ($listener, $user, $password, $mechanism = 'PLAIN') {
	my ($reply, $is_good, $c) = log_in(protocol => $listeners{$listener}[0], port => $gatepost->port($listener),
	    tls => 'implicit', mechanism => $mechanism, user => $user, password => $password);
	$c->close;
	return ($is_good, $reply);
}

for my $listener (grep { /^https?_/ } sort keys %listeners) {
	my $protocol = $listeners{$listener}[0];
	for my $mechanism ($protocol =~ /imap|pop3/ ? ('', 'PLAIN', 'LOGIN') : ('PLAIN', 'LOGIN')) {
		my ($is_good, $reply) = attempt($listener, 'user1', 'gate-1', $mechanism);
		ok($is_good, "$listener: a right password by '$mechanism'") or diag($reply);
		($is_good, $reply) = attempt($listener, 'user1', 'gate-2', $mechanism);
		ok(!$is_good, "$listener: a wrong one by '$mechanism'");
		like($reply, qr/Invalid login or password/, "$listener: in the words of the source");
	}
}
my ($is_good, $reply) = attempt('page', 'user1', 'gate-1');
ok($is_good, 'a page that nobody reads does no harm') or diag($reply);
for my $case ([stranger => qr/certificate/], [unvouched => qr/certificate/], [misnamed => qr/alternative|name/i]) {
	my ($listener, $why) = @$case;
	($is_good, $reply) = attempt($listener, 'user1', 'gate-1');
	like($reply, qr/NO \[UNAVAILABLE\]/, "$listener: is not believed");
	like($gatepost->wait_for_log(qr/auth $listener: /), $why, "$listener: and why");
}

for my $listener (map { "mailu_$_" } sort keys %codes) {
	($is_good, $reply) = attempt($listener, 'user1@example.com', 'p%ss 1');
	ok($is_good, "$listener: a right password") or diag($reply);
	($is_good, $reply) = attempt($listener, 'user1', 'wrong');
	like($reply, qr/Authentication credentials invalid/, "$listener: a wrong one");
	($is_good, $reply) = attempt($listener, 'user1', 'again');
	like($reply, qr/rate-limit|^45/, "$listener: too often");
	ok(!$is_good, "$listener: nobody gets in so");
}
($is_good, $reply) = attempt('mailu_bare', 'user1', 'p%ss 1');
like($reply, qr/NO \[UNAVAILABLE\]/, 'without the headers that it wants nobody gets in');
my ($first) = $mailu->requests;
is($first->{uri}, '/internal/auth/email', 'it is asked at its path');
is($first->{headers}{'auth-user'}, 'user1%40example.com', 'with all escaped that could be');
like($relay->received($_), qr/^XCLIENT .*LOGIN=/m, "submission $_: the relay is told who it is") for 1 .. 2;
# Port 25, where nobody logs in: it is asked about each recipient.
my $smtp = Gatepost::Smtp->new(port => $gatepost->port('mailu_mx'));
$smtp->cmd('EHLO client.example.org');
like($smtp->cmd('MAIL FROM:<a@example.org>'), qr/^250 /, 'mailu, port 25: a mail begins');
is($smtp->cmd('RCPT TO:<b@example.com>'), '250 2.1.5 Taken by mx', 'its recipient is taken where Mailu says');
my %asked = %{ ($mailu->requests)[-1]{headers} };
is_deeply([@asked{qw(auth-method auth-protocol auth-port auth-smtp-to)}],
    ['none', 'smtp', $gatepost->port('mailu_mx'), 'RCPT TO:<b@example.com>'], 'who was asked as nginx asks');
$smtp->close;
$gatepost->stop;
done_testing;
