#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Events hold no other fields than the manual says; rsyslog takes them with their structured data, and a
# journal their fields; fail2ban finds who guesses, in each form, and is not misled by odd names.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Dovecot;
use Gatepost::Gatepost;
use Gatepost::Imap;
use Gatepost::Login qw(log_in);
use Gatepost::Port qw(free_port own_address);
use Gatepost::Process qw(read_file run_command test_dir wait_for write_file);
use IO::Socket::UNIX;
use JSON::PP qw(decode_json);
use POSIX qw(_exit);
use Socket qw(SOCK_DGRAM);
use Test::More;

plan skip_all => 'needs rsyslogd and fail2ban-regex'
    if grep { !-x "/usr/sbin/$_" && !-x "/usr/bin/$_" } qw(rsyslogd fail2ban-regex);

my $dir = test_dir();
my $root = "$FindBin::Bin/..";
write_file("$dir/rsyslog.conf", <<"END");
module(load="imuxsock" SysSock.Use="off")
input(type="imuxsock" Socket="$dir/log" UseSpecialParser="off" RateLimit.Interval="0")
template(name="all" type="list") {
    property(name="jsonmesg") constant(value="\\n") }
template(name="plain" type="string" string="%timestamp% host %syslogtag%%msg:::sp-if-no-1st-sp%%msg%\\n")
action(type="omfile" file="$dir/syslog.json" template="all")
action(type="omfile" file="$dir/syslog.txt" template="plain")
END
my $rsyslog = Gatepost::Process->new(name => 'rsyslog', command => ['rsyslogd', '-n', '-f',
    "$dir/rsyslog.conf", '-i', "$dir/rsyslog.pid"])->start;
wait_for(sub { -S "$dir/log" }, 20, 'rsyslog');
my $journal = IO::Socket::UNIX->new(Local => "$dir/journal", Type => SOCK_DGRAM) or die "journal: $!";
my $receiver = fork // die "fork: $!";
if ($receiver == 0) {
	open my $file, '>>', "$dir/journal.hex" or _exit(1);
	while (defined $journal->recv(my $datagram, 65536)) {
		syswrite $file, unpack('H*', $datagram) . "\n";
	}
	_exit(0);
}
Gatepost::Process->new(name => 'journal')->adopt($receiver);

my $dovecot = Gatepost::Dovecot->new(name => 'dovecot', pop3 => 1, sieve_port => free_port(),
    relay_port => free_port())->start;
my $config = <<'END';
log { target stderr }
default listener { starttls off; plaintext_login yes; max_errors 4 }
default pool { check { kind none } }
pool imap { server d { address 127.0.0.1:@IMAP@ } }
pool pop3 { server d { address 127.0.0.1:@POP3@ } }
pool sieve { server d { address 127.0.0.1:@SIEVE@ } }
pool submission { server d { address 127.0.0.1:@SUBMISSION@ } }
pool empty { protocol imap; queue_timeout 10ms; server d { address 127.0.0.1:1 } }
listener imap { bind 127.0.0.1:@PORT{imap}@; pool imap }
listener pop3 { bind 127.0.0.1:@PORT{pop3}@; pool pop3 }
listener sieve { bind 127.0.0.1:@PORT{sieve}@; pool sieve }
listener submission { bind 127.0.0.1:@PORT{submission}@; pool submission }
listener empty { protocol imap; bind 127.0.0.1:@PORT{empty}@; pool empty }
END
my %target = (
	text => "log access { target $dir/text.log; unknown_user full }",
	json => "log access { target $dir/json.log; format json; unknown_user full }",
	rfc5424 => "log access { target syslog; socket $dir/log; syslog rfc5424; unknown_user full }",
	rfc3164 => "log access { target syslog; socket $dir/log; unknown_user full }",
	journal => "log access { target journal; socket $dir/journal; unknown_user full }",
);
my $gatepost = Gatepost::Gatepost->new(wait => [], values => { IMAP => $dovecot->port,
    POP3 => $dovecot->pop3_port, SIEVE => $dovecot->{sieve_port}, SUBMISSION => $dovecot->submission_port },
    config => "$target{text}\n$config")->start;

my @odd = ('x client=203.0.113.9 guess=1', '","client":"203.0.113.9","guess":1,"x":"',
    "\xc3\xa4 event login_failed session=1 listener=a protocol=b client=203.0.113.9 client_port=1 guess=1 ",
    '[203.0.113.9]');
my ($guesser, $friend, $broken) = map { own_address($_) } 11, 12, 13;

# Everything that is to be told, once.
sub happen () {
	for my $protocol (qw(imap pop3 sieve submission)) {
		my (undef, undef, $c) = log_in(protocol => $protocol, port => $gatepost->port($protocol),
		    tls => 'clear', mechanism => 'PLAIN', user => 'user1', password => 'wrong');
		$c->close;
	}
	for my $name (@odd) {
		my $c = Gatepost::Imap->new(port => $gatepost->port('imap'), from => $guesser);
		my $literal = '{' . length($name) . "+}\r\n$name";

		like($c->cmd("LOGIN $literal wrong"), qr/ NO /, 'a guess');
		$c->close;
	}
	my $c = Gatepost::Imap->new(port => $gatepost->port('imap'), from => $friend);
	like($c->cmd('LOGIN user2 pass-2'), qr/ OK/, 'a login');
	$c->cmd('LOGOUT');
	$c->close;
	$c = Gatepost::Imap->new(port => $gatepost->port("empty"), from => $friend);
	like($c->cmd('LOGIN user2 pass-2'), qr/ NO /, 'no server');
	$c->close;
	$c = Gatepost::Imap->new(port => $gatepost->port('imap'), from => $broken);
	$c->send_bytes(join '', map { "t$_ NONSENSE\r\n" } 1 .. 5);
	1 while defined $c->line;
	$c->close;
	return;
}
my $sessions = 11;		# of happen

