# SPDX-License-Identifier: BSD-2-Clause
#
# Geo.pm: databases of where addresses are, in MaxMind's format, made for a test.
package Gatepost::Geo;
use v5.36;
use Exporter 'import';
use Gatepost::Process qw(test_dir);
use MaxMind::DB::Writer::Tree;

our @EXPORT_OK = qw(write_countries write_networks);

my %types = (country => 'map', iso_code => 'utf8_string', continent => 'map', code => 'utf8_string',
    autonomous_system_number => 'uint32');

sub write_tree ($name, $type, $entries) {
	my $path = test_dir() . "/$name";
	my $tree = MaxMind::DB::Writer::Tree->new(ip_version => 6, record_size => 24, database_type => $type,
	    languages => ['en'], description => { en => 'of a test' }, alias_ipv6_to_ipv4 => 0,
	    remove_reserved_networks => 0, map_key_type_callback => sub ($key, @) { $types{$key} });

	$tree->insert_network($_, $entries->{$_}) for sort keys %$entries;
	open my $out, '>:raw', "$path.new" or die "$path: $!";
	$tree->write_tree($out);
	close $out or die "$path: $!";
	rename "$path.new", $path or die "$path: $!";
	return $path;
}

# NETWORK => [COUNTRY, CONTINENT]
sub write_countries ($name, %places) {
	return write_tree($name, 'GeoLite2-Country', { map { $_ => { country => { iso_code => $places{$_}[0] },
	    continent => { code => $places{$_}[1] } } } keys %places });
}

# NETWORK => NUMBER
sub write_networks ($name, %numbers) {
	return write_tree($name, 'GeoLite2-ASN',
	    { map { $_ => { autonomous_system_number => $numbers{$_} } } keys %numbers });
}

1;
