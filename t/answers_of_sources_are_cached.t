#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# A source is asked once for what its block lets be kept: by user, password,
# protocol, listener and client address.  Wrong passwords are asked for, as
# long as nothing else is said; a crowd that comes together is one question,
# also where there is no answer; reloads keep what says the same; a changed
# user file is believed at once.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Fake;
use Gatepost::Gatepost;
use Gatepost::HttpAuth;
use Gatepost::Imap;
use Gatepost::Process qw(raise_descriptors test_dir wait_for write_file);
use MIME::Base64 qw(encode_base64);
use Test::More;

use constant { CROWD => 100 };

my $dir = test_dir();
raise_descriptors(4096);
my @back = map { Gatepost::Fake->new(name => "back$_", script => [
	[send => "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] ready\r\n"],
	[expect => qr/^(\S+) AUTHENTICATE[^\r\n]*\r\n/m],
	[send => sub ($tag) { "$tag OK [CAPABILITY IMAP4rev1] in\r\n" }], ['hold']])->start } 1, 2;

sub judge ($request) {
	my ($user, $password) = @{ $request->{headers} }{qw(auth-user auth-pass)};

	return { headers => { 'Auth-Status' => 'Wrong' } } if $password ne 'secret';
	return { hang => 1 } if $user eq 'silent';
	return { headers => { 'Auth-Status' => 'OK', 'Auth-Server' => '127.0.0.1', 'Auth-Port' => $back[1]->port,
	    'Auth-Pass' => "for-$user" }, after => $user eq 'crowd' ? 0.3 : 0 };
}
my $source = Gatepost::HttpAuth->new(name => 'source', answer => \&judge)->start;
write_file("$dir/users", "ann:{PLAIN}secret\n");

