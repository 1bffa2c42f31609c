/* SPDX-License-Identifier: BSD-2-Clause */
/* sharing.c: begins it all, and tells the limiter how many proxies there are. */
#include "daemon/sharing.h"

#include "access/penalty.h"
#include "balance/peers.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "daemon/generation.h"
#include "state/limiter.h"
#include "state/ticket_keys.h"

enum { INTERVAL_MS = 1000 };

struct sharing {
	struct assets *assets;
	struct loop *loop;
	struct peers *peers;
	struct ticket_keys *tickets;	/* NULL: the cluster has no secret */
	int64_t tickets_until;
	struct loop_timer timer;
};

static void
on_keys(void *owner, const uint8_t (*keys)[TLS_TICKET_KEY_SIZE], int count)
{
	struct sharing *sharing = owner;

	tls_tickets_set(keys, count);
	sharing->tickets_until = loop_now(sharing->loop) + TICKETS_ROTATE_MS;
}

static void
on_time(struct loop_timer *timer)
{
	struct sharing *sharing = loop_owner(timer, struct sharing, timer);

	limiter_set_proxies(sharing->assets->limiter, peers_count(sharing->peers));
	loop_timer_set(sharing->loop, timer, loop_now(sharing->loop) + INTERVAL_MS);
}

static void
share_secrets(struct sharing *sharing, struct cluster *cluster)
{
	struct penalty *penalty = penalty_new_shared(cluster);

	if (penalty == NULL) {
		log_write(LOG_NOTICE,
		    "cluster: without secret_file, failed logins, bans and the keys of TLS tickets are each "
		    "proxy's own");
		return;
	}
	penalty_free(&sharing->assets->penalty);
	sharing->assets->penalty = penalty;
	sharing->tickets = ticket_keys_new(&(struct ticket_keys_settings){ .cluster = cluster,
		.rotate_ms = TICKETS_ROTATE_MS, .on_keys = on_keys, .owner = sharing });
}

struct sharing *
sharing_new(struct assets *assets)
{
	struct sharing *sharing = xcalloc(1, sizeof(*sharing));

	sharing->assets = assets;
	sharing->loop = cluster_control(assets->cluster);
	sharing->peers = peers_new(assets->cluster, assets->endpoints);
	share_secrets(sharing, assets->cluster);
	limiter_share(assets->limiter, assets->cluster);
	loop_timer_init(&sharing->timer, on_time);
	loop_timer_set(sharing->loop, &sharing->timer, loop_now(sharing->loop));
	return sharing;
}

void
sharing_free(struct sharing **sharing)
{
	struct sharing *gone = *sharing;

	*sharing = NULL;
	if (gone == NULL)
		return;
	loop_timer_stop(gone->loop, &gone->timer);
	limiter_unshare(gone->assets->limiter);
	ticket_keys_free(&gone->tickets);
	peers_free(&gone->peers);
	xfree(gone);
}

const struct peers *
sharing_peers(const struct sharing *sharing)
{
	return sharing->peers;
}

bool
sharing_keeps_tickets(const struct sharing *sharing, int64_t now)
{
	return now < sharing->tickets_until;
}
