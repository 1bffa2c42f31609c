/* SPDX-License-Identifier: BSD-2-Clause */
/* commands_users.c: where a user is, or would be, and another place for one. */
#include <stdio.h>
#include <string.h>

#include "admin/command_tables.h"
#include "admin/session_words.h"
#include "admin/target.h"
#include "admin/user_order.h"
#include "admin/user_place.h"
#include "base/clock.h"
#include "base/xalloc.h"

enum { PEEK_MS = 5000, WHY_MAX = 320 };

static const char no_word[] = "Nobody can say now where the user is bound.";

/* A call that waits for the bindings' word. */
struct inquiry {
	struct admin_call *call;
	struct survey *survey;			/* of the user's sessions; or NULL */
	char *canonical;
	struct slice key;			/* of the name, as bindings go by it */
	char *protocol;				/* or NULL */
	struct affinity_request request;
	size_t farm;				/* of the root's: asked about now */
};

static void
free_inquiry(struct inquiry *inquiry)
{
	affinity_cancel(&inquiry->request);
	if (inquiry->survey != NULL)
		survey_end(&inquiry->survey);
	xfree(inquiry->canonical);
	xfree(inquiry->protocol);
	xfree(inquiry);
}

/* The call, which is the caller's to end. */
static struct admin_call *
end(struct inquiry *inquiry)
{
	struct admin_call *call = inquiry->call;

	free_inquiry(inquiry);
	call->work = NULL;
	call->on_cancel = NULL;
	return call;
}

static void
on_cancel(struct admin_call *call)
{
	free_inquiry(call->work);
}

static struct inquiry *
begin(struct admin_call *call, const char *user)
{
	const struct users *users = cockpit_root(call->cockpit)->users;
	struct inquiry *inquiry = xcalloc(1, sizeof(*inquiry));

	inquiry->call = call;
	inquiry->canonical = users_canonical(users, slice_of(user));
	inquiry->key = users_key(users, inquiry->canonical);
	call->work = inquiry;
	call->on_cancel = on_cancel;
	return inquiry;
}

static void
prepare(struct inquiry *inquiry, int64_t patience_ms,
    void (*on_answer)(struct affinity_request *request, enum affinity_answer answer))
{
	struct loop *loop = inquiry->call->cockpit->control->loop;

	inquiry->request = (struct affinity_request){
		.loop = loop,
		.user = inquiry->key,
		.deadline = loop_now(loop) + patience_ms,
		.on_answer = on_answer,
		.owner = inquiry,
	};
}

static const struct affinity_binding *
binding_of(const struct affinity_request *request, enum affinity_answer answer)
{
	return answer == AFFINITY_BOUND ? &request->binding : NULL;
}

static void
answer_where(struct admin_call *call, struct endpoint *e, bool is_bound)
{
	static const struct report_column columns[] = {
		{ .name = "server" }, { .name = "address" }, { .name = "bound" }
	};
	struct addr addr = endpoint_addr(e);
	char text[ADDR_TEXT_MAX];
	struct report report;

	if (!call->wants_json) {
		buf_printf(&call->out, "%s %s\n", e->server, addr_host(&addr, text));
		return;
	}
	report_begin(&report, call, REPORT_RECORD, columns, REPORT_COUNT(columns));
	report_word(&report, e->server);
	report_addr(&report, &addr, false);
	report_flag(&report, is_bound);
	report_end(&report);
}

static void
tell_where(struct inquiry *inquiry, const struct pool *pool, const struct affinity_binding *binding)
{
	struct endpoint *e = user_endpoint(pool, inquiry->key, binding);
	bool is_there = e != NULL && binding != NULL && strcmp(e->server, binding->server) == 0;
	struct admin_call *call = end(inquiry);

	if (e == NULL) {
		call_fail(call, "No server is usable.");
		return;
	}
	answer_where(call, e, is_there);
	endpoint_put(&e);
	call_done(call);
}

static struct pool *
find_user_pool(const struct inquiry *inquiry)
{
	return user_pool(cockpit_root(inquiry->call->cockpit), inquiry->canonical, inquiry->protocol);
}

static void
on_where(struct affinity_request *request, enum affinity_answer answer)
{
	struct inquiry *inquiry = request->owner;
	const struct pool *pool = find_user_pool(inquiry);

	if (pool == NULL || answer == AFFINITY_LATER)
		call_fail(end(inquiry), "%s", no_word);
	else
		tell_where(inquiry, pool, binding_of(request, answer));
}

