/* SPDX-License-Identifier: BSD-2-Clause */
/* user_order.c: moves, holds and pins. */
#include "admin/user_order.h"

#include <stdio.h>
#include <string.h>

#include "admin/changes.h"
#include "admin/mover.h"
#include "admin/report.h"
#include "admin/session_words.h"
#include "admin/target.h"
#include "admin/user_place.h"
#include "base/log.h"
#include "base/log_line.h"
#include "base/xalloc.h"

enum { ORDER_MS = 5000, HOLD_MS_MAX = 24 * 3600 * 1000 };

static const char no_word[] = "Nobody can say now where the user is bound.";

/* A call that waits. */
struct order {
	struct admin_call *call;
	const struct order_word *word;
	char *canonical;
	struct slice key;			/* of the name, as bindings go by it */
	char *server;				/* or NULL */
	char *farm;				/* the only one that is meant; or NULL */
	int64_t hold_ms;
	size_t at;				/* of the root's farms */
	struct affinity_request request;
	struct mover mover;
	int64_t held_ms;
	bool is_pinned;
};

static void
free_order(struct order *order)
{
	affinity_cancel(&order->request);
	mover_cancel(&order->mover);
	xfree(order->canonical);
	xfree(order->server);
	xfree(order->farm);
	xfree(order);
}

/* The call, which is the caller's to end. */
static struct admin_call *
end(struct order *order)
{
	struct admin_call *call = order->call;

	free_order(order);
	call->work = NULL;
	call->on_cancel = NULL;
	return call;
}

static void
on_cancel(struct admin_call *call)
{
	free_order(call->work);
}

static void
answer_move(struct order *order)
{
	static const struct report_column columns[] = {
		{ .name = "user" }, { .name = "server" }, { .name = "kicked", .is_number = true }
	};
	char *user = xstrndup(order->key.data, order->key.len);
	struct report report;

	report_begin(&report, order->call, REPORT_RECORD, columns, REPORT_COUNT(columns));
	report_text(&report, order->key);
	report_word(&report, order->server);
	report_number(&report, order->mover.kicked);
	report_end(&report);
	changes_note_move(order->call, user, order->server);
	xfree(user);
	call_done(end(order));
}

static void
on_moved(struct mover *mover, enum mover_result result)
{
	struct order *order = list_entry(mover, struct order, mover);
	const char *server = mover->request.binding.server;
	char name[AFFINITY_SERVER_MAX];

	switch (result) {
	case MOVER_MOVED:
		if (mover->has_failed_script)
			call_fail(end(order), "The user was moved. The flush_script failed: see the log.");
		else
			answer_move(order);
		break;
	case MOVER_OVERTAKEN:
		snprintf(name, sizeof(name), "%s", server);
		call_fail(end(order), "Another move came meanwhile: the user is bound to %s.", name);
		break;
	case MOVER_STUCK:
		call_fail(end(order), "The sessions have not ended within %d s: until then nobody gets in.",
		    MOVER_PATIENCE_MS / 1000);
		break;
	case MOVER_UNKNOWN:
		call_fail(end(order), "%s", no_word);
		break;
	}
}

/* Which farm binds users to this server; NULL: the call has failed. */
static const struct farm *
find_farm(struct admin_call *call, const struct machine *machine, bool may_be_down)
{
	const struct root *root = cockpit_root(call->cockpit);
	const struct farm *farm = find_bound_farm(root, machine->farm);
	bool may_stay = may_be_down;

	for (size_t i = 0; i < root->pools.count; i++) {
		const struct pool *pool = root->pools.items[i];
		struct endpoint *e = NULL;

		if (farm != NULL && pool->farm == farm)
			e = pool_find(pool, machine->name);
		may_stay |= e != NULL && user_may_stay(pool, e);
		endpoint_put(&e);
	}
	if (farm == NULL)
		call_fail(call, "Users are not bound to the servers of %s: it has no affinity.",
		    machine->farm);
	else if (!may_stay)
		call_fail(call, "%s is down or in maintenance.", machine->name);
	return may_stay ? farm : NULL;
}

static void
log_order(const struct order *order, const char *does, const char *rest)
{
	struct buf text = { 0 };

	log_line_quote(order->key, &text);
	log_write(LOG_NOTICE, "%s %s user %.*s%s%s", order->call->who, does, SLICE_ARGS(buf_slice(&text)),
	    rest, order->server != NULL ? order->server : "");
	buf_clear(&text);
}

static void
run_move(struct order *order)
{
	struct cockpit *cockpit = order->call->cockpit;

	log_order(order, "moves", " to ");
	order->mover.on_done = on_moved;
	mover_start(&order->mover, cockpit, find_bound_farm(cockpit_root(cockpit), order->farm), order->key,
	    order->server);
}

