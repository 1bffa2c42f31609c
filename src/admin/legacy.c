/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * legacy.c: states and weights of servers as a state file; the orders of listeners, and servers that are to
 * be left over some time, one by one.
 */
#include "admin/legacy.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "admin/changes.h"
#include "balance/endpoint.h"
#include "balance/pool.h"
#include "base/xalloc.h"
#include "session/listener_kept.h"
#include "session/worker.h"

enum { NUMBER_MAX = 24 };

/* First words. */
static const char servers[] = "servers";
static const char disabled[] = "disabled";
static const char bound[] = "bound";
static const char leaving[] = "leaving";
static const char rebalanced[] = "rebalanced";

/* An order that was heard, until it holds. */
struct legacy {
	struct list node;
	const struct heard *kind;
	char *subject;
	char *why;
	int64_t first, second;		/* numbers */
};

/* What may be heard of a subject. */
struct heard {
	const char *word;		/* behind it: subject, why, and two numbers or none */
	void (*obey)(const struct cockpit *cockpit, const struct legacy *legacy);
};

static void
say_servers(void *owner, struct slice piece)
{
	const struct extension_listener *listener = owner;
	char *text = xstrndup(piece.data, piece.len);

	listener->say(listener->owner, (const char *[]){ servers, text, NULL });
	xfree(text);
}

static void
say_numbers(const struct extension_listener *listener, const char *const words[3], int64_t first,
    int64_t second)
{
	char texts[2][NUMBER_MAX];

	snprintf(texts[0], NUMBER_MAX, "%" PRId64, first);
	snprintf(texts[1], NUMBER_MAX, "%" PRId64, second);
	listener->say(listener->owner,
	    (const char *[]){ words[0], words[1], words[2], texts[0], texts[1], NULL });
}

static void
tell_orders(const char *name, const struct listener_orders *orders, const struct extension_listener *listener)
{
	int64_t max = listener_orders_max(orders, orders->configured_max);

	if (atomic_load(&orders->is_disabled))
		listener->say(listener->owner,
		    (const char *[]){ disabled, name, orders->disabled.why, NULL });
	if (max != orders->configured_max)
		say_numbers(listener, (const char *[]){ bound, name, orders->bounded.why }, max,
		    orders->configured_max);
}

/* Times are the machine's: the other process knows them, too. */
static void
tell_leaving(struct endpoint *e, const struct extension_listener *listener)
{
	struct leaving_order order;

	endpoint_read_leaving(e, &order);
	if (order.kind != LEAVING_NOT)
		say_numbers(listener,
		    (const char *[]){ order.kind == LEAVING_ALL ? leaving : rebalanced, e->name, "" },
		    order.from, order.until);
}

void
legacy_tell(struct control *control, const struct extension_listener *listener)
{
	struct cockpit *cockpit = control->extended;
	const struct root *root = cockpit_root(cockpit);
	struct extension_listener copy = *listener;

	changes_hand_over(cockpit->changes, EXTENSION_BYTES_MAX - sizeof(servers) - 1, say_servers, &copy);
	tell_orders("", worker_process_orders(), listener);
	for (size_t i = 0; i < root->listeners.count; i++) {
		const struct listener_settings *settings = root->listeners.items[i];

		tell_orders(settings->conf.title, &settings->listener->orders, listener);
	}
	for (size_t i = 0; i < root->pools.count; i++) {
		const struct pool *pool = root->pools.items[i];

		for (size_t j = 0; j < pool->endpoint_count; j++)
			tell_leaving(pool->endpoints[j], listener);
	}
}

/* NULL: the configuration has it no more. */
static struct listener_orders *
find_orders(const struct cockpit *cockpit, const char *name)
{
	const struct conf_list *listeners = &cockpit_root(cockpit)->listeners;

	if (*name == '\0')
		return worker_process_orders();
	for (size_t i = 0; i < listeners->count; i++) {
		const struct listener_settings *settings = listeners->items[i];

		if (strcmp(settings->conf.title, name) == 0)
			return &settings->listener->orders;
	}
	return NULL;
}

