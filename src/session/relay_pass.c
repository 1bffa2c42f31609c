/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * relay_pass.c: bytes that go both ways as they are, through two pipes; the
 * protocol's filter, where there is one, looks on.
 */
#include "session/relay.h"

#include "proto/proto.h"
#include "proto/relay_filter.h"
#include "session/login.h"

enum { QUIET_MS = 500 };	/* where the filter cannot tell: so long nothing has passed */

static const struct relay_filter *
filter_of(const struct session *s)
{
	return s->proto->filter;
}

/* Where nobody sees a boundary, a silence is the best that will come; where nobody ever looks, any moment. */
static unsigned
look_blindly(const struct session *s)
{
	unsigned seen = s->relay->client_spoke_last ? RELAY_OWED : 0;

	if (loop_now(s->worker->loop) >= s->last_data + QUIET_MS)
		seen |= RELAY_QUIET | RELAY_LEAVE;
	return seen | (filter_of(s) == NULL ? RELAY_LEAVE : RELAY_BLIND);
}

static unsigned
look(const struct session *s)
{
	unsigned filter = filter_of(s) != NULL ? filter_of(s)->look(s->relay->filter) : FILTER_BLIND;
	unsigned seen = 0;

	if ((filter & FILTER_BLIND) != 0)
		return look_blindly(s);
	if ((filter & FILTER_BOUNDARY) != 0)
		seen |= RELAY_SPEAK | RELAY_LEAVE;
	if ((filter & FILTER_QUIET) != 0)
		seen |= RELAY_QUIET;
	/* who does not take what it was sent is not kept waiting */
	if (stream_kept(&s->front) == 0 &&
	    ((filter & FILTER_OWED) != 0 || stream_kept(&s->leg->back->stream) > 0))
		seen |= RELAY_OWED;
	return seen;
}

static int
reply_timeout(const struct session *s)
{
	return s->relay->reply_timeout_ms;
}

static void
on_reply_timeout(struct session *s)
{
	session_end(s, END_REPLY_TIMEOUT);
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
	if (filter_of(s) != NULL && !filter_of(s)->client(s->relay->filter, data)) {
		session_end(s, END_FORBIDDEN);
		return;
	}
	relay_count_up(s, data.len);
	pipe_data(&s->relay->up, data);
}

static void
pass_down(struct session *s, struct slice data)
{
	const struct relay_filter *filter = filter_of(s);

	note_who_spoke(s, false);
	if (filter != NULL && filter->server != NULL)
		filter->server(s->relay->filter, data);
	relay_count_down(s, data.len);
	pipe_data(&s->relay->down, data);
	if (s->phase == FRONT_DRAIN && (look(s) & RELAY_SPEAK) != 0)
		session_end(s, relay_leave_reason(s));
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

/* Where all is over, the close itself is the FIN. */
static void
end_one_way(struct session *s, struct pipe *pipe)
{
	pipe_closed(pipe);
	look_whether_done(s);
	if (!s->has_ended)
		pipe_shut(pipe);
}

static size_t
on_front(struct session *s, enum stream_event event, struct slice data)
{
	switch (event) {
	case STREAM_CONNECTED:
	case STREAM_TLS_READY:
		break;
	case STREAM_DATA:
		pass_up(s, data);
		break;
	case STREAM_MOVED:
		note_who_spoke(s, true);
		relay_count_up(s, data.len);
		pipe_moved(&s->relay->up, data.len);
		break;
	case STREAM_DRAINED:
		s->last_data = loop_now(s->worker->loop);
		pipe_drained(&s->relay->down);
		look_whether_done(s);
		break;
	case STREAM_CLOSED:
		end_one_way(s, &s->relay->up);
		break;
	case STREAM_FAILED:
		session_end(s, END_CLIENT_LOST);
		break;
	}
	return data.len;
}

static size_t
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
		relay_count_down(s, data.len);
		pipe_moved(&s->relay->down, data.len);
		break;
	case STREAM_DRAINED:
		s->last_data = loop_now(s->worker->loop);
		pipe_drained(&s->relay->up);
		look_whether_done(s);
		break;
	case STREAM_CLOSED:
		end_one_way(s, &s->relay->down);
		break;
	case STREAM_FAILED:
		session_end(s, END_SERVER_LOST);
		break;
	}
	return data.len;
}

/* LEG_KICKED, the one event that comes to a settled leg. */
static void
on_leg(struct leg *leg, enum leg_event event)
{
	(void)event;
	session_end(leg->session, END_KICKED);
}

/* Both sides' input behind the login is told to us from now on. */
static void
join(struct session *s)
{
	const struct relay_filter *filter = filter_of(s);
	struct stream *server = &s->leg->back->stream;

	s->leg->on_event = on_leg;
	stream_set_owner(server, on_back, s);
	pipe_open(&s->relay->up, &s->front, server);
	pipe_open(&s->relay->down, server, &s->front);
	stream_let_move(&s->front, filter == NULL);
	stream_let_move(server, filter == NULL || filter->server == NULL);
}

static void
begin(struct session *s)
{
	const struct relay_filter *filter = filter_of(s);

	s->relay = relay_new(s, filter != NULL ? filter->size : 0);
	if (filter != NULL)
		filter->init(s->relay->filter);
	relay_start(s);
	join(s);
	leg_settle(s->leg);
	s->last_data = loop_now(s->worker->loop);
	relay_watch(s);
}

const struct relay_kind relay_pass = {
	.begin = begin,
	.on_front = on_front,
	.look = look,
	.reply_timeout = reply_timeout,
	.on_reply_timeout = on_reply_timeout,
};
