/* SPDX-License-Identifier: BSD-2-Clause */
/* session_list.c: cursors in lists of sessions, and who a filter lets pass. */
#include "session/session_list.h"

#include <string.h>

#include "balance/endpoint.h"
#include "base/clock.h"
#include "base/random.h"
#include "proto/proto.h"
#include "session/listener_kept.h"
#include "session/login.h"
#include "session/relay.h"

enum {
	PIECE_US = 500,		/* of a turn of the loop: then others come first */
	SESSIONS_A_LOOK = 16	/* at the clock */
};

static bool
is_any_or(const char *wanted, const char *is)
{
	return wanted == NULL || (is != NULL && strcmp(wanted, is) == 0);
}

/* "d03" is d03, and each d03@ADDRESS. */
static bool
is_named(const char *is, const char *name)
{
	size_t length = strlen(name);

	return strncmp(is, name, length) == 0 && (is[length] == '\0' || is[length] == '@');
}

/* "farm/d03", without a copy of it. */
static bool
is_machine(const struct machine *machine, const char *name)
{
	size_t farm = strlen(machine->farm);

	return strncmp(name, machine->farm, farm) == 0 && name[farm] == '/' &&
	    is_named(machine->name, name + farm + 1);
}

static bool
is_server(const struct endpoint *e, const char *name)
{
	return is_named(e->server, name) || is_machine(e->machine, name);
}

/* Also who is logging in as that user: it would be there a moment later. */
static bool
is_of_user(const struct session *s, const char *user)
{
	bool is_coming = s->phase == FRONT_AUTH || s->phase == FRONT_ROUTE;

	if (user == NULL || s->identity.user != NULL || s->login == NULL || !is_coming)
		return is_any_or(user, s->identity.user);
	return is_any_or(user, s->login->user);
}

static bool
is_at_server(const struct session *s, const struct session_filter *filter)
{
	for (const struct leg *leg = s->leg; leg != NULL; leg = leg->next) {
		const struct endpoint *e = leg_endpoint(leg);

		if (e != NULL && (filter->server == NULL || is_server(e, filter->server)) &&
		    (filter->endpoint == NULL || is_named(e->name, filter->endpoint)) &&
		    is_any_or(filter->pool, e->service->name))
			return true;
	}
	return filter->server == NULL && filter->endpoint == NULL && filter->pool == NULL;
}

static bool
is_of_client(const struct identity *identity, const struct session_filter *filter)
{
	bool has_tls = identity->tls_version != NULL;

	if (filter->has_client && !network_has(&filter->client, &identity->client))
		return false;
	if (filter->country != NULL && !location_is_in(&identity->place, filter->country))
		return false;
	if (filter->id != NULL && strcmp(filter->id, identity->session) != 0 &&
	    !(identity->origin != NULL && strcmp(filter->id, identity->origin) == 0))
		return false;
	return filter->tls == SESSION_TLS_ANY || has_tls == (filter->tls == SESSION_TLS_WITH);
}

static bool
is_wanted(const struct session *s, const struct session_order *order)
{
	const struct session_filter *filter = &order->filter;

	/* who has heard the last words is not ended again */
	if (s->has_ended && (filter->is_living || order->action != SESSION_SHOW))
		return false;
	if (loop_now(s->worker->loop) - s->accepted_at < filter->older_ms ||
	    session_idle_ms(s) < filter->idle_ms)
		return false;
	return is_of_user(s, filter->user) &&
	    is_any_or(filter->listener, s->listener->name) &&
	    is_any_or(filter->protocol, s->proto->name) &&
	    is_any_or(filter->phase, session_phase_name((enum front_phase)s->phase)) &&
	    is_of_client(&s->identity, filter) && is_at_server(s, filter);
}

static int64_t
kick_at(const struct session *s, const struct session_order *order)
{
	int64_t now = loop_now(s->worker->loop);
	int spread = order->is_spread && s->relay != NULL ? relay_close_spread(s) : 0;

	return spread > 0 ? now + (int64_t)(random_number() % (uint64_t)spread) : now;
}

static void
meet(struct session_walk *walk, struct session *s)
{
	if (!is_wanted(s, walk->order))
		return;
	walk->count++;
	switch (walk->order->action) {
	case SESSION_SHOW:
		if (walk->order->wants_local && !s->has_ended)
			front_learn_local(s);
		*walk->last = session_view_new(s, walk->arena);
		walk->last = &(*walk->last)->next;
		break;
	case SESSION_KICK:
		session_kick(s, kick_at(s, walk->order));
		break;
	case SESSION_SHUT:
		session_end(s, END_OPERATOR);
		break;
	}
}

/* The next session; NULL: the walk is over.  They stand in the order in which they came. */
static struct session *
take_next(struct session_walk *walk)
{
	struct session *s;

	if (walk->next == &walk->worker->sessions ||
	    atomic_load_explicit(&walk->order->is_recalled, memory_order_relaxed))
		return NULL;
	s = list_entry(walk->next, struct session, node);
	walk->next = walk->next->next;
	return s->accepted_at <= walk->began ? s : NULL;
}

static void
report_done(struct loop *control, void *arg)
{
	struct session_walk *walk = arg;

	(void)control;
	walk->on_done(walk);
}

static void
go_on(struct loop *loop, void *arg)
{
	struct session_walk *walk = arg;
	int64_t until = clock_us() + PIECE_US;

	for (unsigned n = 1;; n++) {
		struct session *s = take_next(walk);

		if (s == NULL)
			break;
		meet(walk, s);
		if (n % SESSIONS_A_LOOK == 0 && clock_us() >= until) {
			loop_post(loop, go_on, walk);
			return;
		}
	}
	list_remove(&walk->node);
	loop_post(walk->worker->control, report_done, walk);
}

static void
begin(struct loop *loop, void *arg)
{
	struct session_walk *walk = arg;

	walk->next = walk->worker->sessions.next;
	walk->began = loop_now(loop);
	list_append(&walk->worker->walks, &walk->node);
	go_on(loop, walk);
}

void
session_walk_start(struct session_walk *walk)
{
	walk->arena = arena_new();
	walk->last = &walk->views;
	loop_post(walk->worker->loop, begin, walk);
}

void
session_walk_clear(struct session_walk *walk)
{
	arena_free(&walk->arena);
	walk->views = NULL;
}

void
session_walks_pass(struct worker *worker, const struct session *session)
{
	list_each(node, &worker->walks) {
		struct session_walk *walk = list_entry(node, struct session_walk, node);

		if (walk->next == &session->node)
			walk->next = session->node.next;
	}
}
