/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * deviations.c: a list of what was found in the last look, one of what is to be set again, and two of what
 * has happened.
 */
#include "admin/deviations.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "admin/recall.h"
#include "admin/shared_orders.h"
#include "balance/endpoint.h"
#include "balance/pool.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "session/listener_kept.h"
#include "session/listener_settings.h"
#include "session/worker.h"

enum { KEPT_MAX = 100, NUMBER_MAX = 24 };

struct deviation {
	struct setting setting;		/* first: state_file.h's lists have them as such */
	bool yields, is_there;		/* it was found in the look under way */
};

struct deviations {
	struct cockpit *cockpit;
	struct list found, overruled, moves;	/* struct deviation */
	struct list recalled;			/* struct setting */
	size_t overruled_count, move_count;
	bool is_new;				/* `found` or `recalled` has changed */
	const char *who;			/* of the look under way */
	int64_t heard_at;			/* likewise: when another proxy's operator said it; or 0 */
	struct shared_orders *shared;		/* with the cluster's other proxies; or NULL */
};

static struct deviation *
entry_of(struct list *node)
{
	return (struct deviation *)(void *)list_entry(node, struct setting, node);
}

static struct deviation *
append(struct list *list, const struct told_change *change)
{
	struct deviation *d = xcalloc(1, sizeof(*d));
	struct setting *s = &d->setting;

	s->kind = xstrdup(change->kind);
	s->subject = xstrdup(change->subject);
	s->what = xstrdup(change->what);
	s->now = xstrdup(change->now);
	s->in_file = xstrdup(change->in_file);
	s->who = xstrdup(change->who);
	s->why = xstrdup(change->why);
	s->when = change->when != 0 ? change->when : (int64_t)time(NULL);
	d->yields = change->yields;
	list_append(list, &s->node);
	return d;
}

static void
forget(struct deviation *d)
{
	struct setting *setting = &d->setting;

	setting_free(&setting);
}

static void
forget_all(struct list *list)
{
	list_each(node, list)
		forget(entry_of(node));
}

struct deviations *
deviations_new(struct cockpit *cockpit)
{
	struct deviations *deviations = xcalloc(1, sizeof(*deviations));

	deviations->cockpit = cockpit;
	list_init(&deviations->found);
	list_init(&deviations->overruled);
	list_init(&deviations->moves);
	list_init(&deviations->recalled);
	return deviations;
}

void
deviations_free(struct deviations **gone)
{
	struct deviations *deviations = *gone;

	*gone = NULL;
	if (deviations == NULL)
		return;
	deviations_unshare(deviations);
	forget_all(&deviations->found);
	forget_all(&deviations->overruled);
	forget_all(&deviations->moves);
	list_each(node, &deviations->recalled) {
		struct setting *s = list_entry(node, struct setting, node);

		setting_free(&s);
	}
	xfree(deviations);
}

void
deviations_keep(struct deviations *deviations, const struct told_change *change)
{
	bool is_move = strcmp(change->kind, "move") == 0;
	struct list *list = is_move ? &deviations->moves : &deviations->overruled;
	size_t *count = is_move ? &deviations->move_count : &deviations->overruled_count;

	append(list, change);
	if (++*count <= KEPT_MAX)
		return;
	forget(entry_of(list->next));
	--*count;
}

static struct told_change
told(const struct setting *s)
{
	return (struct told_change){ .kind = s->kind, .subject = s->subject, .what = s->what, .now = s->now,
		.in_file = s->in_file, .who = s->who, .why = s->why, .when = s->when };
}

/* The others are told, unless they have said so. */
static void
share(const struct deviations *deviations, const struct told_change *change)
{
	if (deviations->shared != NULL && deviations->heard_at == 0 && *deviations->who != '\0')
		shared_orders_tell(deviations->shared, change);
}

static void
note_new(struct deviations *deviations, struct deviation *d)
{
	struct told_change change;

	if (deviations->heard_at != 0)
		d->setting.when = deviations->heard_at;
	change = told(&d->setting);
	share(deviations, &change);
}

