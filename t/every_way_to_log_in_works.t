#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Every protocol, every mechanism, every way to log in to a server, every kind
# of TLS on both sides: one table, one login each, and at the end the servers'
# own logs tell whom they let in.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Cert qw(make_cert);
use Gatepost::Dovecot;
use Gatepost::Gatepost;
use Gatepost::Login qw(log_in offer);
use Gatepost::Port qw(free_port);
use Gatepost::Postfix;
use Gatepost::Process qw(test_dir wait_for write_file);
use Gatepost::Token qw(dovecot_takes_tokens token);
use Test::More;

plan skip_all => 'needs root' if $> != 0;

my $dir = test_dir();
my $cert = make_cert(names => ['mail.example.com', '127.0.0.1']);
my %client_cert = map { $_ => make_cert(name => "user$_", names => ["client$_.example.com"]) } 1 .. 9;
write_file("$dir/clients.pem", join '', map { Gatepost::Process::read_file($_) } values %client_cert);
write_file("$dir/masters", "gp:{PLAIN}master-secret\n");
write_file("$dir/master-password", "master-secret\n");
write_file("$dir/shared-password", "shared-secret\n");
write_file("$dir/users", join '', map { "user$_:{PLAIN}gate-$_\n" } 1 .. 9);

# Postfix asks this Dovecot about passwords; both have the users, a master user and a shared password.
my $dovecot = Gatepost::Dovecot->new(name => 'store', cert => $cert, pop3 => 1, sieve_port => free_port(),
    masters => "$dir/masters", any_user => 'password=shared-secret allow_real_nets=127.0.0.0/8,local',
    settings => dovecot_takes_tokens() . <<"END")->start;
service auth {
  unix_listener $dir/sasl {
    mode = 0666
  }
}
END
my $postfix = Gatepost::Postfix->new(name => 'relay', xclient => '127.0.0.1', cert => $cert, main => {
	smtpd_sasl_auth_enable => 'yes', smtpd_sasl_type => 'dovecot', smtpd_sasl_path => "$dir/sasl",
	smtpd_tls_auth_only => 'no',
	in_flow_delay => 0,	# or mails that are never finished would slow down all others
})->start;

my %servers = (
	imap => { plain => $dovecot->port, tls => $dovecot->tls_port },
	pop3 => { plain => $dovecot->pop3_port, tls => $dovecot->{pop3s_port} },
	sieve => { plain => $dovecot->{sieve_port} },
	submission => { plain => $postfix->port, tls => $postfix->tls_port },
);
# ManageSieve's server has no TLS from the first byte.
my @back_tls = qw(off starttls implicit);
my %ways = (
	password => '',
	master => "login master; master_user gp; master_password_file $dir/master-password",
	trusted => "login trusted; master_password_file $dir/shared-password",
	xclient => 'login xclient',
	none => 'login none',
);
my %mechanisms = (
	password => ['', qw(PLAIN LOGIN XOAUTH2 OAUTHBEARER)],
	map { $_ => ['', qw(PLAIN LOGIN CRAM-MD5 SCRAM-SHA-256 EXTERNAL)] } qw(master trusted xclient none),
);

sub is_possible ($protocol, $way, $back) {
	return 0 if $protocol eq 'sieve' && $back eq 'implicit';
	return $way !~ /^(?:xclient|none)$/ || $protocol eq 'submission';
}

my (@cases, $config);
for my $protocol (sort keys %servers) {
	for my $way (sort keys %ways) {
		for my $back (@back_tls) {
			next unless is_possible($protocol, $way, $back);
			my $name = "${protocol}_${way}_$back";
			my $port = $servers{$protocol}{$back eq 'implicit' ? 'tls' : 'plain'};
			my $auth = $way eq 'password' ? '' : 'auth staff';
			$config .= <<~"END";
				pool $name {
				    protocol $protocol
				    server s { address 127.0.0.1:$port }
				    server_tls $back@{[$back eq 'off' ? '' : " { ca $cert }"]}
				    $ways{$way}
				}
				listener $name {
				    protocol $protocol; pool $name; tls main; $auth
				    bind 127.0.0.1:\@PORT{$name}\@
				    bind_tls 127.0.0.1:\@PORT{${name}_tls}\@
				}
				END
			push @cases, { protocol => $protocol, way => $way, back => $back, name => $name };
		}
	}
}
my $gatepost = Gatepost::Gatepost->new(values => { CERT => $cert }, config => <<"END")->start;
hostname mail.example.com
tls main { certificate \@CERT\@; client_ca $dir/clients.pem; verify_client optional }
auth staff { source file; path $dir/users }
default listener { starttls optional; plaintext_login yes; max_errors 50 }
$config
END

