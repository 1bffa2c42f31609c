/* SPDX-License-Identifier: BSD-2-Clause */
/* commands_flush.c: all users of a server go where the hash has them now, some at once. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "admin/command_tables.h"
#include "admin/mover.h"
#include "admin/report.h"
#include "admin/target.h"
#include "admin/user_place.h"
#include "base/log.h"
#include "base/map.h"
#include "base/xalloc.h"

enum { PARALLEL = 100, PARALLEL_MAX = 1000, LIST_MS = 5000, PROGRESS_MS = 1000 };

struct flush {
	struct admin_call *call;
	char *farm, *server;
	struct affinity *bindings;		/* one reference */
	struct affinity_request request;	/* while they are listed */
	struct loop_timer turn;			/* the next page; then, that progress is told */
	struct map *known;			/* users, since a page may tell one of them again */
	char **users;
	size_t count, room, at;
	size_t parallel, running;
	size_t moved, stayed, failed, kicked;
	size_t script_failed;			/* of those who were moved */
	struct list movers;
	bool is_starting;
};

static void
free_flush(struct flush *flush)
{
	affinity_cancel(&flush->request);
	loop_timer_stop(flush->call->cockpit->control->loop, &flush->turn);
	list_each(node, &flush->movers) {
		struct mover *mover = list_entry(node, struct mover, node);

		mover_cancel(mover);
		list_remove(&mover->node);
		xfree(mover);
	}
	for (size_t i = 0; i < flush->count; i++)
		xfree(flush->users[i]);
	xfree(flush->users);
	map_free(&flush->known);
	affinity_put(&flush->bindings);
	xfree(flush->farm);
	xfree(flush->server);
	xfree(flush);
}

static void
on_cancel(struct admin_call *call)
{
	struct flush *flush = call->work;

	log_write(LOG_NOTICE, "%s has left: users of %s are flushed no further, %zu of %zu were moved",
	    call->who, flush->server, flush->moved, flush->count);
	free_flush(flush);
}

static struct admin_call *
end(struct flush *flush)
{
	struct admin_call *call = flush->call;

	free_flush(flush);
	call->work = NULL;
	call->on_cancel = NULL;
	return call;
}

static void
tell(struct flush *flush)
{
	static const struct report_column columns[] = {
		{ .name = "server" }, { .name = "users", .is_number = true },
		{ .name = "moved", .is_number = true }, { .name = "stayed", .is_number = true },
		{ .name = "failed", .is_number = true }, { .name = "kicked", .is_number = true },
		{ .name = "script_failed", .is_number = true },
	};
	struct report report;

	log_write(LOG_NOTICE,
	    "%s has flushed %s: %zu users moved, %zu stayed, %zu failed, %zu sessions ended, "
	    "flush_script failed for %zu", flush->call->who, flush->server, flush->moved, flush->stayed,
	    flush->failed, flush->kicked, flush->script_failed);
	report_begin(&report, flush->call, REPORT_RECORD, columns, REPORT_COUNT(columns));
	report_word(&report, flush->server);
	report_number(&report, (int64_t)flush->count);
	report_number(&report, (int64_t)flush->moved);
	report_number(&report, (int64_t)flush->stayed);
	report_number(&report, (int64_t)flush->failed);
	report_number(&report, (int64_t)flush->kicked);
	report_number(&report, (int64_t)flush->script_failed);
	report_end(&report);
	call_done(end(flush));
}

static void start_some(struct flush *flush);

static void
on_moved(struct mover *mover, enum mover_result result)
{
	struct flush *flush = mover->owner;

	flush->running--;
	flush->kicked += (size_t)mover->kicked;
	if (result == MOVER_MOVED)
		flush->moved++;
	else
		flush->failed++;
	flush->script_failed += mover->has_failed_script;
	list_remove(&mover->node);
	loop_defer(mover->cockpit->control->loop, xfree, mover);
	if (!flush->is_starting)
		start_some(flush);
}

/* Where the hash has the user now. */
static void
start_one(struct flush *flush, const char *user)
{
	struct cockpit *cockpit = flush->call->cockpit;
	const struct root *root = cockpit_root(cockpit);
	const struct farm *farm = find_bound_farm(root, flush->farm);
	const struct pool *pool = farm != NULL ? user_pool_of_farm(root, farm) : NULL;
	struct endpoint *e = pool != NULL ? user_endpoint(pool, slice_of(user), NULL) : NULL;
	struct mover *mover;

	if (e == NULL) {
		flush->failed++;
	} else if (strcmp(e->server, flush->server) == 0) {
		flush->stayed++;
	} else {
		mover = xcalloc(1, sizeof(*mover));
		mover->on_done = on_moved;
		mover->owner = flush;
		list_append(&flush->movers, &mover->node);
		flush->running++;
		mover_start(mover, cockpit, farm, slice_of(user), e->server);
	}
	endpoint_put(&e);
}

