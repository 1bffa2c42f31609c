/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * relay_mediate.c: does what the protocol's mediator wants.  The client's
 * stream keeps its input while it waits for the server's words or for another
 * server; a server that is lost between two transactions is replaced at the
 * next.
 */
#include "session/doorman.h"
#include "session/relay.h"

#include <assert.h>

#include "auth/users.h"
#include "balance/endpoint.h"
#include "balance/pool.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "proto/mediator.h"
#include "proto/proto.h"
#include "session/login.h"
#include "session/plan.h"
#include "session/recipient.h"
#include "session/route_rule.h"
#include "session/screening.h"
#include "session/tarpit.h"

enum { FINAL_REPLY_MS = 600 * 1000 };	/* for a whole message (RFC 5321 section 4.5.3.2.6) */

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

/* A server is dialled, or asked for. */
static bool
is_dialling(const struct session *s)
{
	return (s->leg != NULL && s->leg->way != NULL) || s->relay->recipient != NULL;
}

/* NULL: there is none, or it does not know of the session yet. */
static struct back *
server_of(const struct session *s)
{
	return s->leg != NULL && s->leg->way == NULL ? s->leg->back : NULL;
}

static void
write_own(struct stream *stream, struct buf *words)
{
	if (buf_len(words) > 0)
		stream_write(stream, buf_slice(words));
	buf_clear(words);
}

static void
pass(struct session *s, struct pipe *pipe, struct slice data)
{
	if (pipe == &s->relay->up)
		relay_count_up(s, data.len);
	else
		relay_count_down(s, data.len);
	pipe_data(pipe, data);
}

/* What goes out of one call; both sides' own words first. */
static void
deliver(struct session *s, struct mediation *m, struct pipe *pipe)
{
	struct back *server = server_of(s);

	write_own(&s->front, &m->to_client);
	if (server != NULL)
		write_own(&server->stream, &m->to_server);
	buf_clear(&m->to_server);
	assert(m->pass.len == 0 || server != NULL);
	if (m->pass.len > 0)
		pass(s, pipe, m->pass);
	if (m->why != NULL)
		session_log(s, m->is_fault ? LOG_WARNING : LOG_INFO, "%s%s%.*s", m->why,
		    m->words.len > 0 ? ": " : "", SLICE_ARGS(m->words));
	if (m->has_message)
		session_message(s, &m->message, session_endpoint(s),
		    loop_now(s->worker->loop) - s->relay->message_since);
}

static void
drop_server(struct session *s)
{
	session_drop_legs(s);
	s->relay->down.from = NULL;
	xfree(s->relay->host_name);
	s->relay->host_name = NULL;
}

/* Who does not read its replies is not asked for more commands. */
static bool
is_deaf(const struct session *s)
{
	return stream_kept(&s->front) > 0 && !mediator_of(s)->takes_payload(s->relay->filter);
}

/* Between two transactions, with nothing begun. */
static bool
is_quiet(const struct session *s)
{
	return mediator_of(s)->at_boundary(s->relay->filter) && stream_unread(&s->front) == 0;
}

/* The client is not heard while its input waits, or what comes of it cannot be got rid of. */
static void
adjust(struct session *s)
{
	const struct back *server = server_of(s);
	bool is_full;

	if (!is_relaying(s))
		return;
	is_full = server != NULL && stream_kept(&server->stream) > 0;
	if (is_full || is_deaf(s) || (s->relay->waits && !is_dialling(s) && !tarpit_holds(s)))
		stream_pause(&s->front);
	else if (is_dialling(s) || tarpit_holds(s))
		stream_hold(&s->front);		/* who leaves meanwhile is to be noticed */
	else
		stream_resume(&s->front);
}

static struct pool *
find_pool(const struct session *s, const struct listener_settings *settings, struct slice recipient)
{
	struct condition_subject subject;

	doorman_describe(s, &subject);
	subject.recipient = recipient;
	return route_rule_find(&settings->route, &subject, settings->pool);
}

/* Would the configuration of now never send this recipient to the server at hand? */
static bool
is_elsewhere(const void *owner, struct slice recipient)
{
	const struct session *s = owner;
	const struct listener_settings *settings = relay_settings(s);

	const struct endpoint *endpoint = s->leg != NULL ? s->leg->endpoint : NULL;

	if (settings == NULL || endpoint == NULL)
		return endpoint == NULL;
	return !recipient_is_of_pool(endpoint, find_pool(s, settings, recipient));
}

