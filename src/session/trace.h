/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * trace.h: the dialogue of some sessions, of a user's or a client's, told to who asks for it at run time:
 * front and back, as transcript.h shows it.  A worker that has no traces pays a comparison a session, no
 * more.  A user's begin when the name is known, with the answer to the credentials: nothing is kept in
 * advance.
 */
#ifndef SESSION_TRACE_H
#define SESSION_TRACE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/buf.h"
#include "net/loop.h"

struct leg;
struct session;
struct trace;
struct worker;

enum {
	TRACE_LINES_MAX = 500,		/* a second, of one trace; more are counted only */
	TRACE_QUEUE_MAX = 1024 * 1024	/* octets that wait for control */
};

/* One worker's share of a trace. */
struct trace_share {
	struct trace *trace;
	struct worker *worker;
};

/* Control's, until on_gone; what the workers read of it is constant. */
struct trace {
	unsigned number;
	char *user;			/* canonical; owned; NULL: any */
	struct network network;
	bool has_network;		/* clients of it */
	bool to_log;			/* as notices; otherwise on_lines */
	struct loop *control;
	/* On control's loop: whole lines, each with its end. */
	void (*on_lines)(struct trace *trace, struct slice lines);
	void (*on_gone)(struct trace *trace);	/* no worker knows of it any more: it may be freed */
	void *owner;

	atomic_bool is_over;
	_Atomic uint64_t lines, dropped;	/* told, and too many in a second or for control */
	_Atomic int64_t second;			/* that this_second counts */
	atomic_int this_second;
	pthread_mutex_t lock;			/* of the queue */
	struct buf queue;
	bool is_posted;				/* control was told that there is something */
	int workers;				/* control's: that know of it */
	struct trace_share *shares;
};

enum { TRACES_MAX = 8 };		/* at the same time */

/* Control's.  The fields up to `owner` are set, the others zero. */
void trace_start(struct trace *trace, struct worker **workers, int count);
void trace_stop(struct trace *trace);		/* no line comes any more; on_gone later */
void trace_free(struct trace *trace);		/* behind on_gone, or when the workers' threads have ended */

/* The worker's own thread's. */
void trace_look_at(struct session *s);		/* its client or its user has become known */
void trace_look_at_leg(struct leg *leg);	/* it dials */

#endif
