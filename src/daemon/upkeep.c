/* SPDX-License-Identifier: BSD-2-Clause */
/* upkeep.c: a timer of a few seconds on control's loop. */
#include "daemon/upkeep.h"

#include "access/access.h"
#include "auth/auth.h"
#include "base/log.h"
#include "daemon/sharing.h"
#include "net/tls_context.h"

enum { INTERVAL_MS = 5 * 1000, CERTIFICATES_MS = 60 * 1000 };

/* A line each; where the configuration names the file is of no interest any more. */
static void
log_problems(struct conf_problems *problems, const struct conf_block *block, const char *what)
{
	for (size_t i = 0; i < problems->count; i++)
		log_write(LOG_ERR, "%s %s: %s%.*s", block->kind->name, block->title, what,
		    SLICE_ARGS(conf_problems_message(problems, i)));
	conf_problems_clear(problems);
}

static void
refresh_tls(const struct tls_settings *settings)
{
	struct conf_problems problems = { 0 };
	bool changed = false;

	if (tls_context_refresh(settings->context, &changed, &problems) && changed)
		log_write(LOG_NOTICE, "tls %s: certificate reloaded", settings->conf.title);
	log_problems(&problems, &settings->conf, "the old certificate stays in use: ");
}

static void
refresh_auth(const struct auth *auth)
{
	struct conf_problems problems = { 0 };
	bool changed;

	if (!auth_refresh(auth, &changed, &problems))
		log_write(LOG_ERR, "auth %s: the old users stay in use", auth->conf.title);
	else if (changed)
		log_write(LOG_NOTICE, "auth %s: users reloaded", auth->conf.title);
	log_problems(&problems, &auth->conf, "");
}

static void
refresh_access(const struct root *root)
{
	if (root->geo != NULL)
		geo_refresh(root->geo);
	for (size_t i = 0; i < root->accesses.count; i++)
		access_refresh(root->accesses.items[i]);
	for (size_t i = 0; i < root->listeners.count; i++)
		listener_settings_refresh(root->listeners.items[i]);
}

static void
on_time(struct loop_timer *timer)
{
	struct control *control = loop_owner(timer, struct control, upkeep);
	const struct root *root = control->current->root;
	int64_t now = loop_now(control->loop);

	for (size_t i = 0; i < root->auths.count; i++)
		refresh_auth(root->auths.items[i]);
	endpoint_table_sweep(control->assets.endpoints, now);
	if (now >= control->certificates_at) {
		for (size_t i = 0; i < root->tls.count; i++)
			refresh_tls(root->tls.items[i]);
		refresh_access(root);
		control->certificates_at = now + CERTIFICATES_MS;
	}
	if (control->assets.sharing != NULL && sharing_keeps_tickets(control->assets.sharing, now))
		control->tickets_at = now + TICKETS_ROTATE_MS;
	if (now >= control->tickets_at) {
		tls_tickets_rotate();
		control->tickets_at = now + TICKETS_ROTATE_MS;
	}
	loop_timer_set(control->loop, timer, now + INTERVAL_MS);
}

void
upkeep_start(struct control *control)
{
	int64_t now = loop_now(control->loop);

	tls_tickets_rotate();
	control->tickets_at = now + TICKETS_ROTATE_MS;
	control->certificates_at = now + CERTIFICATES_MS;
	loop_timer_init(&control->upkeep, on_time);
	loop_timer_set(control->loop, &control->upkeep, now + INTERVAL_MS);
}

void
upkeep_stop(struct control *control)
{
	loop_timer_stop(control->loop, &control->upkeep);
}