/* May the next mail go to the server at hand, as far as it goes by that? */
static bool
is_fit(const struct session *s)
{
	return server_of(s) != NULL && !endpoint_is_down(s->leg->endpoint) &&
	    endpoint_weight(s->leg->endpoint) > 0 && !relay_is_outdated(s);
}

static bool
is_good(const struct session *s, struct slice recipient)
{
	return is_fit(s) && !is_elsewhere(s, recipient);
}

/* Not without what only the client knows, nor while we drain, or where nobody listens any more. */
static bool
can_replace(const struct session *s, const struct listener_settings *settings, struct slice recipient)
{
	if (settings == NULL || s->phase == FRONT_DRAIN || !s->relay->can_replace)
		return false;
	return s->identity.user == NULL || !plan_shows_client(find_pool(s, settings, recipient));
}

static void
tell_server_gone(struct session *s)
{
	struct mediation m = { 0 };

	recipient_cancel(s);
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
		session_end(s, s->relay->can_replace ? relay_leave_reason(s) : END_NO_SERVER);
	return is_relaying(s);
}

static void on_leg(struct leg *leg, enum leg_event event);

/* Under the configuration of now. */
static void
dial_another(struct session *s, const struct listener_settings *settings, struct slice recipient)
{
	const struct auth_answer vouched = { .verdict = AUTH_OK };
	struct snapshot *snapshot = s->worker->snapshot;
	struct leg *leg = leg_new(s, snapshot, find_pool(s, settings, recipient), on_leg);

	leg->way->hostname = settings->hostname;
	leg->way->offer = offer_hold(s->relay->offer);
	if (s->identity.user != NULL) {
		leg->way->mailbox = xstrdup(s->identity.user);
		leg->way->key = users_key(snapshot->users, leg->way->mailbox);
		plan_take_credentials(leg->way, &vouched, s->identity.user, NULL);
	}
	leg_start(leg);
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
	settings = relay_settings(s);
	if (!can_replace(s, settings, recipient))
		return give_up(s);
	drop_server(s);
	loop_timer_stop(s->worker->loop, &s->timer);
	dial_another(s, settings, recipient);
	if (!is_relaying(s))
		return false;
	s->relay->waits = is_dialling(s);
	return !s->relay->waits;
}

static void go_on(struct session *s);

/* Under the configuration that the recipient was asked about under. */
static void
dial_place(struct recipient *r, struct pool *pool, const struct auth_answer *answer)
{
	struct session *s = r->session;
	struct leg *leg;

	drop_server(s);
	leg = leg_new(s, r->snapshot, pool, on_leg);
	leg->way->hostname = r->settings->hostname;
	leg->way->offer = offer_hold(s->relay->offer);
	plan_take_place(leg->way, answer, r->request.asked);
	s->relay->host_name = leg->way->host_name != NULL ? xstrdup(leg->way->host_name) : NULL;
	s->relay->host_port = answer->port;
	leg_start(leg);
}

static void
judge(struct session *s, enum judgement judgement, const struct auth_answer *answer, const char *why)
{
	if (judgement == JUDGED_REFUSED || judgement == JUDGED_LATER)
		session_log(s, judgement == JUDGED_LATER ? LOG_WARNING : LOG_INFO,
		    "recipient is not taken%s: %s", judgement == JUDGED_LATER ? " now" : "", why);
	mediator_of(s)->judged(s->relay->filter, judgement, answer->code, answer->reason);
}

static void
place_recipient(struct recipient *r, const struct auth_answer *answer)
{
	struct session *s = r->session;
	struct pool *pool;
	const char *why = recipient_find_pool(r, answer, &pool);
	bool is_there;

	if (why != NULL) {
		judge(s, JUDGED_LATER, &(struct auth_answer){ 0 }, why);
	} else if (!r->is_first) {
		is_there = recipient_is_at_hand(s, pool, answer);
		judge(s, is_there ? JUDGED_GOOD : JUDGED_ELSEWHERE, answer, NULL);
	} else {
		judge(s, JUDGED_GOOD, answer, NULL);
		if (is_fit(s) && recipient_is_at_hand(s, pool, answer))
			mediator_of(s)->server_came(s->relay->filter, NULL);
		else if (s->phase == FRONT_DRAIN)
			tell_server_gone(s);
		else
			dial_place(r, pool, answer);
	}
}

