/* SPDX-License-Identifier: BSD-2-Clause */
/* legacy.c: states and weights of servers as a state file, and the orders of listeners, one by one. */
#include "admin/legacy.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "admin/changes.h"
#include "base/xalloc.h"
#include "session/worker.h"

enum { NUMBER_MAX = 24, BOUND_MAX = 10000000 };

/* First words. */
static const char servers[] = "servers", disabled[] = "disabled", bound[] = "bound";

/* An order that was heard, until it holds. */
struct legacy {
	struct list node;
	bool is_disabled;		/* else: a bound */
	char *listener;			/* "": all of them together */
	char *why;
	int64_t max, configured_max;
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
tell_orders(const char *name, const struct listener_orders *orders, const struct extension_listener *listener)
{
	int64_t max = listener_orders_max(orders, orders->configured_max);
	char now[NUMBER_MAX], configured[NUMBER_MAX];

	if (atomic_load(&orders->is_disabled))
		listener->say(listener->owner,
		    (const char *[]){ disabled, name, orders->disabled.why, NULL });
	if (max == orders->configured_max)
		return;
	snprintf(now, sizeof(now), "%" PRId64, max);
	snprintf(configured, sizeof(configured), "%" PRId64, orders->configured_max);
	listener->say(listener->owner,
	    (const char *[]){ bound, name, orders->bounded.why, now, configured, NULL });
}

void
legacy_tell(struct control *control, const struct extension_listener *listener)
{
	struct cockpit *cockpit = control->extended;
	const struct conf_list *listeners = &cockpit_root(cockpit)->listeners;
	struct extension_listener copy = *listener;

	changes_hand_over(cockpit->changes, EXTENSION_BYTES_MAX - sizeof(servers) - 1, say_servers, &copy);
	tell_orders("", worker_process_orders(), listener);
	for (size_t i = 0; i < listeners->count; i++) {
		const struct listener_settings *settings = listeners->items[i];

		tell_orders(settings->conf.title, &settings->listener->orders, listener);
	}
}

static bool
read_max(const char *word, int64_t *max)
{
	uint64_t number;

	if (!slice_to_number(slice_of(word), BOUND_MAX, &number))
		return false;
	*max = (int64_t)number;
	return true;
}

void
legacy_hear(struct control *control, const char *const *words)
{
	struct cockpit *cockpit = control->extended;
	bool is_disabled = strcmp(words[0], disabled) == 0;
	int64_t max = 0, configured_max = 0;
	struct legacy *legacy;

	if (strcmp(words[0], servers) == 0) {
		changes_hear(cockpit->changes, slice_of(words[1]));
		return;
	}
	/* a newer release may say more */
	if (!is_disabled && (strcmp(words[0], bound) != 0 || !read_max(words[3], &max) ||
	    !read_max(words[4], &configured_max)))
		return;
	legacy = xcalloc(1, sizeof(*legacy));
	legacy->is_disabled = is_disabled;
	legacy->listener = xstrdup(words[1]);
	legacy->why = xstrdup(words[2]);
	legacy->max = max;
	legacy->configured_max = configured_max;
	list_append(&cockpit->legacies, &legacy->node);
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

/* A bound holds until the file has another one, as over a reload. */
static void
obey(const struct cockpit *cockpit, const struct legacy *legacy)
{
	struct listener_orders *orders = find_orders(cockpit, legacy->listener);

	if (orders == NULL)
		return;
	if (legacy->is_disabled)
		(void)listener_orders_disable(orders, true, legacy->why);
	else if (legacy->configured_max == orders->configured_max)
		listener_orders_bound(orders, legacy->max, legacy->why);
}

static void
free_legacy(struct legacy *legacy)
{
	list_remove(&legacy->node);
	xfree(legacy->listener);
	xfree(legacy->why);
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
