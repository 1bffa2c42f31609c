#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# A real Dovecot judges logins by its auth socket, and its passdb says where
# users go.  Clients of all protocols log in by its mechanisms; it sees their
# addresses; hundreds share a connection.  While it is stopped or hangs, they
# hear of a temporary failure, and nobody else waits for it.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Cert qw(make_cert);
use Gatepost::Dovecot;
use Gatepost::Fake;
use Gatepost::Gatepost;
use Gatepost::Imap;
use Gatepost::Login qw(log_in offer);
use Gatepost::Port qw(free_port own_address);
use Gatepost::Postfix;
use Gatepost::Process qw(read_file test_dir wait_for write_file);
use Gatepost::Smtp;
use Gatepost::Token qw(dovecot_takes_tokens token);
use Test::More;
use Time::HiRes qw(time);

plan skip_all => 'needs root' if $> != 0;

my $dir = test_dir();
my ($imap_port, $pop3_port, $sieve_port) = map { free_port() } 1 .. 3;
write_file("$dir/masters", "gp:{PLAIN}master-secret\n");
write_file("$dir/master-password", "master-secret\n");
write_file("$dir/users-here", "user1:{PLAIN}pass-1\n");
my $authority = make_cert(name => 'our authority');
my $certificate = make_cert(name => 'user2', by => $authority);
rename "$authority.crt", "$dir/clients.pem" or die "rename: $!";
sub server ($name, $number) {
	return Gatepost::Dovecot->new(name => $name, address => own_address($number), port => $imap_port,
	    pop3 => 1, pop3_port => $pop3_port, sieve_port => $sieve_port, users => 9,
	    masters => "$dir/masters", any_user => 'password=shared')->start;
}
my ($first, $second) = (server('d1', 1), server('d2', 2));
my $postfix = Gatepost::Postfix->new(name => 'told', xclient => '127.0.0.1', sasl => {})->start;


# Whom mail for some users goes to.
my %mx = map { ($_ => Gatepost::Fake->new(name => $_, script => [
    [send => "220 $_.example.com ESMTP\r\n"], [expect => qr/^EHLO [^\r\n]*\r\n/m], [send => "250 $_.example.com\r\n"],
    [expect => qr/^MAIL [^\r\n]*\r\n/m], [send => "250 2.1.0 Ok\r\n"],
    [expect => qr/^RCPT [^\r\n]*\r\n/m], [send => "250 2.1.5 Taken by $_\r\n"], ['hold']])->start) } qw(here there);

# Who judges: its users have no mail there.
my $there = 'proxy=y host=' . $second->address . " port=$imap_port";
my $settings = dovecot_takes_tokens() =~ s/^(auth_mechanisms = .*)/$1 scram-sha-256 external/mr . <<'END';
auth_ssl_username_from_cert = yes
passdb {
  driver = static
  mechanisms = external
  args = nopassword
}
END
my $judge = Gatepost::Dovecot->new(name => 'judge', auth => 1, users => 300, masters => "$dir/masters",
    settings => $settings, user_lines => <<"END")->start;
there:{PLAIN}gate:::::: $there destuser=user3 pass=pass-3 director_tag=t1 userdb_x=1
looked:{PLAIN}gate:::::: proxy=y host=d2.example.com hostip=@{[ $second->address ]} port=$imap_port destuser=user4
acted:{PLAIN}gate:::::: $there destuser=user5 master=gp pass=master-secret proxy_timeout=20
pooled:{PLAIN}gate:::::: pool=second destuser=user6 pass=pass-6
named:{PLAIN}gate:::::: user=user7
closed:{PLAIN}gate:::::: nologin=y reason=Moved_away
mailed:{PLAIN}gate:::::: proxy=y nologin=y host=127.0.0.1 port=@{[ $mx{there}->port ]}
odd:{PLAIN}gate:::::: proxy=y host=127.0.0.1 port=99999
END

my $gatepost = Gatepost::Gatepost->new(values => { SERVER_PORT => $imap_port, POP3 => $pop3_port,
    SIEVE => $sieve_port, D1 => $first->address, D2 => $second->address, TOLD => $postfix->port,
    MX => $mx{here}->port, MASTER => $judge->master_socket, CERT => make_cert(), SOCKET => $judge->auth_socket, AUTH_PORT => $judge->auth_port },
    config => <<'END')->start;
