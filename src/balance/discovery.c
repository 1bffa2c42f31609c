/* SPDX-License-Identifier: BSD-2-Clause */
/* discovery.c: one entry for each server with a name: its question, its answer, and when to ask again. */
#include "balance/discovery.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/map.h"
#include "base/xalloc.h"

enum {
	TTL_MIN_MS = 1000, TTL_MAX_MS = 3600 * 1000,
	AGAIN_MIN_MS = 1000, AGAIN_MAX_MS = 30 * 1000,	/* after failures */
	TOLD_MAX = 16					/* addresses in a line of the log */
};

struct entry {
	struct list node;
	struct discovery *discovery;
	char *key;			/* "farm dovecot: d03" */
	char *name;			/* the question's */
	struct resolve_question question;
	bool wants_all;			/* of the addresses */
	struct loop_timer due;
	struct found *items;
	struct findings findings;	/* of the items */
	bool is_settled;		/* there was an answer or a failure */
	int again_ms;			/* after the next failure */
	enum resolve_status told;	/* the last failure that is in the log; OK: none since it went well */
	bool told_cut;
	unsigned round;			/* of discovery_commit, when it was wanted last */
};

struct discovery {
	struct loop *loop;		/* NULL: not started */
	struct resolver *resolver;	/* made by the first commit */
	struct addr *nameservers;	/* those that the resolver has */
	size_t nameserver_count;
	struct list entries;
	struct map *by_key;
	unsigned round;
	struct loop_timer change, settle;
	void (*on_change)(void *owner), (*on_settled)(void *owner);	/* on_settled NULL: nobody waits */
	void *change_owner, *settle_owner;
};

static char *
make_key(const struct pool *pool, const struct server *server)
{
	bool is_farm = pool->farm != NULL;

	return xasprintf("%s %s: %s", is_farm ? "farm" : "pool",
	    is_farm ? pool->farm->conf.title : pool->conf.title, server->conf.title);
}

static enum resolve_kind
kind_of(const struct server *server)
{
	return server->srv != NULL ? RESOLVE_SRV : RESOLVE_ADDRESS;
}

static const char *
name_of(const struct server *server)
{
	return server->srv != NULL ? server->srv : server->address.host;
}

static bool
is_asked_likewise(const struct entry *entry, const struct server *server)
{
	return entry->question.kind == kind_of(server) && entry->question.port == server->address.port &&
	    strcmp(entry->name, name_of(server)) == 0;
}

/* --- what was found --- */

static int
compare_found(const void *left, const void *right)
{
	const struct found *a = left, *b = right;
	int order = (int)a->priority - (int)b->priority;

	if (order == 0)
		order = addr_compare(&a->addr, &b->addr);
	return order != 0 ? order : (int)addr_port(&a->addr) - (int)addr_port(&b->addr);
}

static const struct resolve_address *
find_in_answer(const struct resolve_result *result, const struct addr *addr)
{
	for (size_t i = 0; i < result->count; i++)
		if (addr_equals(&result->addresses[i].addr, addr))
			return &result->addresses[i];
	return NULL;
}

static bool
is_found(const struct findings *findings, const struct addr *addr)
{
	for (size_t i = 0; i < findings->count; i++)
		if (addr_equals(&findings->items[i].addr, addr))
			return true;
	return false;
}

/* Who misses in an answer that is not whole may well be there. */
static bool
may_be_there(const struct resolve_result *result, const struct addr *addr)
{
	enum resolve_status status = addr->sa.sa_family == AF_INET ? result->ipv4 : result->ipv6;

	return status > RESOLVE_NOT_FOUND || result->is_cut;
}

/* Those that are known come first, so that what is beyond the bound does not take their place. */
static size_t
merge(const struct findings *known, const struct resolve_result *result, struct found out[DISCOVERY_MAX])
{
	size_t count = 0;

	for (size_t i = 0; i < known->count; i++) {
		const struct resolve_address *address = find_in_answer(result, &known->items[i].addr);

		if (address == NULL && !may_be_there(result, &known->items[i].addr))
			continue;
		out[count] = known->items[i];
		if (address != NULL) {
			out[count].priority = address->priority;
			out[count].weight = address->weight;
		}
		count++;
	}
	for (size_t i = 0; i < result->count && count < DISCOVERY_MAX; i++) {
		const struct resolve_address *address = &result->addresses[i];

		assert(address != NULL);
		if (!is_found(known, &address->addr))
			out[count++] = (struct found){ address->addr, address->priority, address->weight };
	}
	qsort(out, count, sizeof(out[0]), compare_found);
	return count;
}

