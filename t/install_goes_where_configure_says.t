#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Out of tree: `make install` puts all below DESTDIR, with the folders of the
# installation in what names folders; `make uninstall` leaves the operator's
# configuration only; `make dist` packs what is committed, from a checkout and
# from its own package; `make distclean` leaves nothing.
use v5.36;
use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Copy qw(copy);
use File::Find qw(find);
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Process qw(read_file run_command test_dir write_file);
use Test::More;

my $source = abs_path("$FindBin::Bin/..");
my $dir = test_dir();
my %paths = (prefix => '/opt/gp', sysconfdir => '/opt/gp/etc', localstatedir => '/opt/gp/state');
my @options = map { "--$_=$paths{$_}" } sort keys %paths;

# A pkg-config that knows, or does not know, where units belong.
mkdir "$dir/$_" for qw(build root bin);
write_file("$dir/bin/pkg-config", qq(#!/bin/sh\ntest -e "$dir/units" && cat "$dir/units"\n));
chmod 0755, "$dir/bin/pkg-config";

sub run_in ($folder, @command) {
	state $count = 0;
	return run_command('run' . ++$count, ['sh', '-c', 'cd "$0" && exec "$@"', $folder, @command],
	    env => { PATH => "$dir/bin:$ENV{PATH}", MAKEFLAGS => '' });
}

sub succeeds ($folder, $what, @command) {
	my ($status, $text) = run_in($folder, @command);

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is($status, 0, $what) or diag($text);
	return;
}

sub files_below ($folder) {
	my @files;

	find({ no_chdir => 1, wanted => sub { push @files, substr $_, 1 + length $folder if -f } }, $folder);
	return [sort @files];
}

for my $value ('', '=units') {
	my ($status, $text) = run_in("$dir/build", "$source/configure", '-q', @options,
	    "--with-systemdsystemunitdir$value");

	isnt($status, 0, "a folder of units that is none is refused: '$value'");
	like($text, qr/--with-systemdsystemunitdir/, 'and named');
}
write_file("$dir/units", "/opt/gp/units\n");
succeeds("$dir/build", 'without a folder pkg-config is asked', "$source/configure", '-q', @options,
    '--with-systemdsystemunitdir');

# The program is the one under test: nothing is compiled here.
for my $program (qw(gatepost gatepostctl)) {
	copy(dirname($ENV{GATEPOST}) . "/$program", "$dir/build/$program") or die "copy: $!";
	chmod 0755, "$dir/build/$program";
}
my @make = ('make', '-s', map { ('-o', $_) } qw(gatepost gatepostctl));

succeeds("$dir/build", 'install', @make, 'install', "DESTDIR=$dir/root");
my @installed = qw(etc/gatepost/gatepost.conf sbin/gatepost sbin/gatepost-agent sbin/gatepostctl
    share/bash-completion/completions/gatepostctl share/doc/gatepost/LICENSE share/doc/gatepost/README.md
    share/doc/gatepost/fail2ban/filter.d/gatepost.conf share/doc/gatepost/fail2ban/jail.d/gatepost.conf
    share/doc/gatepost/gatepost-reference.conf share/doc/gatepost/grafana-dashboard.json
    share/doc/gatepost/logrotate share/doc/gatepost/migration.md share/doc/gatepost/operations.md
    share/doc/gatepost/prometheus-rules.yml share/doc/gatepost/scale.md
    share/man/man5/gatepost-log.5 share/man/man5/gatepost.conf.5 share/man/man8/gatepost-agent.8
    share/man/man8/gatepost.8 share/man/man8/gatepostctl.8 share/zsh/vendor-completions/_gatepostctl
    units/gatepost-agent.socket units/gatepost-agent@.service units/gatepost.service);
is_deeply(files_below("$dir/root/opt/gp"), \@installed, 'all is there, and nothing else');
is_deeply([glob "$dir/root/*"], ["$dir/root/opt"], 'below the prefix');
my %text = map { m{([^/]+)$} => read_file("$dir/root/opt/gp/$_") } @installed;
like($text{'gatepost.service'}, qr{^ExecStart=/opt/gp/sbin/gatepost }m, 'the unit starts this program');
like($text{'gatepost-agent@.service'}, qr{^ExecStart=/opt/gp/sbin/gatepost-agent }m, 'that of the agent, the agent');
$text{'gatepost.conf'} = read_file("$dir/root/opt/gp/etc/gatepost/gatepost.conf");
like($text{logrotate}, qr{^/opt/gp/state/log/gatepost/}m, 'logs are rotated where they are');
like($text{'gatepost.conf'}, qr{ /opt/gp/etc/gatepost/mail\.pem }, 'the example is about this folder');
like($text{'gatepost.conf'}, qr{ /opt/gp/state/log/gatepost/access\.json;}, 'and its log about this one');
like($text{'gatepost.8'}, qr{^\.It Pa /opt/gp/share/doc/gatepost/}m, 'the manual knows its documents');
like($text{'operations.md'}, qr{password_file /opt/gp/etc/gatepost/}, 'the guide knows where files are');
like($text{'gatepostctl.8'}, qr{^\.It Pa /opt/gp/state/run/gatepost/admin\.sock}m, 'where operators ask');
unlike(join('', @text{qw(gatepost.service gatepost-agent@.service gatepost.conf gatepost.8 gatepost.conf.5
    gatepostctl.8)}), qr{(?<!/opt/gp)/(?:etc/gatepost|var/log)|(?<!state)/run/gatepost|/usr/s}, 'no other folder is named');

write_file("$dir/root/opt/gp/etc/gatepost/gatepost.conf", "# mine\n");
succeeds("$dir/build", 'install once more', @make, 'install', "DESTDIR=$dir/root");
is(read_file("$dir/root/opt/gp/etc/gatepost/gatepost.conf"), "# mine\n", 'the configuration is left alone');
succeeds("$dir/build", 'uninstall', @make, 'uninstall', "DESTDIR=$dir/root");
is_deeply(files_below("$dir/root"), ['opt/gp/etc/gatepost/gatepost.conf'], 'and nothing else is left');

SKIP: {
	my ($status, $committed) = run_in($source, qw(git ls-tree -r --name-only HEAD));
	skip 'not a checkout', 6 if $status != 0;
	my ($package) = map { "gatepost-$_" } read_file("$source/configure") =~ /^PACKAGE_VERSION='(.*)'/m;
	my @names = map { "$package/$_" } sort split /\n/, $committed;

	succeeds("$dir/build", 'dist from a checkout', @make, 'dist');
	succeeds($dir, 'unpacking it', 'tar', 'xzf', "$dir/build/$package.tar.gz");
	is_deeply([map { "$package/$_" } @{ files_below("$dir/$package") }], \@names, 'it holds what is committed');
	succeeds("$dir/$package", 'its own configure', './configure', '-q');
	succeeds("$dir/$package", 'dist from the package', 'make', '-s', 'dist');
	($status, my $list) = run_in($dir, 'tar', 'tzf', "$dir/$package/$package.tar.gz");
	is_deeply([sort grep { !m{/$} } split /\n/, $list], \@names, 'it holds the same');
}

succeeds("$dir/build", 'distclean', @make, 'distclean');
is_deeply([glob "$dir/build/* $dir/build/.[!.]*"], [], 'and nothing is left');
done_testing;