static void
find(struct deviations *deviations, const struct told_change *change)
{
	struct deviation *known = NULL;

	list_each(node, &deviations->found) {
		const struct setting *s = list_entry(node, struct setting, node);

		if (strcmp(s->kind, change->kind) == 0 && strcmp(s->subject, change->subject) == 0 &&
		    strcmp(s->what, change->what) == 0)
			known = entry_of(node);
	}
	if (known != NULL && (strcmp(known->setting.now, change->now) != 0 ||
		strcmp(known->setting.why, change->why) != 0)) {
		forget(known);
		known = NULL;
	}
	if (known == NULL) {
		known = append(&deviations->found, change);
		deviations->is_new = true;
		note_new(deviations, known);
	}
	known->is_there = true;
	known->yields = change->yields;
}

static void
find_word(struct deviations *deviations, struct told_change *change, const char *now, const char *in_file)
{
	change->now = now;
	change->in_file = in_file;
	find(deviations, change);
}

static void
find_number(struct deviations *deviations, struct told_change *change, int64_t now, int64_t in_file)
{
	char texts[2][NUMBER_MAX];

	snprintf(texts[0], NUMBER_MAX, "%lld", (long long)now);
	snprintf(texts[1], NUMBER_MAX, "%lld", (long long)in_file);
	find_word(deviations, change, texts[0], texts[1]);
}

static void
look_at_endpoint(struct deviations *deviations, const struct pool *pool, struct endpoint *e)
{
	struct told_change change = { .kind = "service", .subject = e->name, .who = deviations->who,
		.yields = true };
	char now[ADDR_TEXT_MAX], in_file[ADDR_TEXT_MAX];
	struct addr addr = endpoint_addr(e);
	struct endpoint_facts facts;
	struct machine_facts machine;

	endpoint_read(e, &facts);
	change.what = "address";
	change.why = e->moved.why;
	if (*change.why != '\0')
		find_word(deviations, &change, addr_format(&addr, now),
		    e->configured_addr.sa.sa_family != AF_UNSPEC ? addr_format(&e->configured_addr, in_file) :
		    "");
	change.what = "max_connections";
	change.why = facts.bounded.why;
	if (*change.why != '\0')
		find_number(deviations, &change, facts.bounded.state, pool->options.max_connections);
	change.yields = false;
	change.why = facts.unchecked.why;
	change.what = "checks";
	if (atomic_load(&e->checks_are_off))
		find_word(deviations, &change, "off", "on");
	machine_read(e->machine, &machine);
	change.why = machine.unasked.why;
	change.what = "agent";
	if (atomic_load(&e->machine->agent_is_off))
		find_word(deviations, &change, "off", "on");
}

static void
look_at_listener(struct deviations *deviations, const struct listener_settings *settings)
{
	const struct listener_orders *orders = &settings->listener->orders;
	struct told_change change = { .kind = "listener", .subject = settings->conf.title,
		.who = deviations->who };

	change.what = "state";
	change.why = orders->disabled.why;
	if (atomic_load(&orders->is_disabled))
		find_word(deviations, &change, "disabled", "enabled");
	change.yields = true;
	change.what = "max_connections";
	change.why = orders->bounded.why;
	if (*change.why != '\0')
		find_number(deviations, &change, orders->bounded.state, orders->configured_max);
}

static void
look_at_process(struct deviations *deviations)
{
	const struct listener_orders *orders = worker_process_orders();
	struct told_change change = { .kind = "process", .subject = "", .what = "max_connections",
		.who = deviations->who, .why = orders->bounded.why, .yields = true };

	if (*change.why != '\0')
		find_number(deviations, &change, orders->bounded.state, orders->configured_max);
}

static void
overrule(struct deviations *deviations, const struct setting *s)
{
	char *why = xasprintf("the configuration has won over %s%s%s", s->now, *s->why != '\0' ? ": " : "",
	    s->why);

	log_write(LOG_WARNING, "%s%s%s: %s %s holds no more, as the configuration has changed%s%s%s",
	    s->kind, *s->subject != '\0' ? " " : "", s->subject, s->what, s->now,
	    *s->why != '\0' ? " (" : "", s->why, *s->why != '\0' ? ")" : "");
	deviations_keep(deviations, &(struct told_change){ .kind = "overruled", .subject = s->subject,
		.what = s->what, .now = "", .in_file = "", .who = s->who, .why = why });
	xfree(why);
}

