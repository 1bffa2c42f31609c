# SPDX-License-Identifier: BSD-2-Clause
#
# ChaosChecker.pm: judges what a cluster did under faults, by what others wrote down: the servers' logs (of
# Dovecot, and Postfix' mail log), what the clients saw, which faults were made, and what operators said.  It
# asks nothing of the proxies.  Times are seconds since the epoch.
#
# I1  No user has live sessions on two servers, nor mail delivered beside them, but in declared windows.
# I2  What was ended by a kick or a move that was answered is gone a lease later.
# I3  No login and no mail passes a hold that was answered before.
# I4  The numbers of connections that proxies tell are those that there are.
# I5  No session ends since Redis is away, nor for anything else that is no reason.
# Mail that Postfix has taken is in one store, once, or twice where a server's answer was lost.
#
# A session lives from the server's login line to the first of: the server's line of its end, the server's
# death, the end that its client saw.  A declared window is a fault that keeps a proxy from Redis or takes what
# Redis knew, and a lease more.
package Gatepost::ChaosChecker;
use v5.36;
use List::Util qw(max min);

use constant {
	SLACK => 2,		# s: until a machine under load has written it down
	PATIENCE => 15,		# s: until a client that hears nothing has given up
	MAIL_SLACK => 8,	# s: from a RCPT that came before to the line that it is saved
	COUNT_AGE => 4,		# s: how old a number of connections may be
	FOREVER => 9e15,
};

# logs => { server => text }, and perhaps mail_log => text, stores => { server => { user => [mail, ...] } },
# lease => seconds, and lists of hashes:
#   clients  user slot protocol proxy from asked in out how: one for each try.  from: address:port; asked: when the
#            password was sent; in: when it was taken (or none); how: left, refused, unreachable, closed, silent
#   faults   kind from until, and perhaps proxy, server (whom it concerns), splits => 1 (declares a window)
#   orders   what (kick move hold) user server proxy asked answered ok, and of a hold until
#   mails    id to => [user, ...]: accepted by Postfix
#   counts   proxy at rows => [{ proxy, server, protocol, connections }, ...]: as `proxy` told them
sub new ($class, %option) {
	my $self = bless { lease => 90, clients => [], faults => [], orders => [], mails => [], counts => [],
	    stores => {}, mail_log => '', %option, sessions => [], deliveries => [], violations => [] }, $class;

	$self->read_log($_, $self->{logs}{$_}) for sort keys %{ $self->{logs} };
	$self->end_with_servers;
	$self->meet_clients;
	$self->{windows} = [map { [$_->{from}, $_->{until} + $self->{lease} + SLACK] } grep { $_->{splits} }
	    @{ $self->{faults} }];
	push @{ $self->{of}{ $_->{user} } }, $_ for sort { $a->{login} <=> $b->{login} } @{ $self->{sessions} };
	return $self;
}

# Violations found: { invariant, text, proof => [lines] }.
sub judge ($self) {
	$self->judge_splits;
	$self->judge_stray_mail;
	$self->judge_ended;
	$self->judge_holds;
	$self->judge_counts;
	$self->judge_closed;
	$self->judge_mail;
	return @{ $self->{violations} };
}

sub violation ($self, $invariant, $text, @proof) {
	push @{ $self->{violations} }, { invariant => $invariant, text => $text, proof => \@proof };
	return;
}

# A login, an end, or a mail saved.
sub read_log ($self, $server, $text) {
	my %open;

	for my $line (split /\n/, $text) {
		my ($at, $rest) = $line =~ /^(\d+\.\d+) (.*)/ or next;
		my $proof = "$server: $line";

		if ($rest =~ /^(\w+)-login: Info: Login: user=<(\w+)>.*? rip=([\d.]+), rport=(\d+),.* session=<([^>]+)>/) {
			my $session = { server => $server, protocol => $1 eq 'managesieve' ? 'sieve' : $1, user => $2,
			    from => "$3:$4", login => $at, end => FOREVER, proof => [$proof] };
			$open{"$2 $5"} = $session;
			push @{ $self->{sessions} }, $session;
		} elsif ($rest =~ /^\w+\((\w+)\)<\d+><([^>]+)>: Info: Disconnected/) {
			my $session = delete $open{"$1 $2"} or next;
			$session->{end} = $at;
			push @{ $session->{proof} }, $proof;
		} elsif ($rest =~ /^lmtp\((\w+)\)<\d+><[^>]*>: Info: .*msgid=<(\w+)\@.*(?:saved mail|stored mail)/) {
			push @{ $self->{deliveries} }, { server => $server, user => $1, mail => $2, at => $at,
			    proof => [$proof] };
		}
	}
	return;
}

