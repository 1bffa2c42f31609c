/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * commands_rebalance.c: servers with more than their share of a pool's sessions.  The workers count first,
 * then a second round tells who is to go, or (explain) only how many.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "admin/command_tables.h"
#include "admin/report.h"
#include "admin/target.h"
#include "balance/balance.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "session/departure.h"

enum { PERCENT = 100 };

/* A server of the pool. */
struct share {
	struct endpoint *endpoint;	/* one reference */
	int sessions;
	int excess;			/* that are to go */
	unsigned strays, quiet, chosen;	/* as the workers have counted */
};

/* Shared with the workers, each of which has a part; gone when all have answered the last round. */
struct rebalance {
	struct list node;		/* in the cockpit's */
	struct control *control;
	struct admin_call *call;	/* NULL: nobody waits for the answer any more */
	char *pool;
	struct share *shares;
	size_t count;
	int64_t spread_ms;
	bool is_bound, explains;
	bool is_second;			/* the round under way */
	int awaited;
	struct work {
		struct rebalance *rebalance;
		struct worker *worker;
		struct departure_part *parts;	/* one a share */
	} *works;			/* one a worker */
};

static void
free_rebalance(struct rebalance *r)
{
	list_remove(&r->node);
	for (size_t i = 0; i < r->count; i++)
		endpoint_put(&r->shares[i].endpoint);
	for (int i = 0; i < r->control->assets.threads; i++)
		xfree(r->works[i].parts);
	xfree(r->works);
	xfree(r->shares);
	xfree(r->pool);
	xfree(r);
}

void
rebalances_close(struct cockpit *cockpit)
{
	list_each(node, &cockpit->rebalances)
		free_rebalance(list_entry(node, struct rebalance, node));
}

static void on_counted(struct loop *control, void *arg);

/* On the worker's thread. */
static void
count(struct loop *loop, void *arg)
{
	struct work *work = arg;
	const struct rebalance *r = work->rebalance;
	const int64_t *spread = r->is_second && !r->explains ? &r->spread_ms : NULL;

	(void)loop;
	for (size_t i = 0; i < r->count; i++)
		if (r->shares[i].excess > 0)
			departure_choose(work->worker, &work->parts[i], spread);
	loop_post(work->worker->control, on_counted, work);
}

static void
ask_workers(struct rebalance *r)
{
	r->awaited = r->control->assets.threads;
	for (int i = 0; i < r->control->assets.threads; i++)
		loop_post(r->works[i].worker->loop, count, &r->works[i]);
}

static const struct report_column columns[] = {
	{ .name = "server" }, { .name = "sessions", .is_number = true },
	{ .name = "fair", .is_number = true }, { .name = "may_go", .is_number = true },
	{ .name = "told", .is_number = true },
};

static unsigned
total_chosen(const struct rebalance *r)
{
	unsigned total = 0;

	for (size_t i = 0; i < r->count; i++)
		total += r->shares[i].chosen;
	return total;
}

static void
answer(struct rebalance *r)
{
	struct admin_call *call = r->call;
	struct report report;

	if (!r->explains)
		log_write(LOG_NOTICE, "%s: rebalance %s: %u sessions are told to go",
		    call != NULL ? call->who : "an operator who has left", r->pool, total_chosen(r));
	if (call != NULL) {
		report_begin(&report, call, REPORT_TABLE, columns, REPORT_COUNT(columns));
		for (size_t i = 0; i < r->count; i++) {
			const struct share *share = &r->shares[i];

			report_word(&report, share->endpoint->name);
			report_number(&report, share->sessions);
			report_number(&report, share->sessions - share->excess);
			report_number(&report, share->strays);
			report_number(&report, share->chosen);
		}
		report_end(&report);
	}
	free_rebalance(r);
	if (call != NULL)
		call_done(call);
}

/* Users of these may be bound elsewhere when they come back, as their sessions' time comes. */
static void
open_way(const struct rebalance *r)
{
	const struct leaving_order order = {
		.kind = LEAVING_STRAYS, .from = clock_ms(), .until = clock_ms() + r->spread_ms,
	};

	for (size_t i = 0; i < r->count; i++) {
		struct leaving_order now;

		endpoint_read_leaving(r->shares[i].endpoint, &now);
		if (r->shares[i].chosen + r->shares[i].strays > 0 && now.kind != LEAVING_ALL)
			endpoint_set_leaving(r->shares[i].endpoint, &order);
	}
}

/* So many of those whom it has not got yet, quiet ones or others, to each worker by what it has. */
static void
deal(struct rebalance *r, size_t i, unsigned wanted, bool quiet)
{
	unsigned all = 0, left = wanted;

	for (int w = 0; w < r->control->assets.threads; w++) {
		const struct departure_part *part = &r->works[w].parts[i];

		all += quiet ? part->quiet : part->strays - part->quiet;
	}
	for (int round = 0; all > 0 && round < 2; round++) {
		for (int w = 0; w < r->control->assets.threads; w++) {
			struct departure_part *part = &r->works[w].parts[i];
			unsigned has = quiet ? part->quiet : part->strays - part->quiet;
			unsigned more = (unsigned)((uint64_t)wanted * has / all);

			/* the second round is for what was rounded off */
			if (round > 0)
				more = left > 0 && more < has;
			part->quota += more;
			left -= more;
		}
	}
}

