/* SPDX-License-Identifier: BSD-2-Clause */
/* commands_frontend.c: listeners are closed and opened again, sessions bounded, in HAProxy's words. */
#include "admin/command_tables.h"
#include "admin/gate_round.h"
#include "admin/reason.h"
#include "admin/target.h"
#include "base/log.h"
#include "daemon/descriptors.h"
#include "session/listener_kept.h"
#include "session/worker.h"

enum { CONNECTIONS_MAX = 10000000 };

/* NULL: the call has failed. */
static struct listener_settings *
take_listener(struct admin_call *call, char why[REASON_MAX])
{
	reason_take(call, why);
	if (call->count == 0) {
		call_fail(call, "A frontend name is expected.");
		return NULL;
	}
	return target_listener(call, call->words[0]);
}

static void
set_disabled(struct admin_call *call, bool is_disabled)
{
	const char *word = is_disabled ? "disabled" : "enabled";
	char why[REASON_MAX];
	struct listener_settings *settings = take_listener(call, why);

	if (settings == NULL)
		return;
	if (!listener_orders_disable(&settings->listener->orders, is_disabled, why)) {
		call_fail(call, "All sockets are already %s.", word);
		return;
	}
	log_write(LOG_NOTICE, "listener %s: %s %s", settings->conf.title, word, why);
	if (call->cockpit->control->assets.cluster != NULL)
		buf_printf(&call->out, "Listener %s is %s at this proxy alone.\n", settings->conf.title,
		    word);
	gate_round_start(call, settings->listener, why);
}

static void
run_disable_frontend(struct admin_call *call)
{
	set_disabled(call, true);
}

static void
run_enable_frontend(struct admin_call *call)
{
	set_disabled(call, false);
}

/* `none` is HAProxy's word for a missing one.  False: the call has failed. */
static bool
read_bound(struct admin_call *call, const char *word, const char *none, uint64_t *max)
{
	if (word != NULL && slice_to_number(slice_of(word), CONNECTIONS_MAX, max))
		return true;
	call_fail(call, "%s", word == NULL ? none : "Value out of range.");
	return false;
}

static void
run_set_maxconn_frontend(struct admin_call *call)
{
	char why[REASON_MAX];
	struct listener_settings *settings = take_listener(call, why);
	uint64_t max;

	if (settings == NULL || !read_bound(call, call->words[1], "Integer value expected.", &max))
		return;
	listener_orders_bound(&settings->listener->orders, (int64_t)max, why);
	log_write(LOG_NOTICE, "listener %s: max_connections %llu %s", settings->conf.title,
	    (unsigned long long)max, why);
	call_done(call);
}

static void
run_set_maxconn_global(struct admin_call *call)
{
	const struct root *root = cockpit_root(call->cockpit);
	char why[REASON_MAX];
	uint64_t max;

	reason_take(call, why);
	if (!read_bound(call, call->words[0], "Expects an integer value.", &max))
		return;
	if (descriptors_reserve((int64_t)max, call->cockpit->control->assets.threads, root_binds(root)) !=
	    (int64_t)max) {
		call_fail(call, "Value out of range.");
		return;
	}
	listener_orders_bound(worker_process_orders(), (int64_t)max, why);
	log_write(LOG_NOTICE, "max_connections %llu %s", (unsigned long long)max, why);
	call_done(call);
}

#define REASON "[reason TEXT]"

const struct admin_command frontend_commands[] = {
	{
		.name = "disable frontend", .arguments = "LISTENER " REASON, .level = ADMIN_LEVEL_ADMIN,
		.run = run_disable_frontend,
		.help = "Closes a listener for new clients until `enable frontend`, over reloads. They are "
		    "refused at once, so that they or a balancer before them go elsewhere, and those in "
		    "the backlog are disconnected; sessions go on. At a unix socket clients wait. Listeners "
		    "are each proxy's own: in a cluster the others go on, and the answer says so.",
	},
	{
		.name = "enable frontend", .arguments = "LISTENER " REASON, .level = ADMIN_LEVEL_ADMIN,
		.run = run_enable_frontend,
		.help = "Takes clients again.",
	},
	{
		.name = "set maxconn frontend", .arguments = "LISTENER N " REASON, .level = ADMIN_LEVEL_ADMIN,
		.run = run_set_maxconn_frontend,
		.help = "Bounds a listener's clients; 0 is no bound. More wait in the backlog. It holds "
		    "until the file has another bound.",
	},
	{
		.name = "set maxconn global", .arguments = "N " REASON, .level = ADMIN_LEVEL_ADMIN,
		.run = run_set_maxconn_global,
		.help = "Bounds the sessions of all listeners, as far as there may be files open for them. "
		    "It holds until the file has another bound.",
	},
	{ 0 }
};
