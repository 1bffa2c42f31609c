/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * relay.c: the days after the login: bytes go both ways through two pipes,
 * the protocol's filter looks on, and a lazy timer looks at who was silent.
 */
#include "session/session.h"

#include "balance/endpoint.h"
#include "base/xalloc.h"
#include "session/login.h"
#include "session/mediate.h"

enum {
	SETTLE_MS = 30000,	/* sessions that last this long are worth keepalive probes */
	QUIET_MS = 1000,	/* where the filter cannot tell: so long nothing has passed */
	BUSY_MS = 1000		/* how soon to look again at one that is to leave and is busy */
};

static const struct relay_filter *
filter_of(const struct session *s)
{
	return s->proto->filter;
}

/* The shorter of the two timeouts; 0: there is none. */
static int
shortest_timeout(const struct relay *relay)
{
	int idle = relay->idle_timeout_ms, reply = relay->reply_timeout_ms;

	return idle > 0 && (reply == 0 || idle < reply) ? idle : reply;
}

/* When a timeout could have passed at the earliest, also if by then the other side is the one to speak. */
static void
look_again(struct session *s, int limit)
{
	int shortest = shortest_timeout(s->relay);
	int64_t look = loop_now(s->worker->loop) + shortest;

	if (limit > 0 && s->last_data + limit < look)
		look = s->last_data + limit;
	if (shortest > 0)
		session_wake_at(s, look);
}

bool
relay_is_quiet(const struct session *s)
{
	const struct relay_filter *filter = filter_of(s);

	if (s->proto->mediator != NULL)
		return mediate_is_quiet(s);
	if (filter != NULL && !filter->is_blind(s->relay->filter))
		return filter->is_quiet(s->relay->filter);
	return loop_now(s->worker->loop) >= s->last_data + QUIET_MS;
}

/* Its server's; NULL: it has none, or not yet. */
static const struct endpoint *
taken_endpoint(const struct session *s)
{
	return s->leg != NULL ? s->leg->endpoint : NULL;
}

bool
relay_is_outdated(const struct session *s)
{
	const struct endpoint *endpoint = taken_endpoint(s);

	return endpoint != NULL && s->relay->era != service_era(endpoint->service);
}

void
relay_leave_at(struct session *s, int64_t at_ms)
{
	s->relay->leave_at = at_ms;
	session_wake_at(s, at_ms);
}

/* True when it has gone, or is looked at again before long. */
static bool
leave(struct session *s)
{
	int64_t now = loop_now(s->worker->loop);

	if (s->relay->leave_at == 0)
		return false;
	if (now >= s->relay->leave_at && relay_is_quiet(s))
		session_finish(s);
	else
		session_wake_at(s, now < s->relay->leave_at ? s->relay->leave_at : now + BUSY_MS);
	return true;
}

/* Five system calls that short sessions do not pay for. */
static void
settle(struct session *s)
{
	if (s->relay->is_settled || s->leg == NULL || s->leg->way != NULL)
		return;
	s->relay->is_settled = true;
	stream_set_options(&s->leg->back->stream, &s->relay->tcp);
}

/* Who is kept waiting by what the other does not take, or by what it has not said yet? */
static bool
server_owes(const struct session *s)
{
	const struct relay_filter *filter = filter_of(s);

	/* where no time is set for replies, nobody's silence may last longer than a client's */
	if (s->relay->reply_timeout_ms == 0)
		return false;
	if (s->proto->mediator != NULL)
		return mediate_server_owes(s);
	if (filter == NULL || filter->is_blind(s->relay->filter))
		return s->relay->client_spoke_last;
	if (stream_kept(&s->front) > 0)
		return false;
	return stream_kept(&s->leg->back->stream) > 0 || filter->server_owes(s->relay->filter);
}

static int
reply_limit(const struct session *s)
{
	return s->proto->mediator != NULL ? mediate_reply_timeout(s) : s->relay->reply_timeout_ms;
}

