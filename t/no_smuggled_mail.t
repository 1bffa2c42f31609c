#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Whatever stands for an end of mail data somewhere, gatepost and the server
# agree about it: with each known sequence, in one segment or byte by byte,
# one message arrives or none, and never a second one that was hidden in it.
# The servers are as lenient as Postfix was before it knew.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Cert qw(make_cert);
use Gatepost::Gatepost;
use Gatepost::Postfix;
use Gatepost::Smtp;
use Test::More;

plan skip_all => 'needs root' if $> != 0;

my %lenient = (smtpd_forbid_bare_newline => 'no', smtpd_forbid_unauth_pipelining => 'no',
    smtpd_hard_error_limit => 1000, smtpd_soft_error_limit => 1000);
my %servers = (
	smtp => Gatepost::Postfix->new(name => 'mx', xclient => '127.0.0.1', main => \%lenient),
	submission => Gatepost::Postfix->new(name => 'out', xclient => '127.0.0.1', sasl => 'any',
	    main => \%lenient),
);
$_->start for values %servers;
my $gatepost = Gatepost::Gatepost->new(values => { CERT => make_cert(),
    map { uc $_ => $servers{$_}->port } keys %servers }, config => <<'END')->start;
tls main { certificate @CERT@ }
pool smtp { server mx { address 127.0.0.1:@SMTP@ } }
pool submission { server out { address 127.0.0.1:@SUBMISSION@ } }
listener smtp { bind 127.0.0.1:@PORT{smtp}@; tls main; pool smtp }
listener submission { bind_tls 127.0.0.1:@PORT{submission}@; tls main; pool submission }
END

# After each of these a second message follows in the data of the first.
my %ends = (
	'LF.LF' => "\n.\n", 'LF.CR' => "\n.\r", 'CR.LF' => "\r.\n", 'CR.CR' => "\r.\r",
	'LF.CRLF' => "\n.\r\n", 'CR.CRLF' => "\r.\r\n", 'CRLF.LF' => "\r\n.\n", 'CRLF.CR' => "\r\n.\r",
	'CRLF.CRCRLF' => "\r\n.\r\r\n", 'CRCRLF.CRCRLF' => "\r\r\n.\r\r\n", 'CRCRLF.CRLF' => "\r\r\n.\r\n",
	'CRLF NUL.CRLF' => "\r\n\0.\r\n", 'CRLF.NUL CRLF' => "\r\n.\0\r\n", 'CRLF ". "CRLF' => "\r\n. \r\n",
	'LFLF.LF' => "\n\n.\n", 'CRLF.CRCR' => "\r\n.\r\r", 'CRCR.CRLF' => "\r\r.\r\n",
	'LF.CRCRLF' => "\n.\r\r\n", 'CRLF..CRLF' => "\r\n..\r\n",
);
my %is_bare = map { $_ => 1 } grep { $ends{$_} =~ /\r(?!\n)|(?<!\r)\n/ } keys %ends;

# How the bytes are cut into segments; a long one is looked at in blocks.
my %ways = (
	whole => sub ($c, $first, $end, $second) { $c->send_bytes($first . $end . $second) },
	long => sub ($c, $first, $end, $second) { $c->send_bytes(('x' x 300) . $first . $end . $second) },
	cut => sub ($c, $first, $end, $second) {
		$c->send_bytes($first . substr $end, 0, -1)->send_bytes(substr($end, -1) . $second);
	},
	bytes => sub ($c, $first, $end, $second) { $c->send_slowly($first . $end . $second) },
);

sub message ($tag) { return "From: a\@example.org\r\nSubject: $tag\r\n\r\nHello.\r\n" }

sub transaction ($tag, $mark) {
	return "MAIL FROM:<a\@example.org>\r\nRCPT TO:<b\@example.com>\r\nDATA\r\n" . message("$mark-$tag");
}

