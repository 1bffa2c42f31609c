/* SPDX-License-Identifier: BSD-2-Clause */
/* legacy.c: what was set, as a state file; and servers that are to be left over some time, one by one. */
#include "admin/legacy.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "admin/changes.h"
#include "admin/recall.h"
#include "balance/endpoint.h"
#include "balance/pool.h"
#include "base/xalloc.h"

enum { NUMBER_MAX = 24 };

/* First words. */
static const char servers[] = "servers";
static const struct { const char *word; enum leaving_kind kind; } kinds[] = {
	{ "leaving", LEAVING_ALL }, { "rebalanced", LEAVING_STRAYS },
};

/* What was heard, until it holds. */
struct legacy {
	struct list node;
	char *endpoint;
	struct leaving_order order;
};

static void
say_servers(void *owner, struct slice piece)
{
	const struct extension_listener *listener = owner;
	char *text = xstrndup(piece.data, piece.len);

	listener->say(listener->owner, (const char *[]){ servers, text, NULL });
	xfree(text);
}

/* Times are the machine's: the other process knows them, too. */
static void
tell_leaving(struct endpoint *e, const struct extension_listener *listener)
{
	char from[NUMBER_MAX], until[NUMBER_MAX];
	struct leaving_order order;

	endpoint_read_leaving(e, &order);
	snprintf(from, NUMBER_MAX, "%" PRId64, order.from);
	snprintf(until, NUMBER_MAX, "%" PRId64, order.until);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (order.kind == kinds[i].kind)
			listener->say(listener->owner,
			    (const char *[]){ kinds[i].word, e->name, "", from, until, NULL });
}

void
legacy_tell(struct control *control, const struct extension_listener *listener)
{
	struct cockpit *cockpit = control->extended;
	const struct root *root = cockpit_root(cockpit);
	struct extension_listener copy = *listener;

	changes_hand_over(cockpit->changes, EXTENSION_BYTES_MAX - sizeof(servers) - 1, say_servers, &copy);
	for (size_t i = 0; i < root->pools.count; i++) {
		const struct pool *pool = root->pools.items[i];

		for (size_t j = 0; j < pool->endpoint_count; j++)
			tell_leaving(pool->endpoints[j], listener);
	}
}

static void
obey(const struct cockpit *cockpit, const struct legacy *legacy)
{
	const struct pool *pool;
	struct endpoint *e = recall_find_endpoint(cockpit, legacy->endpoint, &pool);
	struct endpoint_facts facts;
	struct machine_facts machine;

	if (e == NULL)
		return;
	endpoint_read(e, &facts);
	machine_read(e->machine, &machine);
	/* the file may have ended the drain */
	if (legacy->order.kind == LEAVING_STRAYS || facts.admin.state == ADMIN_DRAIN ||
	    machine.admin.state == ADMIN_DRAIN)
		endpoint_set_leaving(e, &legacy->order);
}

static int64_t
number_of(const char *word)
{
	uint64_t number = 0;

	(void)slice_to_number(slice_of(word), INT64_MAX, &number);
	return (int64_t)number;
}

static void
keep(struct cockpit *cockpit, enum leaving_kind kind, const char *const *words)
{
	struct legacy *legacy = xcalloc(1, sizeof(*legacy));

	legacy->endpoint = xstrdup(words[1]);
	legacy->order = (struct leaving_order){ .kind = kind, .from = number_of(words[3]),
		.until = number_of(words[4]) };
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
			keep(cockpit, kinds[i].kind, words);
}

static void
free_legacy(struct legacy *legacy)
{
	list_remove(&legacy->node);
	xfree(legacy->endpoint);
	xfree(legacy);
}

void
legacy_commit(struct cockpit *cockpit)
{
	list_each(node, &cockpit->legacies) {
		struct legacy *legacy = list_entry(node, struct legacy, node);

		obey(cockpit, legacy);
		free_legacy(legacy);
	}
}

void
legacies_free(struct cockpit *cockpit)
{
	list_each(node, &cockpit->legacies)
		free_legacy(list_entry(node, struct legacy, node));
}
