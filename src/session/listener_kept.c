/* SPDX-License-Identifier: BSD-2-Clause */
/* listener_kept.c: the counts and references of listeners. */
#include "session/listener_kept.h"

#include <string.h>

#include "base/hash.h"
#include "base/xalloc.h"

#define COUNTER_ROW(field, text) METRIC_COUNTER(struct listener, field, text),
static const struct metric listener_rows[] = {
	METRIC_GAUGE(struct listener, connections, "Sessions, from accept to close."),
	LISTENER_COUNTERS(COUNTER_ROW)
};
const struct metric_table listener_metrics = {
	"listener", listener_rows, sizeof(listener_rows) / sizeof(listener_rows[0])
};

struct listener *
listener_new(const char *name, int threads)
{
	struct listener *listener = xcalloc_aligned(sizeof(*listener) +
	    (size_t)threads * sizeof(listener->counters[0]));

	listener->name = xstrdup(name);
	listener->tag = hash_bytes(name, strlen(name), 0);
	atomic_init(&listener->references, 1);
	listener_orders_init(&listener->orders);
	mishaps_init(&listener->mishaps);
	return listener;
}

struct listener *
listener_get(struct listener *listener)
{
	atomic_fetch_add_explicit(&listener->references, 1, memory_order_relaxed);
	return listener;
}

void
listener_put(struct listener **listener)
{
	struct listener *l = *listener;

	*listener = NULL;
	if (l == NULL || atomic_fetch_sub_explicit(&l->references, 1, memory_order_acq_rel) > 1)
		return;
	mishaps_clear(&l->mishaps);
	xfree(l->name);
	xfree(l);
}
