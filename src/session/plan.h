/* SPDX-License-Identifier: BSD-2-Clause */
/* plan.h: how a login is presented to its server. */
#ifndef SESSION_PLAN_H
#define SESSION_PLAN_H

#include "session/login.h"

/* login->back from the answer, the pool's `login` and the client's own words; before placement_start. */
void plan_take_credentials(struct session *s, const struct auth_answer *answer);
/* login->plan for this endpoint, at the time it is dialled. */
void plan_fill(struct session *s, struct endpoint *endpoint);

#endif
