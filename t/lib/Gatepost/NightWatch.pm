# SPDX-License-Identifier: BSD-2-Clause
#
# NightWatch.pm: the engineer who is called at night, and knows nothing of what has happened: asks /metrics and
# gatepostctl, nothing else, and tells which server is sick, why, and what is to be done.
package Gatepost::NightWatch;
use v5.36;
use Carp qw(croak);
use Gatepost::FakeCockpit qw(ctl ctl_apart ctl_program on_terminal);
use Gatepost::Http qw(http);
use JSON::PP qw(decode_json);

# socket and conf of the gatepost, url of its metrics.
sub new ($class, %option) { return bless { %option, pages => [] }, $class }

sub ask ($self, @words) {
	my ($status, $text) = ctl($self->{socket}, '-c', $self->{conf}, @words);
	return $text;
}

sub look ($self) { return push @{ $self->{pages} }, http($self->{url})->{body} }

# What doctor finds of the servers that is not well: { server, finding, remedies }.
sub complaints ($self) {
	my ($status, $out) = ctl_apart($self->{socket}, '-c', $self->{conf}, '--json', 'doctor');
	my @found;

	for my $row (@{ decode_json($out) }) {
		next if $row->{check} ne 'servers' || $row->{grade} !~ /^(?:wrong|note)$/;
		my ($pool, $server) = $row->{finding} =~ m{^(\w+)/(\w+) } or next;
		push @found, { pool => $pool, server => $server, finding => $row->{finding},
		    remedies => [map { $_->{do} } @{ $row->{remedies} }] };
	}
	return @found;
}

# Samples of a metric's servers: { d1 => 5, … }.
sub samples ($page, $metric, $labels = qr//) {
	my %of;

	while ($page =~ /^$metric\{proxy="\w+",server="(\w+)"([^}]*)\} (\S+)$/mg) {
		my ($server, $more, $value) = ($1, $2, $3);
		$of{$server} = $value if $more =~ $labels;
	}
	return \%of;
}

# What each server has added to a counter between the first look and the last.
sub growth ($self, $metric) {
	my ($before, $now) = map { samples($_, $metric) } @{ $self->{pages} }[0, -1];
	return { map { ($_ => $now->{$_} - ($before->{$_} // 0)) } keys %$now };
}

# The one that has by far the most, at least `least`; or undef.
sub outlier ($of, $least) {
	my ($first, $second) = sort { $of->{$b} <=> $of->{$a} } keys %$of;
	return $of->{$first} >= $least && $of->{$first} > 3 * $of->{$second} ? $first : undef;
}

# From the metrics alone: [server, metric, its value, the others' highest], the clearest sign first.
sub signs ($self) {
	my $down = samples($self->{pages}[-1], 'haproxy_server_status', qr/state="DOWN"/);
	my @signs = map { [$_, 'haproxy_server_status{state="DOWN"}', 1] } grep { $down->{$_} } keys %$down;

	for my $counter (map { "gatepost_server_${_}_total" }
	    qw(connect_failures timeouts tls_failures dialogue_failures refused put_off)) {
		my $of = $self->growth($counter);
		my $server = outlier($of, 3) // next;
		push @signs, [$server, $counter, $of->{$server}];
	}
	my ($sum, $count) = map { $self->growth("gatepost_server_login_time_seconds_$_") } qw(sum count);
	my $mean = { map { ($_ => $count->{$_} ? $sum->{$_} / $count->{$_} : 0) } keys %$sum };
	my $slow = outlier($mean, 0.5);
	push @signs, [$slow, 'gatepost_server_login_time_seconds', sprintf '%.1f', $mean->{$slow}] if defined $slow;
	return @signs;
}

# What is seen of one server, as the guide shows it.
sub transcript ($self, $pool, $server) {
	my $doctor = join '', map { "  $_\n" } $self->lines_about_servers;

	return join "\n", "\$ gatepostctl doctor", $doctor . "\$ gatepostctl show servers $pool",
	    $self->on_screen('show', 'servers', $pool) . "\$ gatepostctl check now $pool/$server",
	    $self->ask('check', 'now', "$pool/$server");
}

# Doctor's lines from its servers to what stands behind.
sub lines_about_servers ($self) {
	my $inside = 0;
	my @lines;

	for my $line (split /\n/, $self->ask('doctor')) {
		$inside = $1 eq 'servers' if $line =~ /^(?:ok|note|wrong|\?) +(\w+)/;
		push @lines, $line if $inside;
	}
	return @lines;
}

sub on_screen ($self, @words) {
	my ($text) = on_terminal([ctl_program(), '--no-color', '-s', $self->{socket}, @words], columns => 110);
	return $text;
}

1;
