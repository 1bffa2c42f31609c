/* SPDX-License-Identifier: BSD-2-Clause */
/* upkeep.c: a timer of a few seconds on control's loop. */
#include "daemon/upkeep.h"

#include "auth/auth.h"
#include "base/log.h"
#include "net/tls_context.h"

enum { INTERVAL_MS = 5 * 1000, CERTIFICATES_MS = 60 * 1000, TICKETS_MS = 12 * 3600 * 1000 };

static void
on_complaint(void *owner, const char *directive, size_t value, const char *text)
{
	const struct tls_settings *settings = owner;

	(void)directive;
	(void)value;
	log_write(LOG_ERR, "tls %s: the old certificate stays in use: %s", settings->conf.title, text);
}

static void
refresh(struct tls_settings *settings, struct tls_context *context)
{
	const struct tls_complaints to = { on_complaint, settings };
	bool changed = false;

	if (tls_context_refresh(context, &changed, &to) && changed)
		log_write(LOG_NOTICE, "tls %s: certificate reloaded", settings->conf.title);
}

static void
refresh_auth(const struct auth *auth)
{
	struct buf complaints = { 0 };
	struct slice line;
	bool changed;

	if (!auth_refresh(auth, &changed, &complaints))
		log_write(LOG_ERR, "auth %s: the old users stay in use", auth->conf.title);
	else if (changed)
		log_write(LOG_NOTICE, "auth %s: users reloaded", auth->conf.title);
	while ((line = auth_next_complaint(&complaints)).len > 0)
		log_write(LOG_ERR, "auth %s: %.*s", auth->conf.title, SLICE_ARGS(line));
	buf_clear(&complaints);
}

static void
look_at_certificates(struct control *control)
{
	const struct root *root = control->current->root;

	for (size_t i = 0; i < root->tls.count; i++)
		refresh(root->tls.items[i], control->current->tls[i]);
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
		look_at_certificates(control);
		control->certificates_at = now + CERTIFICATES_MS;
	}
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
	control->certificates_at = now + CERTIFICATES_MS;
	loop_timer_init(&control->upkeep, on_time);
	loop_timer_set(control->loop, &control->upkeep, now + INTERVAL_MS);
}

void
upkeep_stop(struct control *control)
{
	loop_timer_stop(control->loop, &control->upkeep);
}
