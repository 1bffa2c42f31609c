# SPDX-License-Identifier: BSD-2-Clause
#
# SaslServer.pm: answers Postfix's questions about passwords, as Dovecot's
# auth does at a unix socket (version 1 of its client protocol): PLAIN and
# LOGIN, for users with fixed passwords or for everybody.
package Gatepost::SaslServer;
use v5.36;
use parent -norequire, 'Gatepost::Process';
use Carp qw(croak);
use Gatepost::Process qw(read_file);
use IO::Socket::UNIX;
use MIME::Base64 qw(decode_base64 encode_base64);
use Socket qw(SOMAXCONN);

# name, path, users => { USER => PASSWORD } or 'any'.
sub new ($class, %option) {
	return $class->SUPER::new(%option);
}

# The socket is there once start returns.
sub start ($self) {
	my $listener = IO::Socket::UNIX->new(Local => $self->{path}, Listen => SOMAXCONN)
	    or croak "$self->{path}: $!";
	chmod 0666, $self->{path} or croak "$self->{path}: $!";
	return $self->serve_each($listener, sub ($client) { $self->serve($client) });
}

sub serve ($self, $client) {
	my %pending;	# number of the request: what to do with the client's next words

	$client->autoflush(1);
	print $client join "\n", "VERSION\t1\t1", "MECH\tPLAIN\tplaintext", "MECH\tLOGIN\tplaintext",
	    "SPID\t$$", "CUID\t1", "COOKIE\t" . '0' x 32, "DONE\n";
	while (my $line = <$client>) {
		chomp $line;
		my ($command, $id, @words) = split /\t/, $line;
		if ($command eq 'AUTH') {
			my ($response) = map { /^resp=(.*)/s ? $1 : () } @words;
			my $mechanism = $words[0] eq 'PLAIN' ? \&plain : \&login_name;
			print $client $mechanism->($self, $id, \%pending, $response);
		} elsif ($command eq 'CONT' && $pending{$id}) {
			print $client delete($pending{$id})->($self, $id, \%pending, $words[0]);
		}
	}
	return;
}

sub ask ($id, $pending, $words, $next) {
	$pending->{$id} = $next;
	return "CONT\t$id\t" . encode_base64($words, '') . "\n";
}

sub plain ($self, $id, $pending, $response) {
	return ask($id, $pending, '', \&plain) unless defined $response;
	my ($authzid, $user, $password) = split /\0/, decode_base64($response), 3;
	return $self->judge($id, $user, $password);
}

sub login_name ($self, $id, $pending, $response) {
	return ask($id, $pending, 'Username:', \&login_name) unless defined $response;
	my $user = decode_base64($response);
	return ask($id, $pending, 'Password:', sub ($self, $id, $pending, $words) {
		return $self->judge($id, $user, decode_base64($words));
	});
}

sub judge ($self, $id, $user, $password) {
	my $users = $self->{users};
	my $is_good = !ref $users || (defined $users->{$user} && $users->{$user} eq $password);

	return $is_good ? "OK\t$id\tuser=$user\n" : "FAIL\t$id\tuser=$user\n";
}

1;
