/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * service.h: a pool over all configurations, known by its name: what its sessions go by when their snapshot
 * is gone, also those at servers that left the pool or never were of it.  Counted; from any thread.
 */
#ifndef BALANCE_SERVICE_H
#define BALANCE_SERVICE_H

#include <stdatomic.h>

struct service {
	char *name;			/* the pool's */
	atomic_int references;
	atomic_uint era;		/* sessions that came in an earlier one are to go */
	atomic_int close_spread_ms;	/* the time over which sessions are told so */
};

struct service *service_new(const char *name);	/* one reference */
struct service *service_get(struct service *service);
void service_put(struct service **service);

unsigned service_era(const struct service *service);
void service_set_era(struct service *service, unsigned era);
int service_close_spread(const struct service *service);	/* ms */
void service_set_close_spread(struct service *service, int ms);

#endif