tls main { certificate @CERT@; client_ca @DIR@/clients.pem; verify_client optional }
default auth { source dovecot }
auth judge { socket unix:@SOCKET@ }
auth master { socket inet:localhost:@AUTH_PORT@; lookup_socket unix:@MASTER@ }
auth inet { socket unix:@DIR@/nobody-there inet:localhost:@AUTH_PORT@ }
auth hasty { socket unix:@SOCKET@; timeout 1s }
auth here { source file; path @DIR@/users-here }
default pool { check { kind none }; login master; master_user gp; master_password_file @DIR@/master-password }
pool shown { protocol imap; server d1 { address @D1@:@SERVER_PORT@ }; login password }
pool second { protocol imap; server d2 { address @D2@:@SERVER_PORT@ } }
pool imap { server d1 { address @D1@:@SERVER_PORT@ } }
pool pop3 { server d1 { address @D1@:@POP3@ } }
pool sieve { server d1 { address @D1@:@SIEVE@ } }
pool submission { login xclient; server told { address 127.0.0.1:@TOLD@ } }
pool smtp { login none; forward none; server here { address 127.0.0.1:@MX@ } }
default listener { tls main; auth judge; max_errors 50 }
listener mx { protocol smtp; bind 127.0.0.1:@PORT{mx}@; pool smtp; lookup master }
listener imap { bind_tls 127.0.0.1:@PORT{imap}@; pool imap }
listener pop3 { bind_tls 127.0.0.1:@PORT{pop3}@; pool pop3 }
listener sieve { bind 127.0.0.1:@PORT{sieve}@; pool sieve }
listener submission { bind_tls 127.0.0.1:@PORT{submission}@; pool submission }
listener shown { protocol imap; bind_tls 127.0.0.1:@PORT{shown}@; pool shown }
listener inet { protocol imap; bind_tls 127.0.0.1:@PORT{inet}@; pool imap; auth inet }
listener hasty { protocol imap; bind_tls 127.0.0.1:@PORT{hasty}@; pool imap; auth hasty }
listener here { protocol imap; bind_tls 127.0.0.1:@PORT{here}@; pool shown; auth here }
listener both { protocol imap; bind_tls 127.0.0.1:@PORT{both}@; pool shown; auth here judge }
END

my %protocol = map { $_ => 'imap' } qw(shown inet hasty here both);
sub try_login ($listener, $mechanism, $user, $password, %option) {
	my ($reply, $is_good, $c) = log_in(protocol => $protocol{$listener} // $listener,
	    port => $gatepost->port($listener), tls => $listener eq 'sieve' ? 'starttls' : 'implicit',
	    mechanism => $mechanism, user => $user, password => $password, %option);

	$c->close;
	return $reply;
}

sub is_in ($listener, $mechanism, $user, $password, $name, %option) {
	my $reply = try_login($listener, $mechanism, $user, $password, %option);

	return like($reply, qr/^(?:\S+ OK|OK|\+OK|235)/, $name);
}

# The offer is the server's, as soon as that has been heard.
wait_for(sub { offer('imap', $gatepost->port('imap')) =~ /AUTH=SCRAM-SHA-256/ }, 20, 'the offer');
like(offer('imap', $gatepost->port('imap')),
    qr/AUTH=PLAIN AUTH=LOGIN AUTH=SCRAM-SHA-256 AUTH=XOAUTH2 AUTH=OAUTHBEARER\b/, 'what it lists is offered');
unlike(offer('imap', $gatepost->port('shown')), qr/SCRAM/, 'but what servers could not be shown');

