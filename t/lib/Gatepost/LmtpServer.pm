# SPDX-License-Identifier: BSD-2-Clause
#
# LmtpServer.pm: an LMTP server for tests (RFC 2033), or one of SMTP, that
# does to each recipient what the name says, and writes down each command and
# what it has delivered.
package Gatepost::LmtpServer;
use v5.36;
use parent -norequire, 'Gatepost::Process';
use Carp qw(croak);
use Gatepost::Port qw(free_port);
use Gatepost::Process qw(test_dir wait_for read_file);
use IO::Socket::INET;
use POSIX qw(_exit);

# name, and perhaps address, port, smtp => 1 (one reply to each message), chunking => 1, pipelining => 0,
# xclient => 1 (is announced), receive_buffer => octets, keeps => 0 (messages are counted, not kept), hook =>
# CODE: called with the server, the word that came ("MAIL", "DATA", "text" for each line, "dot") and its line;
# what it returns is said in place of the reply, with '' nothing.
# Recipients: no-… is refused with 550, later-… with 451, and bad-…, full-… the same at the end of data.
sub new ($class, %option) {
	my $self = $class->SUPER::new(address => '127.0.0.1', pipelining => 1, hook => sub { undef }, %option);

	$self->{port} //= free_port();
	$self->{hello} = $self->{smtp} ? 'EHLO' : 'LHLO';
	return $self;
}

sub port ($self) { return $self->{port} }

sub start ($self) {
	my $listener = IO::Socket::INET->new(Listen => 128, ReuseAddr => 1, LocalAddr => $self->{address},
	    LocalPort => $self->{port}) or croak "server $self->{name} on $self->{port}: $!";
	$listener->sockopt(Socket::SO_RCVBUF(), $self->{receive_buffer}) if $self->{receive_buffer};
	return $self->serve_each($listener, sub ($socket) { $self->serve($socket) }, sub { $self->{connection}++ });
}

sub write_down ($self, $what, $line) {
	open my $file, '>>:raw', test_dir() . "/$self->{name}.$what" or _exit(1);
	syswrite $file, "$line\n";
	return;
}

sub say_lines ($self, @lines) {
	print { $self->{socket} } map { "$_\r\n" } grep { length } @lines;
	$self->{socket}->flush;
	return;
}

# The reply to this, unless the hook has one.
sub answer ($self, $word, $line, @replies) {
	my $own = $self->{hook}->($self, $word, $line);

	return $self->say_lines(defined $own ? $own : @replies);
}

sub serve ($self, $socket) {
	binmode $socket;
	$self->{socket} = $socket;
	$self->say_lines("220 $self->{name} ready");
	while (defined(my $line = <$socket>)) {
		$line =~ s/\r\n\z// or _exit(1);
		$self->write_down('commands', "$self->{connection} $line");
		my $verb = uc substr $line, 0, 4;
		my $run = $self->can("run_\L$verb");
		$run ? $run->($self, $line) : $self->answer($verb, $line, $self->other($verb));
	}
	return;
}

sub other ($self, $verb) {
	my @list = ("250-$self->{name}", $self->{pipelining} ? '250-PIPELINING' : (),
	    $self->{chunking} ? '250-CHUNKING' : (), $self->{xclient} ? '250-XCLIENT ADDR PORT HELO PROTO' : (),
	    '250-8BITMIME', '250 ENHANCEDSTATUSCODES');

	return @list if $verb eq $self->{hello};
	return '250 2.0.0 reset' if $verb eq 'RSET' || $verb eq 'NOOP';
	return '220 again' if $verb eq 'XCLI';
	return '500 5.5.1 what?';
}

sub run_mail ($self, $line) {
	@$self{qw(recipients text octets subject)} = ([], '', 0, undef);
	return $self->answer('MAIL', $line, $line =~ /FROM:<no-/ ? '550 5.7.1 not from you' : '250 2.1.0 ok');
}

sub run_rcpt ($self, $line) {
	my ($to) = $line =~ /TO:<([^>]*)>/i;

	return $self->answer('RCPT', $line, "550 5.1.1 $self->{name} has no $to") if $to =~ /^no-/;
	return $self->answer('RCPT', $line, "451 4.2.0 $self->{name} later $to") if $to =~ /^later-/;
	push @{ $self->{recipients} }, $to;
	return $self->answer('RCPT', $line, "250 2.1.5 $self->{name} takes $to");
}

# What becomes of the message; what is accepted is written down before the client hears so.
sub deliver ($self) {
	my @to = @{ $self->{recipients} };
	my $id = $self->{subject};
	my @replies;

	for my $to (@to) {
		push @replies, $to =~ /^bad-/ ? "550 5.6.0 $self->{name} bad $to" :
		    $to =~ /^full-/ ? "452 4.2.2 $self->{name} full $to" : "250 2.0.0 $self->{name} has $to";
		$self->write_down('delivered', join ' ', $to, $id // '-', $self->{octets})
		    if $replies[-1] =~ /^2/;
	}
	if ($self->{smtp}) {
		@replies = (grep({ !/^2/ } @replies), "250 2.0.0 $self->{name} has it")[0];
	}
	$self->{recipients} = [];
	return $self->answer('dot', '', @replies);
}

sub take_text ($self, $text) {
	$self->{octets} += length $text;
	$self->{subject} //= $1 if $text =~ /^Subject: (.*?)\r?$/m;
	$self->{text} .= $text if $self->{keeps} // 1;
	return;
}

sub run_data ($self, $line) {
	my $socket = $self->{socket};
	my $own = $self->{hook}->($self, 'DATA', $line);

	$self->say_lines($own // '354 go on');
	return if defined $own && $own !~ /^354/;
	while (defined(my $text = <$socket>)) {
		return $self->deliver if $text eq ".\r\n";
		$text =~ s/^\.//;
		$self->take_text($text);
		$self->{hook}->($self, 'text', $text);
	}
	return;
}

sub run_bdat ($self, $line) {
	my ($size, $last) = $line =~ /^BDAT (\d+)( LAST)?$/i or return $self->say_lines('501 5.5.4 bad');
	my $chunk = '';

	while (length $chunk < $size) {
		read($self->{socket}, $chunk, $size - length $chunk, length $chunk) or return;
	}
	$self->take_text($chunk);
	return $last ? $self->deliver : $self->answer('BDAT', $line, '250 2.0.0 chunk');
}

sub run_quit ($self, $line) {
	$self->answer('QUIT', $line, '221 2.0.0 bye');
	_exit(0);
}

sub lines ($self, $what) { return split /\n/, read_file(test_dir() . "/$self->{name}.$what") }

# "1 RCPT TO:<…>": the number of the connection and what it said.
sub commands ($self) { return $self->lines('commands') }

# "recipient subject octets", one for each recipient of each message.
sub delivered ($self) { return $self->lines('delivered') }

sub wait_for_command ($self, $pattern, $count = 1, $seconds = 10) {
	return wait_for(sub { grep({ $_ =~ $pattern } $self->commands) >= $count }, $seconds,
	    "$count × $pattern at $self->{name}");
}

1;
