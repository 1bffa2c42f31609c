/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mediate.c: does what the protocol's mediator wants.  The client's input is
 * kept while it waits for the server's words or for another server; a server
 * that is lost between two transactions is replaced at the next.
 */
#include "session/mediate.h"

#include "auth/users.h"
#include "balance/endpoint.h"
#include "balance/pool.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "proto/mediator.h"
#include "proto/proto.h"
#include "session/login.h"
#include "session/placement.h"
#include "session/plan.h"
#include "session/route_rule.h"

enum {
	FINAL_REPLY_MS = 600 * 1000,	/* for a whole message (RFC 5321 section 4.5.3.2.6) */
	MS_PER_BYTE = 2			/* of payload: at fewer than 500 octets a second time runs out */
};

static bool
is_relaying(const struct session *s)
{
	return !s->has_ended && (s->phase == FRONT_RELAY || s->phase == FRONT_DRAIN);
}

static const struct mediator *
mediator_of(const struct session *s)
{
	return s->proto->mediator;
}

static void
write_own(struct stream *stream, struct buf *words)
{
	if (buf_len(words) > 0)
		stream_write(stream, buf_slice(words));
	buf_clear(words);
}

/* What goes out of one call; both sides' own words first. */
static void
deliver(struct session *s, struct mediation *m, struct pipe *pipe)
{
	write_own(&s->front, &m->to_client);
	if (s->back != NULL)
		write_own(&s->back->stream, &m->to_server);
	buf_clear(&m->to_server);
	if (m->pass.len > 0)
		pipe_data(pipe, m->pass);
	if (m->why != NULL)
		session_log(s, m->is_fault ? LOG_WARNING : LOG_INFO, "%s%s%.*s", m->why,
		    m->words.len > 0 ? ": " : "", SLICE_ARGS(m->words));
	if (m->has_message)
		session_message(s, &m->message, loop_now(s->worker->loop) - s->relay->message_since);
}

static void
drop_server(struct session *s)
{
	session_drop_back(s);
	placement_cancel(s);
	if (s->endpoint != NULL)
		endpoint_release(s->endpoint);
	s->endpoint = NULL;
}

/* Who does not read its replies is not asked for more commands. */
static bool
is_deaf(const struct session *s)
{
	return stream_kept(&s->front) > 0 && !mediator_of(s)->takes_payload(s->relay->filter);
}

/* Reads of the client stand still while its input waits, or what comes of it cannot be got rid of. */
static void
adjust(struct session *s)
{
	bool is_full;

	if (!is_relaying(s))
		return;
	is_full = s->back != NULL && stream_kept(&s->back->stream) > 0;
	if (s->relay->waits || is_full || is_deaf(s))
		stream_pause(&s->front);
	else
		stream_resume(&s->front);
}

/* The listener as the current configuration has it; NULL: it is no more. */
static const struct listener_settings *
find_settings(const struct session *s)
{
	list_each(node, &s->worker->gates) {
		const struct gate *gate = list_entry(node, struct gate, node);

		if (gate->held == NULL && gate->settings != NULL && gate->settings->listener == s->listener)
			return gate->settings;
	}
	return NULL;
}

static struct pool *
find_pool(const struct session *s, const struct listener_settings *settings, struct slice recipient)
{
	const struct route_subject subject = { .user = slice_of(s->identity.user), .recipient = recipient };

	return route_rule_find(&settings->route, &subject, settings->pool);
}

/* Would the configuration of now never send this recipient to the server at hand? */
static bool
is_elsewhere(const void *owner, struct slice recipient)
{
	const struct session *s = owner;
	const struct listener_settings *settings = find_settings(s);

	if (settings == NULL || s->endpoint == NULL)
		return s->endpoint == NULL;
	return pool_find(find_pool(s, settings, recipient), s->endpoint->server) != s->endpoint;
}

/* May the next mail go to the server at hand? */
static bool
is_good(const struct session *s, struct slice recipient)
{
	return s->back != NULL && !endpoint_is_down(s->endpoint) && endpoint_weight(s->endpoint) > 0 &&
	    !relay_is_outdated(s) && !is_elsewhere(s, recipient);
}

