/* SPDX-License-Identifier: BSD-2-Clause */
/* plan.h: how a user is presented to a server. */
#ifndef SESSION_PLAN_H
#define SESSION_PLAN_H

#include "auth/auth_answer.h"
#include "session/leg.h"

struct auth;
struct condition_subject;
struct credentials;
struct listener_settings;
struct pool;
struct proto;
struct snapshot;

/* Are its servers shown the client's own credentials, so that they could judge them? */
bool plan_shows_client(const struct pool *pool);
/* The mechanisms whose credentials its servers, which announce these, can be shown or need not be. */
unsigned plan_mechanisms(const struct pool *pool, unsigned announced);
/* Where the answer, or else the listener's routes, send the subject; why that cannot be, or NULL. */
const char *plan_find_pool(const struct snapshot *snapshot, const struct listener_settings *settings,
    const struct auth_answer *answer, struct condition_subject *subject, struct pool **pool);
/* The same of mail: a login would wait as long as the answer says, and an MTA has a queue for that. */
const char *plan_find_mail_pool(const struct snapshot *snapshot, const struct listener_settings *settings,
    const struct auth_answer *answer, struct condition_subject *subject, struct pool **pool);
/* Why its servers cannot be shown what the answer and the pool want; NULL: they can. */
const char *plan_refusal(const struct pool *pool, const struct auth_answer *answer,
    const struct credentials *client);
/* Where the answer of this source (NULL: of none) sends the session, and how long its login may take. */
void plan_take_place(struct leg_way *way, const struct auth_answer *answer, const struct auth *source);
/*
 * What the server is shown of `user` (canonical), before leg_start: by the answer, the pool's `login` and the
 * client's own words, which are NULL where they are gone and only others could do.
 */
void plan_take_credentials(struct leg_way *way, const struct auth_answer *answer, const char *user,
    const struct credentials *client);
/* What the session speaks with servers of this pool: mostly its own protocol. */
const struct proto *plan_proto(const struct session *s, const struct pool *pool);
/* way->plan for this endpoint, at the time it is dialled. */
void plan_fill(struct leg *leg, struct endpoint *endpoint);

#endif
