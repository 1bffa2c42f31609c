# SPDX-License-Identifier: BSD-2-Clause
#
# Table.pm: the medians of all rounds as Markdown, a table for each kind of
# figure, and beside them what gatepost may cost.
package Bench::Table;
use v5.36;
use Exporter 'import';

our @EXPORT_OK = qw(markdown);

# What gatepost is to keep, at most or at least: so many times a peer's figure of the same round, or so much.
my @BUDGETS = (
	# scenario        factor  peer
	['tcp-conn',      1.0,    'nginx-stream'],
	['smtp',          1.1,    'haproxy'],
	['imap',          0.9,    'nginx-mail'],
	['imap',          1.15,   'haproxy'],
	['imaps',         1.0,    'haproxy'],
	['imap-starttls', 0.85,   'nginx-mail'],
	['submission',    0.85,   'nginx-mail'],
	['tls13',         1.3,    'direct'],
	['tls13-resume',  1.3,    'direct'],
	['fetch',         2.4,    'direct'],
	['fetch-tls',     1.1,    'direct'],
	['tcp-down',      1.8,    'haproxy'],
	['tls-down',      1.1,    'nginx-stream'],
	['hold',          1_500,  undef],
	['hold-tls',      16_000, undef],
	['latency',       100,    undef],
	['latency-tls',   100,    undef],
);

# kind => its title, what a budget is, the figure of a run, given the run of `direct` in the same round too
my %KINDS = (
	cpu => ['CPU µs a session (× direct)', 'most',
	    sub ($run, $direct) { $run->{cpu_ns} / 1e3 / $run->{units} }],
	bulk => ['MB per CPU second', 'least', sub ($run, $direct) { $run->{bytes} * 1e3 / $run->{cpu_ns} }],
	memory => ['PSS bytes an idle session', 'most', sub ($run, $direct) { $run->{memory} / $run->{units} }],
	latency => ['µs added to a command, p50 / p99', 'most',
	    sub ($run, $direct) { added($run, $direct, 'p50_ns') }],
);

# What the direct way itself takes is shown as such.
sub added ($run, $direct, $which) {
	return ($run->{$which} - ($run == $direct ? 0 : $direct->{$which})) / 1e3;
}

sub median (@values) {
	my @sorted = sort { $a <=> $b } @values;

	return @sorted ? ($sorted[$#sorted / 2] + $sorted[@sorted / 2]) / 2 : undef;
}

# What CODE makes of a round's runs, for the rounds where both went well.
sub pairs ($runs, $others, $code) {
	return map { $code->($runs->[$_], $others->[$_]) }
	    grep { !$runs->[$_]{error} && defined $others->[$_] && !$others->[$_]{error} } 0 .. $#$runs;
}

# The medians of what is shown of a peer: its figure, and for some kinds a second one.
sub shown ($kind, $peer, $runs) {
	my $figure = $KINDS{$kind}[2];
	my @pair = ($runs->{$peer}, $runs->{direct});
	my $second = {
		cpu => sub ($run, $direct) { $figure->($run, $direct) / $figure->($direct, $direct) },
		latency => sub ($run, $direct) { added($run, $direct, 'p99_ns') },
	}->{$kind};

	return (median(pairs(@pair, $figure)), $second ? median(pairs(@pair, $second)) : undef);
}

sub cell ($kind, $peer, $runs) {
	return '' unless $runs->{$peer};
	my ($value, $second) = shown($kind, $peer, $runs);

	return 'error' unless defined $value;
	return sprintf '%.0f (%.2f)', $value, $second if $kind eq 'cpu';
	return sprintf '%.0f / %.0f', $value, $second if $kind eq 'latency';
	return sprintf '%.0f', $value;
}

# "met: 0.98 ≤ 1.10 × haproxy", "missed: 1700 > 1500"; without such a peer only what is to be kept.
sub judged ($kind, $budget, $runs) {
	my (undef, $factor, $peer) = @$budget;
	my (undef, $at, $figure) = @{ $KINDS{$kind} };
	my $direct = $runs->{direct};
	my $limit = defined $peer ? sprintf('%.2f × %s', $factor, $peer) : $factor;
	my $ratio = sub ($own, $other) { $figure->($own, {}) / $figure->($other, {}) };
	my @values = !defined $peer ? pairs($runs->{gatepost}, $direct, $figure) :
	    $runs->{$peer} ? pairs($runs->{gatepost}, $runs->{$peer}, $ratio) : ();
	my ($good, $bad) = $at eq 'most' ? qw(≤ >) : qw(≥ <);
	my $value = median(@values) // return "$good $limit";
	my $is_met = $at eq 'most' ? $value <= $factor : $value >= $factor;

	return sprintf defined $peer ? '%s: %.2f %s %s' : '%s: %.0f %s %s', $is_met ? 'met' : 'missed', $value,
	    $is_met ? $good : $bad, $limit;
}

sub row ($scenario, $peers, $runs) {
	my ($name, $kind) = @$scenario{qw(name kind)};
	my @judged = map { judged($kind, $_, $runs) } grep { $_->[0] eq $name && $runs->{gatepost} } @BUDGETS;

	return join ' | ', $name, map({ cell($kind, $_, $runs) } @$peers), join '; ', @judged;
}

# What went wrong, once for each scenario and peer.
sub errors ($scenario, $peers, $runs) {
	my @lines;

	for my $peer (grep { $runs->{$_} } @$peers) {
		my @bad = map { $_->{error} // () } @{ $runs->{$peer} };
		push @lines, sprintf '%s, %s: %d of %d runs failed: %s', $scenario->{name}, $peer, scalar @bad,
		    scalar @{ $runs->{$peer} }, $bad[0] if @bad;
	}
	return @lines;
}

# scenarios and names of peers as lists, results => { SCENARIO => { PEER => [runs in the order of rounds] } }.
sub markdown ($scenarios, $peers, $results) {
	my $text = '';

	for my $kind (qw(cpu bulk memory latency)) {
		my @of_kind = grep { $_->{kind} eq $kind } @$scenarios or next;

		$text .= "| $KINDS{$kind}[0] | " . join(' | ', @$peers) . " | budget of gatepost |\n";
		$text .= '|---|' . '---:|' x @$peers . "---|\n";
		$text .= "| $_ |\n" for map { row($_, $peers, $results->{ $_->{name} }) } @of_kind;
		$text .= "\n";
	}
	my @errors = map { errors($_, $peers, $results->{ $_->{name} }) } @$scenarios;
	return join "\n", $text . join('', map { "$_\n" } @errors), @errors ? '' : ();
}

1;
