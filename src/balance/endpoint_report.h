/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * endpoint_report.h: how a session fared at an endpoint, told in one place:
 * it is counted there, the endpoint's window goes by it, and whoever judges
 * the servers' health hears of it.  From any thread.
 */
#ifndef BALANCE_ENDPOINT_REPORT_H
#define BALANCE_ENDPOINT_REPORT_H

#include <stdint.h>

#include "balance/endpoint.h"

enum endpoint_result {
	ENDPOINT_OK,			/* connected, and logged in where there is a login; see below */
	ENDPOINT_CONNECT_FAILED,	/* refused, unreachable */
	ENDPOINT_TIMED_OUT,		/* while connecting, or later */
	ENDPOINT_TLS_FAILED,
	ENDPOINT_LOST,			/* it closed or reset the connection in the middle of the login */
	ENDPOINT_GARBLED,		/* out of protocol, or without the TLS that is wanted */
	ENDPOINT_REFUSED,		/* the login, or the client that it was told of */
	ENDPOINT_LATER,			/* a temporary failure in its own words */
	ENDPOINT_OWN_FAULT,		/* files or ports are short here: says nothing of the server */
	ENDPOINT_RESULT_COUNT
};

/* What a result says about the server. */
enum endpoint_verdict {
	ENDPOINT_GOOD,			/* it works, whatever it thinks of the login */
	ENDPOINT_BAD,
	ENDPOINT_UNJUDGED		/* perhaps the client's doing, or ours; or nobody observes it */
};

/* What is asked of whoever observes all endpoints. */
struct endpoint_observer {
	/* On the worker's thread, of several at once; must not block.  Keeps `e` by endpoint_get only. */
	void (*on_result)(struct endpoint *e, enum endpoint_result result, enum endpoint_verdict verdict,
	    void *owner);
	/* Nobody may try it: endpoint_tick is wanted at `until` (clock_ms).  As on_result; NULL: no use. */
	void (*on_dead)(struct endpoint *e, int64_t until, void *owner);
	void *owner;
};

/* Before the first thread starts, and again only when the last one has ended; NULL: nobody observes. */
void endpoint_observe(const struct endpoint_observer *observer);

struct endpoint_outcome {
	enum endpoint_result result;
	int64_t took_ms;		/* from the connect on */
	const char *why;		/* of failures, for people; or "" */
	uint64_t who;			/* a hash of whose try it was; 0: nobody's */
};

/*
 * A session's outcome, once for each try, on the worker's own thread.  It dials no more.  Of one who is put
 * off again and again, or hears no protocol, the server is judged once: it may be a mailbox that is sick, or
 * what the client sends.  Neither a health check
 * reports here nor a try that we gave up, or its client: that is endpoint_give_up.  OWN_FAULT is counted and
 * not observed.  OK is the server's word: it stands where the session then does not stay, since its user was
 * bound elsewhere (that is another try), or waits for a binding and either side leaves.
 */
void endpoint_report(struct endpoint *e, int worker, const struct endpoint_outcome *outcome);
/* "connection lost: reset while logging in"; false: there was none since its start. */
enum { ENDPOINT_FAILURE_TEXT_MAX = ENDPOINT_WHY_MAX + 32 };
bool endpoint_last_failure(struct endpoint *e, char out[ENDPOINT_FAILURE_TEXT_MAX], int64_t *age_ms);
int endpoint_failures_in_row(struct endpoint *e);	/* refusals are none */
const char *endpoint_result_text(enum endpoint_result result);		/* "TLS failed" */

/* How many failures in a row are suspicious; 0: sessions do not judge it, and it has no window.  Cheap. */
void endpoint_set_observed(struct endpoint *e, int error_limit);
/* When it has been dead for its time (on_dead): one may try.  0; or it is dead until then.  now: clock_ms. */
int64_t endpoint_tick(struct endpoint *e, int64_t now);
/* That time is over now: a check saw it work, or there is nobody else who could be tried. */
void endpoint_reopen(struct endpoint *e);

#endif
