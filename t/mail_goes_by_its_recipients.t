#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Routes send mail to Postfixes by the domain of its first recipient; who
# belongs elsewhere is put off, and comes in a mail of its own in the same
# session.  A reload that moves a domain counts for the next mail.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Gatepost;
use Gatepost::Postfix;
use Gatepost::Smtp;
use Test::More;

plan skip_all => 'needs root' if $> != 0;

my %main = (mydestination => '', virtual_mailbox_domains => 'example.com, example.net, example.org');
my %servers = map { $_ => Gatepost::Postfix->new(name => $_, xclient => '127.0.0.1', main => {%main}) }
    qw(world eu);
$_->start for values %servers;
my $config = <<'END';
hostname mx.example.com
default pool { check { kind none }; protocol smtp }
pool world { server s { address 127.0.0.1:@WORLD@ } }
pool eu { server s { address 127.0.0.1:@EU@ } }
listener smtp {
    bind 127.0.0.1:@PORT{smtp}@; starttls off; pool world
    route eu { recipient_domain DOMAIN; pool eu }
}
END
my $gatepost = Gatepost::Gatepost->new(values => { WORLD => $servers{world}->port, EU => $servers{eu}->port },
    config => $config =~ s/DOMAIN/example.net/r)->start;
my $c = Gatepost::Smtp->new(port => $gatepost->port('smtp'), timeout => 20);
$c->ehlo('client.example.org');

# One mail to these, in this session; the recipients that were not put off.
sub send_mail ($subject, @to) {
	my @taken;

	$c->expect('250', 'MAIL FROM:<alice@example.org>');
	for my $to (@to) {
		my $reply = $c->cmd("RCPT TO:<$to>");
		if ($reply =~ /^250 /) {
			push @taken, $to;
		} else {
			is($reply, "451 4.3.0 Send to this recipient in a mail of its own", "$subject: $to is put off");
		}
	}
	$c->expect('354', 'DATA');
	$c->expect('250', "Subject: $subject\r\n\r\nHello.\r\n.");
	return @taken;
}

is_deeply([send_mail('first', 'bob@example.net', 'carol@example.com', 'dora@EXAMPLE.NET')],
    ['bob@example.net', 'dora@EXAMPLE.NET'], 'a mail has the recipients of one pool');
is_deeply([send_mail('second', 'carol@example.com')], ['carol@example.com'], 'the other comes behind it');
$gatepost->configure($config =~ s/DOMAIN/example.com/r);
$gatepost->reload;
is_deeply([send_mail('third', 'carol@example.com')], ['carol@example.com'], 'and again behind a reload');
$c->expect('221', 'QUIT');
my %wanted = (eu => { first => 2, third => 1 }, world => { second => 1 });
for my $name (sort keys %servers) {
	for my $subject (sort keys %{ $wanted{$name} }) {
		$servers{$name}->wait_for_messages(qr/^Subject: $subject$/m, $wanted{$name}{$subject});
		pass("$name has the $subject");
	}
	my $count = () = $servers{$name}->messages;
	my $sum = 0;
	$sum += $_ for values %{ $wanted{$name} };
	is($count, $sum, "$name has nothing else");
}
$gatepost->stop;
done_testing;
