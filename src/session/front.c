/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * front.c: the client's side up to the login: its bytes go through the
 * command engine, and the steps that come out are performed here.
 */
#include "session/session.h"

#include <sys/socket.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "session/admission.h"
#include "session/doorman.h"
#include "session/entrance.h"
#include "session/guard.h"
#include "session/listener_kept.h"
#include "session/login.h"
#include "session/relay.h"
#include "session/tarpit.h"

enum { FLUSH_AT = 4096 };		/* bytes of answers to pipelined commands that are written at once */

void
front_learn_local(struct session *s)
{
	struct sockaddr_storage storage;
	socklen_t len = sizeof(storage);

	if (s->identity.local.sa.sa_family != AF_UNSPEC)
		return;			/* a PROXY header told it */
	if (getsockname(s->front.fd, (struct sockaddr *)&storage, &len) == 0)
		s->identity.local = addr_from_sockaddr((struct sockaddr *)&storage, len);
}

static void
count_tls(struct session *s, const struct tls_facts *facts)
{
	struct listener_counters *counters = session_counters(s);

	s->has_tls = true;
	tally_add(&counters->tls_sessions, 1);
	if (facts->resumed)
		tally_add(&counters->tls_resumed, 1);
	histogram_add(&counters->handshakes, (uint64_t)(clock_us() - s->tls_began_us));
	s->tls_began_us = 0;
}

/* False: there are too many. */
static bool
learn_tls(struct session *s)
{
	struct tls_facts facts;
	char user[TLS_USER_MAX];
	bool is_admitted;

	tls_facts_read(&s->front, &facts);
	is_admitted = facts.resumed || admission_takes_tls(s);
	s->identity.tls_version = facts.version;
	s->identity.tls_cipher = facts.cipher;
	count_tls(s, &facts);
	if (tls_facts_user(&s->front, user))
		s->identity.certificate_user = xstrdup(user);
	return is_admitted;
}

/* It is heard now: a client of STARTTLS instead of what it says next, the others instead of the greeting. */
static void
turn_tls_away(struct session *s)
{
	tally_add(&s->listener->counters[s->worker->index].crowded, 1);
	session_enter(s, s->login != NULL ? FRONT_COMMAND : FRONT_NEW);
	session_end(s, END_CROWDED_TLS);
}

/* Where none log in there are no secrets, and `starttls required` is about the mail. */
static bool
is_plain_allowed(const struct session *s)
{
	const struct listener_settings *settings = s->settings;

	return s->proto->has_login ? settings->plaintext_login : settings->starttls != STARTTLS_REQUIRED;
}

static void
begin_dialogue(struct session *s)
{
	const struct listener_settings *settings = s->settings;
	struct dialogue *d = &s->login->dialogue;

	dialogue_init(d, s->proto, &s->identity, settings->hostname);
	s->login->offer = offer_get(s->worker, settings);
	d->offer = offer_list(s->login->offer);
	d->mechanisms = offer_mechanisms(s->login->offer) & auth_mechanisms(&settings->auth);
	d->is_led = auth_leads_exchanges(&settings->auth);
	d->tls_offered = !stream_has_tls(&s->front) && settings->starttls != STARTTLS_OFF;
	/* by its own address, or that of a PROXY header; what it tells of its client comes later */
	d->is_trusted = listener_trusts(settings, &s->identity.client);
	if (d->is_trusted)
		front_learn_local(s);		/* before it tells another one, which is not for good */
	/* TLS that ends at a peer before us is as good, and may be begun with us all the same */
	d->secrets_allowed = s->identity.tls_version != NULL || d->is_trusted || is_plain_allowed(s);
	s->login->checked = s->identity.client;
	tarpit_set(s, &s->login->manners, false);
	session_enter(s, FRONT_COMMAND);
	dialogue_greet(d);
	front_flush(s);
}

void
front_flush(struct session *s)
{
	struct buf *out = &s->login->dialogue.out;

	if (buf_len(out) == 0)
		return;
	stream_write(&s->front, buf_slice(out));
	buf_clear(out);
}

bool
front_is_spared(const struct session *s)
{
	return s->identity.user != NULL || (s->login != NULL && s->login->dialogue.is_trusted);
}

void
front_count_error(struct session *s)
{
	tarpit_set(s, &s->login->manners, false);
	manners_err(&s->login->manners);
	if (!manners_are_spent(&s->login->manners))
		return;
	front_flush(s);
	if (s->phase != FRONT_COMMAND)
		session_enter(s, FRONT_COMMAND);	/* a wrong guess is nothing that a server has done */
	session_end(s, END_TOO_MANY_ERRORS);
}

static void
start_tls(struct session *s)
{
	front_flush(s);
	session_begin_tls(s);
}

static void
end_with_words(struct session *s, enum end_reason reason)
{
	front_flush(s);
	session_end(s, reason);
}

static void
perform(struct session *s, enum step step)
{
	if (step != STEP_RESPONSE) {
		/* its challenge will not be answered any more */
		auth_cancel(&s->login->auth);
		guard_undecided(s);
	}
	switch (step) {
	case STEP_MORE:
	case STEP_REPLIED:
		break;
	case STEP_STARTTLS:
		start_tls(s);
		break;
	case STEP_LOGIN:
		front_flush(s);
		login_begin(s);
		break;
	case STEP_RESPONSE:
		login_respond(s);
		break;
	case STEP_MEDIATE:
		front_flush(s);
		if (doorman_knows_all(s))
			relay_begin(s);
		break;
	case STEP_QUIT:
		end_with_words(s, END_DONE);
		break;
	case STEP_BAD:
		front_count_error(s);
		break;
	case STEP_INJECTION:
		end_with_words(s, END_INJECTION);
		break;
	case STEP_FATAL:
		end_with_words(s, END_PROTOCOL);
		break;
	}
}

