/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * session.c: a session's beginning and end, the moves between its phases, its
 * timer and its words in the log.
 */
#include "session/session.h"

#include <assert.h>
#include <string.h>
#include <unistd.h>

#include "balance/endpoint.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/spare.h"
#include "base/xalloc.h"
#include "proto/reply.h"
#include "session/admission.h"
#include "session/entrance.h"
#include "session/guard.h"
#include "session/listener_kept.h"
#include "session/login.h"
#include "session/relay.h"
#include "session/screening.h"
#include "session/tarpit.h"

enum {
	LINGER_MS = 2000,	/* how long last words may take to arrive */
	HANDSHAKE_MS = 60000,	/* for TLS from the first byte, where there is no login_timeout */
	CODE_SIZE = 3
};

enum broken { SOUND, FRONT, BACK, SERVER };	/* SERVER: its fault, though its stream is sound */

/* What each reason means: for the log and metrics, and for the client. */
static const struct end_row {
	const char *text;
	int level;
	enum reply reply;	/* REPLY_NONE: nothing (more) is said */
	bool lingers;		/* the client may be sending still: a close would destroy the last words */
	enum broken broken;	/* whose stream has failed, and can say why */
	char code;		/* who ended it, in HAProxy's letters: '-' nobody, as it should be */
} ends[] = {
	[END_DONE]            = { "done",            LOG_INFO,   REPLY_NONE,            true,  SOUND,  '-' },
	[END_CLIENT_LEFT]     = { "client left",     LOG_INFO,   REPLY_NONE,            false, SOUND,  'C' },
	[END_CLIENT_LOST]     = { "client lost",     LOG_INFO,   REPLY_NONE,            false, FRONT,  'C' },
	[END_CLIENT_TLS]      = { "TLS failed",      LOG_INFO,   REPLY_NONE,            false, FRONT,  'C' },
	[END_PROXY_HEADER]    = { "bad PROXY header", LOG_INFO,  REPLY_NONE,            false, SOUND,  'P' },
	[END_SERVER_CLOSED]   = { "server closed",   LOG_INFO,   REPLY_NONE,            true,  SOUND,  '-' },
	[END_SERVER_LEFT]     = { "server left",     LOG_INFO,   REPLY_UNAVAILABLE_BYE, true,  SOUND,  'S' },
	[END_SERVER_DOWN]     = { "server down",     LOG_WARNING, REPLY_UNAVAILABLE_BYE, true,  SERVER, 'D' },
	[END_SERVER_LOST]     = { "server lost",     LOG_WARNING, REPLY_UNAVAILABLE_BYE, true,  BACK,   'S' },
	[END_LOGIN_TIMEOUT]   = { "login timeout",   LOG_INFO,   REPLY_TIMEOUT,         false, SOUND,  'c' },
	[END_IDLE_TIMEOUT]    = { "idle timeout",    LOG_INFO,   REPLY_TIMEOUT,         false, SOUND,  'c' },
	[END_REPLY_TIMEOUT]   = { "reply timeout",   LOG_WARNING, REPLY_UNAVAILABLE_BYE, true,  SERVER, 's' },
	[END_TOO_MANY_ERRORS] = { "too many errors", LOG_INFO,   REPLY_TOO_MANY_ERRORS, true,  SOUND,  'P' },
	[END_BANNED]          = { "banned",          LOG_INFO,   REPLY_BANNED,          true,  SOUND,  'P' },
	[END_DENIED]          = { "denied",          LOG_INFO,   REPLY_NONE,            true,  SOUND,  'P' },
	[END_CROWDED]         = { "too many connections", LOG_INFO, REPLY_CROWDED,      true,  SOUND,  'P' },
	[END_CROWDED_TLS]     = { "too many TLS sessions", LOG_INFO, REPLY_CROWDED_TLS, true,  SOUND,  'P' },
	[END_SCREENED]        = { "screened out",    LOG_INFO,   REPLY_NONE,            true,  SOUND,  'P' },
	[END_REFUSED]         = { "login refused",   LOG_INFO,   REPLY_REFUSED_BYE,     true,  SOUND,  'P' },
	[END_PROTOCOL]        = { "protocol error",  LOG_INFO,   REPLY_NONE,            true,  SOUND,  'P' },
	[END_INJECTION]       = { "starttls injection", LOG_WARNING, REPLY_NONE,        true,  SOUND,  'P' },
	[END_FORBIDDEN]       = { "forbidden command", LOG_WARNING, REPLY_FORBIDDEN,    true,  SOUND,  'P' },
	[END_KICKED]          = { "kicked",          LOG_NOTICE, REPLY_SHUTDOWN,        true,  SOUND,  'K' },
	[END_OPERATOR]        = { "ended by an operator", LOG_INFO, REPLY_SHUTDOWN,     true,  SOUND,  'K' },
	[END_NO_SERVER]       = { "no server",       LOG_INFO,   REPLY_UNAVAILABLE_BYE, true,  SOUND,  'S' },
	[END_NO_MEMORY]       = { "out of memory",   LOG_WARNING, REPLY_NONE,           false, SOUND,  'R' },
	[END_SENT_AWAY]       = { "sent away",       LOG_INFO,   REPLY_SHUTDOWN,        true,  SOUND,  'D' },
	[END_SHUTDOWN]        = { "shutdown",        LOG_INFO,   REPLY_SHUTDOWN,        true,  SOUND,  'K' },
};
static_assert(sizeof(ends) / sizeof(ends[0]) == END_COUNT, "one row per reason");
/* Those in which the client's input could not be used: mishap.h. */
static const bool mishaps[END_COUNT] = {
	[END_CLIENT_TLS] = true, [END_PROXY_HEADER] = true, [END_TOO_MANY_ERRORS] = true,
	[END_PROTOCOL] = true, [END_INJECTION] = true, [END_FORBIDDEN] = true,
};
static_assert((int)END_COUNT <= (int)LISTENER_ENDS_MAX, "a counter per reason");

