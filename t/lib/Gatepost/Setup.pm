# SPDX-License-Identifier: BSD-2-Clause
#
# Setup.pm: the usual scene of a behaviour test: Dovecots d1, d2 … on one port
# of different loopback addresses, and a gatepost in front of them with IMAP
# on the ports "imap" (STARTTLS) and "imaps".
package Gatepost::Setup;
use v5.36;
use Exporter 'import';
use Gatepost::Cert qw(make_cert);
use Gatepost::Dovecot;
use Gatepost::Gatepost;
use Gatepost::Imap;
use Gatepost::Port qw(free_port own_address);

our @EXPORT_OK = qw(start_imap_farm imap_config tls_client);

# dovecots => count, users => count, dovecot => options of each; pool, listener, top => lines added there.
sub start_imap_farm (%option) {
	my $port = free_port();
	my $cert = make_cert(names => [qw(mail.example.com localhost 127.0.0.1)]);
	my @dovecots = map {
		Gatepost::Dovecot->new(name => "d$_", address => own_address($_), port => $port,
		    users => $option{users} // 10, %{ $option{dovecot} // {} })
	} 1 .. $option{dovecots} // 2;

	$_->start for @dovecots;
	my %values = (CERT => $cert, SERVER_PORT => $port, map { uc $_->{name} => $_->address } @dovecots);
	my $gatepost = Gatepost::Gatepost->new(values => \%values, config => imap_config(%option))->start;
	return { gatepost => $gatepost, dovecots => \@dovecots, cert => $cert, port => $port };
}

sub imap_config (%option) {
	my $servers = join "\n", map { "    server d$_ { address \@D$_\@ }" } 1 .. $option{dovecots} // 2;
	my ($top, $pool, $listener) = map { $_ // '' } @option{qw(top pool listener)};

	return <<~"END";
		hostname mail.example.com
		$top
		tls main { certificate \@CERT\@ }
		pool imap {
		    port \@SERVER_PORT\@
		$servers
		    $pool
		}
		listener imap {
		    bind 127.0.0.1:\@PORT{imap}\@
		    bind_tls 127.0.0.1:\@PORT{imaps}\@
		    tls main
		    pool imap
		    $listener
		}
		END
}

# A client on TLS, not logged in: through port "imaps", or with STARTTLS through port "imap".
sub tls_client ($gatepost, $name = 'imaps', %option) {
	return Gatepost::Imap->new(port => $gatepost->port($name), tls => 1, %option) if $name eq 'imaps';
	return Gatepost::Imap->new(port => $gatepost->port($name), %option)->starttls;
}

1;
