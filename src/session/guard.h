/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * guard.h: what `limits` of a session's listener has against its client: a
 * banned one is turned away, and a login waits for failed ones before it.
 * Whoever is exempt, or a trusted peer that speaks for itself, is let alone.
 */
#ifndef SESSION_GUARD_H
#define SESSION_GUARD_H

#include <stdbool.h>

#include "session/session.h"

struct guard;

bool guard_speaks_for_itself(const struct session *s);	/* a trusted peer that has told of nobody else */
bool guard_spares(const struct session *s);	/* who is exempt, or a trusted peer that speaks for itself */
/* Does the client have to go?  Asked as soon as its address is known, or another one is told. */
bool guard_bans(const struct session *s);
/* Ends the session of such a client; before TLS is up, and before a PROXY header's end, without a word. */
void guard_turn_away(struct session *s);

/*
 * A login's credentials are complete: on_time comes once, perhaps at once, when it may be judged; unless the
 * session has ended meanwhile, or guard_cancel is called.
 */
void guard_begin(struct session *s, void (*on_time)(struct session *s));
bool guard_delays(const struct session *s);	/* a login is waiting */
int64_t guard_waited_ms(const struct session *s);	/* by all logins of the session */
/* The outcome, of which the first one counts: the client has guessed, or was right; or nobody has said. */
void guard_failed(struct session *s);
void guard_succeeded(struct session *s);
void guard_undecided(struct session *s);
void guard_cancel(struct session *s);
void guard_free(struct guard **guard, struct loop *loop);	/* behind guard_cancel */

#endif
