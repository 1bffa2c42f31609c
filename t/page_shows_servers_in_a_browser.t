#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# The live page in Chromium without a head: servers and their states are in it, nothing is complained of in the
# console, who may change things has buttons.  Screenshots lie in the build's folder screenshots/: desktop and
# phone, light and dark.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use File::Basename qw(dirname);
use Gatepost::Fake;
use Gatepost::Gatepost;
use Gatepost::Http qw(http);
use Gatepost::Process qw(test_dir read_file wait_for write_file);
use Test::More;

my ($chromium) = grep { -x } '/usr/bin/chromium';
plan skip_all => 'needs chromium' unless $chromium;

my $server = Gatepost::Fake->new(name => 'server', script => [[send => "* OK ready\r\n"], ['hold']])->start;
write_file(test_dir() . '/users', "alice:{PLAIN}secret\n");
my $gatepost = Gatepost::Gatepost->new(values => { SERVER => $server->port }, config => <<~'END')->start;
	default pool { check { kind tcp; interval 1s; down_interval 1s; rise 1; fall 1 } }
	pool imap {
	    port @SERVER@
	    server d01 { address 127.0.0.1 }
	    server d02 { address 127.0.0.1; state drain }
	    server d03 { address 127.0.0.1; state maintenance }
	}
	pool pop3 { port 1; server d01 { address 127.0.0.1 } }
	listener imap { bind 127.0.0.1:@PORT{imap}@; starttls off; plaintext_login yes; pool imap }
	listener pop3 { bind 127.0.0.1:@PORT{pop3}@; starttls off; plaintext_login yes; pool pop3 }
	admin {
	    socket @DIR@/gatepost.sock { level admin }
	    http 127.0.0.1:@PORT{http}@ { level operator }
	    http 127.0.0.1:@PORT{admin}@ { level admin; password_file @DIR@/users }
	}
	END
my $url = 'http://127.0.0.1:' . $gatepost->port('http') . '/';
my $shots = dirname($ENV{GATEPOST}) . '/screenshots';
mkdir $shots;
wait_for(sub { http($url . 'api/v1/show/servers')->{body} =~ /"state":"down"/ }, 20, 'a server to be down');

# The page as it is some polls later; what the browser logs goes to a file of its own.
my $browse = sub ($name, $where, @options) {
	my $log = test_dir() . "/chromium-$name.log";
	my @command = ($chromium, qw(--headless=new --no-sandbox --disable-gpu --no-first-run
	    --disable-dev-shm-usage --enable-logging=stderr --virtual-time-budget=9000),
	    '--user-data-dir=' . test_dir() . "/chromium-$name", @options, $where);
	my $pid = open(my $out, '-|') // die "fork: $!";

	if ($pid == 0) {
		open STDERR, '>', $log or die;
		exec @command or exit 127;
	}
	binmode $out, ':encoding(UTF-8)';
	my $dom = do { local $/; <$out> } // '';
	close $out;
	return ($dom, [grep { /CONSOLE/ } split /\n/, read_file($log)]);
};

my ($dom, $console) = $browse->('dom', $url, '--dump-dom', '--window-size=1280,900');
is_deeply($console, [], 'nothing is said in the console');
like($dom, qr/id="trouble"[^>]* hidden/, 'no trouble is told');
my %row = map { /data-key="([^"]+)"/ ? ($1 => $_) : () } $dom =~ m{(<tr\b.*?</tr>)}gs;
my %expected = ('imap/d01' => 'up', 'imap/d02' => 'drain', 'imap/d03' => 'maintenance', 'pop3/d01' => 'down');
for my $key (sort keys %expected) {
	like($row{$key} // '', qr/class="badge \w+">[^<]*\b$expected{$key}</, "$key is $expected{$key}");
}
like($row{'pop3/d01'}, qr/L4CON/, 'the last check of who is down');
like($row{'pop3/d01'}, qr/refused/, 'and why');
like($row{'imap/d01'}, qr/<polyline points="\d[^"]* \d/, 'a sparkline has points');
like($row{imap}, qr/127\.0\.0\.1:\d+/, 'a listener');
unlike($dom, qr/<button[^>]*>Drain/, 'no buttons where nothing may be changed');
like($dom, qr/class="badge bad"[^>]*>[^<]*pool pop3: no server takes sessions/, 'it is not ready, and why');

# parts that those who do not see it go by
like($dom, qr/<html lang="en">/, 'its language');
like($dom, qr/<caption>imap/, 'tables have captions');
like($dom, qr/scope="col"/, 'columns have heads');
like($dom, qr/scope="row"/, 'rows too');
like($dom, qr/aria-live="polite"/, 'changes are told');
my @headings = $dom =~ /<h([1-6])\b/g;
is($headings[0], 1, 'headings begin with the first');
ok(!(grep { $headings[$_] > $headings[$_ - 1] + 1 } 1 .. $#headings), 'and leave none out');

# as it looks
for my $shot (['desktop-light', '1280,1000'], ['desktop-dark', '1280,1000', '--force-dark-mode'],
    ['phone-light', '500,1400'], ['phone-dark', '500,1400', '--force-dark-mode']) {
	my ($name, $size, @more) = @$shot;
	unlink "$shots/$name.png";
	my (undef, $said) = $browse->($name, $url, "--window-size=$size", "--screenshot=$shots/$name.png",
	    '--hide-scrollbars', @more);
	is_deeply($said, [], "$name: nothing is said");
	cmp_ok(-s "$shots/$name.png" // 0, '>', 10_000, "$shots/$name.png");
}

# who may change things has buttons
my $admin = 'http://alice:secret@127.0.0.1:' . $gatepost->port('admin') . '/';
my $index = http('http://127.0.0.1:' . $gatepost->port('admin') . '/api/v1', '-u', 'alice:secret')->{json}->();
my $can = grep { $_->{name} eq 'set server' || $_->{name} eq 'ready' } @{ $index->{commands} };
($dom, $console) = $browse->('admin', $admin, '--dump-dom');
is_deeply($console, [], 'nothing is said to an admin');
like($dom, qr/id="trouble"[^>]* hidden/, 'a page whose address has a password in it has its answers');
if ($can) {
	like($dom, qr/<button[^>]*aria-label="[^"]* imap\/d01"[^>]*>Drain/, 'a drain button');
} else {
	like($dom, qr/data-key="imap\/d01"/, 'without such commands, the rest is there');
}
$gatepost->stop;
done_testing;
