#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# A message of 100 MiB goes to a fast server and to a slow one at once: the
# client is read as fast as the slow one takes it, both get every octet, and
# what gatepost holds of it is a small part.  The same in chunks, to servers
# that take them and one that does not.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Gatepost;
use Gatepost::LmtpServer;
use Gatepost::Process qw(test_dir write_file);
use Gatepost::Smtp;
use Test::More;

use constant { MIB => 100, MOST => 24 };

my %count;
my %servers = (
	fast => Gatepost::LmtpServer->new(name => 'fast', chunking => 1, keeps => 0),
	slow => Gatepost::LmtpServer->new(name => 'slow', receive_buffer => 32_768, keeps => 0,
	    hook => sub ($server, $word, $line) {
		select undef, undef, undef, 0.001 if $word eq 'text' && ++$count{lines} % 1000 == 0;
		return undef;
	    }),
);
$_->start for values %servers;
write_file(test_dir() . '/users', join '', map { "${_}:::::::server=$_\n" } sort keys %servers);
my $gatepost = Gatepost::Gatepost->new(values => { map { uc $_ => $servers{$_}->port } keys %servers },
    config => <<'END')->start;
auth users { source file; path @DIR@/users }
farm f { affinity 1m
    server fast { address 127.0.0.1:@FAST@ }; server slow { address 127.0.0.1:@SLOW@ } }
pool lmtp { farm f }
listener lmtp { bind 127.0.0.1:@PORT{lmtp}@; pool lmtp; lookup users; capabilities CHUNKING 8BITMIME }
END

my $line = ('x' x 126) . "\r\n";
my $block = $line x 8192;			# 1 MiB
my $c = Gatepost::Smtp->new(port => $gatepost->port('lmtp'), timeout => 120);
$c->expect('250', 'LHLO mta.example.org');
my $before = $gatepost->memory('Rss');
my $most = 0;

sub sample { my $now = $gatepost->memory('Rss') - $before; $most = $now if $now > $most; return }

like(($c->pipeline('MAIL FROM:<s@example.org>', 'RCPT TO:<fast>', 'RCPT TO:<slow>', 'DATA'))[3], qr/^354 /,
    'data may come');
$c->send_bytes("Subject: data\r\n\r\n");
for (1 .. MIB) { $c->send_bytes($block); sample() }
$c->send_bytes(".\r\n");
is_deeply([map { $c->reply } 1, 2], ['250 2.0.0 fast has fast', '250 2.0.0 slow has slow'], 'both have it');
my $size = 17 + MIB * length $block;
is_deeply([map { $servers{$_}->delivered } qw(fast slow)], ["fast data $size", "slow data $size"],
    'every octet of it');
cmp_ok($most, '<', MOST * 1024, 'of which little is held');
diag("$most KiB more than before, with " . MIB . ' MiB of data');

$most = 0;
like(($c->pipeline('MAIL FROM:<s@example.org>', 'RCPT TO:<fast>', 'RCPT TO:<slow>'))[2], qr/^250 /, 'chunks');
sub send_chunk ($chunk) {
	$c->send_bytes('BDAT ' . length($chunk) . "\r\n$chunk");
	sample();
	return $c->reply =~ /^250 / ? 0 : 1;
}
my $refused = 0;
$refused += send_chunk($_) for "Subject: chunks\r\n\r", "\n.x\r\n", ($block) x (MIB / 10);
is($refused, 0, 'all chunks are taken');
$c->send_bytes("BDAT 5 LAST\r\n.end\r");
is_deeply([map { $c->reply } 1, 2], ['250 2.0.0 fast has fast', '250 2.0.0 slow has slow'], 'both have them');
my $chunks = 18 + 5 + MIB / 10 * length($block) + 5;
is_deeply([map { ($servers{$_}->delivered)[-1] } qw(fast slow)], ["fast chunks $chunks",
    'slow chunks ' . ($chunks + 1)], 'each octet once, and a last line with its end for who takes lines');
ok((grep { /BDAT/ } $servers{fast}->commands) && !(grep { /BDAT/ } $servers{slow}->commands),
    'as chunks, and as data');
diag("$most KiB more than before, with " . MIB / 10 . ' MiB of chunks');
$c->quit;
$gatepost->stop;
done_testing;