static void
on_recipient(struct recipient *r, const struct auth_answer *answer)
{
	struct session *s = r->session;
	const char *why = answer->why != NULL ? answer->why : answer->reason;

	if (answer->verdict == AUTH_OK || answer->verdict == AUTH_BY_SERVER)
		place_recipient(r, answer);
	else if (answer->verdict == AUTH_REFUSED)
		judge(s, JUDGED_REFUSED, answer, why != NULL ? why : "by the auth source");
	else
		judge(s, JUDGED_LATER, answer, why != NULL ? why : "the auth source cannot say");
	if (is_relaying(s) && !is_dialling(s))
		go_on(s);
}

/* True: it is known now, and the session goes on. */
static bool
ask_about(struct session *s, const struct mediation *m)
{
	const struct listener_settings *settings = relay_settings(s);

	if (settings == NULL) {
		judge(s, JUDGED_LATER, &(struct auth_answer){ 0 }, "the listener is no more");
		return true;
	}
	loop_timer_stop(s->worker->loop, &s->timer);
	recipient_ask(s, settings, m, on_recipient);
	if (!is_relaying(s))
		return false;
	s->relay->waits = is_dialling(s);
	return !s->relay->waits;
}

static void on_late(struct session *s);

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
	case WISH_JUDGEMENT:
		return ask_about(s, m);
	case WISH_DELAY:
		tarpit_wait(s, s->relay->error_delay_ms, on_late);
		if (server_of(s) != NULL)
			stream_pause(&server_of(s)->stream);
		return false;
	case WISH_NO_SERVER:
		if (!s->relay->can_replace && mediator_of(s)->at_boundary(s->relay->filter))
			session_end(s, END_SERVER_LEFT);
		else
			drop_server(s);
		return is_relaying(s);
	case WISH_DONE:
		session_end(s, END_DONE);
		return false;
	case WISH_TOO_MANY:
		session_end_told(s, END_TOO_MANY_ERRORS);
		return false;
	case WISH_FATAL:
		session_end(s, END_PROTOCOL);
		return false;
	}
	return false;
}

/* Returns what was used of the client's input. */
static size_t
feed_client(struct session *s, struct slice in)
{
	const struct mediator *mediator = mediator_of(s);
	size_t used = 0;
	bool goes_on = true;

	s->relay->waits = false;
	while (goes_on && used < in.len && !is_deaf(s) && !tarpit_holds(s)) {
		void *state = s->relay->filter;
		bool was_boundary = mediator->at_boundary(state);
		bool was_payload = mediator->takes_payload(state);
		struct mediation m = { 0 };

		mediator->client(state, slice_from(in, used), &m);
		used += m.used;
		relay_note_input(s, m.used, was_payload && mediator->takes_payload(state));
		if (was_boundary && !mediator->at_boundary(state))
			s->relay->message_since = loop_now(s->worker->loop);
		deliver(s, &m, &s->relay->up);
		goes_on = fulfil(s, &m);
	}
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
		goes_on = fulfil(s, &m) && server_of(s) != NULL;
	}
	return used;
}

/* The client has said its last, and all of it was done. */
static void
look_whether_done(struct session *s)
{
	if (!is_relaying(s) || is_dialling(s) || tarpit_holds(s))
		return;
	if (s->phase == FRONT_DRAIN && is_quiet(s))
		session_end(s, relay_leave_reason(s));
	else if (s->relay->up.is_closed && !mediator_of(s)->server_owes(s->relay->filter) && !is_deaf(s))
		session_end(s, mediator_of(s)->at_boundary(s->relay->filter) ? END_DONE : END_CLIENT_LOST);
}

/* Told to go, a client may begin nothing more. */
static bool
has_to_leave(struct session *s)
{
	bool is_time = s->phase == FRONT_DRAIN && mediator_of(s)->at_boundary(s->relay->filter);

	if (is_time)
		session_end(s, relay_leave_reason(s));
	return is_time;
}

/* The client's input may go on, what is kept of it and what comes. */
static void
hear_client(struct session *s)
{
	if (!is_relaying(s) || (!is_dialling(s) && has_to_leave(s)))
		return;
	adjust(s);
	if (s->relay->up.is_closed && !is_dialling(s))
		stream_tell_again(&s->front);
}