static void
answer_order(struct order *order)
{
	static const struct report_column columns[] = {
		{ .name = "user" }, { .name = "held", .is_number = true }, { .name = "pinned" }
	};
	struct report report;

	report_begin(&report, order->call, REPORT_RECORD, columns, REPORT_COUNT(columns));
	report_text(&report, order->key);
	if (order->held_ms > 0)
		report_duration(&report, order->held_ms);
	else
		report_none(&report);
	report_flag(&report, order->is_pinned);
	report_end(&report);
	call_done(end(order));
}

static void ask_farms(struct order *order);

static void
on_ordered(struct affinity_request *request, enum affinity_answer answer)
{
	struct order *order = request->owner;

	if (answer == AFFINITY_LATER) {
		call_fail(end(order), "%s", no_word);
		return;
	}
	if (request->binding.held_ms > order->held_ms)
		order->held_ms = request->binding.held_ms;
	order->is_pinned |= request->binding.is_pinned;
	order->at++;
	ask_farms(order);
}

struct order_word {
	const char *word;
	bool wants_server, wants_time, may_be_down;
	const char *does, *rest;		/* for the log */
	void (*run)(struct order *order);
	void (*ask)(struct affinity *affinity, struct affinity_request *request);	/* each farm */
};

/* One after the other, and then the answer is there. */
static void
ask_farms(struct order *order)
{
	struct cockpit *cockpit = order->call->cockpit;
	const struct root *root = cockpit_root(cockpit);
	struct loop *loop = cockpit->control->loop;

	for (; order->at < root->farms.count; order->at++) {
		const struct farm *farm = root->farms.items[order->at];

		if (farm->bindings == NULL ||
		    (order->farm != NULL && strcmp(order->farm, farm->conf.title) != 0))
			continue;
		order->request = (struct affinity_request){
			.loop = loop, .user = order->key, .wanted = order->server, .hold_ms = order->hold_ms,
			.deadline = loop_now(loop) + ORDER_MS, .on_answer = on_ordered, .owner = order,
		};
		order->word->ask(farm->bindings, &order->request);
		return;
	}
	answer_order(order);
}

static void
run_order(struct order *order)
{
	log_order(order, order->word->does, order->word->rest);
	ask_farms(order);
}

static const struct order_word words[] = {
	/* word      server time  may be down */
	{ "move",    true,  false, false, NULL, NULL, run_move, NULL },
	{ "hold",    false, true,  false, "holds", "", run_order, affinity_hold },
	{ "release", false, false, false, "releases", "", run_order, affinity_hold },
	{ "pin",     true,  false, true,  "pins", " to ", run_order, affinity_pin },
	{ "unpin",   false, false, false, "unpins", "", run_order, affinity_pin },
};

static const struct order_word *
find_word(const struct admin_call *call)
{
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]) && call->count > 1; i++)
		if (strcmp(words[i].word, call->words[1]) == 0 &&
		    call->count == (words[i].wants_server || words[i].wants_time ? 3 : 2))
			return &words[i];
	return NULL;
}

static bool
read_hold(const char *word, int64_t *ms)
{
	const bool quoted = false;
	struct conf_words text = { .words = &word, .quoted = &quoted, .count = 1 };
	struct duration duration;
	struct error error;

	if (!conf_words_duration(&text, 0, &duration, &error) || duration.ms <= 0 ||
	    duration.ms > HOLD_MS_MAX)
		return false;
	*ms = duration.ms;
	return true;
}

static void
start(struct admin_call *call, const struct order_word *word)
{
	const struct users *users = cockpit_root(call->cockpit)->users;
	const struct machine *machine = NULL;
	const struct farm *farm = NULL;
	struct order *order;
	int64_t hold_ms = 0;

	if (word->wants_time && !read_hold(call->words[2], &hold_ms)) {
		call_fail(call, "'%s' is no duration up to 24h, such as 30s 5m 2h.", call->words[2]);
		return;
	}
	if (word->wants_server) {
		machine = target_machine(call, call->words[2]);
		farm = machine != NULL ? find_farm(call, machine, word->may_be_down) : NULL;
		if (farm == NULL)
			return;
	}
	order = xcalloc(1, sizeof(*order));
	order->call = call;
	order->word = word;
	order->hold_ms = hold_ms;
	order->canonical = users_canonical(users, slice_of(call->words[0]));
	order->key = users_key(users, order->canonical);
	if (farm != NULL) {
		order->server = xstrdup(machine->name);
		order->farm = xstrdup(farm->conf.title);
	}
	call->work = order;
	call->on_cancel = on_cancel;
	word->run(order);
}

bool
user_order_run(struct admin_call *call)
{
	const struct order_word *word = find_word(call);

	if (word == NULL)
		return false;
	if (call->level < ADMIN_LEVEL_ADMIN)
		call_fail(call, "Permission denied");
	else
		start(call, word);
	return true;
}
