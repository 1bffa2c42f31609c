#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# What the real bash and zsh put behind a Tab after gatepostctl: commands and their words, pools, servers and
# listeners out of the running gatepost; and what is left where none runs.
use v5.36;
use Cwd qw(abs_path);
use File::Basename qw(dirname);
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::FakeCockpit qw(ctl ctl_program on_terminal stat_json);
use Gatepost::Gatepost;
use Gatepost::Process qw(run_command test_dir write_file);
use JSON::PP qw(encode_json);
use Test::More;

my $dir = test_dir();
my $source = abs_path("$FindBin::Bin/..");
my $path = dirname(ctl_program()) . ":$ENV{PATH}";
my @rows = (['show stat', '[PROXY] [typed]', 1], ['show version', '', 1], ['set weight', 'POOL/SERVER WEIGHT'],
    ['set server', 'POOL/SERVER weight|state|addr VALUE'], ['disable frontend', 'LISTENER'], ['drain', 'SERVER [over TIME] [reason TEXT]']);
my $fake = Gatepost::FakeCockpit->new(answers => {
	'help json' => encode_json([map { +{ name => $_->[0], arguments => $_->[1], level => 'user', help => 'X.',
	    has_json => $_->[2] ? JSON::PP::true : JSON::PP::false } } @rows]) . "\n",
	'show stat json' => stat_json(map { +{ pxname => $_->[0], svname => $_->[1] } } ['in', 'FRONTEND'],
	    ['imap', 'd01'], ['imap', 'd02'], ['imap', 'BACKEND'], ['pop3', 'd01'], ['pop3', 'BACKEND']),
})->start;

# What bash would offer behind these words, the last of which is begun.
sub bash_offers ($socket, @words) {
	my $script = write_file("$dir/complete.bash", <<~'END');
		source "$1/contrib/completion/gatepostctl.bash"
		shift
		complete -p gatepostctl >/dev/null || exit 1
		COMP_WORDS=("$@")
		COMP_CWORD=$(($# - 1))
		_gatepostctl
		printf '%s\n' "${COMPREPLY[@]}"
		END
	my ($status, $text) = run_command('bash', ['bash', $script, $source, 'gatepostctl', @words],
	    env => { PATH => $path, GATEPOST_SOCKET => $socket }, log => "$dir/bash." . ++(state $count));

	return [sort split /\n/, $text];
}

my @cases = (
	['the first word', [''], [qw(disable doctor drain set show top)]],
	['a word that is begun', ['s'], [qw(set show)]],
	['the second word of a name', ['show', ''], [qw(stat version)]],
	['a server of a pool', ['set', 'weight', ''], [qw(imap/d01 imap/d02 pop3/d01)]],
	['a pool is said', ['set', 'server', 'imap/'], [qw(imap/d01 imap/d02)]],
	['words behind an argument', ['set', 'server', 'imap/d01', ''], [qw(addr state weight)]],
	['a listener', ['disable', 'frontend', ''], [qw(in)]],
	['a machine', ['drain', 'd'], [qw(d01 d02)]],
	['what may be left out', ['show', 'stat', ''], [qw(imap in json pop3 typed)]],
	['words behind which others stand', ['drain', 'd01', ''], [qw(over reason)]],
	['behind those', ['drain', 'd01', 'over', '5m', ''], [qw(over reason)]],
	['a flag', ['--js'], ['--json']],
	['behind a flag', ['--json', 'show', 'v'], ['version']],
	['nothing fits', ['nonsense', ''], []],
);
is_deeply(bash_offers($fake->path, @{ $_->[1] }), $_->[2], "bash: $_->[0]") for @cases;
is_deeply(bash_offers("$dir/none", '-s', $fake->path, 'show', 'v'), ['version'], 'bash: behind -s SOCKET');
is_deeply(bash_offers("$dir/none", ''), [qw(doctor top)], 'bash: where no gatepost runs');

my $gatepost = Gatepost::Gatepost->new(config => <<~'END')->start;
	pool imap { port 1; server b1 { address 127.0.0.1 } }
	listener imap { bind 127.0.0.1:@PORT{imap}@; starttls off; plaintext_login yes; pool imap }
	END
is_deeply(bash_offers("$dir/gatepost.sock", 'show', 'ver'), ['version'], 'bash: commands of the real one');
$gatepost->stop;

# Types into a real shell: `gatepostctl WORDS<Tab>`, and tells the line that comes of it, or what is listed.
sub typed_into ($shell, $socket, $typed, $pattern) {
	my %start = (
		zsh => ['zsh', '-f', '-i'],
		bash => ['bash', '--norc', '--noprofile', '-i'],
	);
	my $setup = $shell eq 'zsh'
	    ? "PS1='%% '; fpath=($source/contrib/completion \$fpath); autoload -Uz compinit; compinit -u -d $dir/zcompdump"
	    : "PS1='% '; source $source/contrib/completion/gatepostctl.bash; bind 'set completion-query-items 0'; "
	    . "bind 'set bell-style none'";
	my ($text) = on_terminal($start{$shell}, columns => 120, env => { PATH => $path, GATEPOST_SOCKET => $socket,
	    HISTFILE => '/dev/null', HOME => $dir, LC_ALL => 'C.UTF-8' }, talk => sub ($pty, $pid) {
		my $seen = '';
		my $read_until = sub ($wanted) {
			local $SIG{ALRM} = sub { die "in vain for $wanted: $seen" };
			alarm 30;
			while ($seen !~ $wanted) {
				sysread $pty, $seen, 65536, length $seen or last;
			}
			alarm 0;
		};
		syswrite $pty, "$setup; echo re''ady\n";
		$read_until->(qr/ready/);
		$seen = '';
		syswrite $pty, "gatepostctl $typed";
		$read_until->($pattern);
		kill KILL => $pid;
		return $seen;
	});
	return $text;
}

for my $shell (qw(bash zsh)) {
	like(typed_into($shell, $fake->path, "sho\tvers\t", qr/show.{0,40}version/s), qr/show.{0,40}version/s, "$shell: words are finished");
	like(typed_into($shell, $fake->path, "set weight imap/d\t\t\t", qr/imap\/d01.*imap\/d02/s),
	    qr/imap\/d01.*imap\/d02/s, "$shell: servers are listed");
}
done_testing;
