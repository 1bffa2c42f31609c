/* SPDX-License-Identifier: BSD-2-Clause */
/* tarpit.c: one timer a session, once it has to wait. */
#include "session/tarpit.h"

#include "access/limits.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "proto/proto.h"
#include "session/guard.h"
#include "session/listener_kept.h"

enum { DATA_RATE = 500 };		/* without limits */

struct tarpit {
	struct session *session;
	struct loop_timer timer;
	void (*on_time)(struct session *s);
};

static bool
takes_mail(const struct session *s)
{
	return s->proto->mediator != NULL || s->proto->fanout != NULL;
}

/* NULL: there are none for this client. */
static const struct limits_manners *
manners_of(const struct session *s)
{
	return takes_mail(s) && s->limits != NULL && !guard_spares(s) ? &s->limits->manners : NULL;
}

void
tarpit_set(const struct session *s, struct manners *manners, bool is_relayed)
{
	const struct limits_manners *limits = manners_of(s);
	int level = front_is_spared(s) ? STRESS_NONE : listener_stress(s->listener);
	struct manners borne = {
		.errors = manners->errors,
		.idles = manners->idles,
		.hard_errors = (int)s->settings->max_errors,
	};

	if (limits != NULL) {
		borne.soft_errors = limits->error_delay.ms > 0 ? (int)limits->soft_errors : 0;
		borne.idles_max = (int)limits->junk_commands;
		borne.delay_ms = (int)limits->error_delay.ms;
		borne.counts_servers = true;
		if (is_relayed || limits->hard_errors > 0)
			borne.hard_errors = (int)limits->hard_errors;
	}
	borne.hard_errors = (int)stress_max_errors(level, borne.hard_errors);
	if (takes_mail(s))
		borne.idles_max = (int)stress_max_idles(level, borne.idles_max);
	*manners = borne;
}

int
tarpit_min_data_rate(const struct session *s)
{
	return s->limits != NULL ? (int)s->limits->manners.min_data_rate : DATA_RATE;
}

static void
on_timer(struct loop_timer *timer)
{
	struct tarpit *tarpit = loop_owner(timer, struct tarpit, timer);

	tarpit->on_time(tarpit->session);
}

void
tarpit_wait(struct session *s, int ms, void (*on_time)(struct session *s))
{
	if (s->tarpit == NULL) {
		s->tarpit = xcalloc(1, sizeof(*s->tarpit));
		s->tarpit->session = s;
		loop_timer_init(&s->tarpit->timer, on_timer);
		session_log(s, LOG_DEBUG, "too many errors: replies are late from now on");
	}
	s->tarpit->on_time = on_time;
	tally_add(&session_counters(s)->delayed_replies, 1);
	loop_timer_set(s->worker->loop, &s->tarpit->timer, loop_now(s->worker->loop) + ms);
}

bool
tarpit_holds(const struct session *s)
{
	return s->tarpit != NULL && loop_timer_is_set(&s->tarpit->timer);
}

void
tarpit_free(struct session *s)
{
	if (s->tarpit == NULL)
		return;
	loop_timer_stop(s->worker->loop, &s->tarpit->timer);
	loop_defer(s->worker->loop, xfree, s->tarpit);
	s->tarpit = NULL;
}