sub open_client ($port, $listener) {
	my $c = Gatepost::Smtp->new(port => $port, tls => $listener eq 'tls', timeout => 20);
	$c->ehlo;
	$c->auth('anna', 'any') =~ /^235/ or die 'no login' if $listener eq 'tls';
	return $c;
}

# Up to DATA or the name of another command.
sub client ($listener, $ends_in = 'DATA', $code = '354') {
	my $c = open_client($gatepost->port($listener), $listener eq 'submission' ? 'tls' : '');

	$c->expect('250', 'MAIL FROM:<a@example.org>');
	$c->expect('250', 'RCPT TO:<b@example.com>');
	$c->expect($code, $ends_in);
	return $c;
}

sub is_hidden ($text, $tag) { return $text =~ /\A(?:(?!\n\n).)*^Subject: second-\Q$tag\E$/ms }

# Without gatepost, these servers are easily fooled.
for my $postfix (values %servers) {
	my $c = open_client($postfix->port, '');
	my $tag = "direct-$postfix->{name}";
	$c->send_bytes(transaction($tag, 'first') . "\n.\n" . transaction($tag, 'second')
	    . "\r\n.\r\nQUIT\r\n");
	$c->rest;
	my @found = $postfix->wait_for_messages(qr/^Subject: \w+-$tag$/m, 2);
	is(scalar @found, 2, "$tag: there are two");
}

my $number = 0;
my %sent;	# by listener
for my $listener (sort keys %servers) {
	for my $name (sort keys %ends) {
		for my $way (sort keys %ways) {
			my $tag = 't' . ++$number . 't';
			my $c = client($listener);
			# where the connection was ended meanwhile, writing fails
			eval {
				$ways{$way}->($c, message("first-$tag") . 'text', $ends{$name},
				    transaction($tag, 'second') . "\r\n.\r\n");
				$c->send_bytes("QUIT\r\n");
			};
			push @{ $sent{$listener} }, { tag => $tag, name => "$listener, $name, $way",
			    is_bare => $is_bare{$name}, replies => [split /\r\n/, $c->rest] };
			$c->close;
		}
	}
	my $tag = "chunk-$listener";
	my $text = message("first-$tag") . "\n.\n" . transaction($tag, 'second') . "\r\n.\r\n";
	my $c = client($listener, 'NOOP', '250');
	$c->send_bytes(sprintf "BDAT %d LAST\r\n%sQUIT\r\n", length $text, $text);
	push @{ $sent{$listener} }, { tag => $tag, name => $tag, is_bare => 0,
	    replies => [split /\r\n/, $c->rest] };
}

for my $listener (sort keys %servers) {
	my $postfix = $servers{$listener};
	$postfix->wait_until_quiet;
	my @messages = map { $_->{text} } $postfix->messages;
	for my $case (@{ $sent{$listener} }) {
		my @first = grep { /^Subject: first-$case->{tag}$/m } @messages;
		my @hidden = grep { is_hidden($_, $case->{tag}) } @messages;
		my $is_rejected = $listener eq 'submission' && $case->{is_bare};
		is(scalar @hidden, 0, "$case->{name}: no second message");
		is(scalar @first, $is_rejected ? 0 : 1, "$case->{name}: the first arrives as it should")
		    or diag(@{ $case->{replies} });
		is(scalar(grep { /^250 / } @{ $case->{replies} }), scalar @first,
		    "$case->{name}: it is acknowledged as often as it arrived");
		like($case->{replies}[0] // '', $is_rejected ? qr/^550 5\.5\.2 / : qr/^250 /,
		    "$case->{name}: the client hears so");
	}
}

like($gatepost->wait_for_log(qr/bare CR or LF in data\b/), qr/ submission /, 'what is rejected is logged');
like($gatepost->wait_for_log(qr/bare CR or LF in data was/), qr/ smtp /, 'as is what was made CRLF');
$gatepost->stop;
$_->stop_quietly for values %servers;
done_testing;
