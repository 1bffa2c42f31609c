/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * auth_clients.h: a worker's connections to what its auth sources ask.  Each
 * kind keeps what it needs, by a key: an address, say.  Blocks that name the
 * same share it, and reloads keep it.
 */
#ifndef AUTH_AUTH_CLIENTS_H
#define AUTH_AUTH_CLIENTS_H

#include <stdbool.h>

#include "base/list.h"
#include "net/loop.h"
#include "net/resolve.h"

struct auth_clients;
struct auth_client;

struct auth_client_kind {
	/* `settings` are auth_client_get's; the result embeds the struct at its begin. */
	struct auth_client *(*open)(struct auth_clients *clients, const char *key, const void *settings);
	/* Its requests were all cancelled, or have their answers. */
	void (*close)(struct auth_client *client);
	bool (*is_idle)(const struct auth_client *client);	/* nobody waits for it */
};

struct auth_client {
	struct list node;
	const struct auth_client_kind *kind;
	char *key;
	unsigned round;			/* of auth_clients_begin, when it was wanted last */
};

/* worker: whose counters are counted up. */
struct auth_clients *auth_clients_new(struct loop *loop, int worker);
void auth_clients_free(struct auth_clients **clients);
struct loop *auth_clients_loop(const struct auth_clients *clients);
int auth_clients_worker(const struct auth_clients *clients);
/* Where names are looked up; NULL before the first snapshot.  To be asked for anew: reloads change it. */
struct resolver *auth_clients_resolver(const struct auth_clients *clients);
void auth_clients_use_resolver(struct auth_clients *clients, struct resolver *resolver);
/* Opens it where it is not there yet.  `settings` are of the first that asks, and read while this runs. */
struct auth_client *auth_client_get(struct auth_clients *clients, const struct auth_client_kind *kind,
    const char *key, const void *settings);
/* Around a new snapshot's calls of auth_client_get: idle clients that it does not want are closed. */
void auth_clients_begin(struct auth_clients *clients);
void auth_clients_end(struct auth_clients *clients);

#endif
