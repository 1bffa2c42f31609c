#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# What openssl s_client hears with a good certificate, a foreign one, an
# expired one and none, as verify_client has it, and what is logged of that;
# a resumed session is believed as long as the certificate's authority is.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Cert qw(make_cert);
use Gatepost::Dovecot;
use Gatepost::Gatepost;
use Gatepost::Process qw(read_file run_command test_dir wait_for write_file);
use Test::More;

my $dir = test_dir();
my $authority = make_cert(name => 'our authority');
my $foreign = make_cert(name => 'their authority');
my %shown = (
	good => make_cert(name => 'user1', by => $authority),
	foreign => make_cert(name => 'user1', by => $foreign),
	expired => make_cert(name => 'user1', by => $authority, days => -1),
);
my $dovecot = Gatepost::Dovecot->new(name => 'dovecot')->start;
my %values = (CERT => make_cert(), DOVECOT => $dovecot->port);
my $gatepost = Gatepost::Gatepost->new(values => \%values, config => <<'END');
default listener { protocol imap; pool imap }
pool imap { server s { address 127.0.0.1:@DOVECOT@ } }
tls off { certificate @CERT@ }
tls optional { certificate @CERT@; client_ca @DIR@/clients.pem; verify_client optional }
tls any { certificate @CERT@; client_ca @DIR@/clients.pem; verify_client any }
tls required { certificate @CERT@; client_ca @DIR@/clients.pem; verify_client required }
listener off { bind_tls 127.0.0.1:@PORT{off}@; tls off }
listener optional { bind_tls 127.0.0.1:@PORT{optional}@; tls optional }
listener any { bind_tls 127.0.0.1:@PORT{any}@; tls any }
listener required { bind_tls 127.0.0.1:@PORT{required}@; tls required }
END
write_file("$dir/clients.pem", read_file("$authority.crt"));
write_file("$dir/commands", "a LOGIN user2 pass-2\nb LOGOUT\n");
$gatepost->start;

# All that openssl says of a whole session of user2.
sub talk ($listener, $certificate, @options) {
	my @certificate = defined $certificate ? ('-cert', $shown{$certificate}, '-key', $shown{$certificate}) : ();
	my (undef, $text) = run_command('openssl', ['openssl', 's_client', '-ign_eof', '-crlf', '-connect',
	    '127.0.0.1:' . $gatepost->port($listener), @certificate, @options], stdin => "$dir/commands");

	unlink "$dir/openssl.log";
	return $text;
}

# Logs in; the event.  The session goes to the file of the listener's name.
sub log_in ($what, $listener, $certificate, @options) {
	my $before = () = $gatepost->events('login');
	my $text = talk($listener, $certificate, '-sess_out', "$dir/$listener", @options);
	my @events;

	like($text, qr/^a OK /m, "$what: the login succeeds");
	wait_for(sub { (@events = $gatepost->events('login')) > $before }, 10, 'the event');
	return { %{ $events[-1] }, reused => $text =~ /^Reused, /m ? 1 : 0 };
}

sub is_refused ($what, $why, @talk) {
	my $line = qr/TLS failed: \Q$why\E while starting TLS with the client$/;
	my $before = () = $gatepost->log_lines($line);

	unlike(talk(@talk), qr/^a /m, "$what: no command is run");
	ok(eval { $gatepost->wait_for_log($line, 10, $before + 1) }, "$what: the log tells why")
	    or diag $gatepost->log_text;
	return;
}

# undef: logs in and is nobody to us
my $none = 'peer did not return a certificate';
my $unknown = 'unable to get local issuer certificate';
my $expired = 'certificate has expired';
my %wanted = (
	off => { good => undef, foreign => undef, expired => undef, none => undef },
	optional => { good => 'user1', foreign => \$unknown, expired => \$expired, none => undef },
	any => { good => 'user1', foreign => undef, expired => undef, none => undef },
	required => { good => 'user1', foreign => \$unknown, expired => \$expired, none => \$none },
);
for my $version ('-tls1_2', '-tls1_3') {
	for my $listener (sort keys %wanted) {
		for my $certificate (sort keys %{ $wanted{$listener} }) {
			my $wanted = $wanted{$listener}{$certificate};
			my $what = "$listener, $certificate, $version";
			my @talk = ($listener, $certificate eq 'none' ? undef : $certificate, $version);

			if (ref $wanted) {
				is_refused($what, $$wanted, @talk);
			} else {
				my $event = log_in($what, @talk);
				is($event->{certificate_user}, $wanted, "$what: whom the certificate names");
				is($event->{user}, 'user2', "$what: which is not who logs in");
			}
		}
	}
}
like(talk('required', 'good'), qr/^Acceptable client certificate CA names\nCN = our authority$/m,
    'clients hear who may vouch for them');

for my $version ('-tls1_2', '-tls1_3') {
	my %old;

	for my $listener (qw(optional any required)) {
		log_in("$listener, $version, first", $listener, 'good', $version);
		$old{$listener} = read_file("$dir/$listener");
		my $event = log_in("$listener, $version, resumed", $listener, undef, $version,
		    '-sess_in', "$dir/$listener");
		ok($event->{reused}, "$listener, $version: resumes without the certificate");
		is($event->{certificate_user}, 'user1', "$listener, $version: which is remembered");
		# which its ticket is spent for in TLS 1.3
		log_in("$listener, $version, anew", $listener, 'good', $version);
	}
	write_file("$dir/clients.pem", read_file("$foreign.crt"));
	ok($gatepost->reload, "$version: others vouch for clients now");

	is_refused("required, $version, resumed too late", $none, 'required', undef, $version,
	    '-sess_in', "$dir/required");
	is_refused("optional, $version, resumed too late", $unknown, 'optional', 'good', $version,
	    '-sess_in', "$dir/optional");
	for my $certificate (undef, 'good') {
		write_file("$dir/any", $old{any}) if defined $certificate;
		my $event = log_in("any, $version, too late", 'any', $certificate, $version,
		    '-sess_in', "$dir/any");
		ok(!$event->{reused}, "any, $version: does not resume");
		is($event->{certificate_user}, undef, "any, $version: and is believed no more");
	}
	write_file("$dir/clients.pem", read_file("$authority.crt"));
	ok($gatepost->reload, "$version: and as before");
}

$gatepost->stop;
$dovecot->stop;
done_testing;