/* The way to a server is that of a login, under the configuration of now. */
static void
prepare_login(struct session *s, const struct listener_settings *settings, struct slice recipient)
{
	const struct auth_answer vouched = { .verdict = AUTH_OK };
	struct login *login = xcalloc(1, sizeof(*login));

	s->login = login;
	login->session = s;
	s->settings = settings;
	s->snapshot = s->worker->snapshot;
	snapshot_get(s->snapshot, s->worker->index);
	login->pool = find_pool(s, settings, recipient);
	if (s->identity.user == NULL)
		return;
	login->user = xstrdup(s->identity.user);
	login->key = users_key(s->snapshot->users, login->user);
	plan_take_credentials(s, &vouched);
}

/* Not without what only the client knows, nor while we drain, or where nobody listens any more. */
static bool
can_replace(const struct session *s, const struct listener_settings *settings, struct slice recipient)
{
	if (settings == NULL || s->phase == FRONT_DRAIN || !s->relay->can_replace)
		return false;
	return s->identity.user == NULL || find_pool(s, settings, recipient)->options.login != LOGIN_PASSWORD;
}

static void
tell_server_gone(struct session *s)
{
	struct mediation m = { 0 };

	mediator_of(s)->server_gone(s->relay->filter, &m);
	deliver(s, &m, &s->relay->down);
	drop_server(s);
}

/* Between two mails the client is told to come again; within one, that this recipient is to. */
static bool
give_up(struct session *s)
{
	if (!mediator_of(s)->at_boundary(s->relay->filter))
		tell_server_gone(s);
	else
		session_end(s, s->relay->can_replace ? END_SHUTDOWN : END_NO_SERVER);
	return is_relaying(s);
}

/* True: there is one now, or it is clear that there is none, and the session goes on. */
static bool
start_server(struct session *s, struct slice recipient)
{
	const struct listener_settings *settings;

	if (is_good(s, recipient)) {
		mediator_of(s)->server_came(s->relay->filter, NULL);
		return true;
	}
	settings = find_settings(s);
	if (!can_replace(s, settings, recipient))
		return give_up(s);
	drop_server(s);
	loop_timer_stop(s->worker->loop, &s->timer);
	prepare_login(s, settings, recipient);
	placement_start(s);
	return is_relaying(s);
}

/* May the same input go on? */
static bool
fulfil(struct session *s, const struct mediation *m)
{
	switch (m->wish) {
	case WISH_GO_ON:
		return is_relaying(s);
	case WISH_MORE:
		return false;
	case WISH_WAIT:
		s->relay->waits = true;
		return false;
	case WISH_SERVER:
		return start_server(s, m->recipient);
	case WISH_NO_SERVER:
		if (!s->relay->can_replace && mediator_of(s)->at_boundary(s->relay->filter))
			session_end(s, END_SERVER_LOST);
		else
			drop_server(s);
		return is_relaying(s);
	case WISH_DONE:
		session_end(s, END_DONE);
		return false;
	case WISH_FATAL:
		session_end(s, END_PROTOCOL);
		return false;
	}
	return false;
}

/* Payload earns time by its octets, so that dripping is no way to stay. */
static void
note_input(struct session *s, size_t used, bool was_payload)
{
	int64_t now = loop_now(s->worker->loop), earned = s->last_data + (int64_t)used * MS_PER_BYTE;

	if (!was_payload || earned > now || !mediator_of(s)->takes_payload(s->relay->filter))
		earned = now;
	if (used > 0)
		s->last_data = earned;
}

/* Returns what was used of the client's input. */
static size_t
feed_client(struct session *s, struct slice in)
{
	const struct mediator *mediator = mediator_of(s);
	size_t used = 0;
	bool goes_on = true;

	s->relay->waits = false;
	s->relay->is_feeding = true;
	while (goes_on && used < in.len && !is_deaf(s)) {
		void *state = s->relay->filter;
		bool was_boundary = mediator->at_boundary(state);
		bool was_payload = mediator->takes_payload(state);
		struct mediation m = { 0 };

		mediator->client(state, slice_from(in, used), &m);
		used += m.used;
		note_input(s, m.used, was_payload);
		if (was_boundary && !mediator->at_boundary(state))
			s->relay->message_since = loop_now(s->worker->loop);
		deliver(s, &m, &s->relay->up);
		goes_on = fulfil(s, &m);
	}
	if (s->relay != NULL)
		s->relay->is_feeding = false;
	return used;
}

static size_t
feed_server(struct session *s, struct slice in)
{
	size_t used = 0;
	bool goes_on = true;

	while (goes_on && used < in.len) {
		struct mediation m = { 0 };

		mediator_of(s)->server(s->relay->filter, slice_from(in, used), &m);
		used += m.used;
		/* a reply that trickles in is none */
		if (m.used > 0)
			s->last_data = loop_now(s->worker->loop);
		deliver(s, &m, &s->relay->down);
		goes_on = fulfil(s, &m) && s->back != NULL;
	}
	return used;
}

