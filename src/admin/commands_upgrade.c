/* SPDX-License-Identifier: BSD-2-Clause */
/* commands_upgrade.c: another process takes the place of this one. */
#include "admin/cockpit.h"
#include "admin/command_tables.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "daemon/upgrade.h"

/* Who asked, until it is known how it went. */
struct asker {
	struct upgrade_watcher watcher;
	struct admin_call *call;
};

static void
on_result(struct upgrade_watcher *watcher, pid_t pid, const char *failure)
{
	struct asker *asker = loop_owner(watcher, struct asker, watcher);
	struct admin_call *call = asker->call;

	xfree(asker);
	if (failure != NULL) {
		call_fail(call, "The upgrade failed, nothing changed: %s.", failure);
		return;
	}
	buf_printf(&call->out, "Process %ld serves.\n", (long)pid);
	call_done(call);
}

static void
on_cancel(struct admin_call *call)
{
	struct asker *asker = call->work;

	upgrade_unwatch(&asker->watcher);
	xfree(asker);
}

static void
run_upgrade(struct admin_call *call)
{
	struct asker *asker;
	struct error error;

	if (call->count > 0) {
		call_fail(call, "upgrade takes no words.");
		return;
	}
	asker = xcalloc(1, sizeof(*asker));
	asker->watcher.on_result = on_result;
	asker->call = call;
	if (!upgrade_begin(call->cockpit->control, &asker->watcher, &error)) {
		xfree(asker);
		call_fail(call, "The upgrade failed, nothing changed: %s.", error.text);
		return;
	}
	log_write(LOG_NOTICE, "upgrade: asked for by %s", call->who);
	call->work = asker;
	call->on_cancel = on_cancel;
}

const struct admin_command upgrade_commands[] = {
	{
		.name = "upgrade", .level = ADMIN_LEVEL_ADMIN, .run = run_upgrade,
		.help = "Has a new process of the program that is installed now take the place of this one. "
		    "The answer comes when it serves, or has failed: then this one goes on.",
	},
	{ 0 }
};