# Every mechanism, by every protocol.
for my $listener (qw(imap pop3 sieve submission inet)) {
	my @native = $listener =~ /imap|pop3|inet/ ? '' : ();

	for my $mechanism (@native, qw(PLAIN LOGIN SCRAM-SHA-256)) {
		is_in($listener, $mechanism, 'user1', 'pass-1', "$listener: $mechanism");
		unlike(try_login($listener, $mechanism, 'user1', 'wrong'), qr/^(?:\S+ OK|OK|\+OK|235)/,
		    "$listener: $mechanism with a wrong password");
	}
	for my $mechanism (qw(XOAUTH2 OAUTHBEARER)) {
		is_in($listener, $mechanism, 'user1', token('user1'), "$listener: $mechanism");
		unlike(try_login($listener, $mechanism, 'user1', token('user1', key => 'another')),
		    qr/^(?:\S+ OK|OK|\+OK|235)/, "$listener: $mechanism with a bad token");
	}
	is_in($listener, 'SCRAM-SHA-256', 'user2', 'pass-2', "$listener: in turns", in_turns => 1);
}
for my $listener (qw(imap pop3 sieve submission)) {
	is_in($listener, 'EXTERNAL', '', '', "$listener: EXTERNAL",
	    handshake => { SSL_cert_file => $certificate, SSL_key_file => $certificate });
}
$first->wait_for_log(qr/imap-login: Info: Login: user=<user2>/);
like(try_login('imap', 'PLAIN', 'stranger', 'x'), qr/NO \[AUTHENTICATIONFAILED\]/, 'an unknown user');
is_in('shown', 'PLAIN', 'user2', 'pass-2', 'a server is shown the password');
is_in('both', 'PLAIN', 'user2', 'pass-2', 'whom the file does not know');
like(try_login('both', 'PLAIN', 'user1', 'pass-2'), qr/ NO /, 'whom it knows is not asked for elsewhere');

# What it says of a user.
for my $case (['there', 'user3', $second], ['looked', 'user4', $second], ['acted', 'user5', $second],
    ['pooled', 'user6', $second], ['named', 'user7', $first]) {
	my ($user, $there, $server) = @$case;

	is_in('imap', 'PLAIN', $user, 'gate', "$user: is let in");
	$server->wait_for_log(qr/imap-login: Info: Login: user=<$there>/);
	pass("$user: where its fields say, as who they say");
}
$gatepost->wait_for_event(login => { user => 'user7' });
pass('the name that it says is the user');
like(try_login('imap', 'PLAIN', 'closed', 'gate'), qr/ NO .*Moved_away/, 'nologin is a refusal, with its reason');
like(try_login('imap', 'PLAIN', 'odd', 'gate'), qr/ NO \[UNAVAILABLE\]/, 'a field that is no good');
is_in('imap', 'PLAIN', 'user8*gp', 'master-secret', 'a master user');
$first->wait_for_log(qr/imap-login: Info: Login: user=<user8>/);
$gatepost->wait_for_event(login => { user => 'user8' });
pass('who acts for another is that one');

# It sees who comes.
my $c = Gatepost::Imap->new(port => $gatepost->port('imap'), tls => 1, from => '127.0.0.77');
like($c->cmd('LOGIN user9 wrong'), qr/ NO /, 'a client from elsewhere');
$c->close;
$judge->wait_for_log(qr/user9,127\.0\.0\.77,<\w+>\).*Password mismatch/);
pass('its address and session are told');

# One who sends garbage hurts nobody who shares the connection.
my $careful = Gatepost::Imap->new(port => $gatepost->port('imap'), tls => 1);
my $hostile = Gatepost::Imap->new(port => $gatepost->port('imap'), tls => 1);
$careful->send_bytes("a AUTHENTICATE SCRAM-SHA-256 biwsbj11c2VyMSxyPWFiYw==\r\n");
like($careful->line, qr/^\+ \w+/, 'an exchange is under way');
for my $garbage ('PLAIN AAA', 'PLAIN ====', 'PLAIN ' . 'A' x 12_000, 'SCRAM-SHA-256 !', 'NTLM', "PLAIN a\tb",
    'PLAIN AGEAYgBj', 'XOAUTH2 dXNlcj11c2VyMQE=', 'SCRAM-SHA-256 ' . 'QUFB' x 2_900) {
	$hostile->send_bytes("h AUTHENTICATE $garbage\r\n");
	like($hostile->line, qr/^h (?:BAD|NO)/, substr "garbage: $garbage", 0, 40);
}
like($hostile->cmd('AUTHENTICATE PLAIN AGEJYgFjAGQJZQE='), qr/ NO /, 'a name and a password with odd bytes');
$hostile->close;
$careful->send_bytes("*\r\n");
like($careful->line, qr/^a BAD/, 'the exchange is there yet, and broken off');
$careful->login('user1', 'pass-1');
$careful->close;
is(scalar($gatepost->log_lines(qr/auth \w+: .*(?:closed|reset)/)), 0, 'and the server has closed nothing');

