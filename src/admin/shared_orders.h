/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * shared_orders.h: what operators have said, at any proxy of the cluster, of servers as pools have them:
 * bounds of their connections, checks and agents that are off.  The last one wins; where a proxy's
 * configuration has another word than that of whoever said it, it is not for this proxy.  States and weights:
 * shared_words.h.
 */
#ifndef ADMIN_SHARED_ORDERS_H
#define ADMIN_SHARED_ORDERS_H

#include "admin/deviations.h"
#include "net/loop.h"

struct shared_orders;

typedef void told_change_visit(const struct told_change *change, void *arg);

struct shared_orders_settings {
	struct cockpit *cockpit;	/* it has a cluster */
	struct loop_timer *look;	/* of control's loop: due at once where there is something to do */
	/* What holds here. */
	void (*each)(void *owner, told_change_visit *visit, void *arg);
	/* It was done, since somebody said so there and then. */
	void (*on_obeyed)(void *owner, const char *who, int64_t when);
	void *owner;
};

struct shared_orders *shared_orders_new(const struct shared_orders_settings *settings);
void shared_orders_free(struct shared_orders **orders);

/* An operator has said it here; with now as in_file: it is taken back.  What is not shared is passed over. */
void shared_orders_tell(struct shared_orders *orders, const struct told_change *change);
void shared_orders_obey(struct shared_orders *orders);		/* does what was heard, and is not so */

#endif
