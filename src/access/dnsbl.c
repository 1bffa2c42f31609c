/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dnsbl.c: a flight is a question that is under way, with all who wait for it.  It goes on when they have
 * left, so that a slow list's answer is there the next time.  The resolver is one of its own: what sources of
 * users and servers ask must not wait behind lists.
 */
#include "access/dnsbl.h"

#include "base/log.h"
#include "base/map.h"
#include "base/xalloc.h"
#include "net/resolve.h"

enum {
	ANSWER_MAX_S = 3600,		/* for which an answer is kept at most */
	FAILURES_MAX = 5,		/* in a row: from then on a list is asked one question at a time */
	ABANDONED_MAX = 1000		/* flights beyond which none goes on that nobody waits for */
};

struct zone {
	char *called;
	int failures;			/* in a row */
	int asked;			/* flights under way */
};

struct dnsbl {
	struct loop *loop;
	struct resolver *resolver;
	struct map *flights;		/* struct dnsbl_flight by name */
	struct map *zones;		/* struct zone; those of former configurations too */
};

struct dnsbl_flight {
	struct dnsbl *dnsbl;
	struct zone *zone;
	struct screen_memory *memory;
	char *name;
	struct resolve_question question;
	struct list waiting;		/* struct dnsbl_question */
	bool is_over;			/* they are told */
};

struct dnsbl *
dnsbl_new(struct loop *loop)
{
	struct dnsbl *dnsbl = xcalloc(1, sizeof(*dnsbl));

	dnsbl->loop = loop;
	dnsbl->flights = map_new();
	dnsbl->zones = map_new();
	return dnsbl;
}

/* Out of the map, and asked no more. */
static void
end_flight(struct dnsbl_flight *flight)
{
	resolve_cancel(&flight->question);
	flight->zone->asked--;
	map_remove(flight->dnsbl->flights, slice_of(flight->name));
}

static void
free_flight(struct dnsbl_flight *flight)
{
	xfree(flight->name);
	xfree(flight);
}

static void
clear_flight(const char *name, void *value, void *arg)
{
	struct dnsbl_flight *flight = value;

	(void)name;
	(void)arg;
	resolve_cancel(&flight->question);
	free_flight(flight);
}

static void
free_zone(const char *name, void *value, void *arg)
{
	struct zone *zone = value;

	(void)name;
	(void)arg;
	xfree(zone->called);
	xfree(zone);
}

void
dnsbl_free(struct dnsbl **dnsbl)
{
	struct dnsbl *gone = *dnsbl;

	*dnsbl = NULL;
	if (gone == NULL)
		return;
	map_each(gone->flights, clear_flight, NULL);
	map_each(gone->zones, free_zone, NULL);
	map_free(&gone->flights);
	map_free(&gone->zones);
	resolver_free(&gone->resolver);
	xfree(gone);
}

static void
ask_anew(const char *name, void *value, void *arg)
{
	struct dnsbl_flight *flight = value;

	(void)name;
	resolve_cancel(&flight->question);
	resolve_start(arg, &flight->question);
}

void
dnsbl_use_nameservers(struct dnsbl *dnsbl, const struct address_list *servers)
{
	struct resolver *before = dnsbl->resolver;

	dnsbl->resolver = resolver_new(dnsbl->loop, servers);
	map_each(dnsbl->flights, ask_anew, dnsbl->resolver);
	resolver_free(&before);
}

static struct zone *
get_zone(struct dnsbl *dnsbl, const struct dnsbl_question *question)
{
	struct zone *zone = map_get(dnsbl->zones, slice_of(question->zone));

	if (zone == NULL) {
		zone = xcalloc(1, sizeof(*zone));
		zone->called = xstrdup(question->called);
		map_set(dnsbl->zones, slice_of(question->zone), zone);
	}
	return zone;
}