static void end_login_timeout(struct session *s);
static void destroy(struct session *s);
static size_t on_linger_event(struct session *s, enum stream_event event, struct slice data);

/* What each phase does with events of the client's stream and when its time is up. */
static const struct phase_row {
	const char *name;
	const char *doing;	/* NULL: the dialogue's or the back's own words */
	size_t (*on_event)(struct session *s, enum stream_event event, struct slice data);
	void (*on_time)(struct session *s);
} phases[] = {
	[FRONT_NEW]     = { "new",     "being accepted",               NULL,              NULL },
	[FRONT_PROXY]   = { "proxy",   "reading the PROXY header",     front_event,       front_proxy_late },
	[FRONT_SCREEN]  = { "screen",  "being screened",               screening_event,   screening_on_time },
	[FRONT_TLS]     = { "tls",     "starting TLS with the client", front_event,       end_login_timeout },
	[FRONT_COMMAND] = { "command", NULL,                           front_event,       end_login_timeout },
	[FRONT_AUTH]    = { "auth",    "asking the auth source",       front_event,       end_login_timeout },
	[FRONT_ROUTE]   = { "route",   NULL,                           front_event,       end_login_timeout },
	[FRONT_RELAY]   = { "relay",   "relaying",                     relay_front_event, relay_on_time },
	[FRONT_DRAIN]   = { "drain",   "waiting for a boundary",       relay_front_event, relay_drain_late },
	[FRONT_LINGER]  = { "linger",  "saying goodbye",               on_linger_event,   destroy },
	[FRONT_ENDED]   = { "ended",   "ended",                        NULL,              NULL },
};
static_assert(sizeof(phases) / sizeof(phases[0]) == FRONT_COUNT, "one row per phase");

static size_t
on_front(struct stream *stream, enum stream_event event, struct slice data, void *owner)
{
	struct session *s = owner;

	(void)stream;
	if (phases[s->phase].on_event == NULL)
		return data.len;
	return phases[s->phase].on_event(s, event, data);
}

static void
on_time(struct loop_timer *timer)
{
	struct session *s = loop_owner(timer, struct session, timer);

	if (phases[s->phase].on_time != NULL)
		phases[s->phase].on_time(s);
}

static int64_t
handshake_waited_ms(const struct session *s)
{
	struct tls_facts facts;

	tls_facts_read(&s->front, &facts);
	return facts.waited_ms;
}

/*
 * Until when the login must be done, as loop_now; INT64_MAX: it may take for ever.  Under stress there is
 * less time where the client is the one to act, and not more than that since it became so.  One whose
 * handshake has waited for its turn has as much time from there on as if it had not: or else the costliest
 * step would be taken for clients that are about to be given up.
 */
static int64_t
find_deadline(const struct session *s)
{
	int64_t timeout = s->settings->login_timeout.ms, at = INT64_MAX;
	int64_t waited = handshake_waited_ms(s);
	int64_t since = waited + (s->login != NULL ? s->login->idle_since : s->accepted_at);
	bool is_clients = s->phase != FRONT_AUTH && s->phase != FRONT_ROUTE && !front_is_spared(s);
	int64_t patience = is_clients ? stress_patience_ms(listener_stress(s->listener)) : INT64_MAX;

	if (timeout > 0)
		at = s->accepted_at + timeout + waited + guard_waited_ms(s);
	else if (s->login == NULL && s->tls_began_us != 0)
		at = s->accepted_at + HANDSHAKE_MS + waited;
	if (patience < at - since)
		at = since + patience;
	return at;
}

