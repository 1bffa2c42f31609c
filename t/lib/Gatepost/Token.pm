# SPDX-License-Identifier: BSD-2-Clause
#
# Token.pm: an identity provider: tokens as JWT has them (RFC 7519), and the
# part of a Dovecot's configuration that believes those signed with its key.
package Gatepost::Token;
use v5.36;
use Carp qw(croak);
use Digest::SHA qw(hmac_sha256);
use Exporter 'import';
use Gatepost::Process qw(test_dir write_file);
use JSON::PP qw(encode_json);
use MIME::Base64 qw(encode_base64 encode_base64url);

our @EXPORT_OK = qw(dovecot_takes_tokens token);

my $secret = 'a key that only the provider and the servers have';

# A token for a user; perhaps key => another one than the provider's, padding => bytes of a long claim.
sub token ($user, %option) {
	my $head = { alg => 'HS256', typ => 'JWT' };
	my $claims = { sub => $user, iat => time - 60, exp => time + 3600,
	    aud => 'x' x ($option{padding} // 0) };
	my $text = join '.', map { encode_base64url(encode_json($_)) } $head, $claims;

	return "$text." . encode_base64url(hmac_sha256($text, $option{key} // $secret));
}

# Settings for a Dovecot, which needs nobody to ask: the key lies in the test's folder.
sub dovecot_takes_tokens {
	my $keys = test_dir() . '/keys';

	for my $folder ($keys, "$keys/default", "$keys/default/HS256") {
		mkdir $folder or croak "$folder: $!";
	}
	write_file("$keys/default/HS256/default", encode_base64($secret, ''));
	my $oauth2 = write_file(test_dir() . '/oauth2.conf', <<~"END");
		introspection_mode = local
		local_validation_key_dict = fs:posix:prefix=$keys/
		username_attribute = sub
		END
	return <<~"END";
		auth_mechanisms = plain login xoauth2 oauthbearer
		passdb {
		  driver = oauth2
		  mechanisms = xoauth2 oauthbearer
		  args = $oauth2
		}
		END
}

1;