/* Who has set it, and when, is what it was. */
static void
remember(struct deviations *deviations, const struct setting *s)
{
	append(&deviations->found, &(struct told_change){ .kind = s->kind, .subject = s->subject,
		.what = s->what, .now = s->now, .in_file = s->in_file, .who = s->who, .why = s->why,
		.when = s->when });
}

static void
set_again(struct deviations *deviations, struct setting *s)
{
	switch (recall_set(deviations->cockpit, s)) {
	case RECALL_LATER:
		return;
	case RECALL_DONE:
		remember(deviations, s);
		break;
	case RECALL_NEEDLESS:
		break;
	case RECALL_OVERRULED:
		overrule(deviations, s);
		break;
	case RECALL_GONE:
		log_write(LOG_NOTICE, "%s %s is not configured any more: %s %s is forgotten", s->kind,
		    s->subject, s->what, s->now);
		break;
	}
	deviations->is_new = true;
	setting_free(&s);
}

static void
take_back(const struct deviations *deviations, const struct setting *s)
{
	struct told_change change = told(s);

	change.now = s->in_file;
	change.who = deviations->who;
	change.why = "";
	change.when = (int64_t)time(NULL);
	share(deviations, &change);
}

/* An operator has taken it back, or it was not by an operator: the file has another word, or DNS. */
static void
drop_gone(struct deviations *deviations, bool is_overruled)
{
	list_each(node, &deviations->found) {
		struct deviation *d = entry_of(node);

		if (d->is_there)
			continue;
		if (is_overruled && d->yields)
			overrule(deviations, &d->setting);
		take_back(deviations, &d->setting);
		forget(d);
		deviations->is_new = true;
	}
}

static void
look(struct deviations *deviations, const char *who)
{
	const struct root *root = cockpit_root(deviations->cockpit);

	deviations->who = who != NULL ? who : "";
	list_each(node, &deviations->recalled)
		set_again(deviations, list_entry(node, struct setting, node));
	list_each(node, &deviations->found)
		entry_of(node)->is_there = false;
	for (size_t i = 0; i < root->pools.count; i++) {
		const struct pool *pool = root->pools.items[i];

		for (size_t j = 0; j < pool->endpoint_count; j++)
			look_at_endpoint(deviations, pool, pool->endpoints[j]);
	}
	for (size_t i = 0; i < root->listeners.count; i++)
		look_at_listener(deviations, root->listeners.items[i]);
	look_at_process(deviations);
	drop_gone(deviations, who == NULL);
}

void
deviations_list(struct deviations *deviations, struct state_lists *lists)
{
	lists->settings = &deviations->recalled;
	lists->more_settings = &deviations->found;
}

bool
deviations_look(struct deviations *deviations, const char *who)
{
	deviations->is_new = false;
	look(deviations, who);
	if (deviations->shared != NULL)
		shared_orders_obey(deviations->shared);
	return deviations->is_new;
}

static void
each_found(void *owner, told_change_visit *visit, void *arg)
{
	const struct deviations *deviations = owner;

	list_each(node, &deviations->found) {
		const struct told_change change = told(list_entry(node, struct setting, node));

		visit(&change, arg);
	}
}

static void
on_obeyed(void *owner, const char *who, int64_t when)
{
	struct deviations *deviations = owner;

	deviations->heard_at = when;
	look(deviations, who);
	deviations->heard_at = 0;
}

void
deviations_share(struct deviations *deviations, struct loop_timer *look_timer)
{
	if (deviations->cockpit->control->assets.cluster == NULL)
		return;
	deviations->shared = shared_orders_new(&(struct shared_orders_settings){
		.cockpit = deviations->cockpit, .look = look_timer, .each = each_found,
		.on_obeyed = on_obeyed, .owner = deviations });
}

void
deviations_unshare(struct deviations *deviations)
{
	shared_orders_free(&deviations->shared);
}

static void
tell(const struct list *list, void (*each)(const struct told_change *change, void *arg), void *arg)
{
	list_each(node, list) {
		const struct told_change change = told(list_entry(node, struct setting, node));

		each(&change, arg);
	}
}

void
deviations_each(const struct deviations *deviations,
    void (*each)(const struct told_change *change, void *arg), void *arg)
{
	tell(&deviations->found, each, arg);
	tell(&deviations->moves, each, arg);
	tell(&deviations->overruled, each, arg);
}
