/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * delivery.h: one recipient's way to the server of its user: looked up
 * without a password, placed as a login is, and the user held there until the
 * mail has its last word.  Dials nothing: that is shared by all who go there.
 */
#ifndef SESSION_DELIVERY_H
#define SESSION_DELIVERY_H

#include "base/slice.h"
#include "proto/fanout.h"
#include "session/listener_settings.h"
#include "session/session.h"

struct delivery;
struct delivery_way;
struct slot;

enum delivery_event {
	DELIVERY_PLACED,	/* delivery->pool, ->endpoint and ->there tell where, until delivery_settle */
	DELIVERY_UNPLACED,	/* ->refusal and ->why tell why, as long as this runs */
	DELIVERY_MOVED		/* only once placed: the user is to be moved to another server */
};

/* The one callback, perhaps before delivery_start returns.  It may drop the delivery. */
typedef void delivery_callback(struct delivery *delivery, enum delivery_event event);

struct delivery {
	struct session *session;
	void *owner;				/* of on_event, and its own: */
	unsigned recipient;
	struct slot *slot;			/* NULL: it has none yet */
	delivery_callback *on_event;
	struct delivery_way *way;		/* NULL once settled */
	struct leg *leg;			/* holds the user's binding; NULL: not yet */
	struct snapshot *snapshot;		/* of the pool; NULL once settled */
	struct pool *pool;
	struct endpoint *endpoint;		/* one reference; NULL: any of the pool's */
	char *there;				/* what the mailbox is called there; NULL: the same */
	struct fanout_refusal refusal;		/* an auth source's, with has_refusal */
	bool has_refusal;
	const char *why;			/* it is unplaced, for the log */
};

/* What the recipient points to outlives the delivery. */
struct delivery *delivery_new(struct session *s, unsigned recipient, delivery_callback *on_event,
    void *owner);
void delivery_start(struct delivery *delivery, const struct listener_settings *settings,
    const struct fanout_recipient *recipient);
void delivery_settle(struct delivery *delivery);	/* it is under way: only the binding is held on */
/* In any state: no event comes.  The struct stays readable until the turn is over. */
void delivery_drop(struct delivery **delivery);

#endif