static void
run_where(struct admin_call *call)
{
	struct inquiry *inquiry;
	struct pool *pool;

	if (call->count == 0 || call->count > 2 || *call->words[0] == '\0') {
		call_fail(call, "'where' takes a user's name, and perhaps a protocol.");
		return;
	}
	inquiry = begin(call, call->words[0]);
	if (call->count == 2)
		inquiry->protocol = xstrdup(call->words[1]);
	pool = find_user_pool(inquiry);
	if (pool == NULL) {
		end(inquiry);
		call_fail(call, "There is no pool%s%s whose users belong on one server.",
		    call->count == 2 ? " for " : "", call->count == 2 ? call->words[1] : "");
	} else if (pool->farm == NULL || pool->farm->bindings == NULL) {
		tell_where(inquiry, pool, NULL);
	} else {
		prepare(inquiry, PEEK_MS, on_where);
		affinity_peek(pool->farm->bindings, &inquiry->request);
	}
}

static const struct report_column user_columns[] = {
	{ .name = "farm" }, { .name = "server" }, { .name = "address" }, { .name = "bound" },
	{ .name = "since", .is_number = true }, { .name = "sessions", .is_number = true }, { .name = "why" },
	{ .name = "held", .is_number = true }, { .name = "pinned" },
};

/* Of the user, at servers of a farm (or, without one, of the pool). */
static int64_t
count_sessions(const struct inquiry *inquiry, const struct pool *pool)
{
	const struct survey *survey = inquiry->survey;
	int64_t count = 0;

	for (size_t i = 0; i < survey->count; i++) {
		const struct session_view *view = survey->views[i];
		struct slice name = slice_of(view->leg_count > 0 ? view->legs[0].server : "");
		const struct pool *its = find_pool(cockpit_root(survey->cockpit), slice_take(&name, '/'));

		count += its != NULL && (its == pool || (pool->farm != NULL && its->farm == pool->farm));
	}
	return count;
}

static const char *
explain(const struct pool *pool, struct slice key, const struct affinity_binding *binding, char out[WHY_MAX])
{
	struct endpoint *hashed = user_endpoint(pool, key, NULL), *next = user_endpoint(pool, key, binding);
	struct endpoint *bound = binding != NULL ? pool_find(pool, binding->server) : NULL;
	const char *other = hashed != NULL ? hashed->server : "none";

	if (binding == NULL)
		snprintf(out, WHY_MAX, "not bound: by the hash");
	else if (bound == NULL)
		snprintf(out, WHY_MAX, "bound, and the server is gone: the next login goes to %s", other);
	else if (!user_may_stay(pool, bound) && next == bound)
		snprintf(out, WHY_MAX,
		    "bound, and the server is down here, not by check_quorum: logins wait");
	else if (!user_may_stay(pool, bound))
		snprintf(out, WHY_MAX, "bound, and the server is down: the next login goes to %s", other);
	else if (next != bound)
		snprintf(out, WHY_MAX, "bound to a server that is to be left: the next login goes to %s",
		    next != NULL ? next->server : "none");
	else if (hashed == bound)
		snprintf(out, WHY_MAX, "bound where the hash has the user");
	else if (endpoint_weight(bound) == 0)
		snprintf(out, WHY_MAX, "bound to a server that takes no others: by the hash it is %s", other);
	else
		snprintf(out, WHY_MAX, "bound: by the hash it would be %s", other);
	endpoint_put(&hashed);
	endpoint_put(&next);
	endpoint_put(&bound);
	return out;
}

static void
tell_place(struct inquiry *inquiry, const struct pool *pool, const struct affinity_binding *binding,
    const struct affinity_binding *known)
{
	struct report *report = &inquiry->survey->report;
	int64_t sessions = count_sessions(inquiry, pool);
	const char *server = binding != NULL ? binding->server : NULL;
	struct addr addr = { 0 };
	struct endpoint *e;
	char why[WHY_MAX];

	e = server != NULL ? pool_find(pool, server) : user_endpoint(pool, inquiry->key, NULL);
	if (e != NULL)
		addr = endpoint_addr(e);
	report_word(report, pool->farm != NULL ? pool->farm->conf.title : pool->conf.title);
	report_word(report, server != NULL ? server : e != NULL ? e->server : NULL);
	report_addr(report, &addr, false);
	report_flag(report, binding != NULL);
	if (binding != NULL && binding->since > 0)
		report_duration(report, clock_ms() - binding->since);
	else
		report_none(report);
	/* those of other proxies */
	report_number(report, known != NULL && known->sessions > sessions ? known->sessions : sessions);
	report_word(report, explain(pool, inquiry->key, binding, why));
	if (known != NULL && known->held_ms > 0)
		report_duration(report, known->held_ms);
	else
		report_none(report);
	report_flag(report, known != NULL && known->is_pinned);
	endpoint_put(&e);
}

