/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * service.h: a pool over all configurations, known by its name: what its sessions go by when their snapshot
 * is gone, also those at servers that left the pool or never were of it.  Counted; from any thread.
 */
#ifndef BALANCE_SERVICE_H
#define BALANCE_SERVICE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "net/waiter.h"

struct endpoint;
struct roster;

struct service {
	char *name;			/* the pool's */
	atomic_int references;
	atomic_uint era;		/* sessions that came in an earlier one are to go */
	atomic_int close_spread_ms;	/* the time over which sessions are told so */
	atomic_uint changes;		/* of what balancers read of its endpoints, and of the roster */
	int users;			/* pools of configurations that have it: control's */
	/*
	 * Who is sent to any endpoint that has room: the gift, which they take for themselves as they accept
	 * it.  Gifts are handed out under the lock, so that who accepts may look at the roster.
	 */
	struct waiter_list queue;
	struct waiter_list hopefuls;	/* who finds no endpoint that is up: to choose anew, without a gift */
	pthread_mutex_t lock;		/* of what follows */
	struct roster *roster;		/* one reference; NULL: no configuration has it */
};

struct service *service_new(const char *name);	/* one reference */
struct service *service_get(struct service *service);
void service_put(struct service **service);

unsigned service_era(const struct service *service);
void service_set_era(struct service *service, unsigned era);
int service_close_spread(const struct service *service);	/* ms */
void service_set_close_spread(struct service *service, int ms);

/* Its endpoints as they are now: one reference, or NULL. */
struct roster *service_roster(struct service *service);
void service_set_roster(struct service *service, struct roster *roster);	/* takes the reference */
void service_changed(struct service *service);		/* what balancers remember is to be made anew */
unsigned service_changes(const struct service *service);

/*
 * The order of locks: a machine's, the service's, its queue's, that of a promise (balance.h), the endpoint's,
 * its queue's.  Who holds one takes only later ones, and puts back no last reference.
 */

/* An endpoint may have room: hands it out, the oldest first; true: somebody got some. */
bool service_serve(struct service *service, struct endpoint *e);
/*
 * Endpoints came, went, or take sessions and did not, or the other way round: who waits is served by those
 * that have room now, or chooses anew.  After service_changed: who joins the hopefuls looks whether it has
 * counted on since they looked for an endpoint.
 */
void service_wake(struct service *service);

#endif