/* A trusted peer has told of its client, of another one, or speaks for itself again behind STARTTLS. */
static void
heed_word(struct session *s)
{
	struct login *login = s->login;

	if (addr_equals(&login->checked, &s->identity.client))
		return;
	login->checked = s->identity.client;
	front_flush(s);
	entrance_retold(s);
	if (!s->has_ended)
		tarpit_set(s, &login->manners, false);
}

/* The level of stress may be another one than at its last command. */
static void
count_idle(struct session *s)
{
	tarpit_set(s, &s->login->manners, false);
	if (manners_idle(&s->login->manners))
		front_count_error(s);
}

/* Its step, and what comes of it besides. */
static void
finish_command(struct session *s, enum step step)
{
	struct dialogue *d = &s->login->dialogue;

	perform(s, step);
	if (s->phase == FRONT_COMMAND)
		heed_word(s);
	if (s->phase == FRONT_COMMAND && d->is_idle)
		count_idle(s);
	if (s->phase == FRONT_COMMAND && buf_len(&d->out) >= FLUSH_AT)
		front_flush(s);
}

/* No more is heard of the client now. */
static void
settle(struct session *s)
{
	if (s->login == NULL)
		return;
	if (s->phase == FRONT_COMMAND && !tarpit_holds(s))
		front_flush(s);
	if (s->phase == FRONT_SCREEN || s->phase == FRONT_AUTH || s->phase == FRONT_ROUTE || tarpit_holds(s))
		stream_hold(&s->front);
	else if (s->phase == FRONT_COMMAND && stream_kept(&s->front) > 0)
		stream_pause(&s->front);
}

static void
on_late(struct session *s)
{
	stream_resume(&s->front);
	finish_command(s, (enum step)s->login->step);
	settle(s);
}

/* Runs whole commands off the front of `in` while their answers are taken; returns the bytes consumed. */
static size_t
run_commands(struct session *s, struct slice in)
{
	struct dialogue *d = &s->login->dialogue;
	size_t total = 0, used;
	enum step step;

	while (s->phase == FRONT_COMMAND && !tarpit_holds(s) && total < in.len &&
	    stream_kept(&s->front) == 0) {
		const char *verb = NULL;

		d->tls_is_spent = d->tls_offered && admission_is_tls_spent(s);
		step = command_run(d, slice_from(in, total), &used, &verb);
		total += used;
		if (verb != NULL && log_wants(LOG_DEBUG))
			session_log(s, LOG_DEBUG, "client says %s", verb);
		if (step == STEP_MORE)
			break;
		if (step == STEP_MEDIATE || !manners_are_bad(&s->login->manners)) {
			finish_command(s, step);
			continue;
		}
		s->login->step = (uint8_t)step;
		tarpit_wait(s, s->login->manners.delay_ms, on_late);
	}
	return total;
}

void
front_begin(struct session *s)
{
	s->login = login_new(s);
	if (s->proto->verbs != NULL) {
		begin_dialogue(s);
		return;
	}
	/* nothing to be read before there is somebody to pass it to */
	stream_pause(&s->front);
	login_skip(s);
}

void
front_resume(struct session *s)
{
	session_enter(s, FRONT_COMMAND);
	s->login->idle_since = loop_now(s->worker->loop);
	if (listener_stress(s->listener) != STRESS_NONE)
		session_set_deadline(s);
	stream_resume(&s->front);
	front_flush(s);
}

/* Stays within commands, has begun a login, TLS or the mediator, or is over. */
static size_t
on_data(struct session *s, struct slice data)
{
	size_t used = run_commands(s, data);

	settle(s);
	return used;
}

/* The client has read its answers: it may ask again. */
static void
on_drained(struct session *s)
{
	if (s->phase == FRONT_COMMAND && !tarpit_holds(s))
		stream_resume(&s->front);
}

static void
on_tls_ready(struct session *s)
{
	if (!learn_tls(s)) {
		turn_tls_away(s);
		return;
	}
	if (s->settings->login_timeout.ms == 0)
		session_set_deadline(s);
	if (!doorman_knows_tls(s))
		return;
	if (s->login == NULL) {
		front_begin(s);
		return;
	}
	dialogue_tls_started(&s->login->dialogue);
	tarpit_set(s, &s->login->manners, false);
	session_enter(s, FRONT_COMMAND);
	heed_word(s);
	if (!s->has_ended)
		front_flush(s);
}

/*
 * A client may half-close behind a pipelined login, and leaves where that fails: this comes again when the
 * stream is resumed.  In the queue, behind failed logins and before a busy auth source it has no place then;
 * who comes there later: session_queued, guard.c.
 */
static void
on_closed(struct session *s)
{
	bool is_judged = s->phase == FRONT_AUTH && !guard_delays(s) && !auth_waits(&s->login->auth);
	bool dialling = is_judged ||
	    (s->phase == FRONT_ROUTE && !leg_is_queued(s->leg));

	if (!dialling && session_has_left(s))
		session_end(s, END_CLIENT_LEFT);
}

size_t
front_event(struct session *s, enum stream_event event, struct slice data)
{
	switch (event) {
	case STREAM_CONNECTED:
	case STREAM_MOVED:
		break;
	case STREAM_DRAINED:
		on_drained(s);
		break;
	case STREAM_TLS_READY:
		on_tls_ready(s);
		break;
	case STREAM_DATA:
		return s->phase == FRONT_PROXY ? front_proxy_read(s, data) : on_data(s, data);
	case STREAM_CLOSED:
		on_closed(s);
		break;
	case STREAM_FAILED:
		session_end(s, s->phase == FRONT_TLS ? END_CLIENT_TLS : END_CLIENT_LOST);
		break;
	}
	return data.len;
}