/* The client has said its last, and all of it was done. */
static void
look_whether_done(struct session *s)
{
	if (!is_relaying(s))
		return;
	if (s->phase == FRONT_DRAIN && mediate_is_quiet(s))
		session_end(s, END_SHUTDOWN);
	else if (s->relay->up.is_closed && !mediator_of(s)->server_owes(s->relay->filter) && !is_deaf(s))
		session_end(s, mediator_of(s)->at_boundary(s->relay->filter) ? END_DONE : END_CLIENT_LOST);
}

/* The client's input that was kept, now that it may go on. */
static void
feed_held(struct session *s)
{
	struct buf in;

	if (!is_relaying(s) || s->relay->is_feeding)
		return;
	if (s->phase == FRONT_DRAIN && mediator_of(s)->at_boundary(s->relay->filter)) {
		session_end(s, END_SHUTDOWN);
		return;
	}
	in = s->relay->held;	/* more may be kept meanwhile, behind what is left of this */
	s->relay->held = (struct buf){ 0 };
	buf_consume(&in, feed_client(s, buf_slice(&in)));
	if (s->relay != NULL && buf_len(&in) > 0) {
		buf_append_slice(&in, buf_slice(&s->relay->held));
		buf_clear(&s->relay->held);
		s->relay->held = in;
	} else {
		buf_clear(&in);
	}
	if (s->relay == NULL)
		return;
	look_whether_done(s);
	adjust(s);
}

static void
on_client_data(struct session *s, struct slice data)
{
	size_t used = 0;

	if (buf_len(&s->relay->held) == 0 && !s->relay->waits)
		used = feed_client(s, data);
	if (s->relay == NULL)
		return;
	if (used < data.len) {
		bool was_empty = buf_len(&s->relay->held) == 0;

		buf_append_slice(&s->relay->held, slice_from(data, used));
		if (!was_empty && !s->relay->waits)
			feed_held(s);
	}
	if (s->relay == NULL)
		return;
	look_whether_done(s);
	adjust(s);
}

static void
on_client_closed(struct session *s)
{
	s->relay->up.is_closed = true;
	look_whether_done(s);
}

void
mediate_front_event(struct session *s, enum stream_event event, struct slice data)
{
	switch (event) {
	case STREAM_CONNECTED:
	case STREAM_TLS_READY:
	case STREAM_MOVED:
		break;
	case STREAM_DATA:
		on_client_data(s, data);
		break;
	case STREAM_DRAINED:
		if (s->back != NULL)
			stream_resume(&s->back->stream);
		feed_held(s);
		break;
	case STREAM_CLOSED:
		on_client_closed(s);
		break;
	case STREAM_FAILED:
		session_end(s, END_CLIENT_LOST);
		break;
	}
}

/* What it owed is answered with a temporary failure; nothing is sent twice. */
static void
lose_server(struct session *s, const char *reason)
{
	bool is_boundary = mediator_of(s)->at_boundary(s->relay->filter);

	if (!s->relay->can_replace && is_boundary) {
		session_end(s, END_SERVER_LOST);
		return;
	}
	session_log(s, is_boundary ? LOG_DEBUG : LOG_WARNING, "server lost: %s while relaying", reason);
	tell_server_gone(s);
	feed_held(s);
}

static void
on_server_data(struct session *s, struct slice data)
{
	struct back *back = s->back;
	size_t used;

	if (buf_len(&back->in) == 0) {
		used = feed_server(s, data);
		if (s->back == back)
			buf_append_slice(&back->in, slice_from(data, used));
	} else {
		buf_append_slice(&back->in, data);
		used = feed_server(s, buf_slice(&back->in));
		if (s->back == back)
			buf_consume(&back->in, used);
	}
	feed_held(s);
}

static void
on_back(struct stream *stream, enum stream_event event, struct slice data, void *owner)
{
	struct session *s = owner;
	char reason[STREAM_REASON_MAX];

	switch (event) {
	case STREAM_CONNECTED:
	case STREAM_TLS_READY:
	case STREAM_MOVED:
		break;
	case STREAM_DATA:
		on_server_data(s, data);
		break;
	case STREAM_DRAINED:
		s->last_data = loop_now(s->worker->loop);
		adjust(s);
		break;
	case STREAM_CLOSED:
	case STREAM_FAILED:
		lose_server(s, stream_reason(stream, reason));
		break;
	}
}