static bool
are_equal(const struct findings *a, const struct findings *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (compare_found(&a->items[i], &b->items[i]) != 0 ||
		    a->items[i].weight != b->items[i].weight)
			return false;
	return true;
}

static size_t
keep_first(const struct findings *before, const struct findings *now)
{
	for (size_t i = 0; before->count > 0 && i < now->count; i++)
		if (addr_equals(&now->items[i].addr, &before->items[before->first].addr))
			return i;
	return 0;
}

static bool
is_change(const struct entry *entry, const struct findings *now)
{
	const struct findings *before = &entry->findings;

	if (entry->wants_all || before->count == 0)
		return !are_equal(before, now);
	return !addr_equals(&before->items[before->first].addr, &now->items[now->first].addr);
}

static void
name_found(const struct entry *entry, const struct found *found, struct buf *out)
{
	char text[ADDR_TEXT_MAX];

	if (entry->question.kind == RESOLVE_SRV)
		buf_printf(out, "%s (priority %u, weight %u)", addr_format(&found->addr, text),
		    found->priority, found->weight);
	else
		buf_append_text(out, addr_host(&found->addr, text));
}

static void
log_findings(const struct entry *entry)
{
	const struct findings *findings = &entry->findings;
	size_t first = entry->wants_all ? 0 : findings->first;
	size_t end = entry->wants_all ? findings->count : first + 1;
	struct buf text = { 0 };

	for (size_t i = first; i < end && i < TOLD_MAX + first; i++) {
		buf_append_text(&text, i > first ? ", " : "");
		name_found(entry, &findings->items[i], &text);
	}
	if (end - first > TOLD_MAX)
		buf_printf(&text, " and %zu more", end - first - TOLD_MAX);
	log_write(LOG_NOTICE, "%s is now %.*s", entry->key, SLICE_ARGS(buf_slice(&text)));
	buf_clear(&text);
}

static void
set_findings(struct entry *entry, const struct findings *now)
{
	struct found *items = xcalloc(now->count, sizeof(items[0]));

	if (now->count > 0)
		memcpy(items, now->items, now->count * sizeof(items[0]));
	xfree(entry->items);
	entry->items = items;
	entry->findings.items = items;
	entry->findings.count = now->count;
	entry->findings.first = now->first;
}

static void
take_answer(struct entry *entry, const struct resolve_result *result)
{
	struct discovery *discovery = entry->discovery;
	struct found merged[DISCOVERY_MAX];
	struct findings now = { .items = merged, .count = merge(&entry->findings, result, merged) };
	bool is_new;

	now.first = keep_first(&entry->findings, &now);
	is_new = is_change(entry, &now);
	set_findings(entry, &now);
	if (!is_new)
		return;
	log_findings(entry);
	entry->findings.is_new = true;
	loop_timer_set(discovery->loop, &discovery->change, loop_now(discovery->loop));
}

/* --- asking --- */

static void
ask(struct entry *entry)
{
	resolve_cancel(&entry->question);
	loop_timer_stop(entry->discovery->loop, &entry->due);
	resolve_start(entry->discovery->resolver, &entry->question);
}

static void
on_due(struct loop_timer *timer)
{
	ask(loop_owner(timer, struct entry, due));
}

/* A family that has nothing, beside one that has, is no failure. */
static enum resolve_status
failure_of(const struct resolve_result *result)
{
	enum resolve_status worst = result->ipv4 > result->ipv6 ? result->ipv4 : result->ipv6;

	return worst == RESOLVE_NOT_FOUND ? result->status : worst;
}

static void
log_failure(struct entry *entry, const struct resolve_result *result)
{
	enum resolve_status failure = failure_of(result);
	bool has_some = entry->findings.count > 0;

	if (failure == entry->told)
		return;
	if (failure != RESOLVE_OK)
		log_write(LOG_WARNING, "%s: %s: %s; %s", entry->key, resolve_status_text(failure),
		    result->text, has_some ? "what was known of it stays" : "it has no address");
	else
		log_write(LOG_NOTICE, "%s: the name servers answer again", entry->key);
	entry->told = failure;
}