static void
obey_disabled(const struct cockpit *cockpit, const struct legacy *legacy)
{
	struct listener_orders *orders = find_orders(cockpit, legacy->subject);

	if (orders != NULL)
		(void)listener_orders_disable(orders, true, legacy->why);
}

/* It holds until the file has another one, as over a reload. */
static void
obey_bound(const struct cockpit *cockpit, const struct legacy *legacy)
{
	struct listener_orders *orders = find_orders(cockpit, legacy->subject);

	if (orders != NULL && legacy->second == orders->configured_max)
		listener_orders_bound(orders, legacy->first, legacy->why);
}

static struct endpoint *
find_endpoint(const struct cockpit *cockpit, const char *name)
{
	const struct conf_list *pools = &cockpit_root(cockpit)->pools;

	for (size_t i = 0; i < pools->count; i++) {
		const struct pool *pool = pools->items[i];

		for (size_t j = 0; j < pool->endpoint_count; j++)
			if (strcmp(pool->endpoints[j]->name, name) == 0)
				return pool->endpoints[j];
	}
	return NULL;
}

static void
have_left(const struct cockpit *cockpit, const struct legacy *legacy, enum leaving_kind kind)
{
	const struct leaving_order order = { .kind = kind, .from = legacy->first, .until = legacy->second };
	struct endpoint *e = find_endpoint(cockpit, legacy->subject);
	struct endpoint_facts facts;
	struct machine_facts machine;

	if (e == NULL)
		return;
	endpoint_read(e, &facts);
	machine_read(e->machine, &machine);
	/* the file may have ended the drain */
	if (kind == LEAVING_STRAYS || facts.admin.state == ADMIN_DRAIN || machine.admin.state == ADMIN_DRAIN)
		endpoint_set_leaving(e, &order);
}

static void
obey_leaving(const struct cockpit *cockpit, const struct legacy *legacy)
{
	have_left(cockpit, legacy, LEAVING_ALL);
}

static void
obey_rebalanced(const struct cockpit *cockpit, const struct legacy *legacy)
{
	have_left(cockpit, legacy, LEAVING_STRAYS);
}

/* Listeners, "" being all of them together; endpoints. */
static const struct heard kinds[] = {
	{ disabled,   obey_disabled },
	{ bound,      obey_bound },
	{ leaving,    obey_leaving },
	{ rebalanced, obey_rebalanced },
};

static int64_t
number_of(const char *word)
{
	uint64_t number = 0;

	(void)slice_to_number(slice_of(word), INT64_MAX, &number);
	return (int64_t)number;
}

static void
keep(struct cockpit *cockpit, const struct heard *kind, const char *const *words)
{
	struct legacy *legacy = xcalloc(1, sizeof(*legacy));

	legacy->kind = kind;
	legacy->subject = xstrdup(words[1]);
	legacy->why = xstrdup(words[2]);
	legacy->first = number_of(words[3]);
	legacy->second = number_of(words[4]);
	list_append(&cockpit->legacies, &legacy->node);
}

void
legacy_hear(struct control *control, const char *const *words)
{
	struct cockpit *cockpit = control->extended;

	if (strcmp(words[0], servers) == 0)
		changes_hear(cockpit->changes, slice_of(words[1]));
	/* another release may say more */
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(words[0], kinds[i].word) == 0)
			keep(cockpit, &kinds[i], words);
}

static void
free_legacy(struct legacy *legacy)
{
	list_remove(&legacy->node);
	xfree(legacy->subject);
	xfree(legacy->why);
	xfree(legacy);
}

void
legacy_commit(struct cockpit *cockpit)
{
	list_each(node, &cockpit->legacies) {
		struct legacy *legacy = list_entry(node, struct legacy, node);

		legacy->kind->obey(cockpit, legacy);
		free_legacy(legacy);
	}
}

void
legacies_free(struct cockpit *cockpit)
{
	list_each(node, &cockpit->legacies)
		free_legacy(list_entry(node, struct legacy, node));
}
