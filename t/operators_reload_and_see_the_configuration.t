#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# `reload` answers what came of it: what is new, or every error with its place, and nothing has changed then.
# `show config` is the configuration in force, as gatepost -T prints it and without secrets; `show reload`
# knows the hash of its file.  A server that is each address of a name is drained with all of them, those that
# come later too.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Digest::SHA qw(sha256_hex);
use Gatepost::Dnsmasq;
use Gatepost::Gatepost;
use Gatepost::Process qw(read_file wait_for);
use Test::More;

my %record = map { ($_ => "host-record=farm.test,127.0.0.$_") } 2 .. 4;
my $dns = Gatepost::Dnsmasq->new(name => 'dns', records => [@record{2, 3}])->start;
my $config = <<'END';
nameservers 127.0.0.1:@DNS@
auth prov { source redis; redis redis://user:hidden@127.0.0.1:1/0; key "u:$user" }
farm f { server d { address farm.test:1; resolve all }; server e { address 127.0.0.1:1 } }
pool imap { farm f }
pool other { protocol imap; server e { address 127.0.0.1:1 } }
listener imap { bind 127.0.0.1:@PORT{imap}@; starttls off; plaintext_login yes; pool imap
    route eu { domain example.de; pool other }
    auth prov
}
END
$config .= "limits l$_ { exempt 10.0.$_.0/24 }\n" for 1 .. 20;
my $gatepost = Gatepost::Gatepost->new(values => { DNS => $dns->port }, config => $config)->start;

# The configuration.
my $shown = $gatepost->ask('show config');
is($shown, `$ENV{GATEPOST} -T -c $gatepost->{conf}`, 'show config is what -T prints');
unlike($shown, qr/hidden/, 'without secrets');
is($gatepost->ask_json('show config')->{config}, $shown, 'all of it as JSON, too');
cmp_ok(length $shown, '>', 4096, 'though it is long');
my $first = $gatepost->ask_json('show reload');
is($first->{generation}, 1, 'the first generation');
is($first->{hash}, sha256_hex(read_file($gatepost->{conf})), 'of this file');
is($first->{result}, undef, 'nothing was reloaded yet');

# A good one, a bad one.
$gatepost->configure("$config\npool late { protocol imap; server e { address 127.0.0.1:1 } }\n");
like($gatepost->ask('reload'), qr/^reloaded: listeners: 1 kept; pools: 2 kept, late new/, 'what is new');
my $second = $gatepost->ask_json('show reload');
is($second->{generation}, 2, 'the second');
is($second->{hash}, sha256_hex(read_file($gatepost->{conf})), 'of another file');
$gatepost->configure("$config\npool imap { protocol imap }\npool bad { retries many }\n");
my $answer = $gatepost->ask('reload');
like($answer, qr/gatepost\.conf:\d+:\d+: .*imap/, 'errors have their places');
like($answer, qr/gatepost\.conf:\d+:\d+: .*many.*\n.*retries many \}\n\s*\^/, 'all of them, with a caret');
like($answer, qr/^reload failed, nothing changed: \d errors$/m, 'and nothing changed');
my $third = $gatepost->ask_json('show reload');
is($third->{generation}, 2, 'still the second');
ok($third->{last_reload_failed}, 'which is known');
is_deeply([$third->{hash}, $third->{loaded}], [@$second{qw(hash loaded)}], 'and nothing else has changed');
# what else is wrong in a line with a secret, before it or behind it
$gatepost->configure($config . 'auth web { retries 1; source http; url http://127.0.0.1:1/; header X-Key "hidden"; shoe 7 }' . "\n");
$answer = $gatepost->ask('reload');
is(() = $answer =~ /gatepost\.conf:\d+:\d+: .*(?:retries|shoe)/g, 2, 'both are told');
unlike($answer . $gatepost->log_text . `$ENV{GATEPOST} -t -c $gatepost->{conf} 2>&1`, qr/hidden/, 'without the secret');
$gatepost->configure($config);
like($gatepost->ask('reload'), qr/^reloaded: /, 'a good one again');
is($gatepost->ask('operator; reload') =~ s/^\n//r, "Permission denied\n", 'who may not, does not');

# Where a client would go.
sub steps ($words) { return { map { ($_->{step} => $_) } @{ $gatepost->ask_json("route explain $words") } } }
is(steps('imap user Bob@Example.DE')->{pool}{why}, 'route eu matches', 'explain: a route');
is(steps('imap user Bob@Example.DE')->{user}{value}, 'bob@example.de', 'of the canonical name');
my $steps = steps('imap user bob client 192.0.2.1 sni mail.example.com');
is($steps->{pool}{why}, 'no route matches', 'explain: none');
is($steps->{auth}{value}, 'prov', 'the source that is asked');
like($gatepost->ask('route explain none'), qr/^No such frontend/, 'a listener that there is not');
like($gatepost->ask('route explain imap client nobody'), qr/^'nobody' is no address/, 'an address that is none');
like($gatepost->ask('route explain imap shoe 7'), qr/^'shoe' is not understood/, 'a word that means nothing');

# A name's addresses.
sub drained () { return [sort map { $_->{server} } @{ $gatepost->ask_json('show drain') }] }
is($gatepost->ask('drain d reason move'), '', 'a name is drained');
is_deeply(drained(), ['imap/d@127.0.0.2', 'imap/d@127.0.0.3'], 'with each address');
like($gatepost->ask('drain e'), qr/^e is a server of \w+ and of \w+: say which\.$/, 'one name of two servers');
$dns->change(@record{3, 4});
$gatepost->wait_for_log(qr/notice: farm f: d is now .*127\.0\.0\.4/, 30);
is_deeply(drained(), ['imap/d@127.0.0.3', 'imap/d@127.0.0.4'], 'and those that come later');
is_deeply($gatepost->ask_json('kick server d'), { sessions => 0 }, 'sessions at all of its addresses are ended');
is_deeply($gatepost->ask_json('kick server imap/d'), { sessions => 0 }, 'or those of a service');
like($gatepost->ask('kick server e'), qr/^e is a server of \w+ and of \w+: say which\.$/, 'of one of two servers');
is($gatepost->ask('ready d@127.0.0.3'), '', 'one address alone');
is_deeply(drained(), ['imap/d@127.0.0.4'], 'is ready');
is($gatepost->ask('ready d'), '', 'all are');
is_deeply(drained(), [], 'nothing is drained');

$gatepost->stop;
$dns->kill_now;
done_testing;
