# SPDX-License-Identifier: BSD-2-Clause
#
# Cert.pm: certificates for tests, made with openssl in the test's folder:
# self-signed or by another one, chain and key in one PEM file, RSA or ECDSA.
package Gatepost::Cert;
use v5.36;
use Carp qw(croak);
use Exporter 'import';
use Gatepost::Process qw(test_dir read_file write_file);

our @EXPORT_OK = qw(make_cert cert_fingerprint);

my $made = 0;

sub run (@command) {
	my $log = test_dir() . '/openssl.log';
	my $pid = fork // croak "fork: $!";
	if ($pid == 0) {
		open STDOUT, '>>', $log;
		open STDERR, '>&', \*STDOUT;
		exec { $command[0] } @command or POSIX::_exit(127);
	}
	waitpid $pid, 0;
	croak "@command failed: " . read_file($log) if $?;
	return;
}

# name => CN, names => [SANs], kind => 'rsa' or 'ecdsa', days => N (-1: until yesterday), path => where to,
# mode => the file's, by => path of the certificate that signs; returns the path.
sub make_cert (%option) {
	my $name = $option{name} // 'mail.example.com';
	my @names = @{ $option{names} // [$name] };
	my $path = $option{path} // sprintf '%s/cert-%d.pem', test_dir(), ++$made;
	my @kind = ($option{kind} // 'ecdsa') eq 'rsa'
	    ? qw(-newkey rsa:2048) : qw(-newkey ec -pkeyopt ec_paramgen_curve:prime256v1);
	my @by = defined $option{by} ? ('-CA', $option{by}, '-CAkey', $option{by}) : ();
	my $days = $option{days} // 30;
	my $san = join ',', map { /^[\d.]+$|:/ ? "IP:$_" : "DNS:$_" } @names;
	my @req = ('openssl', 'req', @kind, '-nodes', '-sha256', '-subj', "/CN=$name",
	    '-addext', "subjectAltName=$san", '-keyout', "$path.key");

	if ($days > 0) {
		run(@req, '-x509', '-days', $days, @by, '-out', "$path.crt");
	} else {
		# req makes none that is over already
		run(@req, '-new', '-out', "$path.csr");
		run('openssl', 'x509', '-req', '-in', "$path.csr", '-copy_extensions', 'copy', '-days', $days,
		    @by ? (@by, '-CAcreateserial') : ('-signkey', "$path.key"), '-out', "$path.crt");
	}
	# Renamed into place: a reader never sees half a pair.
	write_file("$path.new", read_file("$path.crt") . read_file("$path.key"));
	chmod $option{mode}, "$path.new" or croak "$path: $!" if defined $option{mode};
	rename "$path.new", $path or croak "$path: $!";
	return $path;
}

# SHA-256 over the certificate of a PEM file, as IO::Socket::SSL's get_fingerprint tells it.
sub cert_fingerprint ($path) {
	require Net::SSLeay;
	my $bio = Net::SSLeay::BIO_new_file($path, 'r') or croak "$path: $!";
	my $cert = Net::SSLeay::PEM_read_bio_X509($bio);
	my $digest = unpack 'H*', Net::SSLeay::X509_digest($cert,
	    Net::SSLeay::EVP_get_digestbyname('sha256'));
	Net::SSLeay::X509_free($cert);
	Net::SSLeay::BIO_free($bio);
	return "sha256\$$digest";
}

1;