/* The time of a late reply is over. */
static void
on_late(struct session *s)
{
	mediator_of(s)->waited(s->relay->filter);
	s->last_data = loop_now(s->worker->loop);
	s->relay->waits = false;
	if (server_of(s) != NULL && stream_kept(&s->front) == 0)
		stream_resume(&server_of(s)->stream);
	hear_client(s);
}

static size_t
on_client_data(struct session *s, struct slice data)
{
	size_t used;

	if (has_to_leave(s))
		return data.len;
	used = feed_client(s, data);
	if (s->relay == NULL)
		return used;
	if (used == data.len)
		look_whether_done(s);
	adjust(s);
	return used;
}

/* In a queue it has no place any more. */
static void
on_client_closed(struct session *s)
{
	if (s->leg != NULL && leg_is_queued(s->leg)) {
		session_end(s, END_CLIENT_LEFT);
		return;
	}
	s->relay->up.is_closed = true;
	look_whether_done(s);
}

static size_t
on_front(struct session *s, enum stream_event event, struct slice data)
{
	switch (event) {
	case STREAM_CONNECTED:
	case STREAM_TLS_READY:
	case STREAM_MOVED:
		break;
	case STREAM_DATA:
		return on_client_data(s, data);
	case STREAM_DRAINED:
		if (server_of(s) != NULL && !tarpit_holds(s))
			stream_resume(&server_of(s)->stream);
		hear_client(s);
		break;
	case STREAM_CLOSED:
		on_client_closed(s);
		break;
	case STREAM_FAILED:
		session_end(s, END_CLIENT_LOST);
		break;
	}
	return data.len;
}

/* What it owed is answered with a temporary failure; nothing is sent twice. */
static void
lose_server(struct session *s, const char *why, enum end_reason reason)
{
	bool is_boundary = mediator_of(s)->at_boundary(s->relay->filter);

	if (!s->relay->can_replace && is_boundary) {
		session_end(s, reason);
		return;
	}
	session_log(s, is_boundary ? LOG_DEBUG : LOG_WARNING, "server lost: %s while relaying", why);
	tell_server_gone(s);
	s->relay->waits = false;
	hear_client(s);
}

static size_t
on_server_data(struct session *s, struct slice data)
{
	size_t used = feed_server(s, data);

	if (s->relay == NULL)
		return used;
	s->relay->waits = false;
	hear_client(s);
	return used;
}

static size_t
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
		return on_server_data(s, data);
	case STREAM_DRAINED:
		s->last_data = loop_now(s->worker->loop);
		adjust(s);
		break;
	case STREAM_CLOSED:
	case STREAM_FAILED:
		lose_server(s, stream_reason(stream, reason), END_SERVER_LOST);
		break;
	}
	return data.len;
}

static bool
takes(const void *owner, enum mediator_count what)
{
	return relay_takes(owner, what);
}

static void
open_relay(struct session *s)
{
	const struct login *login = s->login;
	struct mediator_order order = {
		.hostname = s->settings->hostname,
		.offer = login->dialogue.offer,
		.identity = &s->identity,
		.chooses_anew = !s->proto->has_login,
		.asks_recipients = s->settings->lookup.count > 0 ||
		    route_rules_ask_recipients(&s->settings->route),
		.looks_up = s->settings->lookup.count > 0,
		.is_elsewhere = is_elsewhere,
		.takes = takes,
		.owner = s,
		.turned_down = screening_refusal(s),
		.bare_newline = (enum bare_newline)listener_bare_newline(s->settings, &s->identity.client),
		.manners = login->manners,
	};

	tarpit_set(s, &order.manners, true);
	s->relay = relay_new(s, mediator_of(s)->size);
	s->relay->error_delay_ms = order.manners.delay_ms;
	s->relay->offer = offer_hold(login->offer);
	s->relay->can_replace = !s->proto->has_login || login->is_repeatable;
	mediator_of(s)->init(s->relay->filter, &order);
}

