/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * shared_orders.c: a register whose names are what is set and the service, "max_connections\timap/d3", and
 * whose words are what holds, what the configuration said, who said it, and why, with tabs between them.
 */
#include "admin/shared_orders.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "admin/shared_words.h"
#include "balance/endpoint.h"
#include "balance/endpoint_room.h"
#include "balance/pool.h"
#include "base/log.h"
#include "base/map.h"
#include "base/xalloc.h"
#include "health/health.h"
#include "state/register.h"

enum { SECOND = 1000, VALUE_MAX = 24 };

struct shared_orders {
	struct shared_orders_settings settings;
	struct shared_register *shared;
	struct map *heard;		/* struct order, by name: not obeyed yet */
};

struct order {
	char *now, *in_file, *who, *why;
	int64_t when;
};

/* A service as it is here. */
struct subject {
	struct cockpit *cockpit;
	const struct pool *pool;
	struct endpoint *endpoint;
};

static void
read_bound(const struct subject *subject, char now[VALUE_MAX], char in_file[VALUE_MAX])
{
	struct endpoint_facts facts;

	endpoint_read(subject->endpoint, &facts);
	snprintf(in_file, VALUE_MAX, "%lld", (long long)subject->pool->options.max_connections);
	if (facts.bounded.why[0] != '\0')
		snprintf(now, VALUE_MAX, "%d", facts.bounded.state);
	else
		snprintf(now, VALUE_MAX, "%s", in_file);
}

static bool
obey_bound(const struct subject *subject, struct slice now, const char *why)
{
	uint64_t max;

	if (!slice_to_number(now, INT32_MAX, &max))
		return false;
	endpoint_bound(subject->endpoint, (int)max, why);
	return true;
}

static bool
read_switch(struct slice now, bool *is_on)
{
	*is_on = slice_equals(now, "on");
	return *is_on || slice_equals(now, "off");
}

static void
read_checks(const struct subject *subject, char now[VALUE_MAX], char in_file[VALUE_MAX])
{
	snprintf(in_file, VALUE_MAX, "on");
	snprintf(now, VALUE_MAX, "%s", atomic_load(&subject->endpoint->checks_are_off) ? "off" : "on");
}

static bool
obey_checks(const struct subject *subject, struct slice now, const char *why)
{
	bool is_on;

	if (!read_switch(now, &is_on))
		return false;
	health_set_checked(subject->cockpit->control->assets.health, subject->endpoint, is_on, why);
	return true;
}

static void
read_agent(const struct subject *subject, char now[VALUE_MAX], char in_file[VALUE_MAX])
{
	snprintf(in_file, VALUE_MAX, "on");
	snprintf(now, VALUE_MAX, "%s", atomic_load(&subject->endpoint->machine->agent_is_off) ? "off" : "on");
}

static bool
obey_agent(const struct subject *subject, struct slice now, const char *why)
{
	struct health *health = subject->cockpit->control->assets.health;
	struct machine *machine = subject->endpoint->machine;
	bool is_on;

	if (!health_has_agent(health, machine) || !read_switch(now, &is_on))
		return false;
	health_set_asked(health, machine, is_on, why);
	return true;
}

/* What is shared, by the names that `show changes` has for it. */
static const struct kind {
	const char *what;
	void (*read)(const struct subject *subject, char now[VALUE_MAX], char in_file[VALUE_MAX]);
	/* False: it cannot be so here. */
	bool (*obey)(const struct subject *subject, struct slice now, const char *why);
} kinds[] = {
	{ "max_connections", read_bound,  obey_bound },
	{ "checks",          read_checks, obey_checks },
	{ "agent",           read_agent,  obey_agent },
};

static const struct kind *
find_kind(struct slice what)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (slice_equals(what, kinds[i].what))
			return &kinds[i];
	return NULL;
}

static bool
find_subject(struct cockpit *cockpit, struct slice name, struct subject *out)
{
	const struct root *root = cockpit_root(cockpit);

	for (size_t i = 0; i < root->pools.count; i++) {
		const struct pool *pool = root->pools.items[i];

		for (size_t j = 0; j < pool->endpoint_count; j++) {
			if (!slice_equals(name, pool->endpoints[j]->name))
				continue;
			*out = (struct subject){ cockpit, pool, pool->endpoints[j] };
			return true;
		}
	}
	return false;
}

static void
order_free(struct order *order)
{
	xfree(order->now);
	xfree(order->in_file);
	xfree(order->who);
	xfree(order->why);
	xfree(order);
}

static char *
take_text(struct slice *text)
{
	struct slice field = slice_take(text, '\t');

	return xstrndup(field.data, field.len);
}

static bool
is_plain(const char *text)
{
	return slice_is_printable(slice_of(text));
}

/* NULL: it is none.  What a newer release says behind it is for that. */
static struct order *
read_order(struct slice text, int64_t age_ms)
{
	struct order *order = xcalloc(1, sizeof(*order));

	order->now = take_text(&text);
	order->in_file = take_text(&text);
	order->who = take_text(&text);
	order->why = take_text(&text);
	order->when = (int64_t)time(NULL) - age_ms / SECOND;
	if (*order->now != '\0' && *order->in_file != '\0' && is_plain(order->now) &&
	    is_plain(order->in_file) && is_plain(order->who) && is_plain(order->why))
		return order;
	order_free(order);
	return NULL;
}

