/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * endpoint_report.h: how a session fared at an endpoint, told in one place:
 * it is counted there, and whoever judges the servers' health hears of it.
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

/* What is asked of whoever observes all endpoints. */
struct endpoint_observer {
	/* On the worker's thread, of several at once; must not block.  Keeps `e` by endpoint_get only. */
	void (*on_result)(struct endpoint *e, enum endpoint_result result, int64_t took_ms, void *owner);
	void *owner;
};

/* Before the first thread starts, and again only when the last one has ended; NULL: nobody observes. */
void endpoint_observe(const struct endpoint_observer *observer);

/*
 * A session's outcome, once for each try, on the worker's own thread; took_ms: from the connect on.  Neither
 * a health check reports here nor a try that we gave up, or its client.  OWN_FAULT is counted and not
 * observed.  OK is the server's word: it stands where the session then does not stay, since its user was
 * bound elsewhere (that is another try), or waits for a binding and either side leaves.
 */
void endpoint_report(struct endpoint *e, int worker, enum endpoint_result result, int64_t took_ms);
const char *endpoint_result_text(enum endpoint_result result);		/* "TLS failed" */

#endif
