/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ticket_keys.h: the keys of TLS tickets that the proxies of a cluster share,
 * so that a session goes on at another one.  Three of them: whoever is first
 * to find the newest one old adds one, sealed with the cluster's secret and
 * the time: an old one that somebody puts back into Redis is not taken.  A
 * new one is used when all have had the time to hear of it.  On control's
 * loop.
 */
#ifndef STATE_TICKET_KEYS_H
#define STATE_TICKET_KEYS_H

#include "net/tls_context.h"
#include "state/cluster.h"

struct ticket_keys;

enum { TICKET_KEYS_LOOK_MS = 30 * 1000, TICKET_KEYS_SETTLE_MS = 2 * TICKET_KEYS_LOOK_MS + 10 * 1000 };

struct ticket_keys_settings {
	struct cluster *cluster;	/* joined; it outlives the keys */
	int64_t rotate_ms;		/* how old the newest one becomes */
	/* The keys as they are now, from time to time: the first one seals, all open. */
	void (*on_keys)(void *owner, const uint8_t (*keys)[TLS_TICKET_KEY_SIZE], int count);
	void *owner;
};

/* NULL: the cluster has no secret. */
struct ticket_keys *ticket_keys_new(const struct ticket_keys_settings *settings);
void ticket_keys_free(struct ticket_keys **keys);

/*
 * KEYS: a list.  ARGV: a sealed key or "", how old (ms) the newest one becomes, since when (Redis' ms) the
 * key is.  Answers: Redis' ms, since when, key, …
 */
extern const struct cluster_script ticket_keys_script;

#endif
