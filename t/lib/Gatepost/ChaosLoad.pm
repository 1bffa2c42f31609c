# SPDX-License-Identifier: BSD-2-Clause
#
# ChaosLoad.pm: users who come and go: clients of all protocols on one loop, each at a random proxy, who say a word
# now and then, and who come back at once where they were sent away; and one who sends mail.  What each of them saw
# is a line of JSON (see ChaosChecker.pm, `clients` and `mails`).
package Gatepost::ChaosLoad;
use v5.36;
use Errno qw(EAGAIN EINPROGRESS EINTR);
use IO::Socket::INET;
use JSON::PP ();
use MIME::Base64 qw(encode_base64);
use Socket qw(SOL_SOCKET SO_ERROR);
use Time::HiRes qw(time);

use constant {
	CONNECT_PATIENCE => 3, LOGIN_PATIENCE => 13, PATIENCE => 8,	# s
	STAY => [4, 25], WORD => [1, 5], AWAY => [0.1, 4], AGAIN => [0.1, 0.4], MAIL => [0.1, 0.5],
	RECIPIENTS_MAX => 3, SHOWN => 200,
};

# To log in: what is sent (the last has the password), what must come before and at the end; a word; a goodbye.
my %protocols = (
	imap => { greeting => qr/^\* OK.*\n/, login => [["a LOGIN %u %p\r\n", qr/^a OK/m, qr/^a (?:NO|BAD)/m]],
	    word => "n NOOP\r\n", answer => qr/^n OK/m, goodbye => "z LOGOUT\r\n" },
	pop3 => { greeting => qr/^\+OK.*\n/, login => [["USER %u\r\n", qr/^\+OK.*\n/m, qr/^-ERR.*\n/m],
	    ["PASS %p\r\n", qr/^\+OK.*\n/m, qr/^-ERR.*\n/m]],
	    word => "NOOP\r\n", answer => qr/^\+OK/m, goodbye => "QUIT\r\n" },
	sieve => { greeting => qr/^OK.*\n/m, login => [[qq(AUTHENTICATE "PLAIN" "%b"\r\n), qr/^OK.*\n/m, qr/^(?:NO|BYE).*\n/m]],
	    word => "NOOP\r\n", answer => qr/^OK/m, goodbye => "LOGOUT\r\n" },
	submission => { greeting => qr/^220 .*\n/m, login => [["EHLO client\r\n", qr/^250 .*\n/m, qr/^[45].*\n/m],
	    ["AUTH PLAIN %b\r\n", qr/^235.*\n/m, qr/^[45].*\n/m]],
	    word => "NOOP\r\n", answer => qr/^250/m, goodbye => "QUIT\r\n" },
);

# users => count, each => clients of a user at a time, proxies => { name => { address, and the port of each protocol } },
# mail => { address, port }: where mail is taken, path => the file of what clients saw, mail_path => of mails.
sub new ($class, %option) {
	my $self = bless { %option, clients => {}, mails => 0 }, $class;

	for my $which (qw(path mail_path)) {
		open my $file, '>>', $self->{$which} or die "$self->{$which}: $!\n";
		$file->autoflush;
		$self->{"file_$which"} = $file;
	}
	my $now = time;
	for my $n (1 .. $self->{users}) {
		$self->{waiting}{"user$n/$_"} = $now + between([0, 3]) for 1 .. $self->{each};
	}
	$self->{waiting}{mail} = $now + 1;
	return $self;
}

sub between ($range) { return $range->[0] + rand($range->[1] - $range->[0]) }
sub one_of (@all) { return $all[rand @all] }
sub note ($self, $which, $record) {
	syswrite $self->{"file_$which"}, JSON::PP->new->canonical->encode($record) . "\n";
	return;
}

# Until CODE is true; then all leave.
sub run ($self, $is_over) {
	while (!$is_over->()) {
		$self->turn;
	}
	$self->finish($_, 'left') for values %{ $self->{clients} };
	return;
}

sub turn ($self) {
	my ($reads, $writes) = ('', '');
	my $now = time;

	for my $slot (grep { $self->{waiting}{$_} <= $now } keys %{ $self->{waiting} }) {
		delete $self->{waiting}{$slot};
		$self->open_client($slot);
	}
	for my $client (values %{ $self->{clients} }) {
		vec($client->{state} eq 'connect' ? $writes : $reads, fileno $client->{socket}, 1) = 1;
	}
	select $reads, $writes, undef, 0.02;
	for my $client (values %{ $self->{clients} }) {
		my $fd = fileno $client->{socket};

		if ($client->{state} eq 'connect') {
			$self->on_connected($client) if vec $writes, $fd, 1;
		} elsif (vec $reads, $fd, 1) {
			$self->on_readable($client);
		}
	}
	$now = time;
	for my $client (values %{ $self->{clients} }) {
		$self->on_time($client, $now) if $client->{due} <= $now;
	}
	return;
}

