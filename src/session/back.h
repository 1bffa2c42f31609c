/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * back.h: one conversation with a server: connect, TLS, dial, ready, lost.
 * It knows no session: an owner, one callback and its loop are all it has,
 * so that a session owns none, one or many, and a health check owns one.
 */
#ifndef SESSION_BACK_H
#define SESSION_BACK_H

#include "net/loop.h"
#include "net/stream.h"
#include "net/tls_context.h"
#include "proto/dial.h"

enum back_phase { BACK_IDLE, BACK_CONNECT, BACK_TLS, BACK_DIAL, BACK_READY };

enum back_event {
	BACK_EVENT_READY,	/* logged in (or as far as the order wants): the stream is the owner's from now on */
	BACK_EVENT_REFUSED,	/* the server refused the login; back->dial->last has its words */
	BACK_EVENT_LATER,	/* the server cannot now */
	BACK_EVENT_FAILED	/* refused connection, timeout, TLS failure, out of protocol: back_reason */
};

/* Where to and how.  All pointers outlive the dialling. */
struct back_plan {
	struct dial_order order;
	struct addr to;
	const struct addr *source;		/* NULL: the kernel's choice */
	const struct tls_back *tls;		/* NULL: no TLS with the server */
	bool implicit_tls;
	int64_t connect_timeout_ms;		/* connect, and TLS with it */
	int64_t deadline;			/* loop_now time by which it must be ready */
};

struct back;
typedef void back_callback(struct back *back, enum back_event event, void *owner);

struct back {
	struct stream stream;
	struct dial *dial;			/* NULL once the outcome was dealt with: back_forget_dial */
	const struct back_plan *plan;		/* NULL likewise */
	struct loop_timer timer;
	back_callback *on_event;
	void *owner;
	struct buf in;				/* the server's bytes not consumed by the dial; the relay's first */
	enum back_phase phase;			/* where it failed, too */
	const char *why;			/* of a failure that neither stream nor dial can tell; or NULL */
};

/* The outcome comes as an event, never before this returns. */
void back_start(struct back *back, struct loop *loop, const struct back_plan *plan, back_callback *on_event,
    void *owner);
void back_forget_dial(struct back *back);	/* wipes the dial; after BACK_EVENT_READY, words have been read */
void back_close(struct back *back);		/* at once, in any phase; no event comes; twice is fine */
const char *back_doing(const struct back *back);	/* "connecting", "starting TLS", "reading greeting" … */
enum { BACK_REASON_MAX = 320 };
const char *back_reason(const struct back *back, char out[BACK_REASON_MAX]);	/* "connection refused" */

#endif