static void
set_quotas(struct rebalance *r, size_t i)
{
	const struct share *share = &r->shares[i];
	unsigned excess = (unsigned)share->excess, quiet;

	if (excess > share->strays)
		excess = share->strays;
	quiet = excess < share->quiet ? excess : share->quiet;
	deal(r, i, quiet, true);
	deal(r, i, excess - quiet, false);
	for (int w = 0; w < r->control->assets.threads; w++) {
		struct departure_part *part = &r->works[w].parts[i];

		part->share = share->strays > 0 ? (double)excess / share->strays : 0;
		part->strays = part->quiet = part->chosen = 0;
	}
}

static void
begin_second(struct rebalance *r)
{
	for (size_t i = 0; i < r->count; i++)
		set_quotas(r, i);
	if (r->is_bound && !r->explains)
		open_way(r);
	r->is_second = true;
	ask_workers(r);
}

static void
add_up(struct rebalance *r)
{
	for (size_t i = 0; i < r->count; i++) {
		struct share *share = &r->shares[i];

		share->strays = share->quiet = share->chosen = 0;
		for (int w = 0; w < r->control->assets.threads; w++) {
			share->strays += r->works[w].parts[i].strays;
			share->quiet += r->works[w].parts[i].quiet;
			share->chosen += r->works[w].parts[i].chosen;
		}
	}
}

static void
on_counted(struct loop *control, void *arg)
{
	const struct work *work = arg;
	struct rebalance *r = work->rebalance;

	(void)control;
	if (--r->awaited > 0)
		return;
	add_up(r);
	/* whoever has left before anybody was told has changed his mind */
	if (!r->is_second && r->call == NULL)
		free_rebalance(r);
	else if (!r->is_second)
		begin_second(r);
	else
		answer(r);
}

static void
on_cancel(struct admin_call *call)
{
	struct rebalance *r = call->work;

	r->call = NULL;
}

/* By their weights as they count now; who takes nobody new has no share, and is not ours to empty. */
static void
find_excess(struct rebalance *r, int percent)
{
	int64_t shares = 0, sessions = 0;

	for (size_t i = 0; i < r->count; i++) {
		struct load load = endpoint_load(r->shares[i].endpoint);
		bool counts = load.share > 0 && !endpoint_is_down(r->shares[i].endpoint);

		r->shares[i].sessions = load.connections;
		shares += counts ? load.share : 0;
		sessions += counts ? load.connections : 0;
	}
	for (size_t i = 0; i < r->count && shares > 0; i++) {
		struct load load = endpoint_load(r->shares[i].endpoint);
		bool counts = load.share > 0 && !endpoint_is_down(r->shares[i].endpoint);
		/* rounded up: nobody is moved for less than a session */
		int64_t fair = (sessions * load.share + shares - 1) / shares;

		if (counts && r->shares[i].sessions > fair)
			r->shares[i].excess = (int)((r->shares[i].sessions - fair) * percent / PERCENT);
	}
}

static void
start(struct admin_call *call, const struct pool *pool, int percent, bool explains)
{
	struct control *control = call->cockpit->control;
	struct rebalance *r = xcalloc(1, sizeof(*r));

	r->control = control;
	r->call = call;
	list_append(&call->cockpit->rebalances, &r->node);
	r->pool = xstrdup(pool->conf.title);
	r->is_bound = pool->is_bound;
	r->explains = explains;
	r->spread_ms = pool->options.close_spread.ms;
	r->count = pool->endpoint_count;
	r->shares = xcalloc(r->count, sizeof(r->shares[0]));
	r->works = xcalloc((size_t)control->assets.threads, sizeof(r->works[0]));
	for (size_t i = 0; i < r->count; i++)
		r->shares[i].endpoint = endpoint_get(pool->endpoints[i]);
	for (int w = 0; w < control->assets.threads; w++) {
		r->works[w] = (struct work){ .rebalance = r, .worker = control->workers[w] };
		r->works[w].parts = xcalloc(r->count, sizeof(struct departure_part));
		for (size_t i = 0; i < r->count; i++)
			r->works[w].parts[i] = (struct departure_part){
				.endpoint = r->shares[i].endpoint, .is_bound = r->is_bound,
			};
	}
	find_excess(r, percent);
	call->work = r;
	call->on_cancel = on_cancel;
	ask_workers(r);
}

static void
run_rebalance(struct admin_call *call)
{
	uint64_t percent = PERCENT;
	bool explains = false;
	const struct pool *pool;

	if (call->count == 0) {
		call_fail(call, "Which pool?");
		return;
	}
	pool = target_pool(call, call->words[0]);
	if (pool == NULL)
		return;
	for (int i = 1; i < call->count; i++) {
		if (strcmp(call->words[i], "explain") == 0) {
			explains = true;
		} else if (!slice_to_number(slice_of(call->words[i]), PERCENT, &percent) || percent == 0) {
			call_fail(call,
			    "'%s' is not understood: a percentage of 1 to 100 and `explain` may stand there.",
			    call->words[i]);
			return;
		}
	}
	start(call, pool, (int)percent, explains);
}

const struct admin_command rebalance_commands[] = {
	{
		.name = "rebalance", .arguments = "POOL [PERCENT] [explain]", .level = ADMIN_LEVEL_ADMIN,
		.has_json = true, .run = run_rebalance,
		.help = "Sessions at servers with more than their weights' share are told to go over "
		    "`close_spread`, quiet ones first. Of users who are bound, only those go whom the "
		    "balancer "
		    "would send elsewhere today; they are bound there when their last session is gone. "
		    "PERCENT: "
		    "so much of what is too many. `explain`: only tells how many.",
	},
	{ 0 }
};
