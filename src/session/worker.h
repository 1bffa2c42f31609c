/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * worker.h: a thread that owns sessions: its listening sockets, its share of
 * the counters, what it knows of the servers' capabilities.  Control talks to
 * it with the functions marked so: they post to its loop and return at once.
 */
#ifndef SESSION_WORKER_H
#define SESSION_WORKER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/histogram.h"
#include "base/list.h"
#include "base/metric.h"
#include "net/listener.h"
#include "net/loop.h"
#include "session/holders.h"
#include "session/listener_orders.h"
#include "session/mishap.h"
#include "session/listener_settings.h"
#include "session/snapshot.h"
#include "session/stress.h"
#include "session/trace.h"

struct auth_clients;
struct dnsbl;
struct resolver;
struct session;

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
	row(screened, "Clients looked at before their greeting, as `screen` has it.") \
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

enum { LISTENER_ENDS_MAX = 32 };	/* no fewer than there are reasons, see session.h */

/* One worker's counts of a listener, see tally.h: on a cache line of its own. */
struct listener_counters {
	_Alignas(64) struct {
		LISTENER_COUNTERS(METRIC_FIELD)
		_Atomic uint64_t most_connections;	/* that it saw: tally_raise */
		_Atomic uint64_t ends[LISTENER_ENDS_MAX];	/* by enum end_reason */
	};
	struct histogram handshakes;	/* microseconds that TLS with clients took, where it succeeded */
};

/* What of a listener outlives reloads: known by its name. */
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

/* What all workers count together. */
struct process {
	atomic_int sessions;			/* from accept to close; max_connections bounds them */
	struct listener_orders orders;		/* bounds them likewise */
	struct stress stress;
};

extern const struct metric_table listener_metrics, process_metrics;

struct listener *listener_new(const char *name, int threads);
struct listener *listener_get(struct listener *listener);
void listener_put(struct listener **listener);

/* A worker's end of one bound address.  Made by control, then the worker's. */
struct gate {
	struct list node;			/* in its worker's gates */
	struct acceptor acceptor;
	struct worker *worker;
	int fd;					/* the acceptor closes it */
	int backlog;
	int socket;				/* number of the bound address, over all reloads */
	const struct listener_settings *settings;	/* of the worker's current snapshot */
	bool is_tls;				/* TLS from the first byte */
	int parked;				/* a client accepted though there is no room; -1 */
	struct addr parked_peer;
	struct snapshot *held;			/* dropped: whose settings clients in the backlog get */
	bool is_yielded;			/* another process accepts at this socket */
};

/* Which gate serves which listener from now on; a gate whose socket is not named is dropped. */
struct gate_order {
	int socket;
	const struct listener_settings *settings;
	bool is_tls;
	int backlog;
};

/* What a commit brings to one worker.  The worker frees it. */
struct worker_change {
	struct worker *worker;			/* set by worker_commit */
	struct snapshot *snapshot;
	struct list gates;			/* new ones */
	struct gate_order *orders;
	size_t order_count;
};

struct worker {
	struct loop *loop;
	struct loop *control;
	int index;
	struct snapshot *snapshot;		/* current */
	struct list gates;
	struct list sessions;
	struct list walks;			/* over the sessions, under way: see session_list.h */
	struct trace *traces[TRACES_MAX];
	int trace_count;
	struct list offers;			/* capabilities to offer, by listener: see offer.h */
	struct auth_clients *clients;		/* of the auth sources */
	struct resolver *resolver;		/* of names that auth sources give */
	struct resolver *old_resolver;		/* replaced by a reload, for what it was asked; or NULL */
	struct dnsbl *dnsbl;			/* lists of clients */
	uint64_t nameservers;			/* which it asks, hashed */
	struct loop_timer retry;		/* full: looks again whether clients may be accepted */
	bool is_full;
	atomic_bool is_to_look;			/* who must leave is to be told: a message is under way */
	bool is_draining;			/* accepts nobody, and nobody stays */
	bool reports_empty;			/* accepts nobody; on_empty when the last session is gone */
	bool is_stopping;			/* nobody lingers any more */
	uint64_t next_session;			/* ids count from a random number */
	uint64_t log_salt;			/* of hashed names */
	size_t next_source;			/* of a pool's source addresses, in turn */
	void (*on_empty)(struct worker *worker);	/* on control's loop */
	void (*on_full)(struct worker *worker);	/* likewise: a client has to wait for a place; or NULL */
	void *owner;				/* of both: control's to set and to read */
};

const struct process *worker_process(void);
int listener_stress(const struct listener *listener);	/* the higher of its own level and the process' */

/* Control's. */
/* log_salt: random, the same for all workers: names that are hashed in the log hash alike. */
struct worker *worker_new(int index, struct loop *control, uint64_t log_salt,
    void (*on_empty)(struct worker *worker));
void worker_free(struct worker **worker);		/* its thread has ended */
void worker_commit(struct worker *worker, struct worker_change *change);
void worker_send_away(struct worker *worker);	/* those whose server began an era; from any thread */
void worker_drain(struct worker *worker);		/* accepts what waits, then nobody */
/*
 * Another process accepts in its place, but for the `count` sockets in `kept`: nobody is accepted until
 * worker_resume, and worker_drain closes them at once, as who waits there is the other one's.
 */
void worker_yield(struct worker *worker, const int *kept, size_t count);
void worker_resume(struct worker *worker);
void worker_leave(struct worker *worker);		/* as worker_drain, but sessions stay … */
void worker_send_all_away(struct worker *worker);	/* … until now */
void worker_finish(struct worker *worker);		/* sessions are told to go, at their next boundary */
void worker_stop(struct worker *worker);		/* ends all at once and leaves loop_run */

struct listener_orders *worker_process_orders(void);	/* control's: of all listeners together */
struct stress *worker_process_stress(void);		/* likewise */
void worker_review(struct worker *worker);		/* a level of stress was entered */
/* Has a worker's gates listen, or not, as their listeners say.  Control's to fill in and to keep. */
struct gates_follow {
	struct worker *worker;
	void (*on_done)(struct gates_follow *follow, bool is_ok);	/* on control's loop, once */
	void *owner;
	bool is_ok;				/* all that should listen do; the log tells of the others */
};
void worker_follow(struct gates_follow *follow);

/* The worker's own thread's: counted from accept to close. */
void worker_session_came(struct worker *worker, struct session *session);
void worker_session_gone(struct worker *worker, struct session *session);

#endif