# Servers are asked at the start, before any client, whether they take tokens.
for my $case (grep { $_->{way} eq 'password' } @cases) {
	my $port = $gatepost->port("$case->{name}_tls");

	wait_for(sub { offer($case->{protocol}, $port) =~ /XOAUTH2/ }, 20, "$case->{name} to offer tokens");
}

sub secret ($way, $mechanism, $n) {
	return "gate-$n" if $way ne 'password';
	return $mechanism =~ /OAUTH/ ? token("user$n") : "pass-$n";
}

my (%logins, $next);
for my $case (@cases) {
	my ($protocol, $way) = @{$case}{qw(protocol way)};
	my (@bad, $count);

	for my $mechanism (@{ $mechanisms{$way} }) {
		next if $mechanism eq '' && !Gatepost::Login::has_native($protocol);
		for my $tls (qw(clear starttls implicit)) {
			next if $mechanism eq 'EXTERNAL' && $tls eq 'clear';
			for my $in_turns (0, 1) {
				next if $in_turns && $mechanism =~ /^(?:|LOGIN|CRAM-MD5)$/;
				my $n = 1 + $next++ % 9;
				my $what = join ' ', $mechanism || 'own command', $tls, $in_turns ? 'in turns' : ();
				my %handshake = $mechanism eq 'EXTERNAL' ?
				    (SSL_cert_file => $client_cert{$n}, SSL_key_file => $client_cert{$n}) : ();
				my ($reply, $is_good, $client) = eval { log_in(protocol => $protocol,
				    port => $gatepost->port($case->{name} . ($tls eq 'implicit' ? '_tls' : '')),
				    tls => $tls, mechanism => $mechanism, in_turns => $in_turns, user => "user$n",
				    password => secret($way, $mechanism, $n), handshake => \%handshake) };
				my @wrong = $is_good ? eval { Gatepost::Login::use_and_quit($protocol, $client) }
				    : "login: " . ($reply // $@);
				push @wrong, $@ if $@ && !@wrong;
				push @bad, "$what: @wrong" if @wrong;
				$logins{$protocol}{$way eq 'none' ? 'nobody' : "user$n"}++;
				$count++;
			}
		}
	}
	ok(!@bad, "$case->{name}: $count logins") or diag(join "\n", @bad);
}

# What the servers say themselves; by `login none` they hear of nobody.
sub seen ($protocol) {
	my %seen;

	if ($protocol eq 'submission') {
		$seen{$_}++ for map { /sasl_username=(\S+)$/ ? $1 : 'nobody' }
		    $postfix->maillog_lines(qr/: client=/);
	} else {
		my $service = $protocol eq 'sieve' ? 'managesieve' : $protocol;
		$seen{$_}++ for map { /$service-login: (?:Info: )?Login: user=<([^>]+)>/ ? $1 : () }
		    split /\n/, $dovecot->log_text;
	}
	return \%seen;
}
for my $protocol (sort keys %logins) {
	my $wanted = 0;
	$wanted += $_ for values %{ $logins{$protocol} };
	wait_for(sub { my $n = 0; $n += $_ for values %{ seen($protocol) }; $n >= $wanted }, 10, "logins by $protocol");
	is_deeply(seen($protocol), $logins{$protocol}, "$protocol: the server has let in those, $wanted times");
}

unlike($gatepost->log_text . Gatepost::Process::read_file($gatepost->{access_log}),
    qr/master-secret|shared-secret|gate-\d|pass-\d/, 'no password is told anywhere');
$gatepost->stop;
$postfix->stop_quietly;
$dovecot->stop;
done_testing;