sub open_client ($self, $slot) {
	return $self->open_mail if $slot eq 'mail';
	my ($user, $n) = $slot =~ m{^(user(\d+))/};
	my $proxy = one_of(sort keys %{ $self->{proxies} });
	my $protocol = one_of(sort keys %protocols);
	my ($secret, $row) = ("pass-$n", $protocols{$protocol});
	my %word = (u => $user, p => $secret, b => encode_base64("\0$user\0$secret", ''));
	my $at = $self->{proxies}{$proxy};

	return $self->begin($slot, { address => $at->{address}, port => $at->{$protocol} }, {
		record => { user => $user, slot => $slot, protocol => $protocol, proxy => $proxy }, row => $row,
		steps => [['', $row->{greeting}, qr/^(?:\* BYE|-ERR|NO|BYE|[45]\d\d ).*\n/m],
		    map { [$_->[0] =~ s/%(\w)/$word{$1}/gr, $_->[1], $_->[2]] } @{ $row->{login} }],
	});
}

sub open_mail ($self) {
	my %to = map { ('user' . (1 + int rand $self->{users}) => 1) } 0 .. rand RECIPIENTS_MAX;
	my $id = sprintf 'm%06d', $self->{mails}++;
	my $bad = qr/^[45].*\n/m;

	return $self->begin('mail', $self->{mail}, { mail => { id => $id, to => [sort keys %to] }, record => {},
	    steps => [['', qr/^220.*\n/, $bad], ["HELO client\r\n", qr/^250 .*\n/m, $bad],
		["MAIL FROM:<sender\@example.org>\r\n", qr/^250.*\n/m, $bad],
		map({ ["RCPT TO:<$_\@example.com>\r\n", qr/^250.*\n/m, $bad] } sort keys %to),
		["DATA\r\n", qr/^354.*\n/m, $bad],
		["Message-ID: <$id\@chaos>\r\nSubject: $id\r\n\r\nHello\r\n.\r\n", qr/^250.*\n/m, $bad]] });
}

sub begin ($self, $slot, $at, $client) {
	my $now = time;
	my $socket = IO::Socket::INET->new(Proto => 'tcp', Blocking => 0, PeerAddr => $at->{address},
	    PeerPort => $at->{port});

	$client->{record}{began} = $now;
	return $self->finish({ %$client, slot => $slot }, 'unreachable') unless $socket;
	$self->{clients}{$slot} = { %$client, slot => $slot, socket => $socket, state => 'connect', in => '',
	    due => $now + CONNECT_PATIENCE };
	return;
}

# Its end, as it saw it; and when the slot is filled again.
sub finish ($self, $client, $how) {
	my $record = $client->{record};
	my $was_in = defined $record->{in};

	delete $self->{clients}{ $client->{slot} };
	close $client->{socket} if $client->{socket};
	if ($client->{mail}) {
		$self->{waiting}{mail} = time + between(MAIL);
		return;
	}
	@$record{qw(out how)} = (time, $how eq 'closed' && !$was_in ? 'refused' : $how);
	$record->{words} = substr $client->{in}, -SHOWN if length($client->{in} // '') && $how ne 'left';
	$self->note(path => $record);
	$self->{waiting}{ $client->{slot} } = $record->{out} + between($how eq 'left' ? AWAY : AGAIN);
	return;
}

sub on_connected ($self, $client) {
	my $error = getsockopt $client->{socket}, SOL_SOCKET, SO_ERROR;

	return $self->finish($client, 'unreachable') if !defined $error || unpack('i', $error) != 0;
	$client->{record}{from} = $client->{socket}->sockhost . ':' . $client->{socket}->sockport;
	$client->{state} = 'talk';
	$client->{due} = time + LOGIN_PATIENCE;
	return;
}

sub say_it ($self, $client, $text, $patience) {
	$client->{in} = '';
	$client->{due} = time + $patience;
	syswrite $client->{socket}, $text;
	return;
}

sub on_readable ($self, $client) {
	my $n = sysread $client->{socket}, $client->{in}, 4096, length $client->{in};

	return if !defined $n && ($!{EAGAIN} || $!{EINTR});
	return $self->finish($client, $client->{state} eq 'bye' ? 'left' : 'closed') if !$n;
	if ($client->{state} eq 'talk') {
		my $step = $client->{steps}[0];

		return $self->finish($client, 'refused') if $client->{in} =~ $step->[2];
		$self->next_step($client) if $client->{in} =~ $step->[1];
	} elsif ($client->{state} eq 'asked' && $client->{in} =~ $client->{row}{answer}) {
		$self->rest($client);
	}
	return;
}

sub next_step ($self, $client) {
	shift @{ $client->{steps} };
	if (@{ $client->{steps} }) {
		$client->{record}{asked} = time if @{ $client->{steps} } == 1;
		return $self->say_it($client, $client->{steps}[0][0], LOGIN_PATIENCE);
	}
	if ($client->{mail}) {
		$self->note(mail_path => $client->{mail});
		return $self->finish($client, 'left');
	}
	$client->{record}{in} = time;
	$client->{leaves} = time + between(STAY);
	return $self->rest($client);
}

sub rest ($self, $client) {
	$client->{state} = 'in';
	$client->{due} = time + between(WORD);
	return;
}

sub on_time ($self, $client, $now) {
	my $state = $client->{state};

	return $self->finish($client, 'unreachable') if $state eq 'connect';
	return $self->finish($client, 'left') if $state eq 'bye';
	return $self->finish($client, defined $client->{record}{in} ? 'silent' : 'refused') if $state ne 'in';
	my $leaves = $client->{leaves} <= $now;
	$client->{state} = $leaves ? 'bye' : 'asked';
	return $self->say_it($client, $client->{row}{ $leaves ? 'goodbye' : 'word' }, PATIENCE);
}

1;
