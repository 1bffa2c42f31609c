/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * listener_kept.h: what of a listener outlives reloads: its counts, its
 * bounds, its last mishaps.  Known by its name, counted, shared by control
 * and all workers.  What its block says is listener_settings.h's.
 */
#ifndef SESSION_LISTENER_KEPT_H
#define SESSION_LISTENER_KEPT_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/histogram.h"
#include "base/metric.h"
#include "session/holders.h"
#include "session/listener_orders.h"
#include "session/mishap.h"
#include "session/stress.h"

/* To count something more takes a row here. */
#define LISTENER_COUNTERS(row) \
	row(accepted, "Clients accepted.") \
	row(refused, "Clients turned away for lack of memory.") \
	row(logins, "Logins that succeeded.") \
	row(failed_logins, "Logins refused.") \
	row(delayed_logins, "Logins that waited because of failed ones before them.") \
	row(delayed_replies, "Replies that were late because of their client's many errors.") \
	row(banned, "Clients turned away because of their address' failed logins.") \
	row(denied, "Clients and logins turned away by `access`.") \
	row(crowded, "Clients turned away because of their address' many connections or TLS sessions.") \
	row(screened, "Clients looked at, as `screen` has it: greeted later, or looked up in lists.") \
	row(screened_out, "Clients of these that were disconnected, or whose recipients are refused.") \
	row(paced, "Logins, mails and recipients refused because of their client's or user's many.") \
	row(unavailable, "Logins, or clients without one, that no server could be had for.") \
	row(undecided, "Logins that the auth source could not judge, or that could not be placed.") \
	row(queued, "Waits for room at a server, or for one that is up.") \
	row(bytes_up, "Octets relayed from clients.") \
	row(bytes_down, "Octets relayed to clients.") \
	row(tls_sessions, "TLS handshakes that succeeded with clients.") \
	row(tls_resumed, "TLS handshakes of these that resumed a session.") \
	row(tls_ended, "TLS sessions of these that have ended.") \
	row(tls_failures, "TLS handshakes that failed with clients.")

enum { LISTENER_ENDS_MAX = 32 };	/* no fewer than there are reasons, see end_reason.h */

/* One worker's counts of a listener, see tally.h: on a cache line of its own. */
struct listener_counters {
	_Alignas(64) struct {
		LISTENER_COUNTERS(METRIC_FIELD)
		_Atomic uint64_t most_connections;	/* that it saw: tally_raise */
		_Atomic uint64_t ends[LISTENER_ENDS_MAX];	/* by enum end_reason */
	};
	struct histogram handshakes;	/* microseconds that TLS with clients took, where it succeeded */
};

struct listener {
	char *name;
	atomic_int references;			/* snapshots and sessions */
	atomic_int connections;
	struct listener_orders orders;
	struct mishaps mishaps;
	struct stress stress;			/* of its own max_connections */
	struct holders holders;			/* of its connections */
	uint64_t tag;				/* of its TLS tickets */
	struct listener_counters counters[];	/* one a worker; the whole by xcalloc_aligned */
};

extern const struct metric_table listener_metrics;	/* of struct listener */

/* One reference.  `threads`: how many workers there are. */
struct listener *listener_new(const char *name, int threads);
struct listener *listener_get(struct listener *listener);
void listener_put(struct listener **listener);	/* frees the last one's; of none: nothing */

#endif
