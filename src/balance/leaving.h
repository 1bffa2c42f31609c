/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * leaving.h: an endpoint that sessions are to leave over some time though it is up: all of them, while it is
 * drained; or users who would be sent elsewhere today, so that its load is shared.  From any thread.
 */
#ifndef BALANCE_LEAVING_H
#define BALANCE_LEAVING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct endpoint;

enum leaving_kind {
	LEAVING_NOT,
	LEAVING_ALL,		/* also at the next login: bound users are bound elsewhere */
	LEAVING_STRAYS		/* who is chosen another server now, and has no session left here */
};

/* When, as clock_ms.  The order of LEAVING_ALL ends with the drain; that of LEAVING_STRAYS at `until`. */
struct leaving_order {
	enum leaving_kind kind;
	int64_t from, until;
};

/* An endpoint's; under the machine's lock, but for the atomics. */
struct leaving {
	atomic_int kind;
	atomic_uint told;		/* sessions that went since the order came */
	int64_t from, until;
};

/* Replaces an order; LEAVING_NOT ends it.  Who sends sessions away hears of it (see away_observer). */
void endpoint_set_leaving(struct endpoint *e, const struct leaving_order *order);
/* Cheap where there is none: out->kind is LEAVING_NOT then. */
void endpoint_read_leaving(struct endpoint *e, struct leaving_order *out);
void endpoint_note_left(struct endpoint *e);		/* a session goes by the order */
unsigned endpoint_count_left(const struct endpoint *e);

/* When a user's sessions are to go, the same in all pools and on all threads; who: any hash of the user. */
int64_t leaving_time(const struct leaving_order *order, uint64_t who);

#endif
