#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# What -T prints is a configuration: read back, it prints the same, with the
# defaults now written; what was written is there, and not marked as default.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Process qw(test_dir write_file);
use Test::More;

my $binary = $ENV{GATEPOST} // die "GATEPOST does not name the program; use t/run\n";

sub print_effective ($path) {
	open my $pipe, '-|', $binary, '-T', '-c', $path or die "$binary: $!";
	local $/;
	my $text = <$pipe> // '';
	close $pipe;
	return ($text, $? >> 8);
}

sub without_marks ($text) { return $text =~ s/[ \t]*# default$//mgr }

my %config = (
	smallest => <<'END',
tls main { certificate /etc/gatepost/mail.pem }
pool imap { server b1 { address 10.0.0.11 }
            server b2 { address 10.0.0.12 } }
listener imap { bind *:143; bind_tls *:993; tls main; pool imap }
END
	rich => <<'END',
hostname mail.example.com; user gatepost; threads 4; relay_memory 1g; max_connections 0
nameservers 127.0.0.1:5353 [2001:db8::53]:53 192.0.2.53
shutdown_delay 5s; shutdown_timeout 2m; pid_file /run/gatepost/gatepost.pid
users { case keep; default_domain example.com; master_separator "*" }
log { target syslog; level debug }
log access { target /var/log/gatepost/access.json; format json; events login session; address masked; unknown_user full }
tls main { certificate /etc/gatepost/*.pem "/etc/gatepost/with blank.pem" }
tls other { certificate /etc/gatepost/other.pem }
auth farm { source server }
default listener { tls main; login_timeout 30s; auth farm }
default pool { check { kind none }; connect_timeout 2s }
farm dovecot { server d01 { address 10.1.0.11; weight 3; agent 10.1.0.11:9143; agent_send "hi \x41\r\n" }
               server d02 { address [2001:db8::12] }
               server d03 { address d03.example.com:1143; resolve all }
               server d { srv _imap._tcp.example.com } }
pool imap { farm dovecot; balance user; login_timeout 20s; server_tls starttls { verify no } }
pool plain { protocol tcp; server s1 { address 127.0.0.1:25 }; source 127.0.0.1 }
listener imap { bind *:143 [::1]:1143; bind_tls *:993 { backlog 100; freebind yes }; pool imap }
listener office { protocol imap; bind unix:/run/gatepost/imap; pool imap; starttls off; plaintext_login yes;
                  login_timeout none; tcp_keepalive 1m 10s 3; capabilities IDLE; tls other }
listener tcp { bind 127.0.0.1:1025; pool plain; tls none }
END
);

for my $name (sort keys %config) {
	my $path = write_file(test_dir() . "/$name.conf", $config{$name});
	my ($first, $status) = print_effective($path);
	is($status, 0, "$name: -T ends with status 0");
	like($first, qr/# default$/m, "$name: defaults are marked");

	my ($second, $again) = print_effective(write_file(test_dir() . "/$name.printed.conf", $first));
	is($again, 0, "$name: what was printed is a configuration");
	is(without_marks($second), without_marks($first), "$name: and the same one");
}

my ($rich) = print_effective(test_dir() . '/rich.conf');
like($rich, qr/^threads 4$/m, 'what was written bears no mark');
like($rich, qr/^\tconnect_timeout 2s$/m, 'a default block is worked in');
like($rich, qr/^\tlogin_timeout none$/m, 'a word in place of a value is kept');
like($rich, qr/^\tbalance leastconn # default$/m, 'defaults by protocol are shown as defaults');
like($rich, qr/^\tpool plain$/m, 'references are shown by name');
unlike($rich, qr/\bdefault (?:listener|pool)\b/, 'default blocks are not repeated');

done_testing;
