# SPDX-License-Identifier: BSD-2-Clause
#
# Http.pm: asks over HTTP by curl, and reads what it heard.
package Gatepost::Http;
use v5.36;
use Carp qw(croak);
use Exporter 'import';
use JSON::PP qw(decode_json);

our @EXPORT_OK = qw(http);

# http($url, @options_of_curl): { status, type, headers => { name => value }, body, json => sub }; status 0
# where there is no answer.
sub http ($url, @options) {
	open my $curl, '-|', 'curl', '-sik', '--max-time', 60, '--path-as-is', '--globoff', '-H', 'Expect:',
	    @options, $url or croak "curl: $!";
	my $text = do { local $/; <$curl> } // '';
	close $curl;
	my ($head, $body) = split /\r\n\r\n/, $text, 2;
	my ($status) = ($head // '') =~ m{^HTTP/1\.1 (\d+)};
	my %headers = map { /^([\w-]+): (.*)$/ ? (lc $1 => $2) : () } split /\r\n/, $head // '';

	return { status => $status // 0, type => $headers{'content-type'} // '', headers => \%headers,
	    body => $body // '', json => sub { decode_json($body) } };
}

1;