static void
log_cut(struct entry *entry, bool is_cut)
{
	if (is_cut && !entry->told_cut)
		log_write(LOG_WARNING, "%s has more addresses than the %d that can be used", entry->key,
		    DISCOVERY_MAX);
	entry->told_cut = is_cut;
}

static int64_t
next_pause(struct entry *entry, const struct resolve_result *result)
{
	int64_t pause = TTL_MAX_MS;

	for (size_t i = 0; i < result->count; i++)
		if ((int64_t)result->addresses[i].ttl * 1000 < pause)
			pause = (int64_t)result->addresses[i].ttl * 1000;
	if (pause < TTL_MIN_MS)
		pause = TTL_MIN_MS;
	if (failure_of(result) == RESOLVE_OK) {
		entry->again_ms = AGAIN_MIN_MS;
		return pause;
	}
	if (entry->again_ms < pause)
		pause = entry->again_ms;
	entry->again_ms = entry->again_ms * 2 < AGAIN_MAX_MS ? entry->again_ms * 2 : AGAIN_MAX_MS;
	return pause;
}

static bool
are_all_settled(const struct discovery *discovery)
{
	list_each(node, &discovery->entries)
		if (!list_entry(node, struct entry, node)->is_settled)
			return false;
	return true;
}

static void
look_whether_settled(struct discovery *discovery)
{
	if (discovery->on_settled != NULL && are_all_settled(discovery))
		loop_timer_set(discovery->loop, &discovery->settle, loop_now(discovery->loop));
}

static void
on_answer(struct resolve_question *question, const struct resolve_result *result)
{
	struct entry *entry = loop_owner(question, struct entry, question);
	struct loop *loop = entry->discovery->loop;

	if (result->count > 0)
		take_answer(entry, result);
	log_failure(entry, result);
	log_cut(entry, result->is_cut);
	loop_timer_set(loop, &entry->due, loop_now(loop) + next_pause(entry, result));
	entry->is_settled = true;
	look_whether_settled(entry->discovery);
}

static void
on_change(struct loop_timer *timer)
{
	struct discovery *discovery = loop_owner(timer, struct discovery, change);

	discovery->on_change(discovery->change_owner);
	list_each(node, &discovery->entries)
		list_entry(node, struct entry, node)->findings.is_new = false;
}

static void
on_settle(struct loop_timer *timer)
{
	struct discovery *discovery = loop_owner(timer, struct discovery, settle);
	void (*on_settled)(void *owner) = discovery->on_settled;

	discovery->on_settled = NULL;
	/* what was found in this turn is used first */
	if (loop_timer_is_set(&discovery->change)) {
		loop_timer_stop(discovery->loop, &discovery->change);
		on_change(&discovery->change);
	}
	on_settled(discovery->settle_owner);
}

/* --- who is asked for --- */

static void
forget_answer(struct entry *entry)
{
	const struct findings none = { 0 };

	resolve_cancel(&entry->question);
	set_findings(entry, &none);
	entry->findings.is_new = false;
	entry->is_settled = false;
	entry->again_ms = AGAIN_MIN_MS;
	entry->told = RESOLVE_OK;
	entry->told_cut = false;
}

static void
set_question(struct entry *entry, const struct server *server)
{
	xfree(entry->name);
	entry->name = xstrdup(name_of(server));
	entry->question = (struct resolve_question){
		.kind = kind_of(server), .name = entry->name, .port = server->address.port,
		.on_answer = on_answer,
	};
}

static struct entry *
add_entry(struct discovery *discovery, const char *key, const struct server *server)
{
	struct entry *entry = xcalloc(1, sizeof(*entry));

	entry->discovery = discovery;
	entry->key = xstrdup(key);
	loop_timer_init(&entry->due, on_due);
	forget_answer(entry);
	set_question(entry, server);
	list_append(&discovery->entries, &entry->node);
	map_set(discovery->by_key, slice_of(key), entry);
	return entry;
}

static void
remove_entry(struct entry *entry)
{
	resolve_cancel(&entry->question);
	loop_timer_stop(entry->discovery->loop, &entry->due);
	list_remove(&entry->node);
	map_remove(entry->discovery->by_key, slice_of(entry->key));
	xfree(entry->items);
	xfree(entry->name);
	xfree(entry->key);
	xfree(entry);
}

static struct entry *
find_entry(const struct discovery *discovery, const struct pool *pool, const struct server *server)
{
	char *key = make_key(pool, server);
	struct entry *entry = map_get(discovery->by_key, slice_of(key));

	xfree(key);
	return entry;
}

