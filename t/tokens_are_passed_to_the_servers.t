#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Clients with tokens in place of passwords: what their identity provider has
# signed goes to Dovecot, which judges it.  XOAUTH2 and OAUTHBEARER are offered
# where the servers announce them; who is refused hears why, and then the NO.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Cert qw(make_cert);
use Gatepost::Dovecot;
use Gatepost::Gatepost;
use Gatepost::Imap;
use Gatepost::Process qw(run_command wait_for);
use Gatepost::Token qw(dovecot_takes_tokens token);
use JSON::PP qw(decode_json);
use MIME::Base64 qw(decode_base64 encode_base64);
use Test::More;

my %mechanisms = (XOAUTH2 => \&xoauth2, OAUTHBEARER => \&oauthbearer);

sub xoauth2 ($user, $token) { return encode_base64("user=$user\1auth=Bearer $token\1\1", '') }
sub oauthbearer ($user, $token) {
	return encode_base64("n,a=$user,\1host=localhost\1port=993\1auth=Bearer $token\1\1", '');
}

my $dovecot = Gatepost::Dovecot->new(name => 'dovecot', settings => dovecot_takes_tokens())->start;
my $plain = Gatepost::Dovecot->new(name => 'plain')->start;
my $gatepost = Gatepost::Gatepost->new(values => { CERT => make_cert(), DOVECOT => $dovecot->port,
    PLAIN => $plain->port }, config => <<'END')->start;
tls main { certificate @CERT@ }
default pool { check { kind none }; protocol imap }
pool imap { server dovecot { address 127.0.0.1:@DOVECOT@ } }
pool mixed { server dovecot { address 127.0.0.1:@DOVECOT@ }; server plain { address 127.0.0.1:@PLAIN@ } }
default listener { protocol imap; tls main }
listener imap { bind_tls 127.0.0.1:@PORT{imap}@; pool imap }
listener mixed { bind_tls 127.0.0.1:@PORT{mixed}@; pool mixed }
END
sub client ($listener = 'imap') {
	return Gatepost::Imap->new(port => $gatepost->port($listener), tls => 1, timeout => 20);
}

# Servers are asked at the start, before any client.
wait_for(sub {
	my $c = client();
	$c->close;
	return $c->{greeting} =~ / AUTH=XOAUTH2 AUTH=OAUTHBEARER\b/;
}, 20, 'the offer of tokens');
pass('tokens are offered once the server was seen to take them');
my $c;
wait_for(sub {
	$c = client('mixed');
	return 1 if $c->{greeting} =~ / LITERAL\+ / && $c->{greeting} !~ /OAUTH/;
	$c->close;
	return 0;
}, 20, 'the offer of both servers');
pass('but not where one of two servers takes none');
like($c->cmd('AUTHENTICATE XOAUTH2 ' . xoauth2('user1', token('user1'))), qr/ NO /,
    'nor are they taken there');
$c->close;

# curl, with the mechanism that it is told or chooses.
for my $option ([], map { ['--login-options', "AUTH=$_"] } sort keys %mechanisms) {
	for my $padding (0, 2900) {
		my $token = token('user1', padding => $padding);
		my ($status, $output) = run_command('curl', ['curl', '-sSvk', '--noproxy', '*', '--max-time', 20,
		    '--user', 'user1', '--oauth2-bearer', $token, @$option,
		    'imaps://127.0.0.1:' . $gatepost->port('imap') . '/']);

		is($status, 0, "curl @$option: logs in with a token of " . length $token) or diag($output);
		like($output, qr/^\* LIST .*INBOX/m, "curl @$option: and sees its mailbox");
	}
}

for my $mechanism (sort keys %mechanisms) {
	my $initial = $mechanisms{$mechanism};
	my $long = token('user2', padding => 2900);
	cmp_ok(length $long, '>=', 4000, 'tokens may be long');

	$c = client();
	like($c->cmd("AUTHENTICATE $mechanism " . $initial->('user2', $long)), qr/ OK \[CAPABILITY /,
	    "$mechanism: with an initial response");
	like($c->cmd('SELECT INBOX'), qr/ OK /, "$mechanism: is logged in");
	$c->close;

	$c = client();
	$c->send_bytes("a AUTHENTICATE $mechanism\r\n");
	is($c->line, '+ ', "$mechanism: without one");
	$c->send_bytes($initial->('user2', $long) . "\r\n");
	my $line;
	do { $line = $c->line } until $line !~ /^\* /;
	like($line, qr/^a OK /, "$mechanism: is asked for it");
	$c->close;

	# whom the server refuses: the error, and at last the NO
	$c = client();
	for my $bad (['of another key', token('user2', key => 'another key')],
	    ['of another user', token('user3')], ['that is none', 'x']) {
		my ($name, $token) = @$bad;

		$c->send_bytes("b AUTHENTICATE $mechanism " . $initial->('user2', $token) . "\r\n");
		my ($challenge) = $c->line =~ /^\+ (\S+)$/;
		my $error = eval { decode_json(decode_base64($challenge // '')) };
		ok($error && $error->{status}, "$mechanism: a token $name is refused with a reason")
		    or diag($challenge);
		$c->send_bytes($mechanism eq 'XOAUTH2' ? "\r\n" : "AQ==\r\n");
		like($c->line, qr/^b NO \[AUTHENTICATIONFAILED\] /, "$mechanism: and then for good");
	}
	like($c->cmd("AUTHENTICATE $mechanism " . $initial->('user2', $long)), qr/ OK /,
	    "$mechanism: a good one is taken by then");
	$c->close;
}

$gatepost->wait_for_event(login => { user => "user$_" }) for 1, 2;
unlike($gatepost->log_text . join('', $gatepost->event_lines), qr/eyJ/, 'no log has a token');
$gatepost->stop;
$_->stop_quietly for $dovecot, $plain;
done_testing;