static void
note_outcome(struct zone *zone, const struct resolve_result *result)
{
	if (result->status == RESOLVE_OK || result->status == RESOLVE_NOT_FOUND) {
		if (zone->failures >= FAILURES_MAX)
			log_write(LOG_NOTICE, "dnsbl %s answers again", zone->called);
		zone->failures = 0;
	} else if (zone->failures < FAILURES_MAX && ++zone->failures == FAILURES_MAX) {
		log_write(LOG_WARNING, "dnsbl %s: %s: it counts for nothing until it answers again",
		    zone->called, resolve_status_text(result->status));
	}
}

/* Into the answer; for how many seconds it may be kept. */
static uint32_t
read_result(const struct resolve_result *result, struct dnsbl_answer *answer)
{
	uint32_t ttl = result->absent_ttl;

	*answer = (struct dnsbl_answer){ .is_known = result->status <= RESOLVE_NOT_FOUND };
	for (size_t i = 0; i < result->count && i < DNSBL_ADDRESSES_MAX; i++) {
		const struct resolve_address *address = &result->addresses[i];

		answer->addresses[answer->count++] = ntohl(address->addr.in.sin_addr.s_addr);
		if (i == 0 || address->ttl < ttl)
			ttl = address->ttl;
	}
	return ttl < ANSWER_MAX_S ? ttl : ANSWER_MAX_S;
}

static void
on_answer(struct resolve_question *question, const struct resolve_result *result)
{
	struct dnsbl_flight *flight = loop_owner(question, struct dnsbl_flight, question);
	int64_t now = loop_now(flight->dnsbl->loop);
	struct dnsbl_answer answer;
	uint32_t ttl = read_result(result, &answer);

	answer.until = now + (int64_t)ttl * 1000;
	note_outcome(flight->zone, result);
	if (answer.is_known && ttl > 0)
		screen_memory_keep(flight->memory, slice_of(flight->name), &answer, now, answer.until);
	end_flight(flight);
	flight->is_over = true;
	while (!list_is_empty(&flight->waiting)) {
		struct dnsbl_question *waiting =
		    list_entry(flight->waiting.next, struct dnsbl_question, node);

		list_remove(&waiting->node);
		waiting->flight = NULL;
		waiting->on_answer(waiting, &answer);
	}
	free_flight(flight);
}

static struct dnsbl_flight *
begin_flight(struct dnsbl *dnsbl, struct screen_memory *memory, struct zone *zone, struct slice name)
{
	struct dnsbl_flight *flight = xcalloc(1, sizeof(*flight));

	flight->dnsbl = dnsbl;
	flight->zone = zone;
	flight->memory = memory;
	flight->name = xstrndup(name.data, name.len);
	list_init(&flight->waiting);
	flight->question = (struct resolve_question){
		.kind = RESOLVE_IPV4, .name = flight->name, .on_answer = on_answer,
	};
	zone->asked++;
	map_set(dnsbl->flights, name, flight);
	resolve_start(dnsbl->resolver, &flight->question);
	return flight;
}

bool
dnsbl_ask(struct dnsbl *dnsbl, struct screen_memory *memory, struct dnsbl_question *question,
    struct dnsbl_answer *answer)
{
	struct dnsbl_flight *flight;
	struct zone *zone;

	if (screen_memory_find(memory, question->name, loop_now(dnsbl->loop), answer))
		return true;
	flight = map_get(dnsbl->flights, question->name);
	if (flight == NULL) {
		zone = get_zone(dnsbl, question);
		*answer = (struct dnsbl_answer){ .is_known = false };
		if (zone->failures >= FAILURES_MAX && zone->asked > 0)
			return true;
		flight = begin_flight(dnsbl, memory, zone, question->name);
	}
	question->flight = flight;
	list_append(&flight->waiting, &question->node);
	return false;
}

size_t
dnsbl_count(const struct dnsbl *dnsbl)
{
	return map_count(dnsbl->flights);
}

void
dnsbl_cancel(struct dnsbl_question *question)
{
	struct dnsbl_flight *flight = question->flight;

	if (flight == NULL)
		return;
	question->flight = NULL;
	list_remove(&question->node);
	if (flight->is_over || !list_is_empty(&flight->waiting) ||
	    map_count(flight->dnsbl->flights) <= ABANDONED_MAX)
		return;
	end_flight(flight);
	free_flight(flight);
}
