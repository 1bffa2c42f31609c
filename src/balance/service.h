/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * service.h: a pool over all configurations, known by its name: what its sessions go by when their snapshot
 * is gone, also those at servers that left the pool or never were of it.  Counted; from any thread.
 */
#ifndef BALANCE_SERVICE_H
#define BALANCE_SERVICE_H

#include <pthread.h>
#include <stdatomic.h>

struct roster;

struct service {
	char *name;			/* the pool's */
	atomic_int references;
	atomic_uint era;		/* sessions that came in an earlier one are to go */
	atomic_int close_spread_ms;	/* the time over which sessions are told so */
	atomic_uint changes;		/* of what balancers read of its endpoints, and of the roster */
	int users;			/* pools of configurations that have it: control's */
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

#endif