void
relay_on_time(struct session *s)
{
	bool owes = server_owes(s);
	int limit = owes ? reply_limit(s) : s->relay->idle_timeout_ms;
	bool is_over = limit > 0 && loop_now(s->worker->loop) >= s->last_data + limit;

	settle(s);
	if (is_over && owes && s->proto->mediator != NULL)
		mediate_on_reply_timeout(s);
	else if (is_over)
		session_end(s, owes ? END_REPLY_TIMEOUT : END_IDLE_TIMEOUT);
	else if (!leave(s))
		look_again(s, limit);
}

bool
relay_may_speak(const struct session *s)
{
	if (s->proto->mediator != NULL)
		return mediate_may_speak(s);
	return filter_of(s) != NULL && filter_of(s)->at_boundary(s->relay->filter);
}

/* Behind COMPRESS no boundary is ever seen: a silence is the best that will come. */
bool
relay_may_leave(const struct session *s)
{
	if (filter_of(s) == NULL)
		return s->proto->mediator == NULL || mediate_is_quiet(s);
	return filter_of(s)->is_blind(s->relay->filter) ? relay_is_quiet(s) : relay_may_speak(s);
}

static void
note_who_spoke(struct session *s, bool client)
{
	s->last_data = loop_now(s->worker->loop);
	s->relay->client_spoke_last = client;
}

static void
pass_up(struct session *s, struct slice data)
{
	note_who_spoke(s, true);
	if (filter_of(s) != NULL)
		filter_of(s)->client(s->relay->filter, data);
	if (filter_of(s) != NULL && filter_of(s)->is_forbidden(s->relay->filter))
		session_end(s, END_FORBIDDEN);
	else
		pipe_data(&s->relay->up, data);
}

static void
pass_down(struct session *s, struct slice data)
{
	note_who_spoke(s, false);
	if (filter_of(s) != NULL && filter_of(s)->server != NULL)
		filter_of(s)->server(s->relay->filter, data);
	pipe_data(&s->relay->down, data);
	if (s->phase == FRONT_DRAIN && relay_may_speak(s))
		session_end(s, END_SHUTDOWN);
}

/* Has a mail server said all, or both sides, and was it heard?  Plain TCP may go on one way. */
static void
look_whether_done(struct session *s)
{
	const struct relay *relay = s->relay;

	if (!relay->down.is_closed || stream_kept(&s->front) > 0)
		return;
	if (relay->up.is_closed && (s->proto->has_login || stream_kept(&s->leg->back->stream) == 0))
		session_end(s, END_DONE);
	else if (s->proto->has_login)
		session_end(s, END_SERVER_CLOSED);
}

void
relay_front_event(struct session *s, enum stream_event event, struct slice data)
{
	if (s->proto->mediator != NULL) {
		mediate_front_event(s, event, data);
		return;
	}
	switch (event) {
	case STREAM_CONNECTED:
	case STREAM_TLS_READY:
		break;
	case STREAM_DATA:
		pass_up(s, data);
		break;
	case STREAM_MOVED:
		note_who_spoke(s, true);
		pipe_moved(&s->relay->up, data.len);
		break;
	case STREAM_DRAINED:
		s->last_data = loop_now(s->worker->loop);
		pipe_drained(&s->relay->down);
		look_whether_done(s);
		break;
	case STREAM_CLOSED:
		pipe_closed(&s->relay->up);
		look_whether_done(s);
		break;
	case STREAM_FAILED:
		session_end(s, END_CLIENT_LOST);
		break;
	}
}

static void
on_back(struct stream *stream, enum stream_event event, struct slice data, void *owner)
{
	struct session *s = owner;

	(void)stream;
	switch (event) {
	case STREAM_CONNECTED:
	case STREAM_TLS_READY:
		break;
	case STREAM_DATA:
		pass_down(s, data);
		break;
	case STREAM_MOVED:
		note_who_spoke(s, false);
		pipe_moved(&s->relay->down, data.len);
		break;
	case STREAM_DRAINED:
		s->last_data = loop_now(s->worker->loop);
		pipe_drained(&s->relay->up);
		look_whether_done(s);
		break;
	case STREAM_CLOSED:
		pipe_closed(&s->relay->down);
		look_whether_done(s);
		break;
	case STREAM_FAILED:
		session_end(s, END_SERVER_LOST);
		break;
	}
}

