/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * window.h: how many may try a server at the same time, by how the tries
 * before them fared: the feedback by which Postfix bounds its concurrency to
 * a destination.  Of a window of N, N successes make N+1 and a failure makes
 * N-1 at once, as do N more after it; as many failures in a row as the window
 * is large (a cohort) mean that the server is dead.  Then nobody tries for a
 * time, which doubles from death to death; then one, and the first success
 * lets the window grow again from there.
 *
 * A server that never failed has no bound.  The first failure makes one, of
 * what is in flight at that moment, and at least WINDOW_INITIAL.  It is lifted
 * when as many successes in a row as it is large have each left WINDOW_INITIAL
 * of it unused, or all that `limit` allows: it bounds nobody any more, and all
 * that was seen is forgotten, how often the server was dead as well.
 *
 * Time and load are passed in; it has no lock.  Times are monotonic ms.
 */
#ifndef BALANCE_WINDOW_H
#define BALANCE_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

enum {
	WINDOW_INITIAL = 5,
	WINDOW_DEAD_MIN_MS = 1000,
	WINDOW_DEAD_MAX_MS = 60 * 1000,
	WINDOW_CLOSED = -1		/* of window_bound: nobody */
};

enum window_state {
	WINDOW_OPEN,
	WINDOW_DEAD,
	WINDOW_HALF_OPEN		/* was dead, and nothing has succeeded since */
};

struct window {				/* zero: no bound */
	int limit;			/* the owner's, to be set at any time: it grows no further; 0: none */
	enum window_state state;
	int size;			/* 0: no bound */
	int64_t gained, owed, lost;	/* parts of a step up, of a step down, of a cohort */
	int calm;			/* successes in a row that left enough unused */
	int dead_ms;			/* how long it was dead last; 0: never */
	int64_t dead_until;		/* while WINDOW_DEAD */
	int64_t opened_at;		/* failures of tries from before then are old news */
};

int window_bound(const struct window *w);	/* how many at once; 0: any number; WINDOW_CLOSED */
/* A try succeeded; `busy` are under way, with this one.  While it is dead, it lives. */
void window_succeed(struct window *w, int busy, int64_t now);
/* A try that began at `began` failed.  Those of a dead server do not make it more dead. */
void window_fail(struct window *w, int busy, int64_t began, int64_t now);
bool window_tick(struct window *w, int64_t now);	/* true: its dead time is over, one may try */
bool window_reopen(struct window *w, int64_t now);	/* the same at once; the next time is no longer */
void window_lift(struct window *w);			/* nothing was seen yet */
/* It is another server's: what began before says nothing. */
void window_move(struct window *w, int64_t now);

#endif
