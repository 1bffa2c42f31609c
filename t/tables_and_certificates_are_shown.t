#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# `show table` tells who failed to log in, and which user is bound where, as HAProxy tells its stick tables;
# `show ssl cert` what clients are shown, as openssl sees it.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Cert qw(cert_fingerprint make_cert);
use Gatepost::Fake;
use Gatepost::Gatepost;
use Gatepost::Imap;
use Gatepost::Process qw(test_dir wait_for write_file);
use Test::More;

my $fake = Gatepost::Fake->new(name => 'fake', script => [
	[send => "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] here\r\n"],
	[expect => qr/^(\S+) AUTHENTICATE.*\r\n/m], [send => sub ($tag) { "$tag OK in\r\n" }], ['hold']])->start;
my $users = 40;
write_file(test_dir() . '/users', join '', map { "$_:{PLAIN}right\n" } 'two words', map { "user$_" } 1 .. $users);
my $first = make_cert(name => 'mail.example.com', names => ['mail.example.com', '*.example.org'], days => 90);
my $second = make_cert(name => 'old.example.com', kind => 'rsa', days => -1);
my $gatepost = Gatepost::Gatepost->new(values => { TO => $fake->port, FIRST => $first, SECOND => $second },
    config => <<'END')->start;
auth file { source file; path @DIR@/users }
limits hard { auth_failure_delay none; auth_ban 3 10m 1h }
farm f { affinity 15m; server d01 { address 127.0.0.1:@TO@ } }
farm g { affinity 15m; server d02 { address 127.0.0.1:@TO@ } }
farm loose { server d03 { address 127.0.0.1:@TO@ } }
pool imap { farm f }
tls main { certificate @FIRST@ @SECOND@ }
listener imap { bind 127.0.0.1:@PORT{imap}@; tls main; starttls optional; plaintext_login yes; auth file; limits hard;
    pool imap }
END

sub log_in ($user, $password) {
	my $client = Gatepost::Imap->new(port => $gatepost->port('imap'), timeout => 10);

	$client->send_bytes(qq(a LOGIN "$user" $password\r\n));
	like($client->line, $password eq 'right' ? qr/^a OK/ : qr/^a NO/, "$user: $password");
	return $client;
}

is($gatepost->ask('show table') =~ s/used:\d+/used:N/gr, "# table: failed_logins, type: ip, size:262144, used:N\n"
    . "# table: f, type: string, size:0, used:N\n# table: g, type: string, size:0, used:N\n", 'the tables');
is($gatepost->ask('show table g'), "# table: g, type: string, size:0, used:0\n", 'an empty one');
is($gatepost->ask('show table loose'), "No such table\n", 'a farm that binds nobody');
my @clients = map { log_in("user$_", 'right') } 1 .. $users;
push @clients, log_in('user1', 'right'), log_in('two words', 'right');
my @lines = split /\n/, $gatepost->ask('show table f');
is(shift @lines, '# table: f, type: string, size:41, used:41', 'its head');
is_deeply([sort @lines], [sort '0x1: key="two words" use=1 exp=0 server_key=d01',
    map { "0x1: key=user$_ use=" . ($_ == 1 ? 2 : 1) . ' exp=0 server_key=d01' } 1 .. $users], 'all users');
is_deeply($gatepost->ask('show table f key user7'), "# table: f, type: string, size:41, used:41\n"
    . "0x1: key=user7 use=1 exp=0 server_key=d01\n", 'one of them');
is_deeply($gatepost->ask_json('show table f key user1'), [{ user => 'user1', server => 'd01', sessions => 2 }],
    'as JSON');
is($gatepost->ask('user; show table f'), "\n# table: f, type: string, size:41, used:41\n", 'who is only a user');
like($gatepost->ask('user; show table f json'), qr/"Permission denied"/, 'and as JSON');
is($gatepost->ask('show table f key'), "Key value expected\n", 'without a key');

log_in('user2', 'wrong') for 1 .. 2;
like($gatepost->ask('show table failed_logins'), qr/^# table: failed_logins, type: ip, size:262144, used:\d+\n/,
    'failures');
my ($row) = @{ $gatepost->ask_json('show table failed_logins') };
is_deeply([@$row{qw(client banned)}], ['127.0.0.1', JSON::PP::false], 'of an address');
ok($row->{failures} >= 1 && $row->{seconds_left} > 0, 'how many, and how long they count');
log_in('user2', 'wrong1');
Gatepost::Imap->new(port => $gatepost->port('imap'), timeout => 10)->send_bytes(qq(a LOGIN user2 wrong2\r\n));
wait_for(sub { grep { $_->{banned} } @{ $gatepost->ask_json('show table failed_logins') } }, 10, 'a ban');
like($gatepost->ask('show table failed_logins'), qr/key=127\.0\.0\.1 use=0 exp=\d+ failures=0 banned=1$/m, 'as a line');

is($gatepost->ask('show ssl cert'), "# filename\n$first\n$second\n", 'the files');
my $text = $gatepost->ask("show ssl cert $first");
like($text, qr/^Subject Alternative Name: DNS:mail\.example\.com, DNS:\*\.example\.org$/m, 'the names');
like($text, qr/^Subject: CN=mail\.example\.com\nIssuer: CN=mail\.example\.com$/m, 'who it is, and who vouches');
like($text, qr/^Algorithm: EC256$/m, 'its key');
my ($end, $serial) = qx(openssl x509 -noout -enddate -serial -in $first) =~ /notAfter=(.*)\nserial=(.*)\n/;
like($text, qr/^notAfter: \Q$end\E$/m, 'until when');
like($text, qr/^Serial: $serial$/m, 'its number');
my %by_file = map { $_->{file} => $_ } @{ $gatepost->ask_json('show ssl cert') };
is('sha256$' . lc $by_file{$_}{sha256}, cert_fingerprint($_), 'its fingerprint') for $first, $second;
like($by_file{$first}{days_left}, qr/^(?:89|90)$/, 'full days');
ok($by_file{$second}{days_left} < 0, 'one that is over');
is($by_file{$second}{key}, 'RSA2048', 'an RSA key');
is($by_file{$second}{tls}, 'main', 'its block');
is($gatepost->ask('show ssl cert nothing'),
    "Can't display the certificate: Not found or the certificate is a bundle!\n", 'what is not there');
is($gatepost->ask('user; show ssl cert'), "\nPermission denied\n", 'not for everybody');
$_->close for @clients;
done_testing;
