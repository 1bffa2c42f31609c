#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# A changed user file is used within seconds, without a signal; a bad one is
# told line by line and left alone, at a start, at a reload and in between.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Fake;
use Gatepost::Gatepost;
use Gatepost::Imap;
use Gatepost::Process qw(test_dir);
use Test::More;

my $path = test_dir() . '/users';
my $server = Gatepost::Fake->new(name => 'server', script => [
	[send => "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] ready\r\n"],
	[expect => qr/^(\S+) AUTHENTICATE PLAIN \S+\r\n/],
	[send => sub ($tag) { "$tag OK done\r\n" }],
	['hold'] ])->start;
my $config = <<'END';
auth staff { source file; path @DIR@/users }
pool imap { server s { address 127.0.0.1:@SERVER@ } }
listener imap {
    protocol imap; bind 127.0.0.1:@PORT{imap}@; starttls off; plaintext_login yes; auth staff; pool imap
}
END
my $gatepost = Gatepost::Gatepost->new(values => { SERVER => $server->port }, config => $config);

sub can_log_in ($user) {
	my $client = Gatepost::Imap->new(port => $gatepost->port('imap'));
	my $reply = $client->cmd("LOGIN $user secret");
	$client->close;
	return $reply =~ / OK/;
}

# As an editor that writes in place does.
sub write_users (@lines) {
	open my $out, '>', $path or die "$path: $!\n";
	print {$out} map { "$_\n" } @lines;
	close $out or die "$path: $!\n";
	return;
}

write_users('ann:{PLAIN}secret', 'bob:{ROT13}frperg', 'nobody', 'cid:{PLAIN}secret:port=x');
my $told = `$ENV{GATEPOST} -t -c $gatepost->{conf} 2>&1`;
isnt($?, 0, 'a bad file is no good configuration');
like($told, qr/:\d+:\d+: \Q$path\E:2: unknown password scheme \{ROT13\}/, 'its first bad line is told');
like($told, qr/\Q$path\E:3: no : after the user's name/, 'the second');
like($told, qr/\Q$path\E:4: port is a number/, 'the third');
unlike($told, qr/frperg|secret/, 'and no password');

write_users('ann:{PLAIN}secret');
$gatepost->start;
ok(can_log_in('ann'), 'a user of the file');
ok(!can_log_in('bob'), 'one who is not in it');

write_users('bob:{PLAIN}secret');
like($gatepost->wait_for_log(qr/auth staff: /, 30), qr/users reloaded$/, 'a change is seen');
ok(can_log_in('bob'), 'who is new may log in');
ok(!can_log_in('ann'), 'who is gone may not');

write_users('ann:{PLAIN}secret', 'bad line');
like($gatepost->wait_for_log(qr/the old users stay in use/, 30), qr/auth staff:/, 'a bad change is told');
ok($gatepost->wait_for_log(qr/\Q$path\E:2: no : after/), 'with the line');
ok(can_log_in('bob') && !can_log_in('ann'), 'and the users before stay');
ok(!$gatepost->reload, 'a reload fails');
ok(can_log_in('bob') && !can_log_in('ann'), 'they still stay');

write_users('ann:{PLAIN}secret');
ok($gatepost->reload, 'a reload takes a good file');
ok(can_log_in('ann') && !can_log_in('bob'), 'at once');
unlink $path;
like($gatepost->wait_for_log(qr/\Q$path\E: No such file/, 30), qr/auth staff/, 'a file that went is told');
ok(can_log_in('ann'), 'and missed by nobody');
$gatepost->stop;
done_testing;
