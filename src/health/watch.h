/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * watch.h: one `check` block at one endpoint, over time: when the next check
 * is due, how the last one went, and what all of them say.
 */
#ifndef HEALTH_WATCH_H
#define HEALTH_WATCH_H

#include "health/check.h"
#include "health/verdict.h"

struct watch;
/* A check has ended, of any code; may watch_stop. */
/* The owner sets on_checked and owner, and zeroes the rest. */
typedef void watch_callback(struct watch *watch, void *owner);

struct watch {
	struct loop *loop;
	struct check_order order;	/* its settings are of kind NONE where it is asked only once */
	bool is_once;
	watch_callback *on_checked;
	void *owner;

	struct loop_timer timer;
	struct check check;
	struct verdict verdict;
	struct check_result result;	/* of the last check; code INI before the first */
	int64_t checked_at, due_at;	/* loop_now of its end; of the next one */
	int64_t began_at;		/* loop_now of the one under way, begun anew or not; 0: none is */
	bool has_phase;			/* its checks are spread in time */
	bool expires_soon;		/* its certificate, and that was said: the owner's */
	int poorer;			/* checks in a row that have missed a capability which is known */
	bool is_suspected;		/* since the last check began: the next one comes soon */
};

/*
 * The first check is due at `at_ms`, as loop_now.  Instead of one of kind NONE, the protocol's is done until
 * it was good once, for what it tells of the server's capabilities; it judges nothing.
 */
void watch_start(struct watch *watch, struct loop *loop, const struct check_order *order, int64_t at_ms);
void watch_stop(struct watch *watch);		/* twice is fine */
/*
 * Settings and pool are the order's from now on, the verdict stays.  Where the pool is another one, as the
 * configuration is, a check under way begins anew, with what is left of its timeout; what it had before must
 * still be there.
 */
void watch_move(struct watch *watch, const struct check_order *order);
/* Sessions fail there: a check is due now, or when fast_interval has passed since the last. */
void watch_hurry(struct watch *watch);
/* No check comes while the endpoint's checks_are_off; these follow it at once. */
void watch_rest(struct watch *watch);
void watch_resume(struct watch *watch);
/* An operator's word, which checks may overrule as they would each other's. */
void watch_force(struct watch *watch, enum health_state state);
/* Do such checks see the capabilities that sessions see?  Not at another port, nor with other TLS. */
bool watch_can_teach(const struct check_settings *settings);
/* Is it a check of such a kind, port and TLS, which finds what it found? */
bool watch_is_like(const struct watch *watch, const struct check_settings *settings);

#endif
