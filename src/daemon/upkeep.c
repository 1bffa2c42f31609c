/* SPDX-License-Identifier: BSD-2-Clause */
/* upkeep.c: a timer a minute on control's loop. */
#include "daemon/upkeep.h"

#include "base/log.h"
#include "net/tls_context.h"

enum { INTERVAL_MS = 60 * 1000, TICKETS_MS = 12 * 3600 * 1000 };

static void
refresh(const struct tls_settings *settings, struct tls_context *context)
{
	struct error error;
	bool changed = false;

	if (!tls_context_refresh(context, &changed, &error))
		log_write(LOG_ERR, "tls %s: the old certificate stays in use: %s", settings->conf.title,
		    error.text);
	else if (changed)
		log_write(LOG_NOTICE, "tls %s: certificate reloaded", settings->conf.title);
}

static void
on_time(struct loop_timer *timer)
{
	struct control *control = loop_owner(timer, struct control, upkeep);
	const struct root *root = control->current->root;
	int64_t now = loop_now(control->loop);

	for (size_t i = 0; i < root->tls.count; i++)
		refresh(root->tls.items[i], control->current->tls[i]);
	if (now >= control->tickets_at) {
		tls_tickets_rotate();
		control->tickets_at = now + TICKETS_MS;
	}
	loop_timer_set(control->loop, timer, now + INTERVAL_MS);
}

void
upkeep_start(struct control *control)
{
	int64_t now = loop_now(control->loop);

	tls_tickets_rotate();
	control->tickets_at = now + TICKETS_MS;
	loop_timer_init(&control->upkeep, on_time);
	loop_timer_set(control->loop, &control->upkeep, now + INTERVAL_MS);
}

void
upkeep_stop(struct control *control)
{
	loop_timer_stop(control->loop, &control->upkeep);
}
