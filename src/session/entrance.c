/* SPDX-License-Identifier: BSD-2-Clause */
/* entrance.c: the order of the checks. */
#include "session/entrance.h"

#include "access/country_tally.h"
#include "access/geo.h"
#include "access/limits.h"
#include "base/log.h"
#include "session/admission.h"
#include "session/doorman.h"
#include "session/guard.h"
#include "session/listener_kept.h"
#include "session/screening.h"
#include "session/trace.h"

/* A peer that tells of its clients is none. */
static void
locate(struct session *s)
{
	s->identity.place = geo_look_up(s->snapshot->geo, &s->identity.client);
	if (s->identity.place.has_countries && !guard_speaks_for_itself(s))
		country_tally_add(s->snapshot->countries, s->identity.place.country, COUNTRY_SESSIONS);
}

/* An address that holds much of a listener is an office at best, or a balancer that hides its clients. */
static void
look_at_share(struct session *s)
{
	struct listener *listener = s->listener;
	const struct limits *limits = s->settings->limits;
	int has, all = atomic_load_explicit(&listener->connections, memory_order_relaxed);
	char client[ADDR_TEXT_MAX];

	if (s->via != NULL || s->identity.client.sa.sa_family == AF_UNIX || guard_speaks_for_itself(s) ||
	    (limits != NULL && limits_exempt(limits, &s->identity.client)))
		return;
	has = holders_enter(&listener->holders, &s->holder, &s->identity.client, listener->tag);
	if (!holders_notice(&listener->holders, &s->holder, has, all))
		return;
	session_log(s, LOG_WARNING,
	    "%s holds about %d of %d connections of listener %s: a load balancer there belongs in its "
	    "`accept_proxy` or `trusted`, an office of many users in `exempt` of its limits",
	    addr_host(&s->identity.client, client), has, all, listener->name);
}

static enum entrance_verdict
check_ban(struct session *s)
{
	if (!guard_bans(s))
		return ENTRANCE_PASS;
	guard_turn_away(s);
	return ENTRANCE_GONE;
}

static const struct entrance_check {
	enum entrance_verdict (*begin)(struct session *s);
	/* Of a client that a trusted peer tells of: only the last may WAIT. */
	enum entrance_verdict (*retold)(struct session *s);
} checks[] = {
	{ check_ban, check_ban },
	{ doorman_begin, doorman_begin },
	{ admission_begin, admission_retold },
	{ screening_begin, screening_retold },
};
enum { CHECK_COUNT = sizeof(checks) / sizeof(checks[0]) };

void
entrance_go_on(struct session *s)
{
	while (s->entrance_step < CHECK_COUNT) {
		enum entrance_verdict verdict = checks[s->entrance_step++].begin(s);

		if (verdict != ENTRANCE_PASS)
			return;
	}
	session_begin(s);
}

void
entrance_begin(struct session *s)
{
	/* as one who is turned away before TLS is up hears nothing, so does one on TLS */
	session_enter(s, s->is_tls ? FRONT_TLS : FRONT_NEW);
	s->entrance_step = 0;
	locate(s);
	look_at_share(s);
	trace_look_at(s);
	entrance_go_on(s);
}

void
entrance_retold(struct session *s)
{
	locate(s);
	for (size_t i = 0; i < CHECK_COUNT; i++)
		if (checks[i].retold(s) == ENTRANCE_GONE)
			return;
}