/* The bytes that were passed are counted over all servers. */
static void
attach(struct session *s)
{
	struct relay *relay = s->relay;
	struct leg *leg = s->leg;
	uint64_t up = relay->up.bytes, down = relay->down.bytes;
	bool is_closed = relay->up.is_closed;
	struct slice capabilities = buf_slice(&leg->back->dial->capabilities);

	leg->on_event = on_leg;
	stream_set_owner(&leg->back->stream, on_back, s);
	pipe_open(&relay->up, &s->front, &leg->back->stream);
	pipe_open(&relay->down, &leg->back->stream, &s->front);
	relay->up.bytes = up;
	relay->down.bytes = down;
	relay->up.is_closed = is_closed;
	relay->is_settled = false;
	/* the server that was to be left has been */
	if (s->phase == FRONT_RELAY && !s->worker->is_draining)
		relay->leave_at = 0;
	relay->departs = DEPARTS_NOT;
	relay->era = leg->way->pool->era;
	mediator_of(s)->server_came(relay->filter, &capabilities);
	leg_settle(leg);
}

/* A server is there, or it is clear that there is none: time runs for the client again. */
static void
go_on(struct session *s)
{
	s->last_data = loop_now(s->worker->loop);
	relay_watch(s);
	s->relay->waits = false;
	hear_client(s);
}

static void
on_no_server(struct session *s, const char *why)
{
	session_log(s, LOG_WARNING, "no server: %s", why);
	tell_server_gone(s);
	go_on(s);
}

static void
on_refused(struct leg *leg)
{
	struct session *s = leg->session;
	const struct dial *dial = leg->back->dial;
	char words[BACK_REASON_MAX];

	if (dial->refuses_client)
		mediator_of(s)->refused(s->relay->filter, buf_slice(&dial->last));
	leg_log(leg, LOG_NOTICE, "the server refuses the %s: %s", dial->refuses_client ? "client" : "login",
	    back_reason(leg->back, words));
	on_no_server(s, "refused by the server");
}

static void
on_leg(struct leg *leg, enum leg_event event)
{
	struct session *s = leg->session;

	switch (event) {
	case LEG_PLACED:
		break;
	case LEG_QUEUED:
		session_queued(s);
		break;
	case LEG_READY:
		attach(s);
		go_on(s);
		break;
	case LEG_REFUSED:
		on_refused(leg);
		break;
	case LEG_UNAVAILABLE:
		on_no_server(s, leg->way->why);
		break;
	case LEG_KICKED:
		session_end(s, END_KICKED);
		break;
	}
}

static void
begin(struct session *s)
{
	open_relay(s);
	s->relay->up.is_closed = stream_has_ended(&s->front);
	if (s->leg != NULL)
		attach(s);
	relay_start(s);
	go_on(s);
	stream_tell_again(&s->front);		/* what was left to us */
}

static void
on_reply_timeout(struct session *s)
{
	s->last_data = loop_now(s->worker->loop);	/* the client had no part in that */
	lose_server(s, "no reply in time", END_REPLY_TIMEOUT);
	if (is_relaying(s))
		relay_watch(s);
}

static int
reply_timeout(const struct session *s)
{
	int timeout = s->relay->reply_timeout_ms;

	if (timeout > 0 && timeout < FINAL_REPLY_MS && mediator_of(s)->awaits_final(s->relay->filter))
		return FINAL_REPLY_MS;
	return timeout;
}

static unsigned
look(const struct session *s)
{
	const struct mediator *mediator = mediator_of(s);
	const struct back *server = server_of(s);
	unsigned seen = 0;

	if (is_quiet(s))
		seen |= RELAY_QUIET | RELAY_LEAVE;
	if (mediator->may_speak(s->relay->filter))
		seen |= RELAY_SPEAK;
	/* who does not take what it was sent is not kept waiting */
	if (stream_kept(&s->front) == 0 && (mediator->server_owes(s->relay->filter) ||
	    (server != NULL && stream_kept(&server->stream) > 0)))
		seen |= RELAY_OWED;
	return seen;
}

/* Tells of the mail that ends with the session. */
static void
end(struct session *s)
{
	struct mediation m = { 0 };

	recipient_cancel(s);
	mediator_of(s)->end(s->relay->filter, &m);
	deliver(s, &m, &s->relay->down);
}

static void
clear(struct session *s)
{
	mediator_of(s)->clear(s->relay->filter);
	xfree(s->relay->host_name);
}

const struct relay_kind relay_mediate = {
	.begin = begin,
	.on_front = on_front,
	.look = look,
	.reply_timeout = reply_timeout,
	.on_reply_timeout = on_reply_timeout,
	.end = end,
	.clear = clear,
};