void
session_set_deadline(struct session *s)
{
	int64_t at = find_deadline(s);

	if (at == INT64_MAX)
		loop_timer_stop(s->worker->loop, &s->timer);
	else
		session_wake_at(s, at);
}

void
session_review(struct session *s)
{
	if (!s->has_ended && (s->phase == FRONT_COMMAND || s->tls_began_us != 0))
		session_set_deadline(s);
}

/* Where the stress is over, or the client has done its part, there is more time. */
static void
end_login_timeout(struct session *s)
{
	if (find_deadline(s) > loop_now(s->worker->loop)) {
		session_set_deadline(s);
		return;
	}
	if (s->phase == FRONT_AUTH || s->phase == FRONT_ROUTE)
		login_late(s);
	session_end(s, END_LOGIN_TIMEOUT);
}

void
session_enter(struct session *s, enum front_phase phase)
{
	if (log_wants(LOG_DEBUG))
		session_log(s, LOG_DEBUG, "%s -> %s", phases[s->phase].name, phases[phase].name);
	s->phase = (uint8_t)phase;
}

void
session_wake_at(struct session *s, int64_t at_ms)
{
	loop_timer_set(s->worker->loop, &s->timer, at_ms);
}

static void
write_id(struct session *s)
{
	static const char digits[] = "0123456789abcdef";
	uint64_t id = s->worker->next_session++;

	for (int i = SESSION_ID_SIZE - 2; i >= 0; i--, id >>= 4)
		s->identity.session[i] = digits[id & 15];
}

struct listener_counters *
session_counters(const struct session *s)
{
	return &s->listener->counters[s->worker->index];
}

static void
count_in(const struct session *s)
{
	int before = atomic_fetch_add_explicit(&s->listener->connections, 1, memory_order_relaxed);

	tally_raise(&session_counters(s)->most_connections, (uint64_t)before + 1);
}

static struct session *
session_new(struct gate *gate, const struct addr *peer)
{
	struct worker *worker = gate->worker;
	struct session *s = xcalloc(1, sizeof(*s));

	s->worker = worker;
	s->snapshot = gate->held != NULL ? gate->held : worker->snapshot;
	snapshot_get(s->snapshot, worker->index);
	s->settings = gate->settings;
	s->proto = gate->settings->proto;
	s->limits = gate->settings->limits;
	s->listener = listener_get(gate->settings->listener);
	s->is_tls = gate->is_tls;
	s->identity.client = *peer;
	s->identity.hops = HOPS_MAX;
	s->accepted_at = loop_now(worker->loop);
	write_id(s);
	loop_timer_init(&s->timer, on_time);
	count_in(s);
	worker_session_came(worker, s);
	return s;
}

static struct session *
begin_new(struct gate *gate, int fd, const struct addr *peer)
{
	struct session *s = session_new(gate, peer);

	stream_open(&s->front, gate->worker->loop, fd, on_front, s);
	stream_set_secret(&s->front, true);
	if (listener_wants_header(s->settings, peer))
		front_proxy_begin(s);
	else
		entrance_begin(s);
	return s;
}

void
session_open(struct gate *gate, int fd, const struct addr *peer)
{
	struct listener_counters *counters = &gate->settings->listener->counters[gate->worker->index];
	struct session *s = NULL;

	tally_add(&counters->accepted, 1);
	spare_begin();
	if (!spare_is_used())
		s = begin_new(gate, fd, peer);
	if (spare_is_used()) {
		tally_add(&counters->refused, 1);
		if (s != NULL)
			session_end(s, END_NO_MEMORY);
		else
			close(fd);
	}
	spare_end();
}

void
session_begin_tls(struct session *s)
{
	session_enter(s, FRONT_TLS);
	s->tls_began_us = clock_us();
	stream_accept_tls(&s->front, &s->settings->front_tls);
}

void
session_begin(struct session *s)
{
	if (s->is_tls)
		session_begin_tls(s);
	session_set_deadline(s);
	if (!s->is_tls)
		front_begin(s);
}

