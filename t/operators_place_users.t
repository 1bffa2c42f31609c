#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Where a user is, or would be, as scripts ask; why; who is bound to which server; and a move: the sessions end,
# the next ones are elsewhere.  Mail for several users goes to several servers within one session.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Dovecot;
use Gatepost::Gatepost;
use Gatepost::Imap;
use Gatepost::Port qw(free_port own_address);
use Gatepost::Process qw(wait_for);
use Gatepost::Smtp;
use Test::More;

use constant USERS => 12;

my ($port, $lmtp_port) = (free_port(), free_port());
my %dovecot = map { ("d$_" => Gatepost::Dovecot->new(name => "d$_", address => own_address($_), port => $port,
    lmtp => 1, lmtp_port => $lmtp_port, users => USERS)->start) } 1 .. 2;
my %address = map { $_ => $dovecot{$_}->address } keys %dovecot;

sub config (%state) {
	my $servers = join '', map { "server $_ { address $address{$_}; state " . ($state{$_} // 'ready') . " }\n" }
	    sort keys %address;

	return <<~"END";
		users { default_domain example.com; master_separator * }
		farm f { affinity 15m
		$servers}
		pool imap { farm f; port \@SERVER_PORT\@; close_spread 0s }
		pool lmtp { farm f; port \@LMTP_PORT\@ }
		pool hashed { protocol imap; balance user; server d1 { address \@D1\@:\@SERVER_PORT\@ } }
		pool mail { protocol tcp; server x { address 127.0.0.1:1 } }
		default listener { starttls off }
		listener mail { protocol tcp; bind 127.0.0.1:\@PORT{mail}\@; pool mail }
		listener imap { bind 127.0.0.1:\@PORT{imap}\@; plaintext_login yes; pool imap }
		listener lmtp { bind 127.0.0.1:\@PORT{lmtp}\@; pool lmtp }
		END
}

my $gatepost = Gatepost::Gatepost->new(config => config(),
    values => { SERVER_PORT => $port, LMTP_PORT => $lmtp_port, D1 => $address{d1} },
    wait => [qw(imap lmtp)])->start;

sub come ($n) {
	my $client = Gatepost::Imap->new(port => $gatepost->port('imap'), timeout => 20);
	$client->login_as($n);
	return $client;
}
sub servers_of ($n) {
	return join ' ', map { $_->{servers} =~ s{.*/(\w+).*}{$1}r }
	    @{ $gatepost->ask_json("show sess all user user$n state relay") };
}
sub place ($n) {
	my ($row) = grep { $_->{farm} eq 'f' } @{ $gatepost->ask_json("user user$n") };
	return $row;
}

# What `where` says before the login is where the login goes.
my %where = map { $_ => $gatepost->ask("where user$_") } 1 .. USERS;
my %server = map { $_ => $where{$_} =~ s/ .*\n//r } keys %where;
is_deeply({ map { $_ => 1 } values %server }, { d1 => 1, d2 => 1 }, 'the hash has some at both');
is($where{1}, "$server{1} $address{$server{1}}\n", 'where a user would be, with the address');
is($gatepost->ask('where USER1@example.com'), $where{1}, 'in another spelling');
is($gatepost->ask('where user1*master'), $where{1}, 'with a master user');
is($gatepost->ask('where user1 imap'), $where{1}, 'of a protocol');
is($gatepost->ask('where user1 pop3'), "There is no pool for pop3 whose users belong on one server.\n",
    'of one without a listener');
is($gatepost->ask('where user1 tcp'), "There is no pool for tcp whose users belong on one server.\n",
    'of one whose clients go anywhere');
like($gatepost->ask('where'), qr/^'where' takes a user's name/, 'of nobody');
is_deeply($gatepost->ask_json('where user1'), { server => $server{1}, address => $address{$server{1}},
    bound => JSON::PP::false() }, 'as JSON');
my $place = place(1);
is_deeply([@{$place}{qw(server bound since sessions why)}], [$server{1}, JSON::PP::false(), undef, 0,
    'not bound: by the hash'], 'why it would be there');
is_deeply($gatepost->ask_json('users'), [], 'nobody is bound, though many were asked about');

my %client = map { $_ => come($_) } 1 .. USERS;
is_deeply({ map { $_ => servers_of($_) } 1 .. USERS }, \%server, 'all are where it was said');
is($gatepost->ask('where user1'), $where{1}, 'and are found there');
$place = place(1);
is_deeply([@{$place}{qw(server bound sessions why)}], [$server{1}, JSON::PP::true(), 1,
    'bound where the hash has the user'], 'why it is there');
like($place->{since}, qr/^\d+$/, 'since when');
my ($hashed) = grep { $_->{farm} eq 'hashed' } @{ $gatepost->ask_json('user user1') };
is("$hashed->{server} $hashed->{why} $hashed->{sessions}", 'd1 not bound: by the hash 0', 'a pool that goes by the hash');
my %bound = map { $_->{user} => "$_->{farm} $_->{server} $_->{sessions}" } @{ $gatepost->ask_json('users') };
is_deeply(\%bound, { map { ("user$_\@example.com" => "f $server{$_} 1") } 1 .. USERS }, 'who is bound');
is_deeply([sort map { $_->{user} } @{ $gatepost->ask_json('users server d1 farm f') }],
    [sort map { "user$_\@example.com" } grep { $server{$_} eq 'd1' } 1 .. USERS], 'to one server');
is_deeply($gatepost->ask_json('users farm g'), [], 'of a farm that there is not');
is($gatepost->ask('users nonsense'), "'users' takes server NAME and farm NAME.\n", 'a word that is none');

# A message to two users: two servers in one session.
my ($on1) = grep { $server{$_} eq 'd1' } 1 .. USERS;
my ($on2) = grep { $server{$_} eq 'd2' } 1 .. USERS;
my $mta = Gatepost::Smtp->new(port => $gatepost->port('lmtp'), timeout => 20);
$mta->expect('250', 'LHLO mta.example.org');
$mta->expect('250', 'MAIL FROM:<s@example.org>');
$mta->expect('250', "RCPT TO:<user$_\@example.com>") for $on1, $on2;
my ($delivering) = grep { $_->{listener} eq 'lmtp' } @{ $gatepost->ask_json('show sess all') };
is(join(' ', sort split /, /, $delivering->{servers}), 'lmtp/d1 (relaying) lmtp/d2 (relaying)', 'both servers are told of');
is($delivering->{helo}, 'mta.example.org', 'and what the client calls itself');
is($_->{session}, $delivering->{session}, 'it is found at either') for map { @{ $gatepost->ask_json("show sess server lmtp/$_") } }
    qw(d1 d2);
is_deeply([map { "$_->{server} $_->{sessions}" } grep { $_->{server} =~ /lmtp/ } @{ $gatepost->ask_json('who server') }],
    ['lmtp/d1 1', 'lmtp/d2 1'], 'and is one at each');
is($gatepost->ask('kick client 127.0.0.1 reason "too many"') =~ s/\D//gr, USERS + 1, 'all are kicked, it too');
is($client{$_}->rest, "* BYE [UNAVAILABLE] Please connect again.\r\n", "user$_ hears so") for 1 .. USERS;
like($mta->cmd('RSET'), qr/^250/, 'the message is given up: a boundary');
is($mta->reply, '421 4.3.2 Please connect again.', 'and the MTA hears so');

# A move.
my $other = { d1 => 'd2', d2 => 'd1' }->{ $server{1} };
$client{$_} = come(1) for 1 .. 2;
my $bystander = come(2);
is_deeply($gatepost->ask_json("user user1 move $other"), { user => 'user1@example.com', server => $other, kicked => 2 },
    'a user is moved');
is($client{$_}->rest, "* BYE [UNAVAILABLE] Please connect again.\r\n", 'the sessions hear so') for 1 .. 2;
like($bystander->cmd('NOOP'), qr/ OK/, 'others go on');
like($gatepost->wait_for_log(qr/ moves user /), qr/: uid \d+ \(pid \d+\) moves user user1\@example\.com to $other$/, 'the log');
my ($move) = grep { $_->{kind} eq 'move' } @{ $gatepost->ask_json('show changes') };
is("$move->{subject} $move->{what} $move->{now}", "user1\@example.com binding $other", 'and show changes');
like($move->{who}, qr/^uid \d+ /, 'by whom');
$client{1} = come(1);
is(servers_of(1), $other, 'the next session is there');
is($gatepost->ask('where user1'), "$other $address{$other}\n", 'which is said');
is(place(1)->{why}, "bound: by the hash it would be $server{1}", 'and why');
my $there = $gatepost->ask('where newcomer') =~ s/ .*\n//r eq 'd1' ? 'd2' : 'd1';
like($gatepost->ask("user newcomer move $there"), qr/^user: newcomer\@example\.com\nserver: $there\nkicked: 0\n\z/,
    'one who is not bound is moved too');
is($gatepost->ask('where newcomer'), "$there $address{$there}\n", 'and bound there');
for (["user user1 move d9", qr/^No such server\.$/], ['user user1 move x', qr/^Users are not bound to the servers of mail/],
    ["operator; user user1 move $other", qr/^Permission denied$/m], ['user', qr/^$/],
    [qq(user "" move $other), qr/^'user' takes/], ['where ""', qr/^'where' takes/],
    ['kick user ""', qr/^'' is no user's name/], ['show sess user ""', qr/^'' is no user's name/], ['trace user ""', qr/^Which user/], ['user a b', qr/^'user' takes/]) {
	like($gatepost->ask($_->[0]), $_->[1], "`$_->[0]` is refused");
}

# Who only looks is in no log: scripts ask often.
is(scalar(grep { $_->{command} =~ /^(?:where|users|user \S+$|who|route)/ } $gatepost->events('admin')), 0,
    'questions are no events');
is((grep { $_->{command} eq "user user1 move $other" } $gatepost->events('admin'))[0]{operator} =~ /^uid \d+ / ? 1 : 0, 1,
    'a move is one');

# Its server is drained, or in maintenance.
ok($gatepost->configure(config($other => 'drain'))->reload, 'drain');
is(place(1)->{why}, "bound to a server that takes no others: by the hash it is $server{1}", 'a drained server');
is($gatepost->ask('where user1'), "$other $address{$other}\n", 'keeps its users');
ok($gatepost->configure(config($other => 'maintenance'))->reload, 'maintenance');
is($gatepost->ask('where user1'), $where{1}, 'a server in maintenance does not');
like($gatepost->ask("user user2 move $other"), qr/^$other is down or in maintenance\.$/, 'and is given none');
$gatepost->stop;
$_->stop for values %dovecot;
done_testing;