# What fail2ban finds in a file: addresses with their numbers.
my $runs = 0;
sub found ($file, $mode) {
	my ($status, $out) = run_command('fail2ban-' . ++$runs, ['fail2ban-regex', '-v', '--raw',
	    $file, "$root/contrib/fail2ban/filter.d/gatepost.conf[mode=$mode]"]);
	my %found;

	is($status, 0, "fail2ban-regex reads $file") or diag($out);
	$found{$1}++ while $out =~ /^\|\s+(\S+)\s+\w{3} \w{3} \d\d \d\d:\d\d:\d\d \d{4}/mg;
	return \%found;
}
my %guesses = ('127.0.0.1' => 4, $guesser => scalar @odd);
my %all = (%guesses, $broken => 1);

sub check_file ($form, $file) {
	wait_for(sub { my $n = () = read_file($file) =~ /event"?[ :]"?session\b/g; $n >= $sessions }, 20,
	    "events in $file");
	is_deeply(found($file, 'normal'), \%guesses, "$form: fail2ban finds guesses alone");
	is_deeply(found($file, 'aggressive'), \%all, "$form: and who breaks the protocol, if it is to");
	return;
}

happen();
check_file('text', "$dir/text.log");
$gatepost->configure("$target{json}\n$config");
ok($gatepost->reload, 'JSON');
happen();
check_file('JSON', "$dir/json.log");

# the manual knows all fields
my ($status, $document) = run_command('document', [$ENV{GATEPOST}, '--document=log']);
my %known;
while ($document =~ /^\.It Ic (\w+)\n.*?Fields:\s+(.*?)\.\n/msg) {
	$known{$1} = { map { $_ => 1 } split /\s+/, $2 };
}
for my $event (map { decode_json($_) } split /\n/, read_file("$dir/json.log")) {
	my @strange = grep { !$known{$event->{event}}{$_} && !/^(?:time|event)$/ } keys %$event;
	is("@strange", '', "$event->{event}: its fields are in the manual") if @strange;
}
my ($first) = grep { /"login_failed"/ } split /\n/, read_file("$dir/json.log");
is(decode_json($first)->{mechanism}, 'PLAIN', 'the mechanism');
my @codes = map { $_->{code} } grep { $_->{event} eq 'session' } map { decode_json($_) } split /\n/,
    read_file("$dir/json.log");
is_deeply([sort @codes], [sort(('--') x 1, 'PR', ('CR') x 9)], 'termination codes');

$gatepost->configure("$target{rfc5424}\n$config");
ok($gatepost->reload, 'RFC 5424');
happen();
wait_for(sub { my $n = () = read_file("$dir/syslog.json") =~ /"msgid": ?"session"/g; $n >= $sessions }, 20,
    'events in syslog');
my @lines = map { decode_json($_) } split /\n/, read_file("$dir/syslog.json");
is_deeply([grep { $_->{'app-name'} // $_->{programname} } @lines] && [grep { $_->{programname} ne 'gatepost' } @lines],
    [], 'rsyslog knows the program');
my ($guess) = grep { $_->{msgid} eq 'login_failed' && $_->{structured_data} // $_->{'structured-data'} } @lines;
like($guess->{'structured-data'} // '', qr/^\[gatepost\@32473 session="[0-9a-f]+" listener="imap" /, 'the fields');
is(scalar(grep { ($_->{'structured-data'} // '') =~ /user="\\",\\"client\\":\\"203/ } @lines) > 0, 1,
    'odd values stay values');

unlink "$dir/syslog.txt";
$rsyslog->signal('HUP');
$gatepost->configure("$target{rfc3164}\n$config");
ok($gatepost->reload, 'RFC 3164');
happen();
wait_for(sub { my $n = () = read_file("$dir/syslog.txt") =~ /event session/g; $n >= $sessions }, 20, 'events in syslog');
check_file('RFC 3164', "$dir/syslog.txt");

$gatepost->configure("$target{journal}\n$config");
ok($gatepost->reload, 'the journal');
happen();
my (@datagrams, %seen);
wait_for(sub {
	@datagrams = map { pack 'H*', $_ } split /\n/, read_file("$dir/journal.hex");
	grep({ /^GATEPOST_EVENT=session\n/m } @datagrams) >= $sessions;
}, 20, 'events in the journal');
for my $datagram (@datagrams) {
	$seen{$1} = 1 if $datagram =~ /^GATEPOST_USER=(.*)\n/m;
	is(scalar(() = $datagram =~ /^PRIORITY=6$/mg), 1, 'a priority') if $datagram =~ /=login\n/;
}
is_deeply([grep { !$seen{$_} } @odd, 'user1', 'user2'], [], 'users as they are');

$gatepost->stop;
$rsyslog->signal('TERM');
$rsyslog->wait_for_end;
$dovecot->stop_quietly;
done_testing;
