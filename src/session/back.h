/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * back.h: one conversation with a server: connect, TLS, dial, ready, lost.
 * It knows no session: an owner, one callback and its loop are all it has,
 * so that a session owns none, one or many, and a health check owns one.
 */
#ifndef SESSION_BACK_H
#define SESSION_BACK_H

#include "balance/endpoint_report.h"
#include "net/loop.h"
#include "net/proxy_header.h"
#include "net/stream.h"
#include "net/tls_context.h"
#include "proto/dial.h"

enum back_phase { BACK_IDLE, BACK_CONNECT, BACK_TLS, BACK_DIAL, BACK_READY };

enum back_event {
	BACK_EVENT_READY,	/* logged in, or as far as is wanted: the stream, held, is the owner's now */
	BACK_EVENT_REFUSED,	/* the server refused the login; back->dial->last has its words */
	BACK_EVENT_LATER,	/* the server cannot now */
	BACK_EVENT_FAILED	/* refused connection, timeout, TLS failure, out of protocol: back_reason */
};

enum back_cause {		/* of a failure that only back.c knows of */
	BACK_CAUSE_NONE,	/* the stream or the dial tells */
	BACK_CAUSE_TIMED_OUT,
	BACK_CAUSE_CLOSED,
	BACK_CAUSE_NO_TLS
};

/*
 * The PROXY header that comes before TLS and everything else, in one write.  It tells of order.identity; a
 * health check, which has none, sends the header that is nobody's.
 */
struct back_proxy {
	enum proxy_version version;		/* PROXY_VERSION_NONE: none */
	struct tls_facts tls;			/* of the client's; what it points to outlives the connect */
};

/* The server's last words, raw: the end of what was read last, or was waiting for more by then. */
struct back_seen {
	size_t len;
	char bytes[120];
};

/* Where to and how.  All pointers outlive the dialling. */
struct back_plan {
	struct dial_order order;
	struct addr to;
	const struct addr *source;		/* NULL: the kernel's choice */
	struct back_proxy proxy;
	const struct tls_back *tls;		/* NULL: no TLS with the server */
	bool implicit_tls;
	int64_t connect_timeout_ms;		/* connect, and TLS with it */
	int64_t deadline;			/* loop_now time by which it must be ready */
	struct back_seen *seen;			/* for who asks, never with a password in it; or NULL */
};

struct back;
/* The one callback.  It may back_close; memory that holds the back may be freed by loop_defer only. */
typedef void back_callback(struct back *back, enum back_event event, void *owner);

/* What is needed until it is ready, and its words were read. */
struct back_try {
	struct back *back;
	const struct back_plan *plan;
	back_callback *on_event;
	void *owner;
	struct loop_timer timer;
	int64_t started_at, connected_at;	/* loop_now; 0: it is not yet, with TLS from the first byte */
	enum back_cause cause;
	struct dial dial;
};

struct back {
	struct stream stream;
	struct back_try *try;			/* NULL behind back_forget_dial */
	struct dial *dial;			/* its; NULL where there is nothing to say (any more) */
	uint8_t phase;				/* enum back_phase; where it failed, too */
};

/* The outcome comes as an event, never before this returns. */
void back_start(struct back *back, struct loop *loop, const struct back_plan *plan, back_callback *on_event,
    void *owner);
void back_close(struct back *back);		/* at once, in any phase; no event comes; twice is fine */
void back_see(struct back_seen *seen, struct slice data);	/* keeps the end of it */
void back_forget_dial(struct back *back);	/* wipes dial and try; what is below is for before */
bool back_is_own_fault(const struct back *back);	/* something is short here, not there */
/* For endpoint_report: what an event says about the server, and how long it took (ms). */
enum endpoint_result back_result(const struct back *back, enum back_event event);
int64_t back_took(const struct back *back);
int64_t back_connect_took(const struct back *back);	/* of it: until the dial began */
const char *back_doing(const struct back *back);	/* "connecting", "reading greeting" */
enum { BACK_REASON_MAX = 320 };
const char *back_reason(const struct back *back, char out[BACK_REASON_MAX]);	/* "connection refused" */

#endif