/* LEG_KICKED, the one event that comes to a settled leg. */
static void
on_leg(struct leg *leg, enum leg_event event)
{
	(void)event;
	session_end(leg->session, END_KICKED);
}

struct relay *
relay_new(const struct session *s, size_t state_size)
{
	struct relay *relay = xcalloc(1, sizeof(*relay) + state_size);

	relay->idle_timeout_ms = (int)s->settings->idle_timeout.ms;
	relay->reply_timeout_ms = (int)s->settings->reply_timeout.ms;
	if (s->leg != NULL)
		relay->era = s->leg->way->pool->era;
	relay->close_spread_ms = (int)s->settings->pool->options.close_spread.ms;
	relay->tcp = s->settings->tcp;
	return relay;
}

int
relay_close_spread(const struct session *s)
{
	const struct endpoint *endpoint = taken_endpoint(s);

	return endpoint != NULL ? service_close_spread(endpoint->service) : s->relay->close_spread_ms;
}

/* Who came to a server that was dropped, or is drained: the others were told while we dialled. */
void
relay_watch(struct session *s)
{
	int first = shortest_timeout(s->relay);

	session_wake_at(s, s->last_data + (first > 0 && first < SETTLE_MS ? first : SETTLE_MS));
	if (relay_is_outdated(s) || s->worker->is_draining)
		relay_leave_at(s, s->last_data + relay_close_spread(s));
}

/* Input behind the login: the client's pipelined commands, the server's first words. */
static void
prime(struct session *s, struct login *login)
{
	struct back *back = s->leg->back;

	if (buf_len(&back->in) > 0)
		pass_down(s, buf_slice(&back->in));
	buf_wipe(&back->in);
	if (buf_len(&login->in) > 0 && !s->has_ended)
		pass_up(s, buf_slice(&login->in));
	if (login->client_closed && !s->has_ended)
		pipe_closed(&s->relay->up);
}

static void
begin_passing(struct session *s)
{
	const struct relay_filter *filter = filter_of(s);
	struct login *login = s->login;

	s->relay = relay_new(s, filter != NULL ? filter->size : 0);
	if (filter != NULL)
		filter->init(s->relay->filter);
	s->login = NULL;
	s->last_data = loop_now(s->worker->loop);
	session_enter(s, FRONT_RELAY);
	s->leg->on_event = on_leg;
	stream_set_owner(&s->leg->back->stream, on_back, s);
	pipe_open(&s->relay->up, &s->front, &s->leg->back->stream);
	pipe_open(&s->relay->down, &s->leg->back->stream, &s->front);
	s->relay->up.may_move = filter == NULL;
	s->relay->down.may_move = filter == NULL || filter->server == NULL;
	snapshot_put(s->snapshot, s->worker->index);
	s->snapshot = NULL;
	s->settings = NULL;
	leg_settle(s->leg);
	relay_watch(s);
	prime(s, login);
	login_free(&login, s->worker->loop);
}

void
relay_begin(struct session *s)
{
	if (s->proto->mediator != NULL)
		mediate_begin(s);
	else
		begin_passing(s);
}

void
relay_free(struct session *s)
{
	if (s->relay == NULL)
		return;
	if (s->proto->mediator != NULL)
		mediate_clear(s);
	tally_add(&s->listener->counters[s->worker->index].bytes_up, s->relay->up.bytes);
	tally_add(&s->listener->counters[s->worker->index].bytes_down, s->relay->down.bytes);
	loop_defer(s->worker->loop, xfree, s->relay);
	s->relay = NULL;
}
