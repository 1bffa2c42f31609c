#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# One Dovecot of six breaks, in each of ten ways, while users read their mail.  From the metrics and from
# gatepostctl alone a watch that knows nothing of it names the server, what ails it, and the cure; the metrics
# point at the same one.  While all are well it names nobody.
#
# With NIGHT_GUIDE=path/to/operations.md what the watch sees is written into the guide's cases.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Gatepost::NightFarm;
use Gatepost::NightWatch;
use Gatepost::Process qw(read_file test_dir wait_for write_file);
use Test::More;

plan skip_all => 'a cable to be pulled needs root' if $> != 0;

# What must be told: of what it is sick, and what cures it.
my %told = (
	stopped => [qr/connection refused.*; nothing listens there/, qr/^on d\d: systemctl start dovecot$/],
	frozen => [qr/timed out while reading greeting; .* the machine or the service hangs$/,
	    qr/^on d\d: systemctl restart dovecot$/],
	disk => [qr/; its storage hangs/, qr/^on d\d: ps axo stat/],
	slow => [qr/takes \d+ ms for a login, its neighbours \d+; its storage .* is slow$/, qr/^on d\d: iostat/],
	expired => [qr/; its certificate has expired$/, qr/^on d\d: certbot renew && doveadm reload$/],
	name => [qr/mismatch.*; its certificate is for other names/, qr/^on d\d: doveconf -n ssl_cert$/],
	master => [qr/has refused \d+ of \d+ logins.*AUTHENTICATIONFAILED.*; .* master password/,
	    qr/^on d\d: doveadm auth test MASTER$/],
	full => [qr/has failed \d+ of \d+ logins.*; .* all its processes are taken/,
	    qr/^on d\d: doveadm log errors \| grep limit$/],
	resets => [qr/reset.*; it breaks connections off/, qr/^on d\d: doveadm log errors$/],
	cable => [qr/; no packet comes back/, qr/^ping -c3 \d+\.\d+\.\d+\.\d+$/],
);

my $farm = Gatepost::NightFarm->new;
my $gatepost;

sub watch () {
	return Gatepost::NightWatch->new(socket => test_dir() . '/gatepost.sock', conf => $gatepost->{conf},
	    url => 'http://127.0.0.1:' . $gatepost->port('http') . '/metrics');
}

# A gatepost of its own for each, as what it has seen counts for minutes.
sub begin () {
	$gatepost = $farm->gatepost->start;
	$farm->start_readers;
	return wait_for(sub { !grep { $_->{state} ne 'up' || $_->{total} < 12 } @{ $gatepost->ask_json('show servers') } },
	    60, 'six servers with users');
}

sub end () {
	$farm->stop_readers;
	return $gatepost->stop;
}

begin();
my $calm = watch();
$calm->look for 1, 2;
is_deeply([map { $_->{finding} } $calm->complaints], [], 'while all are well, nobody is complained of');
is_deeply([$calm->signs], [], 'nor do the metrics point at anybody');
end();

# some of them only, where somebody works on one
my %only = map { ($_ => 1) } split / /, $ENV{NIGHT_ONLY} // '';
for my $fault (grep { !%only || $only{ $_->{name} } } $farm->faults) {
	my ($name, $n) = ($fault->{name}, $fault->{server});
	my ($reason, $cure) = @{ $told{$name} };
	my @found;

	begin();
	my $watch = watch();
	$watch->look;
	$fault->{break}->($farm, $n);
	# engineers come later than that
	eval { wait_for(sub { @found = $watch->complaints; grep { $_->{finding} =~ $reason } @found }, 60, $name) };
	eval { wait_for(sub { $watch->look; $watch->signs }, 60, "signs of $name") };
	is_deeply([map { $_->{server} } @found], ["d$n"], "$name: the sick one is named, and nobody else")
	    or diag(explain(\@found));
	if (@found) {
		like($found[0]{finding}, $reason, "$name: the reason");
		ok(scalar(grep { $_ =~ $cure } @{ $found[0]{remedies} }), "$name: the cure") or diag(explain($found[0]));
	}
	my $sign = ($watch->signs)[0] // [];
	is($sign->[0], "d$n", "$name: the metrics point at it: @$sign");
	$farm->write_case($ENV{NIGHT_GUIDE}, $fault, $watch, $sign) if defined $ENV{NIGHT_GUIDE};
	$fault->{heal}->($farm, $n);
	# what the check sees at once, it sees to be over
	wait_for(sub { !grep { $_->{finding} =~ / is DOWN/ } $watch->complaints }, 60, "$name: the server to be up again");
	end();
}

# Checks that log in as gatepost does for users see what others do not, and take the server down.
SKIP: {
	skip 'only some', 1 if %only;
	$gatepost = $farm->gatepost(kind => 'kind login; user user1*gp; password_file @DIR@/master-password;')->start;
	for my $fault (grep { $_->{name} =~ /^(?:master|disk)$/ } $farm->faults) {
		my $n = $fault->{server};
		my $is = sub ($state) {
			wait_for(sub { grep { $_->{server} eq "d$n" && $_->{state} eq $state }
			    @{ $gatepost->ask_json('show servers') } }, 60, "d$n $state") };

		$is->('up');
		$fault->{break}->($farm, $n);
		$is->('down');
		like(join(' ', map { "$_->{server}: $_->{finding}" } watch()->complaints),
		    qr{^d$n: imap/d$n is DOWN: .* while logging in; (?:it refuses the account|logins hang)},
		    "$fault->{name}: seen by checks that log in");
		$fault->{heal}->($farm, $n);
	}
	$gatepost->stop;
}
$farm->stop;
done_testing;
