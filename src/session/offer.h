/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * offer.h: what clients are told the service can do before a server is
 * chosen: what all servers of the pool have in common.  A worker keeps one
 * list a listener and makes it anew when a server was seen to change.
 */
#ifndef SESSION_OFFER_H
#define SESSION_OFFER_H

#include "base/slice.h"
#include "session/listener_settings.h"
#include "session/worker.h"

struct back;
struct endpoint;
struct offer;
struct pool;

/* The list as it is now, with one reference more. */
struct offer *offer_get(struct worker *worker, const struct listener_settings *settings);
struct offer *offer_hold(struct offer *offer);		/* one reference more; fine with NULL */
void offer_put(struct offer **offer);
struct slice offer_list(const struct offer *offer);
/* Those that the way to the servers leaves, whoever judges them: bits of mechanism.h. */
unsigned offer_mechanisms(const struct offer *offer);
/*
 * Can this server of the pool do all that whoever was told this list may rely on, by what was learned of it?
 * From any thread, as others hand out servers to those who wait; references are the worker's alone.
 */
bool offer_is_kept(struct offer *offer, struct endpoint *endpoint, const struct pool *pool);
/* What a dial that is ready or was refused leaves to be offered; where it saw no list, nothing. */
void offer_learn(struct endpoint *endpoint, const struct back *back);
/* Does it miss anything that is known of the endpoint? */
bool offer_is_poorer(struct endpoint *endpoint, const struct back *back);
void offers_forget(struct worker *worker);		/* another snapshot: all are made anew */

#endif