static void
start_some(struct flush *flush)
{
	flush->is_starting = true;
	while (flush->running < flush->parallel && flush->at < flush->count)
		start_one(flush, flush->users[flush->at++]);
	flush->is_starting = false;
	if (flush->running == 0 && flush->at == flush->count)
		tell(flush);
}

static void
on_progress(struct loop_timer *timer)
{
	struct flush *flush = loop_owner(timer, struct flush, turn);
	struct admin_call *call = flush->call;
	struct loop *loop = call->cockpit->control->loop;
	struct buf line = { 0 };

	loop_timer_set(loop, timer, loop_now(loop) + PROGRESS_MS);
	if (call->on_more == NULL || call->wants_json)
		return;
	buf_printf(&line, "%zu of %zu moved, %zu stayed, %zu failed\n", flush->moved, flush->count,
	    flush->stayed, flush->failed);
	(void)call->on_more(call, buf_slice(&line));
	buf_clear(&line);
}

static void
on_binding(struct affinity_request *request, struct slice user, const struct affinity_binding *binding,
    int sessions)
{
	struct flush *flush = request->owner;

	(void)sessions;
	if (strcmp(binding->server, flush->server) != 0 || map_get(flush->known, user) != NULL)
		return;
	if (flush->count == flush->room) {
		flush->room = flush->room > 0 ? 2 * flush->room : PARALLEL;
		flush->users = xrealloc(flush->users, flush->room * sizeof(flush->users[0]));
	}
	flush->users[flush->count] = xstrndup(user.data, user.len);
	map_set(flush->known, user, flush->users[flush->count]);
	flush->count++;
}

static void
on_listed(struct affinity_request *request, enum affinity_answer answer)
{
	struct flush *flush = request->owner;
	struct loop *loop = request->loop;

	if (answer == AFFINITY_LATER) {
		call_fail(end(flush), "Nobody can say now who is bound.");
		return;
	}
	loop_timer_set(loop, &flush->turn, loop_now(loop));
}

static void
list_some(struct flush *flush)
{
	struct loop *loop = flush->call->cockpit->control->loop;

	flush->request = (struct affinity_request){
		.loop = loop, .deadline = loop_now(loop) + LIST_MS, .on_answer = on_listed, .owner = flush,
		.on_binding = on_binding, .cursor = flush->request.cursor,
	};
	affinity_list(flush->bindings, &flush->request);
}

static void
on_page(struct loop_timer *timer)
{
	struct flush *flush = loop_owner(timer, struct flush, turn);
	struct loop *loop = flush->call->cockpit->control->loop;

	if (flush->request.cursor != 0) {
		list_some(flush);
		return;
	}
	loop_timer_init(&flush->turn, on_progress);
	loop_timer_set(loop, &flush->turn, loop_now(loop) + PROGRESS_MS);
	start_some(flush);
}

static void
run_flush(struct admin_call *call)
{
	const struct machine *machine;
	const struct farm *farm;
	struct flush *flush;
	uint64_t parallel = PARALLEL;

	if ((call->count != 1 && call->count != 3) ||
	    (call->count == 3 && (strcmp(call->words[1], "parallel") != 0 ||
	    !slice_to_number(slice_of(call->words[2]), PARALLEL_MAX, &parallel) || parallel == 0))) {
		call_fail(call, "'flush' takes a server, and perhaps parallel N, up to %d.", PARALLEL_MAX);
		return;
	}
	machine = target_machine(call, call->words[0]);
	if (machine == NULL)
		return;
	farm = find_bound_farm(cockpit_root(call->cockpit), machine->farm);
	if (farm == NULL) {
		call_fail(call, "Users are not bound to the servers of %s: it has no affinity.",
		    machine->farm);
		return;
	}
	flush = xcalloc(1, sizeof(*flush));
	flush->call = call;
	flush->farm = xstrdup(machine->farm);
	flush->server = xstrdup(machine->name);
	flush->bindings = affinity_get(farm->bindings);
	flush->parallel = parallel;
	flush->known = map_new();
	list_init(&flush->movers);
	loop_timer_init(&flush->turn, on_page);
	call->work = flush;
	call->on_cancel = on_cancel;
	log_write(LOG_NOTICE, "%s flushes %s", call->who, flush->server);
	list_some(flush);
}

const struct admin_command flush_commands[] = {
	{
		.name = "flush", .arguments = "SERVER [parallel N]", .level = ADMIN_LEVEL_ADMIN,
		.has_json = true, .run = run_flush,
		.help = "Moves all users who are bound to a server to where the hash has them now, at all "
		    "proxies, N (100) at once: of a server that is drained or down, to others; of one that "
		    "takes sessions those stay whom the hash has there. Each is moved as by `user NAME "
		    "move`, pinned ones too. Where `flush_script` fails the user is moved all the same, and "
		    "counted in script_failed. Progress is told every second; whoever leaves stops it.",
	},
	{ 0 }
};