static void
destroy(struct session *s)
{
	assert(s->has_ended);
	stream_close(&s->front);
	loop_timer_stop(s->worker->loop, &s->timer);
	atomic_fetch_sub_explicit(&s->listener->connections, 1, memory_order_relaxed);
	if (s->has_tls)
		tally_add(&session_counters(s)->tls_ended, 1);
	session_enter(s, FRONT_ENDED);
	holders_leave(&s->listener->holders, &s->holder);
	listener_put(&s->listener);
	admission_free(s);
	worker_session_gone(s->worker, s);
	xfree(s->identity.user);
	s->identity.user = NULL;
	xfree(s->identity.tags);
	s->identity.tags = NULL;
	xfree(s->identity.helo);
	s->identity.helo = NULL;
	xfree(s->identity.origin);
	s->identity.origin = NULL;
	xfree(s->identity.certificate_user);
	s->identity.certificate_user = NULL;
	xfree(s->via);
	s->via = NULL;
	loop_defer(s->worker->loop, xfree, s);
}

/* The client has closed, and no words are left that it has not had. */
static bool
is_heard(const struct session *s)
{
	return stream_has_ended(&s->front) && stream_kept(&s->front) == 0;
}

/* Reads and drops until the client has closed, so that it gets our last words and no reset. */
static size_t
on_linger_event(struct session *s, enum stream_event event, struct slice data)
{
	if (event == STREAM_FAILED || is_heard(s))
		destroy(s);
	return data.len;
}

/* A listener that is no more has no name but its own. */
static const char *
our_name(const struct session *s)
{
	const struct listener_settings *settings = s->settings != NULL ? s->settings : relay_settings(s);

	return settings != NULL ? settings->hostname : s->listener->name;
}

/* True when something is on its way that a close would destroy. */
static bool
say_last_words(struct session *s, const struct end_row *row, bool is_told)
{
	char client[ADDR_TEXT_MAX];
	struct buf words = { 0 };

	if (row->broken == FRONT || s->phase == FRONT_TLS || s->phase == FRONT_PROXY ||
	    (s->phase == FRONT_SCREEN && s->is_tls && s->login == NULL))
		return false;
	if (row->reply != REPLY_NONE && !is_told && (s->relay == NULL || (relay_look(s) & RELAY_SPEAK) != 0))
		reply_write_last(s->proto, our_name(s), row->reply,
		    slice_of(addr_host(&s->identity.client, client)), &words);
	if (buf_len(&words) > 0)
		stream_write(&s->front, buf_slice(&words));
	buf_clear(&words);
	return row->lingers || stream_kept(&s->front) > 0;
}

static void
give_back(struct session *s)
{
	login_cancel(s);
	tarpit_free(s);
	session_drop_legs(s);
	login_free(&s->login, s->worker->loop);
	relay_free(s);
	screening_free(s);
	if (s->snapshot != NULL)
		snapshot_put(s->snapshot, s->worker->index);
	s->snapshot = NULL;
	s->settings = NULL;
	s->limits = NULL;
}

const char *
session_phase_name(enum front_phase phase)
{
	return phases[phase].name;
}

const char *
session_doing(const struct session *s)
{
	bool is_routing = s->phase == FRONT_ROUTE || s->relay != NULL;

	if (s->phase == FRONT_AUTH && guard_delays(s))
		return "waiting behind failed logins";
	if (s->phase == FRONT_AUTH && auth_waits(&s->login->auth))
		return "waiting until the auth source may be asked";
	if (tarpit_holds(s))
		return "waiting behind refused commands";
	if (is_routing && s->leg != NULL && s->leg->way != NULL)
		return leg_doing(s->leg);
	if (s->phase == FRONT_COMMAND && s->login->dialogue.doing != NULL)
		return s->login->dialogue.doing;
	if (phases[s->phase].doing != NULL)
		return phases[s->phase].doing;
	return "waiting for a command";
}

/* As HAProxy has it: "--", or "CR": the client, within the request, before its login was done. */
static const char *
code_of(const struct session *s, const struct end_row *row, char out[CODE_SIZE])
{
	bool is_queued = s->leg != NULL && leg_is_queued(s->leg);

	out[0] = row->code;
	out[1] = '-';
	out[2] = '\0';
	if (row->code == '-')
		return out;
	if (s->phase == FRONT_RELAY || s->phase == FRONT_DRAIN)
		out[1] = 'D';
	else if (s->phase == FRONT_ROUTE)
		out[1] = is_queued ? 'Q' : 'C';
	else
		out[1] = 'R';
	return out;
}

