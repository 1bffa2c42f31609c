/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * auth_gate.h: how many questions a source is asked at the same time, over all workers: after a failure no
 * more come than it can answer, though thousands of clients do.
 *
 * A source that never failed has no bound.  One that cannot be asked begins with AUTH_GATE_FIRST; one that
 * gives no reply with half of what was under way.  Each further question without a reply, that was asked
 * since, halves it, down to one.  Each answer, whatever it says, adds one, so that it doubles in the time of
 * an answer.  When nobody waits and less than half of it is used, it is lifted.
 *
 * Who finds no place waits, the oldest first, as long as a question may take; then there is no verdict.
 */
#ifndef AUTH_AUTH_GATE_H
#define AUTH_AUTH_GATE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "net/waiter.h"

struct auth;
struct auth_kept;
struct auth_request;

enum { AUTH_GATE_FIRST = 5 };

struct auth_gate {			/* in struct auth_kept */
	atomic_int busy;		/* questions under way */
	atomic_int bound;		/* 0: none; changed under the lock */
	pthread_mutex_t lock;
	atomic_uint cuts;		/* of the bound: older questions' failures are old news */
	struct waiter_list queue;
};

enum auth_gate_result { AUTH_GATE_ANSWERED, AUTH_GATE_NO_REPLY, AUTH_GATE_CANCELLED };

void auth_gate_init(struct auth_gate *gate, struct auth_kept *kept);
void auth_gate_clear(struct auth_gate *gate);
/* False: it waits; auth_go comes, or there is no verdict, unless the request is cancelled. */
bool auth_gate_enter(struct auth_request *request, const struct auth *auth, bool is_away);
/* The question is over; fine also where it had no place. */
void auth_gate_leave(struct auth_request *request, enum auth_gate_result result);
bool auth_gate_holds(const struct auth_request *request);	/* it waits */

#endif