# A server that is killed writes no line.
sub end_with_servers ($self) {
	for my $fault (grep { $_->{kind} eq 'server killed' } @{ $self->{faults} }) {
		for my $session (@{ $self->{sessions} }) {
			next unless $session->{server} eq $fault->{server} && $session->{login} <= $fault->{from};
			next unless $session->{end} > $fault->{from};
			$session->{end} = $fault->{from};
			push @{ $session->{proof} }, "$fault->{server} killed at $fault->{from}";
		}
	}
	return;
}

# A session that its client knows to be over is nobody's, though its server may not have heard of it.
sub meet_clients ($self) {
	my %from;

	push @{ $from{ $_->{from} } }, $_ for grep { defined $_->{from} && defined $_->{asked} } @{ $self->{clients} };
	for my $session (@{ $self->{sessions} }) {
		my ($client) = grep { $_->{user} eq $session->{user} && $_->{asked} <= $session->{login} + SLACK &&
		    $_->{out} >= $session->{login} - SLACK } @{ $from{ $session->{from} } // [] };
		next unless $client;
		$session->{client} = $client;
		$client->{server} = $session->{server};
		$session->{end} = max($session->{login}, min($session->{end}, $client->{out}));
		push @{ $session->{proof} }, sprintf 'client: %s at %s, in %s, out %.6f: %s', @$client{qw(from proxy)},
		    defined $client->{in} ? sprintf('%.6f', $client->{in}) : 'never', @$client{qw(out how)};
	}
	return;
}

# What of the time is in no declared window: [from, until] pieces.
sub undeclared ($self, $from, $until) {
	my @pieces = ([$from, $until]);

	for my $window (@{ $self->{windows} }) {
		@pieces = map {
			my ($a, $b) = @$_;
			grep { $_->[0] < $_->[1] } [$a, min($b, $window->[0])], [max($a, $window->[1]), $b]
		} @pieces;
	}
	return @pieces;
}

sub is_declared ($self, $at) { return !$self->undeclared($at, $at + 1e-6) }

# Faults other than Redis' that may have a proxy hear late what it should do: then a lease is the bound.
sub may_be_late ($self, $from, $until) {
	return grep { $_->{kind} =~ /^proxy (?:stopped|unplugged)/ && $_->{from} <= $until && $_->{until} >= $from }
	    @{ $self->{faults} };
}

sub judge_splits ($self) {
	for my $user (sort keys %{ $self->{of} }) {
		my @sessions = @{ $self->{of}{$user} };

		for my $i (0 .. $#sessions) {
			for my $j ($i + 1 .. $#sessions) {
				last if $sessions[$j]{login} >= $sessions[$i]{end};
				$self->judge_pair($user, $sessions[$i], $sessions[$j])
				    if $sessions[$i]{server} ne $sessions[$j]{server};
			}
		}
	}
	return;
}

sub judge_pair ($self, $user, $one, $other) {
	my ($from, $until) = ($other->{login}, min($one->{end}, $other->{end}));
	my $bound = SLACK + ($self->may_be_late($from, $until) ? $self->{lease} : 0);

	push @{ $self->{splits} }, { from => $from, seconds => $until - $from,
	    declared => $self->undeclared($from, $until) ? 0 : 1 };
	for my $piece ($self->undeclared($from, $until)) {
		my $seconds = $piece->[1] - $piece->[0];

		$self->violation('I1', sprintf('%s is on %s and %s for %.1f s', $user, $one->{server},
		    $other->{server}, $seconds), @{ $one->{proof} }, @{ $other->{proof} }) if $seconds > $bound;
	}
	return;
}

# A server that was ill may save later what it had taken before.
sub judge_stray_mail ($self) {
	for my $mail (@{ $self->{deliveries} }) {
		next if $self->is_declared($mail->{at});
		next if grep { ($_->{server} // '') eq $mail->{server} && $_->{from} <= $mail->{at} &&
		    $mail->{at} <= $_->{until} + $self->{lease} } @{ $self->{faults} };
		for my $session (@{ $self->{of}{ $mail->{user} } // [] }) {
			next if $session->{server} eq $mail->{server};
			next if $session->{login} > $mail->{at} - SLACK || $session->{end} < $mail->{at} + SLACK;
			$self->violation('I1', "$mail->{user}: mail $mail->{mail} comes to $mail->{server}, beside a " .
			    "session on $session->{server}", @{ $mail->{proof} }, @{ $session->{proof} });
		}
	}
	return;
}

# When the last window ends that AT lies in: until then nobody may know.
sub known_by ($self, $at) {
	my $known = $at;

	for my $window (sort { $a->[0] <=> $b->[0] } @{ $self->{windows} }) {
		$known = $window->[1] if $window->[0] <= $known && $known < $window->[1];
	}
	return $known;
}

sub judge_ended ($self) {
	for my $order (grep { $_->{ok} && $_->{what} =~ /^(?:kick|move)$/ } @{ $self->{orders} }) {
		my $last = max($order->{answered}, $self->known_by($order->{answered})) + $self->{lease} + SLACK;

		for my $session (@{ $self->{of}{ $order->{user} } // [] }) {
			my $began = $session->{client} ? $session->{client}{in} // FOREVER : $session->{login};

			next if $began > $order->{asked} || $session->{end} < $order->{asked};
			next if $order->{what} eq 'move' && $session->{server} eq $order->{server};
			push @{ $self->{reach}{ $order->{what} . $self->amid_fault($order) } },
			    $session->{end} - $order->{asked};
			$self->violation('I2', sprintf('%s: a session is there %.1f s after a %s', $order->{user},
			    $session->{end} - $order->{answered}, $order->{what}), "operator: $order->{what} of " .
			    "$order->{user} at $order->{proxy}, asked $order->{asked}, answered $order->{answered}",
			    @{ $session->{proof} }) if $session->{end} > $last;
		}
	}
	return;
}

# Told apart: what takes so long where all is well.
sub amid_fault ($self, $order) {
	return (grep { $_->{from} <= $order->{answered} && $order->{asked} <= $_->{until} + SLACK }
	    @{ $self->{faults} }) ? ', amid a fault' : '';
}

sub judge_holds ($self) {
	for my $order (grep { $_->{ok} && $_->{what} eq 'hold' } @{ $self->{orders} }) {
		my $proof = "operator: hold of $order->{user} at $order->{proxy}, answered $order->{answered}, " .
		    "until $order->{until}";

		for my $client (@{ $self->{clients} }) {
			next unless $client->{user} eq $order->{user} && defined $client->{in};
			next if $client->{asked} <= $order->{answered} || $client->{in} >= $order->{until};
			$self->violation('I3', "$client->{user} comes in though held", $proof,
			    "client: $client->{from} at $client->{proxy}, asked $client->{asked}, in $client->{in}")
			    if !$self->is_declared($client->{in});
		}
		for my $mail (grep { $_->{user} eq $order->{user} } @{ $self->{deliveries} }) {
			next if $mail->{at} <= $order->{answered} + MAIL_SLACK || $mail->{at} >= $order->{until};
			$self->violation('I3', "$mail->{user}: mail passes a hold", $proof, @{ $mail->{proof} })
			    if !$self->is_declared($mail->{at});
		}
	}
	return;
}

# How many sessions a proxy had on a server, at least and at most, within the time; dials and goodbyes are counted
# by proxies, too.
sub true_count ($self, $row, $from, $until) {
	my ($least, $most) = (0, 0);

	for my $session (@{ $self->{sessions} }) {
		my $client = $session->{client};
		next unless $session->{server} eq $row->{server} && $session->{protocol} eq $row->{protocol};
		next unless !$client || $client->{proxy} eq $row->{proxy};
		my $began = $client ? $client->{asked} : $session->{login};

		$most++ if $began <= $until && $session->{end} >= $from - SLACK;
		$least++ if $client && $session->{login} <= $from && $session->{end} >= $until;
	}
	return ($least, $most);
}

# Told of proxies that are well, and were for a while.
sub judge_counts ($self) {
	for my $count (@{ $self->{counts} }) {
		next if $self->is_declared($count->{at}) || grep { ($_->{proxy} // '') eq $count->{proxy} &&
		    $_->{from} <= $count->{at} && $count->{at} <= $_->{until} + COUNT_AGE } @{ $self->{faults} };
		for my $row (@{ $count->{rows} }) {
			next if grep { ($_->{proxy} // $row->{proxy}) eq $row->{proxy} && $_->{from} <= $count->{at} &&
			    $count->{at} <= $_->{until} + $self->{lease} } @{ $self->{faults} };
			my ($least, $most) = $self->true_count($row, $count->{at} - COUNT_AGE, $count->{at});

			$self->{counted}++;
			$self->violation('I4', "$row->{proxy} is said to have $row->{connections} connections of " .
			    "$row->{protocol} to $row->{server}, and has $least to $most",
			    "$count->{proxy} told so at $count->{at}")
			    if $row->{connections} < $least || $row->{connections} > $most;
		}
	}
	return;
}

# The fault or the order by which a client's session may have ended then; nothing where there is none.
sub cause ($self, $client) {
	my $at = $client->{out};
	my @causes;

	for my $order (@{ $self->{orders} }) {
		next unless $order->{user} eq $client->{user} && $order->{what} =~ /^(?:kick|move)$/;
		push @causes, $order->{what} if $order->{asked} <= $at &&
		    $at <= $self->known_by($order->{answered}) + $self->{lease} + SLACK;
	}
	for my $fault (grep { $_->{kind} !~ /^Redis|clock$/ } @{ $self->{faults} }) {
		next if $at < $fault->{from} - SLACK || $at > $fault->{until} + PATIENCE;
		next if defined $fault->{server} && $fault->{server} ne ($client->{server} // $fault->{server});
		if (($fault->{proxy} // $client->{proxy}) eq $client->{proxy}) {
			push @causes, $fault->{kind};
		} elsif ($fault->{kind} =~ /^(?:proxy unplugged|server cut off)$/) {
			# it finds servers down that others do not, and binds their users anew
			push @causes, 'bound anew by a proxy that was cut off';
		}
	}
	return @causes if @causes;
	return $self->was_split($client) ? ('reconciled') : ();
}

# The user was on another server, too, in a window that the end lies in.
sub was_split ($self, $client) {
	my $at = $client->{out};

	for my $window (grep { $_->[0] <= $at && $at <= $_->[1] } @{ $self->{windows} }) {
		return 1 if grep { $_->{server} ne ($client->{server} // '') && $_->{login} <= $at + SLACK &&
		    $_->{end} >= $window->[0] } @{ $self->{of}{ $client->{user} } // [] };
		return 1 if grep { $_->{user} eq $client->{user} && $_->{server} ne ($client->{server} // '') &&
		    $window->[0] <= $_->{at} && $_->{at} <= $at + SLACK } @{ $self->{deliveries} };
	}
	return 0;
}

sub judge_closed ($self) {
	for my $client (grep { defined $_->{in} && $_->{how} =~ /^(?:closed|silent)$/ } @{ $self->{clients} }) {
		my ($cause) = $self->cause($client);
		my ($fault) = grep { $_->{splits} && $_->{from} <= $client->{out} &&
		    $client->{out} <= $_->{until} + $self->{lease} + SLACK } @{ $self->{faults} };

		$client->{cause} = $cause // ($fault ? $fault->{kind} : 'nothing');
		$self->{closed}{ $client->{cause} }++;
		next if defined $cause;
		$self->violation('I5', "a session of $client->{user} at $client->{proxy} ends by " .
		    ($fault ? $fault->{kind} : 'nothing that was done'), map({ $_->{proof}->@* }
		    grep { ($_->{client} // 0) == $client } @{ $self->{sessions} }),
		    $client->{words} // ());
	}
	return;
}

# What Postfix was told of each mail, and where it is.
sub judge_mail ($self) {
	my (%copies, %id, %doubtful);

	for my $line (split /\n/, $self->{mail_log}) {
		$id{$1} = $2 if $line =~ m{/cleanup\[\d+\]: (\w+): message-id=<(\w+)\@};
		my ($queued, $user) = $line =~ m{/lmtp\[\d+\]: (\w+): to=<(\w+)\@.*status=deferred} or next;
		$doubtful{"$id{$queued} $user"}++ if $id{$queued} && $line =~ /lost|timed out|451/;
	}
	for my $server (sort keys %{ $self->{stores} }) {
		my $users = $self->{stores}{$server};

		for my $user (keys %$users) { push @{ $copies{"$_ $user"} }, $server for @{ $users->{$user} } }
	}
	for my $mail (@{ $self->{mails} }) {
		for my $user (@{ $mail->{to} }) {
			my @at = @{ $copies{"$mail->{id} $user"} // [] };
			my %at = map { $_ => 1 } @at;

			$self->{mail}{accepted}++;
			$self->violation('mail', "$mail->{id} for $user was accepted and is in no store", grep {
			    /: to=<\Q$user\E\@/ && /: (\w+): to=/ && ($id{$1} // '') eq $mail->{id}
			} split /\n/, $self->{mail_log}) if !@at;
			$self->{mail}{twice}++ if @at > 1;
			$self->{mail}{'in a second store'}++ if keys %at > 1;
			$self->violation('mail', "$mail->{id} for $user is there @{[scalar @at]} times, and nothing " .
			    'was in doubt', "stores: @at") if @at > 1 + ($doubtful{"$mail->{id} $user"} // 0);
		}
	}
	return;
}

# The fault that went on then, or the last before it that still tells.
sub fault_at ($self, $at) {
	my ($fault) = sort { $b->{from} <=> $a->{from} } grep { $_->{from} <= $at &&
	    $at <= $_->{until} + PATIENCE } @{ $self->{faults} };

	return $fault ? $fault->{kind} : 'no fault';
}

sub is_ill ($self, $proxy, $at) {
	return grep { $_->{kind} =~ /^proxy (?:killed|stopped|unplugged)/ && $_->{proxy} eq $proxy &&
	    $_->{from} - SLACK <= $at && $at <= $_->{until} + SLACK } @{ $self->{faults} };
}

# By fault, in seconds: how long clients whose session had ended were out, and how long those were who tried at a
# proxy that was there and did not get in.
sub delays ($self) {
	my (%slots, %back, %locked);

	push @{ $slots{ $_->{slot} } }, $_ for sort { $a->{out} <=> $b->{out} } @{ $self->{clients} };
	for my $tries (values %slots) {
		my ($lost, $failed);

		for my $try (@$tries) {
			if (defined $try->{in}) {
				push @{ $back{ $lost->{cause} } }, $try->{in} - $lost->{out} if $lost;
				push @{ $locked{ $failed->[1] } }, $try->{in} - $failed->[0] if $failed;
				$lost = $failed = undef;
				$lost = $try if $try->{how} =~ /^(?:closed|silent)$/;
			} elsif (!$failed && !$self->is_ill($try->{proxy}, $try->{began})) {
				my $held = grep { $_->{what} eq 'hold' && $_->{user} eq $try->{user} &&
				    $_->{asked} <= $try->{out} && $try->{began} <= $_->{until} } @{ $self->{orders} };
				$failed = [$try->{began}, $held ? 'hold' : $self->fault_at($try->{began})];
			}
		}
	}
	return (\%back, \%locked);
}

1;