/* Those that go by the hash alone. */
static void
tell_unbound_pools(struct inquiry *inquiry)
{
	const struct root *root = cockpit_root(inquiry->call->cockpit);

	for (size_t i = 0; i < root->pools.count; i++) {
		const struct pool *pool = root->pools.items[i];

		if (pool->is_bound && (pool->farm == NULL || (pool->farm->bindings == NULL &&
		    user_pool_of_farm(root, pool->farm) == pool)))
			tell_place(inquiry, pool, NULL, NULL);
	}
}

static void ask_farms(struct inquiry *inquiry);

static void
on_farm(struct affinity_request *request, enum affinity_answer answer)
{
	struct inquiry *inquiry = request->owner;
	const struct root *root = cockpit_root(inquiry->call->cockpit);
	const struct pool *pool = NULL;

	if (answer == AFFINITY_LATER) {
		call_fail(end(inquiry), "%s", no_word);
		return;
	}
	if (inquiry->farm < root->farms.count)
		pool = user_pool_of_farm(root, root->farms.items[inquiry->farm]);
	if (pool != NULL)
		tell_place(inquiry, pool, binding_of(request, answer), &request->binding);
	inquiry->farm++;
	ask_farms(inquiry);
}

/* One after the other, and then the answer is there. */
static void
ask_farms(struct inquiry *inquiry)
{
	const struct root *root = cockpit_root(inquiry->call->cockpit);

	for (; inquiry->farm < root->farms.count; inquiry->farm++) {
		const struct farm *farm = root->farms.items[inquiry->farm];

		if (farm->bindings == NULL || user_pool_of_farm(root, farm) == NULL)
			continue;
		prepare(inquiry, PEEK_MS, on_farm);
		affinity_peek(farm->bindings, &inquiry->request);
		return;
	}
	tell_unbound_pools(inquiry);
	report_end(&inquiry->survey->report);
	call_done(end(inquiry));
}

static void
on_sessions(struct survey *survey)
{
	struct admin_call *call = survey->call;
	struct inquiry *inquiry = begin(call, survey->order.filter.user);

	inquiry->survey = survey;
	report_begin(&survey->report, call, REPORT_TABLE, user_columns, REPORT_COUNT(user_columns));
	ask_farms(inquiry);
}

static void
run_user(struct admin_call *call)
{
	struct survey *survey;

	bool has_name = call->count > 0 && *call->words[0] != '\0';

	if (has_name && user_order_run(call))
		return;
	if (!has_name || call->count != 1) {
		call_fail(call, "'user' takes a name, and perhaps " USER_ORDERS ".");
		return;
	}
	survey = survey_new(call);
	if (session_words_set(&survey, "user", call->words[0]))
		survey_start(survey, on_sessions);
}

const struct admin_command user_commands[] = {
	{
		.name = "where", .arguments = "USER [PROTOCOL]", .level = ADMIN_LEVEL_OPERATOR,
		.has_json = true, .looks = CALL_WORDS_MAX, .run = run_where,
		.help = "The server on which a user is bound, or would be, and its address, for scripts. By "
		    "the first listener (of the protocol) whose users belong on one server; what only an "
		    "auth source knows is not asked.",
	},
	{
		.name = "user", .arguments = "NAME [" USER_ORDERS "]", .level = ADMIN_LEVEL_OPERATOR,
		.has_json = true, .looks = 1, .run = run_user,
		.help = "Where a user is bound, since when and why, and how many sessions there are, at all "
		    "proxies. All else takes the level admin. With `move` the user is bound to another "
		    "server: sessions are ended, and nobody gets in until they are gone, and the farm's "
		    "`flush_script` is done. Who is not bound will be, as long as `affinity` says. `hold`: "
		    "whoever comes waits, up to the `login_timeout`, and then hears of a temporary failure; "
		    "sessions go on. It ends after that time or with `release`, not with a `move`. `pin`: "
		    "the user belongs on that server, up or down, until `unpin`; sessions elsewhere go on, "
		    "once they are gone it holds; a `move` takes the pin along. Where users go by their "
		    "domains, all of the domain are meant. Of a proxy that is alone, holds and pins end with "
		    "it.",
	},
	{ 0 }
};