static void
on_word(void *owner, struct slice name, struct slice text, int64_t age_ms)
{
	struct shared_orders *orders = owner;
	struct slice rest = name;
	struct order *order, *before;

	if (find_kind(slice_take(&rest, '\t')) == NULL || (order = read_order(text, age_ms)) == NULL)
		return;
	/* what was said here meanwhile is on its way */
	if (register_is_telling(orders->shared, name)) {
		order_free(order);
		return;
	}
	before = map_get(orders->heard, name);
	if (before != NULL)
		order_free(before);
	map_set(orders->heard, name, order);
	loop_timer_set(cluster_control(orders->settings.cockpit->control->assets.cluster),
	    orders->settings.look, 0);
}

static bool
is_shared(const struct told_change *change)
{
	return strcmp(change->kind, "service") == 0 && find_kind(slice_of(change->what)) != NULL;
}

static char *
name_of(const struct told_change *change)
{
	return xasprintf("%s\t%s", change->what, change->subject);
}

static void
tell_unknown(const struct told_change *change, void *arg)
{
	struct shared_orders *orders = arg;
	char *name = name_of(change);

	if (is_shared(change) && !register_knows(orders->shared, slice_of(name)))
		shared_orders_tell(orders, change);
	xfree(name);
}

/* What holds here and nobody has said anything else of: by the state file, say. */
static void
on_all(void *owner)
{
	struct shared_orders *orders = owner;

	orders->settings.each(orders->settings.owner, tell_unknown, orders);
}

/* As shared_words.c does. */
static void
tell_own(const struct told_change *change, void *arg)
{
	if (shared_words_is_own(change->who, change->when))
		shared_orders_tell(arg, change);
}

struct shared_orders *
shared_orders_new(const struct shared_orders_settings *settings)
{
	struct shared_orders *orders = xcalloc(1, sizeof(*orders));

	orders->settings = *settings;
	orders->heard = map_new();
	orders->shared = register_new(&(struct register_settings){
		.cluster = settings->cockpit->control->assets.cluster, .name = "services", .on_word = on_word,
		.on_all = on_all, .owner = orders });
	settings->each(settings->owner, tell_own, orders);
	return orders;
}

static void
free_heard(const char *name, void *value, void *arg)
{
	(void)name;
	(void)arg;
	order_free(value);
}

void
shared_orders_free(struct shared_orders **orders)
{
	struct shared_orders *gone = *orders;

	*orders = NULL;
	if (gone == NULL)
		return;
	register_free(&gone->shared);
	map_each(gone->heard, free_heard, NULL);
	map_free(&gone->heard);
	xfree(gone);
}

void
shared_orders_tell(struct shared_orders *orders, const struct told_change *change)
{
	struct buf word = { 0 };
	int64_t age = (int64_t)time(NULL) - change->when;
	char *name;

	if (!is_shared(change))
		return;
	name = name_of(change);
	buf_printf(&word, "%s\t%s\t", change->now, change->in_file);
	shared_words_write_who(change->who, orders->settings.cockpit->control->assets.cluster, &word);
	buf_append_text(&word, "\t");
	shared_words_write_text(change->why, &word);
	register_tell(orders->shared, slice_of(name), buf_slice(&word), age > 0 ? age * SECOND : 0);
	buf_clear(&word);
	xfree(name);
}

/* Of somebody whose configuration is another one: it is for those who have that. */
static bool
is_of_another_file(const struct order *order, const char *in_file)
{
	return strcmp(order->now, order->in_file) != 0 && strcmp(order->in_file, in_file) != 0;
}

static void
obey(struct shared_orders *orders, const struct kind *kind, const struct subject *subject,
    const struct order *order)
{
	char now[VALUE_MAX], in_file[VALUE_MAX];
	const char *wanted = order->now;

	kind->read(subject, now, in_file);
	if (is_of_another_file(order, in_file))
		return;
	if (strcmp(order->now, order->in_file) == 0)
		wanted = in_file;
	if (strcmp(wanted, now) == 0)
		return;
	if (!kind->obey(subject, slice_of(wanted), *order->why != '\0' ? order->why : order->who))
		return;
	log_write(LOG_NOTICE, "service %s: %s set to %s by %s%s%s", subject->endpoint->name, kind->what,
	    wanted, order->who, *order->why != '\0' ? ": " : "", order->why);
	orders->settings.on_obeyed(orders->settings.owner, order->who, order->when);
}

/* What is said of who is not here yet is kept until then. */
static void
take(const char *name, void *value, void *arg)
{
	struct shared_orders *orders = arg;
	struct slice rest = slice_of(name);
	const struct kind *kind = find_kind(slice_take(&rest, '\t'));
	struct order *order = value;
	struct subject subject;

	if (!find_subject(orders->settings.cockpit, rest, &subject)) {
		map_set(orders->heard, slice_of(name), order);
		return;
	}
	obey(orders, kind, &subject, order);
	order_free(order);
}

void
shared_orders_obey(struct shared_orders *orders)
{
	struct map *heard = orders->heard;

	if (map_count(heard) == 0)
		return;
	orders->heard = map_new();
	map_each(heard, take, orders);
	map_free(&heard);
}
