# SPDX-License-Identifier: BSD-2-Clause
#
# Tls.pm: TLS as bytes, for tests that put them where none belong.
package Gatepost::Tls;
use v5.36;
use Exporter 'import';
use Net::SSLeay;

our @EXPORT_OK = qw(client_hello);

# The first flight of a TLS handshake, as a client would send it.
sub client_hello {
	my $ctx = Net::SSLeay::CTX_new() or die 'CTX_new';
	my $ssl = Net::SSLeay::new($ctx) or die 'SSL_new';
	my ($in, $out) = map { Net::SSLeay::BIO_new(Net::SSLeay::BIO_s_mem()) } 1 .. 2;

	Net::SSLeay::set_bio($ssl, $in, $out);
	Net::SSLeay::set_connect_state($ssl);
	Net::SSLeay::do_handshake($ssl);
	return Net::SSLeay::BIO_read($out);
}

1;
