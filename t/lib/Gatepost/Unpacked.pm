# SPDX-License-Identifier: BSD-2-Clause
#
# Unpacked.pm: servers whose packages cannot be installed beside the others:
# unpacked next to the program under test, and run where they find the users
# that their packages would have made, and a /dev/log of their own.  Needs
# root; nothing outside the test's folder and the build's is changed.
package Gatepost::Unpacked;
use v5.36;
use Carp qw(croak);
use Exporter 'import';
use File::Basename qw(dirname);
use Gatepost::Process qw(read_file run_command write_file);

our @EXPORT_OK = qw(enclosed library_path unpacked_path);

my @packages = qw(cyrus-imapd cyrus-pop3d exim4-daemon-heavy sasl2-bin);
my $script = dirname(__FILE__) . '/../../../contrib/unpack-packages';

sub packages_dir () {
	return dirname($ENV{GATEPOST} // croak 'GATEPOST does not name the program; use t/run') . '/packages';
}

# Where a file of the packages is; at first they are fetched, unless t/run has done so.
sub unpacked_path ($path) {
	state $root = do {
		my ($status, $output) = run_command('unpack-packages', [$script, packages_dir(), @packages],
		    seconds => 300);
		croak "no packages: $output" if $status;
		packages_dir() . '/root';
	};
	return "$root$path";
}

# LD_LIBRARY_PATH of their programs.
sub library_path () { return join ':', map { unpacked_path("/usr/lib$_") } '/x86_64-linux-gnu', '' }

# The command line that runs COMMAND with the packages' libraries and users, and without DNS; its /dev/log
# is DIR/dev/log.  The pid stays the command's own.
sub enclosed ($dir, @command) {
	mkdir "$dir/dev" or croak "$dir/dev: $!";
	write_file("$dir/passwd", read_file('/etc/passwd') . "Debian-exim:x:65533:65533::/:/bin/false\n");
	write_file("$dir/group", read_file('/etc/group') . "Debian-exim:x:65533:\n");
	write_file("$dir/resolv.conf", "nameserver 127.255.255.254\n");	# is not there, which it hears at once
	return ('unshare', '-m', 'sh', '-ec', <<~'END', 'sh', $dir, library_path(), @command);
		for device in null zero full random urandom; do
			: >"$1/dev/$device"
			mount --bind "/dev/$device" "$1/dev/$device"
		done
		mount --rbind "$1/dev" /dev
		for file in passwd group resolv.conf; do
			[ ! -e "/etc/$file" ] || mount --bind "$1/$file" "/etc/$file"
		done
		export LD_LIBRARY_PATH="$2"
		shift 2
		exec "$@"
		END
}

1;