my $config = <<'END';
threads 2
auth web { source http; url http://127.0.0.1:@SOURCE@/web; timeout 60s; cache_ttl 1h }
auth strict { source http; url http://127.0.0.1:@SOURCE@/strict; cache_ttl 1h; cache_negative_ttl 1h }
auth short { source http; url http://127.0.0.1:@SOURCE@/short; cache_ttl 200ms }
auth brief { source http; url http://127.0.0.1:@SOURCE@/brief; timeout 1s; cache_ttl 1h }
auth off { source http; url http://127.0.0.1:@SOURCE@/off }
auth staff { source file; path @DIR@/users; cache_ttl 1h; cache_negative_ttl 1h }
pool imap { server s { address 127.0.0.1:@BACK@ } }
default listener { protocol imap; starttls off; plaintext_login yes; pool imap; max_errors 50 }
listener web { bind 127.0.0.1:@PORT{web}@; auth web }
listener other { bind 127.0.0.1:@PORT{other}@; auth web }
listener strict { bind 127.0.0.1:@PORT{strict}@; auth strict }
listener short { bind 127.0.0.1:@PORT{short}@; auth short }
listener brief { bind 127.0.0.1:@PORT{brief}@; auth brief }
listener off { bind 127.0.0.1:@PORT{off}@; auth off }
listener staff { bind 127.0.0.1:@PORT{staff}@; auth staff }
END
my $gatepost = Gatepost::Gatepost->new(limits => { nofile => '8192:' },
    values => { SOURCE => $source->port, BACK => $back[0]->port }, config => $config)->start;

my $in = qr/^a001 OK /;
my $refused = qr/^a001 NO \[(?!UNAVAILABLE)/;
my $later = qr/^a001 NO \[UNAVAILABLE\]/;

sub client ($listener, %option) {
	return Gatepost::Imap->new(port => $gatepost->port($listener), timeout => 60, %option);
}

sub log_in ($listener, $user, $password = 'secret', %option) {
	my $client = client($listener, %option);
	my $reply = ($client->cmd("LOGIN $user $password"))[-1];

	$client->close;
	return $reply;
}

sub asked ($user) { return scalar grep { $_->{headers}{'auth-user'} eq $user } $source->requests }

# One answer, many logins
like(log_in('web', 'ann'), $in, "login $_") for 1 .. 3;
is(asked('ann'), 1, 'three logins are one question');
is($back[1]->connections, 3, 'the server of the answer each time');
my $shown = encode_base64("\0ann\0for-ann", '');
like($back[1]->received($_), qr/PLAIN \Q$shown\E\r/, "and shown the answer's password ($_)") for 1 .. 3;

# What is another question
like(log_in('web', 'ann', 'wrong'), $refused, "a wrong password is asked for ($_)") for 1, 2;
is(asked('ann'), 3, 'each time');
like(log_in('web', 'ann'), $in, 'the right one');
is(asked('ann'), 3, 'is not');
like(log_in('other', 'ann'), $in, 'at another listener');
is(asked('ann'), 4, 'it is');
like(log_in('web', 'ann', 'secret', from => '127.0.0.9'), $in, 'from another address');
is(asked('ann'), 5, 'too');
like(log_in('web', 'bob'), $in, 'another user of the same password');
is(asked('bob'), 1, 'is asked for');
like(log_in('off', 'ann'), $in, 'without a cache') for 1, 2;
is(asked('ann'), 7, 'all are');

# Refusals, where they are kept
like(log_in('strict', 'cid', 'wrong'), $refused, "a wrong password is refused ($_)") for 1 .. 3;
is(asked('cid'), 1, 'after one question');
like(log_in('strict', 'cid'), $in, 'the right one gets in');
is(asked('cid'), 2, 'after another');

# Time
like(log_in('short', 'dan'), $in, 'an answer');
wait_for(sub { log_in('short', 'dan'); asked('dan') > 1 }, 20, 'it to grow old');
pass('grows old');

# A crowd
sub crowd ($listener, $user, $wanted) {
	my @crowd = map { client($listener) } 1 .. CROWD;
	$_->send_bytes("a001 LOGIN $user secret\r\n") for @crowd;
	is(scalar(grep { $_->line =~ $wanted } @crowd), CROWD, "$user: all of a crowd hear it");
	$_->close for @crowd;
	return;
}
crowd('web', 'crowd', $in);
is(asked('crowd'), 1, 'after one question');
crowd('brief', 'silent', $later);
# who came a second late would ask anew
cmp_ok(asked('silent'), '<', CROWD / 2, 'where there is no answer, too') or diag(asked('silent'));

# Reloads
$gatepost->configure("$config\nlistener more { bind 127.0.0.1:\@PORT{more}\@; auth web }\n");
$gatepost->reload;
like(log_in('web', 'bob'), $in, 'after a reload');
is(asked('bob'), 1, 'what was said holds');
$gatepost->configure($config =~ s{/web;}{/new;}r);
$gatepost->reload;
like(log_in('web', 'bob'), $in, 'of another source');
is(asked('bob'), 2, 'it does not');

# A file
like(log_in('staff', 'ann'), $in, 'a user of the file') for 1, 2;
like(log_in('staff', 'ann', 'changed'), $refused, 'and a wrong password') for 1, 2;
write_file("$dir/users", "ann:{PLAIN}changed\n");
$gatepost->wait_for_log(qr/auth staff: users reloaded/, 30);
like(log_in('staff', 'ann'), $refused, 'the old password is no good any more');
like(log_in('staff', 'ann', 'changed'), $in, 'the new one is');

unlike($gatepost->log_text, qr/secret|for-/, 'no password in the log');
$gatepost->stop;

write_file("$dir/bad.conf", <<'END');
auth a { source server; cache_ttl 5m }
auth b { source file; path /u; cache_size 10 }
END
my $told = `$ENV{GATEPOST} -t -c $dir/bad.conf 2>&1`;
like($told, qr/:1:\d+: source server has no cache_ttl/, 'what the server judges is not kept');
like($told, qr/:2:\d+: cache_size: 10 is outside 1000 to/, 'a cache has a size');
done_testing;
