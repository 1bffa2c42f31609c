#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Real senders, Postfix and swaks, pipelined, with STARTTLS and without, get through a greeting that takes its time
# and lists that are asked, the first time and the next; a Postfix that is listed has its mail bounced in the words
# of the list.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Cert qw(make_cert);
use Gatepost::Dnsmasq;
use Gatepost::Gatepost;
use Gatepost::Port qw(own_address);
use Gatepost::Postfix;
use Gatepost::Process qw(run_command wait_for);
use Gatepost::Smtp;
use Test::More;

plan skip_all => 'needs root' if $> != 0;

my %from = (good => own_address(1), bad => own_address(2), swaks => own_address(3));
my $listed = join '.', reverse split /\./, $from{bad};
my $dns = Gatepost::Dnsmasq->new(name => 'dns', records => ['local=/bl.test/', "address=/$listed.bl.test/127.0.0.2"])->start;
my $mx = Gatepost::Postfix->new(name => 'mx', xclient => '127.0.0.1')->start;
my $gatepost = Gatepost::Gatepost->new(values => { CERT => make_cert(), MX => $mx->port, DNS => $dns->port },
    config => <<~'END')->start;
	hostname mx.example.com
	nameservers 127.0.0.1:@DNS@
	tls main { certificate @CERT@ }
	screen mx { greeting_delay 1s; dnsbl bl.test }
	pool mx { protocol smtp; server mx { address 127.0.0.1:@MX@ } }
	listener mx { protocol smtp; bind 127.0.0.1:@PORT{mx}@; pool mx; tls main; screen mx }
	END

# A Postfix that sends all mail through gatepost, from an address of its own.
sub sender ($name, %main) {
	return Gatepost::Postfix->new(name => $name, domain => 'elsewhere.test', main => {
		default_transport => 'smtp:[127.0.0.1]:' . $gatepost->port('mx'), mynetworks => '127.0.0.0/8',
		smtp_bind_address => $from{$name}, smtp_host_lookup => 'native', smtp_destination_concurrency_limit => 1,
		smtp_connection_cache_on_demand => 'no', %main,
	})->start;
}

sub hand_over ($postfix, $subject) {
	my $c = Gatepost::Smtp->new(port => $postfix->port, timeout => 30);

	$c->ehlo;
	my $reply = $c->send_message(from => 'a@elsewhere.test', to => ['b@example.com'],
	    text => "From: a\@elsewhere.test\nSubject: $subject\n\nHello.\n");
	like($reply, qr/^250 /, "$subject: is on its way");
	$c->quit;
}

my $good = sender('good', smtp_tls_security_level => 'may');
for my $subject ('first of Postfix', 'second of Postfix') {
	hand_over($good, $subject);
	like($mx->wait_for_messages(qr/^Subject: $subject$/m)->{text}, qr/Hello/, "$subject: arrives");
}
my @events = grep { $_->{client} eq $from{good} } $gatepost->wait_for_events(screen => 1);
is_deeply([map { @$_{qw(result score)} } @events], ['passed', 0], 'it waited once');

my $bad = sender('bad');
hand_over($bad, 'of a listed one');
$bad->wait_for_maillog(qr/status=bounced .*550 5\.7\.1 Service unavailable; client \[\Q$from{bad}\E\] blocked using bl\.test/, 30);
pass('what a listed one sends comes back, and says why');
is(scalar($mx->messages(qr/listed one/)), 0, 'and does not arrive');
$gatepost->wait_for_event(message => { client => $from{bad}, from => 'a@elsewhere.test', refused_to => 'b@example.com' });

for my $tls ([], ['--tls']) {
	my ($status, $out) = run_command('swaks', ['swaks', '--server', '127.0.0.1', '--port', $gatepost->port('mx'),
	    '--local-interface', $from{swaks}, '--helo', 'swaks.example.org', @$tls, '--from', 'alice@example.org',
	    '--to', 'bob@example.com', '--h-Subject', "swaks @$tls", '--pipeline']);
	ok($mx->wait_for_messages(qr/^Subject: swaks @$tls$/m), "swaks @$tls: arrives") or diag($out);
}
$gatepost->stop;
done_testing;
