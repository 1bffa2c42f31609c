#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Passwords are in no core dump: the kernel makes none of gatepost, whether it
# changed its user or not, would write nothing of its memory into one, and
# leaves out what every read goes through anyway.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::Gatepost;
use Gatepost::Process qw(read_file run_command test_dir);
use Test::More;

my $dir = test_dir();
chmod 0777, $dir;
my $config = <<'END';
pool t { protocol tcp; server s { address 127.0.0.1:9 } }
listener a { protocol tcp; bind 127.0.0.1:@PORT{a}@; pool t }
END
my %users = ('without a user' => '', ($> == 0 ? ('with one' => "user nobody\n") : ()));

# Does the kernel dump anybody who ends so?
my ($status) = run_command('dumped', ['sh', '-c', "cd $dir && exec perl -e 'kill ABRT => \$\$'"],
    limits => { core => 'unlimited' });
my $are_dumped = $status & 128;

for my $name (sort keys %users) {
	my $gatepost = Gatepost::Gatepost->new(name => 'gatepost' . length $users{$name},
	    config => $users{$name} . $config, limits => { core => 'unlimited' },
	    env => { ASAN_OPTIONS => 'disable_coredump=0' })->start;
	my $proc = '/proc/' . $gatepost->pid;

	like(read_file("$proc/coredump_filter"), qr/^0+$/, "$name: no kind of memory would be dumped");
	if ($name eq 'with one' || $> != 0) {
		is((stat "$proc/fd")[4], 0, "$name: its own user may not look at it");
	}
	SKIP: {
		skip 'only root may look', 1 if $> != 0;
		my @maps = split /^(?=[0-9a-f]+-[0-9a-f]+ )/m, read_file("$proc/smaps");
		# two threads and control
		cmp_ok(scalar(grep { /^Size: +256 kB$/m && /^VmFlags:.* dd/m } @maps), '>=', 3,
		    "$name: the buffers for reading are left out");
	}
	SKIP: {
		skip 'nobody is dumped here', 1 unless $are_dumped;
		$gatepost->signal('ABRT');
		is($gatepost->wait_for_end & 255, 6, "$name: it is not dumped");
	}
	$gatepost->kill_now;
}
unlink glob "$dir/core*";
done_testing;