# Who is not there to show a password: the master socket tells of recipients.
sub recipient ($user) {
	my $smtp = Gatepost::Smtp->new(port => $gatepost->port('mx'));

	$smtp->cmd('EHLO client.example.org');
	$smtp->cmd('MAIL FROM:<a@example.org>');
	my $reply = $smtp->cmd("RCPT TO:<$user>");
	$smtp->close;
	return $reply;
}
is(recipient('user1'), '250 2.1.5 Taken by here', 'a recipient without a place of its own');
is(recipient('mailed'), '250 2.1.5 Taken by there', 'one that Dovecot sends elsewhere');
like(recipient('stranger'), qr/^451 4\.3\.0 /, 'one that it does not know');

# 300 at once, on few connections.
my @clients = map { Gatepost::Imap->new(port => $gatepost->port('imap'), tls => 1) } 1 .. 300;
$clients[$_ - 1]->send_bytes("a LOGIN user$_ pass-$_\r\n") for 1 .. 300;
my $good = grep { ($_->lines_until(qr/^a /))[-1] =~ /^a OK/ } @clients;
is($good, 300, '300 logins at once');
my $socket = $judge->auth_socket;
my $connections = grep { / 03 \d+ \Q$socket\E$/ } split /\n/, read_file('/proc/net/unix');
cmp_ok($connections, '<=', 4, "on $connections connections");
$_->close for @clients;

# Hangs: those who ask wait for the timeout, nobody else does.
my $away = qr/ NO \[UNAVAILABLE\]/;
$judge->freeze;
my @waiting = map { Gatepost::Imap->new(port => $gatepost->port('hasty'), tls => 1) } 1 .. 20;
$_->send_bytes("a LOGIN user1 pass-1\r\n") for @waiting;
is_in('here', 'PLAIN', 'user1', 'pass-1', 'while it hangs, others log in');
like(($_->lines_until(qr/^a /))[-1], $away, 'who asks it hears of a temporary failure') for @waiting;
$_->close for @waiting;
$judge->thaw;
wait_for(sub { try_login('hasty', 'PLAIN', 'user1', 'pass-1') =~ /OK/ }, 30, 'a login after it hung');
pass('it goes on, and so do logins');

# Away, with all of it: a master that is told to stop leaves alone who judges for open connections.
$judge->kill_now;
my %words = (hasty => $away, imap => $away, pop3 => qr/^-ERR \[SYS\/TEMP\]/, sieve => qr/^NO \(TRYLATER\)/,
    submission => qr/^454 4\.[37]/);
$gatepost->configure($gatepost->{config} =~ s/^(auth judge \{)/$1 timeout 500ms;/mr);
ok($gatepost->reload, 'a reload while it is away');
like(try_login($_, 'PLAIN', 'user1', 'pass-1'), $words{$_}, "$_: a temporary failure") for sort keys %words;
is_in('here', 'PLAIN', 'user1', 'pass-1', 'while it is away, others log in');
unlink "$judge->{dir}/run/master.pid";
$judge->start;
wait_for(sub { try_login('imap', 'PLAIN', 'user1', 'pass-1') =~ /OK/ }, 30, 'a login after it came back');
pass('it came back, and all is well');
like($gatepost->log_text, qr/auth judge: unix:\S+: .*\n(?:.*\n)*.*auth judge: unix:\S+: can be asked again/,
    'the log tells of both');
unlike($gatepost->log_text . read_file($gatepost->{access_log}), qr/pass-\d|master-secret|eyJ/,
    'no secret is told anywhere');

$gatepost->stop;
$_->stop_quietly for $judge, $first, $second;
$postfix->stop_quietly;
done_testing;
