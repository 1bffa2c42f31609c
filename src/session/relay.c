/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * relay.c: the days after the login: a lazy clock that looks at who was
 * silent, and the moments at which a session that is told to go may leave.
 */
#include "session/relay.h"

#include "balance/endpoint.h"
#include "base/xalloc.h"
#include "proto/proto.h"
#include "session/admission.h"
#include "session/departure.h"
#include "session/listener_kept.h"
#include "session/login.h"
#include "session/tarpit.h"

enum {
	SETTLE_MS = 30000,	/* sessions that last this long are worth keepalive probes */
	BUSY_MS = 250		/* how soon to look again at one that is to leave and is busy */
};

static const struct relay_kind *
kind_of(const struct session *s)
{
	if (s->proto->fanout != NULL)
		return &relay_fanout;
	return s->proto->mediator != NULL ? &relay_mediate : &relay_pass;
}

void
relay_begin(struct session *s)
{
	kind_of(s)->begin(s);
}

size_t
relay_front_event(struct session *s, enum stream_event event, struct slice data)
{
	return kind_of(s)->on_front(s, event, data);
}

unsigned
relay_look(const struct session *s)
{
	return kind_of(s)->look(s);
}

struct relay *
relay_new(const struct session *s, size_t state_size)
{
	struct relay *relay = xcalloc(1, sizeof(*relay) + state_size);

	relay->idle_timeout_ms = (int)s->settings->idle_timeout.ms;
	relay->reply_timeout_ms = (int)s->settings->reply_timeout.ms;
	relay->min_data_rate = tarpit_min_data_rate(s);
	if (s->leg != NULL)
		relay->era = s->leg->way->pool->era;
	relay->close_spread_ms = (int)s->settings->pool->options.close_spread.ms;
	relay->tcp = s->settings->tcp;
	return relay;
}

/* A server has the session, or the mediator: no snapshot is needed any more. */
void
relay_start(struct session *s)
{
	session_enter(s, FRONT_RELAY);
	stream_set_secret(&s->front, false);
	login_free(&s->login, s->worker->loop);
	snapshot_put(s->snapshot, s->worker->index);
	s->snapshot = NULL;
	s->settings = NULL;
	s->limits = NULL;
}

const struct listener_settings *
relay_settings(const struct session *s)
{
	list_each(node, &s->worker->gates) {
		const struct gate *gate = list_entry(node, struct gate, node);

		if (gate->held == NULL && gate->settings != NULL && gate->settings->listener == s->listener &&
		    gate->settings->proto == s->proto)
			return gate->settings;
	}
	return NULL;
}

bool
relay_takes(const struct session *s, enum mediator_count what)
{
	bool is_taken = what == MEDIATOR_MAIL ? admission_takes_mail(s) : admission_takes_recipient(s);

	if (!is_taken)
		tally_add(&s->listener->counters[s->worker->index].paced, 1);
	return is_taken;
}

void
relay_note_input(struct session *s, size_t used, bool is_payload)
{
	int64_t now = loop_now(s->worker->loop), rate = s->relay->min_data_rate, earned = now;

	if (used > 0 && is_payload && rate > 0)
		earned = s->last_data + ((int64_t)used * 1000 + rate - 1) / rate;
	if (used > 0)
		s->last_data = earned < now ? earned : now;
}

/* The shorter of the two timeouts; 0: there is none. */
static int
shortest_timeout(const struct relay *relay)
{
	int idle = relay->idle_timeout_ms, reply = relay->reply_timeout_ms;

	return idle > 0 && (reply == 0 || idle < reply) ? idle : reply;
}

/*
 * Looks again by `at_ms` (0: no such time), or earlier, when one that is to leave may; no later than it takes
 * a timeout to pass if from now on the other side is the one to speak.
 */
static void
look_by(struct session *s, int64_t at_ms)
{
	int64_t now = loop_now(s->worker->loop), leave_at = s->relay->leave_at;
	int shortest = shortest_timeout(s->relay);

	if (shortest > 0 && (at_ms == 0 || now + shortest < at_ms))
		at_ms = now + shortest;
	if (leave_at > 0 && leave_at <= now)
		leave_at = now + BUSY_MS;
	if (leave_at > 0 && (at_ms == 0 || leave_at < at_ms))
		at_ms = leave_at;
	if (at_ms != 0)
		session_wake_at(s, at_ms);
}

struct endpoint *
relay_endpoint(const struct session *s)
{
	return s->leg != NULL && s->proto->fanout == NULL ? s->leg->endpoint : NULL;
}

void
relay_count_up(const struct session *s, size_t n)
{
	struct endpoint *endpoint = relay_endpoint(s);

	tally_add(&session_counters(s)->bytes_up, n);
	if (endpoint != NULL)
		tally_add(&endpoint->counters[s->worker->index].bytes_up, n);
}

void
relay_count_down(const struct session *s, size_t n)
{
	struct endpoint *endpoint = relay_endpoint(s);

	tally_add(&session_counters(s)->bytes_down, n);
	if (endpoint != NULL)
		tally_add(&endpoint->counters[s->worker->index].bytes_down, n);
}

bool
relay_is_outdated(const struct session *s)
{
	const struct endpoint *endpoint = relay_endpoint(s);

	/* maintenance may have come while the server was chosen, and its era with it */
	return endpoint != NULL && (s->relay->era != service_era(endpoint->service) ||
	    s->leg->era != endpoint_era(endpoint) || endpoint_is_in_maintenance(endpoint));
}