/* "client lost: connection reset by peer while relaying" */
static void
describe_end(const struct session *s, const struct end_row *row, char out[MISHAP_TEXT_MAX])
{
	const struct stream *broken = NULL;
	char reason[STREAM_REASON_MAX];

	if (row->broken == FRONT)
		broken = &s->front;
	else if (row->broken == BACK)
		broken = &s->leg->back->stream;
	snprintf(out, MISHAP_TEXT_MAX, "%s%s%s while %s", row->text, broken != NULL ? ": " : "",
	    broken != NULL ? stream_reason(broken, reason) : "", session_doing(s));
}

static void
tell_end(const struct session *s, enum end_reason reason)
{
	const struct end_row *row = &ends[reason];
	char text[MISHAP_TEXT_MAX];

	if (!mishaps[reason] && !log_wants(row->level))
		return;
	describe_end(s, row, text);
	if (log_wants(row->level))
		session_log(s, row->level, "%s", text);
	if (mishaps[reason])
		mishaps_note(&s->listener->mishaps, &s->identity, text);
}

/* While its server is known. */
static void
count_end(const struct session *s, enum end_reason reason)
{
	bool has_one = s->relay != NULL && s->leg != NULL && s->proto->fanout == NULL;
	struct endpoint *e = has_one ? s->leg->endpoint : NULL;
	struct endpoint_counters *at;

	tally_add(&session_counters(s)->ends[reason], 1);
	if (s->tls_began_us != 0)
		tally_add(&session_counters(s)->tls_failures, 1);
	if (e == NULL)
		return;
	at = &e->counters[s->worker->index];
	if (ends[reason].broken == FRONT)
		tally_add(&at->client_aborts, 1);
	if (ends[reason].broken == BACK || ends[reason].broken == SERVER)
		tally_add(&at->server_aborts, 1);
	tally_mean_add(&at->times[ENDPOINT_TIME_SESSION],
	    (uint64_t)(loop_now(s->worker->loop) - s->accepted_at));
}

const char *
end_reason_text(enum end_reason reason)
{
	return ends[reason].text;
}

static void
end(struct session *s, enum end_reason reason, bool is_told)
{
	const struct end_row *row = &ends[reason];
	bool lingers;
	char code[CODE_SIZE];

	if (s->has_ended)
		return;
	s->has_ended = true;
	tell_end(s, reason);
	count_end(s, reason);
	relay_end(s);
	session_event(s, SESSION_EVENT_SESSION, row->text, code_of(s, row, code));
	lingers = say_last_words(s, row, is_told) && !is_heard(s) && !s->worker->is_stopping;
	give_back(s);
	if (!lingers) {
		destroy(s);
		return;
	}
	session_enter(s, FRONT_LINGER);
	stream_resume(&s->front);
	stream_shut(&s->front);
	session_wake_at(s, loop_now(s->worker->loop) + LINGER_MS);
}

void
session_end(struct session *s, enum end_reason reason)
{
	end(s, reason, false);
}

void
session_end_told(struct session *s, enum end_reason reason)
{
	end(s, reason, true);
}

void
session_finish(struct session *s)
{
	if (s->has_ended || s->phase == FRONT_DRAIN)
		return;
	if (s->phase == FRONT_RELAY)
		relay_finish(s);
	else
		session_end(s, END_SHUTDOWN);
}

void
session_stop(struct session *s)
{
	session_end(s, END_SHUTDOWN);
	if (!list_is_empty(&s->node))
		destroy(s);
}

void
session_kick(struct session *s, int64_t at_ms)
{
	if (s->has_ended)
		return;
	if (s->relay != NULL)
		relay_kick(s, at_ms);
	else
		session_end(s, END_OPERATOR);
}

void
session_drop_legs(struct session *s)
{
	while (s->leg != NULL)
		leg_drop(&s->leg);
}

void
session_dequeue(struct session *s)
{
	if (s->phase == FRONT_ROUTE && leg_is_queued(s->leg))
		session_end(s, END_SHUTDOWN);
}

void
session_queued(struct session *s)
{
	tally_add(&session_counters(s)->queued, 1);
	/* one that was not read until there is somebody to pass it to is to be noticed when it leaves */
	if (s->proto->verbs == NULL)
		stream_hold(&s->front);
	if (session_has_left(s))
		session_end(s, END_CLIENT_LEFT);
	else if (s->worker->is_draining)
		session_dequeue(s);
}

bool
session_has_left(const struct session *s)
{
	bool is_said = s->proto->verbs == NULL && stream_unread(&s->front) > 0;

	return stream_has_ended(&s->front) && !is_said;
}

const struct endpoint *
session_endpoint(const struct session *s)
{
	return s->leg != NULL && s->proto->fanout == NULL ? leg_endpoint(s->leg) : NULL;
}
