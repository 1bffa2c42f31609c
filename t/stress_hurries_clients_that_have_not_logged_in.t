#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Stress: when nearly all connections are in use, idle clients that have not
# logged in go first, and one error is one too many; users notice nothing, nor
# do clients of a listener that has room.  It is over some time after.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Fake;
use Gatepost::Gatepost;
use Gatepost::Imap;
use Gatepost::Process qw(wait_for);
use Test::More;
use Time::HiRes qw(time);

my ($max, $users, $calm_max) = (40, 10, 64);
my $fake = Gatepost::Fake->new(name => 'server', script => [
	[send => "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] ready\r\n"],
	[expect => qr/^(\S+) AUTHENTICATE[^\r\n]*\r\n/m], [send => sub ($tag) { "$tag OK in\r\n" }],
	[expect => qr/^(\S+) NOOP\r\n/m], [send => sub ($tag) { "$tag OK\r\n" }], ['hold'],
])->start;
my $config = <<'END';
pool imap { port @SERVER@; server s1 { address 127.0.0.1 } }
default listener { protocol imap; pool imap; starttls off; plaintext_login yes; login_timeout 10m }
END
my $gatepost = Gatepost::Gatepost->new(values => { SERVER => $fake->port, MAX => $max }, config => <<"END")->start;
stress auto
max_connections \@MAX\@
$config
listener imap { bind 127.0.0.1:\@PORT{imap}\@ }
listener few { bind 127.0.0.1:\@PORT{few}\@; max_connections 4 }
END

sub connect_to ($listener, $to = $gatepost) { return Gatepost::Imap->new(port => $to->port($listener), greeting => 0) }
sub greeted ($listener) {
	my $client = connect_to($listener);

	$client->line;
	return $client;
}
sub is_logged ($pattern, $name) {
	return ok(eval { $gatepost->wait_for_log($pattern, 60) }, $name) || diag($@);
}
wait_for(sub { $gatepost->events('session') >= 2 }, 10, 'the first connections to be over');

# A listener's own stress is its clients' alone.
my @few = map { connect_to('few') } 1 .. 4;
is_logged(qr/warning: few: stress level 2 \(was 0\): 100 % of connections/, 'a listener that is full is under stress');
like($few[0]->line, qr/^\* OK/, 'its client is greeted');
$few[0]->send_bytes("a NONSENSE\r\n");
like($few[0]->line, qr/^a BAD/, 'hears of its error');
like($few[0]->line, qr/^\* BYE/, 'and has made one too many');
my $calm = greeted('imap');
$calm->send_bytes("a NONSENSE\r\n");
like($calm->line, qr/^a BAD/, 'at another listener, too');
like($calm->cmd('CAPABILITY'), qr/ OK/, 'but may stay');
is_deeply([map { $_->{listener} // '' } $gatepost->wait_for_event('stress', { state => 2, before => 0,
    reason => qr/connections/ })], ['few'], 'an event tells');
$_->close for @few, $calm;
is_logged(qr/notice: few: stress level 0 \(was 1\): there is no more cause/, 'it is over');

my @users = map { greeted('imap') } 1 .. $users;
like($_->cmd('LOGIN u p'), qr/ OK/, 'a user logs in') for @users;
my @idle = map { greeted('imap') } 1 .. 23;
is_logged(qr/warning: stress level 1 \(was 0\): 8\d % of connections/, 'with four fifths the first level is entered');
push @idle, map { connect_to('imap') } 1 .. 12;
is_logged(qr/warning: stress level 2 \(was 1\): (?:9[5-9]|100|10[0-9]) % of/, 'when they run out the second');
my $start = time;
my @ends = grep { $_->{reason} eq 'login timeout' } $gatepost->wait_for_events('session', 5 + 2 + 23, 60);
cmp_ok(scalar @ends, '>=', 23, 'idle clients are gone');
diag(sprintf 'after %.1f s', time - $start);
like($idle[0]->line, qr/^\* BYE/, 'they were told');
ok(eval { wait_for(sub { $idle[-1]->fill(time + 0.1); $idle[-1]->{in} =~ /^\* OK/ }, 60, 'room') }, 'who waited has a place');
like($_->cmd('NOOP'), qr/ OK/, 'the users are there') for @users;
is_logged(qr/notice: stress level 1 \(was 2\)/, 'then the first level');
is_logged(qr/notice: stress level 0 \(was 1\)/, 'and none');
$gatepost->stop;

# A listener that is flooded leaves the last places to the others.
$gatepost = Gatepost::Gatepost->new(name => 'fair', values => { SERVER => $fake->port, MAX => $calm_max },
    config => <<"END")->start;
max_connections \@MAX\@
threads 1
stress off
$config
listener flooded { bind 127.0.0.1:\@PORT{flooded}\@ }
listener other { bind 127.0.0.1:\@PORT{other}\@ }
END
wait_for(sub { $gatepost->events('session') >= 2 }, 10, 'the first connections to be over');
my @flood = map { connect_to('flooded') } 1 .. 2 * $calm_max;
ok(eval { wait_for(sub { ($gatepost->ask('show info') =~ /^CurrConns: (\d+)/m ? $1 : 0) >= $calm_max - 2 }, 20, 'the flood') },
    'a listener is flooded') or diag($@);
my $other = connect_to('other');
like($other->line(10), qr/^\* OK/, 'a client of another one is greeted');
unlike($gatepost->log_text, qr/stress/, 'nobody is under stress where it is off');
$gatepost->stop;
done_testing;