int
relay_close_spread(const struct session *s)
{
	const struct endpoint *endpoint = relay_endpoint(s);

	return endpoint != NULL ? service_close_spread(endpoint->service) : s->relay->close_spread_ms;
}

void
relay_watch(struct session *s)
{
	/* who came to a server that was dropped, or is drained: the others were told while we dialled */
	if (s->relay->leave_at == 0 && (relay_is_outdated(s) || s->worker->is_draining))
		s->relay->leave_at = s->last_data + relay_close_spread(s);
	if (s->relay->leave_at == 0)
		departure_come(s);
	look_by(s, s->last_data + SETTLE_MS);
}

void
relay_leave_at(struct session *s, int64_t at_ms)
{
	int shortest = shortest_timeout(s->relay);

	s->relay->leave_at = at_ms;
	/* while a server is dialled no time runs for the client: relay_watch comes behind it */
	if (s->leg != NULL && s->leg->way != NULL && s->proto->fanout == NULL)
		return;
	look_by(s, shortest > 0 ? s->last_data + shortest : 0);
}

/* System calls that short sessions do not pay for. */
static void
settle(struct session *s)
{
	if (s->relay->is_settled || relay_endpoint(s) == NULL)
		return;
	s->relay->is_settled = true;
	stream_set_patience(&s->leg->back->stream, &s->relay->tcp);
}

/* No quiet moment came, and none will. */
static bool
is_to_be_cut_off(const struct session *s, int64_t now)
{
	const struct endpoint *endpoint = relay_endpoint(s);
	int64_t leave_at = s->relay->leave_at;

	return leave_at != 0 && now >= leave_at + RELAY_DRAIN_MS && endpoint != NULL &&
	    relay_is_outdated(s) && endpoint_is_down(endpoint) && !endpoint_is_in_maintenance(endpoint);
}

void
relay_on_time(struct session *s)
{
	const struct relay *relay = s->relay;
	int64_t now = loop_now(s->worker->loop);
	unsigned seen = relay_look(s);
	/* where no time is set for replies, nobody's silence may last longer than a client's */
	bool is_owed = relay->reply_timeout_ms > 0 && (seen & RELAY_OWED) != 0;
	int limit = is_owed ? kind_of(s)->reply_timeout(s) : relay->idle_timeout_ms;

	settle(s);
	if (limit > 0 && now >= s->last_data + limit) {
		if (is_owed)
			kind_of(s)->on_reply_timeout(s);
		else
			session_end(s, END_IDLE_TIMEOUT);
	} else if (relay->leave_at != 0 && now >= relay->leave_at &&
	    (relay->is_kicked || (seen & RELAY_QUIET) != 0)) {
		relay_finish(s);
	} else if (is_to_be_cut_off(s, now)) {
		session_end(s, END_SERVER_DOWN);
	} else {
		look_by(s, limit > 0 ? s->last_data + limit : 0);
	}
}

enum end_reason
relay_leave_reason(const struct session *s)
{
	bool is_stopping = s->worker->is_draining || s->worker->is_stopping;

	bool is_sent = relay_is_outdated(s) || s->relay->departs != DEPARTS_NOT;

	if (s->relay->is_kicked)
		return END_OPERATOR;
	return !is_stopping && is_sent ? END_SENT_AWAY : END_SHUTDOWN;
}

void
relay_finish(struct session *s)
{
	if (s->relay->departs != DEPARTS_NOT && relay_endpoint(s) != NULL)
		endpoint_note_left(relay_endpoint(s));
	if ((relay_look(s) & RELAY_LEAVE) != 0) {
		session_end(s, relay_leave_reason(s));
		return;
	}
	session_enter(s, FRONT_DRAIN);
	s->relay->leave_at = loop_now(s->worker->loop) + RELAY_DRAIN_MS;
	session_wake_at(s, loop_now(s->worker->loop) + BUSY_MS);
}

void
relay_kick(struct session *s, int64_t at_ms)
{
	struct relay *relay = s->relay;

	relay->is_kicked = true;
	if (s->phase == FRONT_DRAIN)
		return;
	if (at_ms <= loop_now(s->worker->loop))
		relay_finish(s);
	else if (relay->leave_at == 0 || at_ms < relay->leave_at)
		relay_leave_at(s, at_ms);
}

/* What passes shows a boundary, but to a filter that is blind: there, a silence will do. */
void
relay_drain_late(struct session *s)
{
	int64_t now = loop_now(s->worker->loop), next = now + BUSY_MS;

	if (now >= s->relay->leave_at || (relay_look(s) & RELAY_LEAVE) != 0)
		session_end(s, relay_leave_reason(s));
	else
		session_wake_at(s, next < s->relay->leave_at ? next : s->relay->leave_at);
}

void
relay_end(struct session *s)
{
	if (s->relay != NULL && kind_of(s)->end != NULL)
		kind_of(s)->end(s);
}

void
relay_free(struct session *s)
{
	if (s->relay == NULL)
		return;
	if (kind_of(s)->clear != NULL)
		kind_of(s)->clear(s);
	offer_put(&s->relay->offer);
	loop_defer(s->worker->loop, xfree, s->relay);
	s->relay = NULL;
}