static void
want(struct discovery *discovery, const struct pool *pool, const struct server *server)
{
	char *key = make_key(pool, server);
	struct entry *entry = map_get(discovery->by_key, slice_of(key));
	bool is_asked = entry != NULL && is_asked_likewise(entry, server);

	if (entry == NULL) {
		entry = add_entry(discovery, key, server);
	} else if (!is_asked) {
		forget_answer(entry);
		set_question(entry, server);
	}
	xfree(key);
	entry->wants_all = server_is_many(server);
	entry->round = discovery->round;
	if (!is_asked)
		ask(entry);
}

static bool
has_nameservers(const struct discovery *discovery, const struct address_list *wanted)
{
	if (discovery->resolver == NULL || discovery->nameserver_count != wanted->count)
		return false;
	for (size_t i = 0; i < wanted->count; i++)
		if (!addr_equals(&discovery->nameservers[i], &wanted->items[i].addr))
			return false;
	return true;
}

/* Others may answer otherwise: all are asked anew. */
static void
use_nameservers(struct discovery *discovery, const struct address_list *wanted)
{
	if (has_nameservers(discovery, wanted))
		return;
	list_each(node, &discovery->entries)
		resolve_cancel(&list_entry(node, struct entry, node)->question);
	resolver_free(&discovery->resolver);
	discovery->resolver = resolver_new(discovery->loop, wanted);
	discovery->nameservers = xrealloc(discovery->nameservers, (wanted->count + 1) * sizeof(struct addr));
	discovery->nameserver_count = wanted->count;
	for (size_t i = 0; i < wanted->count; i++)
		discovery->nameservers[i] = wanted->items[i].addr;
	list_each(node, &discovery->entries)
		ask(list_entry(node, struct entry, node));
}

struct discovery *
discovery_new(void)
{
	struct discovery *discovery = xcalloc(1, sizeof(*discovery));

	list_init(&discovery->entries);
	discovery->by_key = map_new();
	loop_timer_init(&discovery->change, on_change);
	loop_timer_init(&discovery->settle, on_settle);
	return discovery;
}

void
discovery_free(struct discovery **discovery)
{
	struct discovery *gone = *discovery;

	*discovery = NULL;
	if (gone == NULL)
		return;
	list_each(node, &gone->entries)
		remove_entry(list_entry(node, struct entry, node));
	resolver_free(&gone->resolver);
	if (gone->loop != NULL) {
		loop_timer_stop(gone->loop, &gone->change);
		loop_timer_stop(gone->loop, &gone->settle);
	}
	map_free(&gone->by_key);
	xfree(gone->nameservers);
	xfree(gone);
}

void
discovery_start(struct discovery *discovery, struct loop *loop, void (*on_change_)(void *owner), void *owner)
{
	discovery->loop = loop;
	discovery->on_change = on_change_;
	discovery->change_owner = owner;
}

void
discovery_commit(struct discovery *discovery, const struct conf_list *pools,
    const struct address_list *nameservers)
{
	if (discovery->loop == NULL)
		return;
	use_nameservers(discovery, nameservers);
	discovery->round++;
	for (size_t i = 0; i < pools->count; i++) {
		const struct conf_list *servers = pool_servers(pools->items[i]);

		for (size_t j = 0; j < servers->count; j++)
			if (server_has_name(servers->items[j]))
				want(discovery, pools->items[i], servers->items[j]);
	}
	list_each(node, &discovery->entries) {
		struct entry *entry = list_entry(node, struct entry, node);

		if (entry->round != discovery->round)
			remove_entry(entry);
	}
}

void
discovery_settle(struct discovery *discovery, void (*on_settled)(void *owner), void *owner)
{
	discovery->on_settled = on_settled;
	discovery->settle_owner = owner;
	loop_timer_set(discovery->loop, &discovery->settle,
	    loop_now(discovery->loop) + DISCOVERY_SETTLE_MAX_MS);
	look_whether_settled(discovery);
}

const struct findings *
discovery_find(const struct discovery *discovery, const struct pool *pool, const struct server *server)
{
	const struct entry *entry;

	if (!server_has_name(server))
		return NULL;
	entry = find_entry(discovery, pool, server);
	return entry != NULL && is_asked_likewise(entry, server) ? &entry->findings : NULL;
}
