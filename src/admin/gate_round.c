/* SPDX-License-Identifier: BSD-2-Clause */
/* gate_round.c: workers are asked all at once; who asked may be gone before the last one answers. */
#include "admin/gate_round.h"

#include <stdio.h>

#include "admin/call.h"
#include "admin/reason.h"
#include "base/xalloc.h"
#include "session/listener_kept.h"
#include "session/worker.h"

struct gate_round {
	struct list node;		/* in the cockpit's */
	struct cockpit *cockpit;
	struct admin_call *call;	/* NULL: nobody waits for the answer any more */
	struct listener *listener;	/* one reference */
	int left;			/* workers who have not answered */
	bool is_ok;
	bool is_undoing;		/* some could not listen again, and so the others close */
	char why[REASON_MAX];
	struct gates_follow follows[];	/* one a worker */
};

static void
free_round(struct gate_round *round)
{
	list_remove(&round->node);
	listener_put(&round->listener);
	xfree(round);
}

static void
on_cancel(struct admin_call *call)
{
	struct gate_round *round = call->work;

	round->call = NULL;
}

static void on_followed(struct gates_follow *follow, bool is_ok);

static void
ask_workers(struct gate_round *round)
{
	struct control *control = round->cockpit->control;

	round->left = control->assets.threads;
	round->is_ok = true;
	for (int i = 0; i < round->left; i++) {
		round->follows[i] = (struct gates_follow){
			.worker = control->workers[i], .on_done = on_followed, .owner = round,
		};
		worker_follow(&round->follows[i]);
	}
}

static void
end_round(struct gate_round *round)
{
	struct admin_call *call = round->call;
	bool is_ok = !round->is_undoing;

	free_round(round);
	if (call != NULL && is_ok)
		call_done(call);
	else if (call != NULL)
		call_fail(call, "Failed to resume frontend, check logs for precise cause (port conflict?).");
}

static void
on_followed(struct gates_follow *follow, bool is_ok)
{
	struct gate_round *round = follow->owner;

	round->is_ok = round->is_ok && is_ok;
	if (--round->left > 0)
		return;
	if (round->is_ok) {
		end_round(round);
		return;
	}
	round->is_undoing = true;
	listener_orders_disable(&round->listener->orders, true, round->why);
	ask_workers(round);
}

void
gate_round_start(struct admin_call *call, struct listener *listener, const char *why)
{
	size_t threads = (size_t)call->cockpit->control->assets.threads;
	struct gate_round *round = xcalloc(1, sizeof(*round) + threads * sizeof(round->follows[0]));

	round->cockpit = call->cockpit;
	round->call = call;
	round->listener = listener_get(listener);
	snprintf(round->why, sizeof(round->why), "%s", why);
	list_append(&call->cockpit->gate_rounds, &round->node);
	call->work = round;
	call->on_cancel = on_cancel;
	ask_workers(round);
}

void
gate_rounds_close(struct cockpit *cockpit)
{
	list_each(node, &cockpit->gate_rounds)
		free_round(list_entry(node, struct gate_round, node));
}
