/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bindings.h: which user is on which server, from one process to the one that takes its place.  The old
 * one freezes its bindings, tells them, and then who has no sessions there any more; the new one holds a
 * lease for each user who has, so that two processes never have one user on two servers.
 */
#ifndef DAEMON_BINDINGS_H
#define DAEMON_BINDINGS_H

#include "daemon/control.h"
#include "net/channel.h"

/* The old process's. */
struct bindings_giver;

/* Freezes the bindings of all farms, as `serial` (affinity.h); on_told(owner) comes when they are told. */
struct bindings_giver *bindings_give(struct control *control, uint64_t serial, struct channel *channel,
    void (*on_told)(void *owner), void *owner);
/* Tells as many as the channel has room for: then, and whenever it has room again. */
void bindings_give_on(struct bindings_giver *giver);
/* Of the new process: a user is to go from here. */
void bindings_kick(struct control *control, const struct channel_message *message);
void bindings_thaw(struct control *control);		/* the new process has failed: all is as before */
void bindings_giver_free(struct bindings_giver **giver);

/* The new process's. */
struct bindings_taker;

struct bindings_taker *bindings_taker_new(struct control *control, struct channel *channel);
void bindings_take(struct bindings_taker *taker, const struct channel_message *message);
void bindings_release(struct bindings_taker *taker, const struct channel_message *message);
size_t bindings_held(const struct bindings_taker *taker);	/* users with sessions in the old process */
void bindings_taker_free(struct bindings_taker **taker);	/* the old process has gone: holds nothing */

#endif