static void
open_relay(struct session *s)
{
	const struct login *login = s->login;
	const struct mediator_order order = {
		.hostname = s->settings->hostname,
		.offer = login->dialogue.offer,
		.identity = &s->identity,
		.chooses_anew = !s->proto->has_login,
		.asks_recipients = route_rules_ask_recipients(&s->settings->route),
		.is_elsewhere = is_elsewhere,
		.owner = s,
		.bare_newline = (enum bare_newline)listener_bare_newline(s->settings, &s->identity.client),
		.errors = login->errors,
		.errors_max = (int)s->settings->max_errors,
	};

	s->relay = relay_new(s, mediator_of(s)->size);
	s->relay->can_replace = !s->proto->has_login || login->is_repeatable;
	mediator_of(s)->init(s->relay->filter, &order);
}

/* The bytes that were passed are counted over all servers. */
static void
attach(struct session *s)
{
	struct relay *relay = s->relay;
	uint64_t up = relay->up.bytes, down = relay->down.bytes;
	bool is_closed = relay->up.is_closed;
	struct slice capabilities = buf_slice(&s->back->dial->capabilities);

	stream_set_owner(&s->back->stream, on_back, s);
	pipe_open(&relay->up, &s->front, &s->back->stream);
	pipe_open(&relay->down, &s->back->stream, &s->front);
	relay->up.bytes = up;
	relay->down.bytes = down;
	relay->up.is_closed = is_closed;
	relay->is_settled = false;
	relay->era = s->login->pool->era;
	mediator_of(s)->server_came(relay->filter, &capabilities);
	back_forget_dial(s->back);
}

/* The login has done its part; what the client said meanwhile comes behind what waits. */
static void
leave_login(struct session *s)
{
	struct login *login = s->login;

	s->login = NULL;
	session_enter(s, FRONT_RELAY);
	buf_append_slice(&s->relay->held, buf_slice(&login->in));
	s->relay->up.is_closed = s->relay->up.is_closed || login->client_closed;
	route_cancel(&login->route);
	login_free(&login, s->worker->loop);
	snapshot_put(s->snapshot, s->worker->index);
	s->snapshot = NULL;
	s->settings = NULL;
	s->last_data = loop_now(s->worker->loop);
	relay_watch(s);
}

void
mediate_begin(struct session *s)
{
	if (s->relay == NULL)
		open_relay(s);
	if (s->back != NULL)
		attach(s);
	leave_login(s);
	if (s->back != NULL && buf_len(&s->back->in) > 0)
		on_server_data(s, slice_of(NULL));
	else
		feed_held(s);
}

void
mediate_refused(struct session *s, struct slice words)
{
	mediator_of(s)->refused(s->relay->filter, words);
	mediate_no_server(s);
}

void
mediate_no_server(struct session *s)
{
	session_drop_back(s);
	placement_cancel(s);
	leave_login(s);
	tell_server_gone(s);
	feed_held(s);
}

void
mediate_on_reply_timeout(struct session *s)
{
	s->last_data = loop_now(s->worker->loop);	/* the client had no part in that */
	lose_server(s, "no reply in time");
	if (is_relaying(s))
		relay_watch(s);
}

void
mediate_end(struct session *s)
{
	struct mediation m = { 0 };

	mediator_of(s)->end(s->relay->filter, &m);
	deliver(s, &m, &s->relay->down);
}

void
mediate_clear(struct session *s)
{
	mediator_of(s)->clear(s->relay->filter);
	buf_clear(&s->relay->held);
}

bool
mediate_may_speak(const struct session *s)
{
	return mediator_of(s)->may_speak(s->relay->filter);
}

bool
mediate_is_quiet(const struct session *s)
{
	return mediator_of(s)->at_boundary(s->relay->filter) && buf_len(&s->relay->held) == 0;
}

bool
mediate_server_owes(const struct session *s)
{
	if (stream_kept(&s->front) > 0)
		return false;
	return (s->back != NULL && stream_kept(&s->back->stream) > 0) ||
	    mediator_of(s)->server_owes(s->relay->filter);
}

int
mediate_reply_timeout(const struct session *s)
{
	int timeout = s->relay->reply_timeout_ms;

	if (timeout > 0 && timeout < FINAL_REPLY_MS && mediator_of(s)->awaits_final(s->relay->filter))
		return FINAL_REPLY_MS;
	return timeout;
}
