/* SPDX-License-Identifier: BSD-2-Clause */
/* commands_bindings.c: who is bound to which server. */
#include <string.h>

#include "admin/command_tables.h"
#include "admin/session_words.h"
#include "base/clock.h"
#include "base/xalloc.h"
#include "state/affinity.h"

enum { LIST_MS = 5000 };

static const struct report_column columns[] = {
	{ .name = "user" }, { .name = "farm" }, { .name = "server" },
	{ .name = "sessions", .is_number = true }, { .name = "since", .is_number = true },
};

/* Some bindings in each turn of control's loop: there may be very many. */
struct listing {
	struct admin_call *call;
	const char *server, *farm;		/* the call's; NULL: any */
	struct report report;
	struct affinity_request request;
	struct loop_timer turn;
	uint64_t cursor;
	size_t at;				/* of the root's farms */
	const char *name;			/* of the one that is asked */
};

static void
free_listing(struct listing *listing)
{
	affinity_cancel(&listing->request);
	loop_timer_stop(listing->call->cockpit->control->loop, &listing->turn);
	buf_clear(&listing->report.cells);
	xfree(listing);
}

static void
on_cancel(struct admin_call *call)
{
	free_listing(call->work);
}

static void
on_binding(struct affinity_request *request, struct slice user, const struct affinity_binding *binding,
    int sessions)
{
	struct listing *listing = request->owner;

	if (listing->server != NULL && strcmp(listing->server, binding->server) != 0)
		return;
	report_text(&listing->report, user);
	report_word(&listing->report, listing->name);
	report_word(&listing->report, binding->server);
	report_number(&listing->report, sessions);
	if (binding->since > 0)
		report_duration(&listing->report, clock_ms() - binding->since);
	else
		report_none(&listing->report);
}

static void
on_listed(struct affinity_request *request, enum affinity_answer answer)
{
	struct listing *listing = request->owner;
	struct admin_call *call = listing->call;

	if (answer == AFFINITY_LATER) {
		free_listing(listing);
		call_fail(call, "Nobody can say now who is bound.");
		return;
	}
	listing->cursor = request->cursor;
	if (listing->cursor == 0)
		listing->at++;
	loop_timer_set(request->loop, &listing->turn, loop_now(request->loop));
}

/* The farm that is to be asked now; NULL: all were. */
static const struct farm *
find_farm(struct listing *listing)
{
	const struct root *root = cockpit_root(listing->call->cockpit);

	for (; listing->at < root->farms.count; listing->at++) {
		const struct farm *farm = root->farms.items[listing->at];

		if (farm->bindings != NULL &&
		    (listing->farm == NULL || strcmp(listing->farm, farm->conf.title) == 0))
			return farm;
	}
	return NULL;
}

static void
on_turn(struct loop_timer *timer)
{
	struct listing *listing = loop_owner(timer, struct listing, turn);
	const struct farm *farm = find_farm(listing);
	struct admin_call *call = listing->call;
	struct loop *loop = call->cockpit->control->loop;

	if (farm == NULL) {
		report_end(&listing->report);
		free_listing(listing);
		call_done(call);
		return;
	}
	listing->name = farm->conf.title;
	listing->request = (struct affinity_request){
		.loop = loop, .deadline = loop_now(loop) + LIST_MS, .on_answer = on_listed, .owner = listing,
		.on_binding = on_binding, .cursor = listing->cursor,
	};
	affinity_list(farm->bindings, &listing->request);
}

static void
run_users(struct admin_call *call)
{
	struct listing *listing = xcalloc(1, sizeof(*listing));

	for (int i = 0; i + 1 < call->count; i += 2) {
		if (strcmp(call->words[i], "server") == 0)
			listing->server = call->words[i + 1];
		else if (strcmp(call->words[i], "farm") == 0)
			listing->farm = call->words[i + 1];
		else
			break;
	}
	if (call->count != 2 * ((listing->server != NULL) + (listing->farm != NULL))) {
		xfree(listing);
		call_fail(call, "'users' takes server NAME and farm NAME.");
		return;
	}
	listing->call = call;
	call->work = listing;
	call->on_cancel = on_cancel;
	report_begin(&listing->report, call, REPORT_TABLE, columns, REPORT_COUNT(columns));
	loop_timer_init(&listing->turn, on_turn);
	on_turn(&listing->turn);
}

const struct admin_command binding_commands[] = {
	{
		.name = "users", .arguments = "[server S] [farm F]", .level = ADMIN_LEVEL_OPERATOR,
		.has_json = true, .looks = CALL_WORDS_MAX, .run = run_users,
		.help = "Users who are bound to servers, of all farms with `affinity`. Since when, and how "
		    "many sessions and deliveries hold them there.",
	},
	{ 0 }
};
