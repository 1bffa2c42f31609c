/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * login.c: from complete credentials to a server that took them: asks who
 * decides, sends a leg to a server, and tells the client the outcome.
 */
#include "session/login.h"

#include <assert.h>
#include <string.h>

#include "access/country_tally.h"
#include "balance/pool.h"
#include "base/digest.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "proto/reply.h"
#include "session/admission.h"
#include "session/doorman.h"
#include "session/listener_kept.h"
#include "session/plan.h"
#include "session/relay.h"
#include "session/route_rule.h"
#include "session/scene.h"

enum { TRIES_MAX = 20 };	/* logins of one connection, also where no server can be had */

struct login *
login_new(struct session *s)
{
	struct login *login = xcalloc(1, sizeof(*login));

	login->session = s;
	login->idle_since = loop_now(s->worker->loop);
	return login;
}

void
login_free(struct login **login, struct loop *loop)
{
	struct login *gone = *login;

	*login = NULL;
	if (gone == NULL)
		return;
	dialogue_wipe(&gone->dialogue);
	offer_put(&gone->offer);
	guard_free(&gone->guard, loop);
	secret_free(&gone->user);
	loop_defer(loop, xfree, gone);
}

/* How a login fails. */
enum failure {
	FAILURE_REFUSED,	/* wrong credentials; words lie in the dialogue */
	FAILURE_BARRED,		/* right ones, of a user who may not; likewise */
	FAILURE_PACED,		/* the client has tried too many */
	FAILURE_CROWDED,	/* the user has too many sessions */
	FAILURE_UNDECIDED,	/* the auth source cannot say now */
	FAILURE_DISOWNED,	/* right ones, and the server does not take ours, by which it is to know us */
	FAILURE_UNPLACED,	/* what the auth source says and what the pool does are at odds */
	FAILURE_NO_SERVER,
	FAILURE_COUNT
};

static const struct failure_row {
	const char *text;	/* in the log, before why */
	int level;
	bool is_error;		/* counts as a bad command: a connection is good for so many */
	bool is_guess;		/* counts for its address and its user */
} failures[] = {
	[FAILURE_REFUSED]   = { "login refused",          LOG_INFO,    true,  true },
	[FAILURE_BARRED]    = { "login refused",          LOG_INFO,    true,  false },
	[FAILURE_PACED]     = { "login not judged",       LOG_INFO,    true,  false },
	[FAILURE_CROWDED]   = { "login refused",          LOG_INFO,    true,  false },
	[FAILURE_UNDECIDED] = { "no verdict",             LOG_WARNING, false, false },
	[FAILURE_DISOWNED]  = { "our own login fails",    LOG_WARNING, false, false },
	[FAILURE_UNPLACED]  = { "login cannot be placed", LOG_WARNING, false, false },
	[FAILURE_NO_SERVER] = { "no server",              LOG_WARNING, false, false },
};
static_assert(sizeof(failures) / sizeof(failures[0]) == FAILURE_COUNT, "one row per failure");

/* The client may try again. */
static void
come_back(struct session *s, bool is_refused)
{
	session_drop_legs(s);
	admission_leave_user(s);
	dialogue_login_over(&s->login->dialogue, is_refused);
	front_resume(s);
	secret_free(&s->login->user);	/* a trace shows the user the refusal, too */
}

static void
count_refusal(struct session *s)
{
	tally_add(&s->listener->counters[s->worker->index].failed_logins, 1);
	if (s->identity.place.has_countries)
		country_tally_add(s->snapshot->countries, s->identity.place.country, COUNTRY_FAILED_LOGINS);
	if (s->leg != NULL)
		leg_drop_back(s->leg);
	if (s->login->ends_session) {
		front_flush(s);
		session_end(s, END_REFUSED);
		return;
	}
	front_count_error(s);
	if (s->has_ended)
		return;
	if (guard_bans(s)) {
		front_flush(s);
		guard_turn_away(s);
		return;
	}
	come_back(s, true);
}

/* The client is told to come later, and may stay. */
static void
put_off(struct session *s)
{
	struct login *login = s->login;
	bool is_bye = !s->proto->has_login || s->settings->unavailable == UNAVAILABLE_BYE;

	if (!is_bye && !login->has_words)
		reply_write(&login->dialogue, REPLY_UNAVAILABLE);
	if (!is_bye && !login->ends_session && login->tries < TRIES_MAX) {
		come_back(s, false);
		return;
	}
	front_flush(s);
	session_end(s, END_NO_SERVER);
}

static void
count_failure(struct session *s, enum failure failure)
{
	struct listener_counters *counters = session_counters(s);

	if (failure == FAILURE_NO_SERVER)
		tally_add(&counters->unavailable, 1);
	else if (!failures[failure].is_error)
		tally_add(&counters->undecided, 1);
}

static void
note(struct session *s, enum failure failure, const char *why, const char *words)
{
	const struct failure_row *row = &failures[failure];

	count_failure(s, failure);
	s->login->is_noted = true;
	s->login->is_guess = row->is_guess;
	session_log(s, row->level, "%s: %s%s%s", row->text, why, words != NULL ? ": " : "",
	    words != NULL ? words : "");
	if (s->proto->has_login)
		session_event(s, SESSION_EVENT_LOGIN_FAILED, why, NULL);
	if (row->is_guess)
		guard_failed(s);
	else
		guard_undecided(s);
}

/* `words`: more about it, for the log alone; or NULL. */
static void
fail(struct session *s, enum failure failure, const char *why, const char *words)
{
	note(s, failure, why, words);
	if (failures[failure].is_error)
		count_refusal(s);
	else
		put_off(s);
}

void
login_late(struct session *s)
{
	if (s->proto->has_login && !s->login->is_noted)
		session_event(s, SESSION_EVENT_LOGIN_FAILED, "it took too long", NULL);
}

/* False: he may not come, or has too many sessions, and the client was told. */
static bool
is_admitted(struct session *s)
{
	const char *words = doorman_refuses(s, s->login->user);

	if (words != NULL) {
		guard_succeeded(s);
		reply_write_words(&s->login->dialogue, s->proto->replies[REPLY_DENIED_LOGIN],
		    slice_of(words));
		fail(s, FAILURE_BARRED, "denied by access", NULL);
		return false;
	}
	if (admission_takes_user(s, s->login->user))
		return true;
	guard_succeeded(s);
	tally_add(&s->listener->counters[s->worker->index].paced, 1);
	reply_write(&s->login->dialogue, REPLY_CROWDED_USER);
	fail(s, FAILURE_CROWDED, "the user has too many sessions", NULL);
	return false;
}

static void
succeed(struct session *s)
{
	struct login *login = s->login;

	if (s->proto->has_login && s->leg->way->is_judged_by_server && !is_admitted(s))
		return;
	guard_succeeded(s);
	if (s->identity.user == NULL) {
		s->identity.user = login->user;
		login->user = NULL;
	}
	trace_look_at(s);
	if (s->proto->has_login) {
		s->proto->login_ok(&login->dialogue, s->leg->back->dial);
		front_flush(s);
		tally_add(&s->listener->counters[s->worker->index].logins, 1);
		session_event(s, SESSION_EVENT_LOGIN, NULL, NULL);
	}
	relay_begin(s);
}

/* The login, or the client itself, in whose place no other server would be asked. */
static void
on_refused(struct session *s, const struct back *back)
{
	const struct dial *dial = back->dial;
	char words[BACK_REASON_MAX];

	back_reason(back, words);
	if (dial->refuses_client) {
		fail(s, FAILURE_NO_SERVER, "refused by the server", words);
		return;
	}
	if (!s->leg->way->is_judged_by_server && !plan_shows_client(s->leg->way->pool)) {
		/* who is told that a password is wrong asks for another one, and it was right */
		fail(s, FAILURE_DISOWNED, "refused by the server", words);
		return;
	}
	s->proto->login_refused(&s->login->dialogue, dial);
	buf_append_slice(&s->login->dialogue.token_error, buf_slice(&dial->token_error));
	/* a source has found them right before */
	fail(s, s->leg->way->is_judged_by_server ? FAILURE_REFUSED : FAILURE_BARRED, "refused by the server",
	    words);
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
		succeed(s);
		break;
	case LEG_REFUSED:
		on_refused(s, leg->back);
		break;
	case LEG_UNAVAILABLE:
		fail(s, FAILURE_NO_SERVER, leg->way->why, NULL);
		break;
	case LEG_KICKED:
		break;
	}
}

/* Where the answer sends the session, or why that cannot be. */
static const char *
find_target(const struct session *s, const struct auth_answer *answer, struct pool **pool)
{
	const struct login *login = s->login;
	const char *user = answer->user != NULL ? answer->user : login->user;
	struct condition_subject subject;
	const char *why;

	doorman_describe(s, &subject);
	subject.user = slice_of(user);
	why = plan_find_pool(s->snapshot, s->settings, answer, &subject, pool);
	return why != NULL ? why : plan_refusal(*pool, answer, &login->dialogue.credentials);
}

/* Who it is, and whose mail it is: as with the Director, users who share a destuser must meet. */
static void
take_names(struct session *s, const struct auth_answer *answer)
{
	const struct users *users = s->snapshot->users;
	struct login *login = s->login;
	struct leg_way *way = s->leg->way;

	if (answer->user != NULL) {
		secret_free(&login->user);
		login->user = users_canonical(users, slice_of(answer->user));
	}
	if (answer->user == NULL && answer->destuser != NULL)
		way->mailbox = users_canonical(users, slice_of(answer->destuser));
	else
		way->mailbox = xstrdup(login->user);
	way->key = users_key(users, way->mailbox);
}

static void
on_delay_over(struct loop_timer *timer)
{
	struct session *s = loop_owner(timer, struct login, delay)->session;

	session_enter(s, FRONT_ROUTE);
	leg_start(s->leg);
}

/* Would another login of this user be the same, without the client's password and the answer? */
static bool
is_repeatable(const struct session *s, const struct auth_answer *answer)
{
	const struct pool *pool = s->leg->way->pool;

	return !plan_shows_client(pool) && pool == s->settings->pool && answer->host == NULL &&
	    answer->server == NULL && answer->destuser == NULL && answer->pass == NULL &&
	    answer->master == NULL;
}

static void
make_leg(struct session *s, const struct auth_answer *answer, struct pool *pool)
{
	struct login *login = s->login;
	struct leg_way *way = leg_new(s, s->snapshot, pool, on_leg)->way;

	way->hostname = s->settings->hostname;
	plan_take_place(way, answer, login->auth.asked);
	way->is_judged_by_server = answer->verdict == AUTH_BY_SERVER;
	way->wishes = login->dialogue.wishes;
	way->offer = offer_hold(login->offer);
	way->wants_capabilities = login->dialogue.asked_capabilities;
	take_names(s, answer);
	login->is_repeatable = is_repeatable(s, answer);
	plan_take_credentials(way, answer, login->user, &login->dialogue.credentials);
}

static void
place(struct session *s, const struct auth_answer *answer)
{
	int64_t now = loop_now(s->worker->loop);
	struct pool *pool;
	const char *why = find_target(s, answer, &pool);

	if (why != NULL) {
		fail(s, FAILURE_UNPLACED, why, NULL);
		return;
	}
	if (answer->verdict == AUTH_OK && !is_admitted(s))
		return;
	make_leg(s, answer, pool);
	if (answer->delay_ms == 0) {
		session_enter(s, FRONT_ROUTE);
		leg_start(s->leg);
		return;
	}
	/* a user who is being moved: the time is not the client's */
	loop_timer_set(s->worker->loop, &s->login->delay, now + answer->delay_ms);
	if (s->settings->login_timeout.ms > 0)
		session_wake_at(s, now + answer->delay_ms + s->settings->login_timeout.ms);
}

/*
 * Whoever leads an exchange hears who the client is, and here it is known only from the answer.  Why that
 * is not good enough, or NULL.
 */
static const char *
learn_user(struct session *s, const struct auth_answer *answer)
{
	struct login *login = s->login;

	if (*login->user != '\0' || answer->verdict == AUTH_CHALLENGE)
		return NULL;
	if (answer->user != NULL) {
		secret_free(&login->user);
		login->user = users_canonical(s->snapshot->users, slice_of(answer->user));
	}
	if (answer->verdict != AUTH_OK || auth_vouches_for(&login->auth, login->user))
		return NULL;
	return "no domain of the auth source is the user's";
}

static void
tell_failure(struct session *s)
{
	if (s->login->is_refused)
		count_refusal(s);
	else
		put_off(s);
}

static void
on_wait_over(struct loop_timer *timer)
{
	tell_failure(loop_owner(timer, struct login, delay)->session);
}

/* Why, for the log. */
static const char *
find_why(const struct auth_answer *answer)
{
	if (answer->verdict == AUTH_REFUSED && answer->reason != NULL)
		return answer->reason;
	if (answer->why != NULL)
		return answer->why;
	if (answer->verdict == AUTH_REFUSED)
		return "refused by the auth source";
	return answer->reason != NULL ? answer->reason : "the auth source cannot say";
}

/* In the words of the auth source, when and as it wants it. */
static void
turn_down(struct session *s, const struct auth_answer *answer)
{
	struct login *login = s->login;
	enum failure failure = answer->is_right ? FAILURE_BARRED : FAILURE_REFUSED;
	enum reply reply = answer->is_right ? REPLY_REFUSED : REPLY_WRONG;
	bool is_temporary = answer->verdict == AUTH_LATER;

	login->has_words = answer->code != NULL || answer->reason != NULL;
	if (!is_temporary || login->has_words)
		is_temporary = reply_write_judgement(&login->dialogue, is_temporary ? REPLY_LATER : reply,
		    answer->code, answer->reason);
	if (is_temporary)
		failure = FAILURE_UNDECIDED;
	login->is_refused = !is_temporary;
	login->ends_session = answer->ends_session;
	if (!is_temporary && answer->token_error != NULL)
		buf_append_text(&login->dialogue.token_error, answer->token_error);
	note(s, failure, find_why(answer), NULL);
	if (answer->wait_ms <= 0) {
		tell_failure(s);
		return;
	}
	loop_timer_init(&login->delay, on_wait_over);
	loop_timer_set(s->worker->loop, &login->delay, loop_now(s->worker->loop) + answer->wait_ms);
}

static void
on_verdict(struct auth_request *request, const struct auth_answer *answer)
{
	struct session *s = loop_owner(request, struct login, auth)->session;
	const char *wrong_user = learn_user(s, answer);

	switch (answer->verdict) {
	case AUTH_OK:
	case AUTH_BY_SERVER:
		if (*s->login->user == '\0') {
			fail(s, FAILURE_UNDECIDED, "the auth source has not said who the user is", NULL);
		} else if (wrong_user != NULL) {
			reply_write(&s->login->dialogue, REPLY_AUTH_FAILED);
			fail(s, FAILURE_BARRED, wrong_user, NULL);
		} else {
			place(s, answer);
		}
		break;
	case AUTH_REFUSED:
	case AUTH_LATER:
		turn_down(s, answer);
		break;
	case AUTH_CHALLENGE:
		dialogue_challenge(&s->login->dialogue, answer->challenge);
		front_resume(s);
		break;
	}
}

/* Who the client wants to be: for whom it acts, where it says so. */
static struct slice
claimed_user(const struct credentials *credentials)
{
	return buf_slice(buf_len(&credentials->authzid) > 0 ? &credentials->authzid : &credentials->user);
}

static void
ask(struct session *s)
{
	auth_start(&s->login->auth);
}

void
login_begin(struct session *s)
{
	struct login *login = s->login;
	const struct credentials *credentials = &login->dialogue.credentials;

	auth_cancel(&login->auth);
	session_enter(s, FRONT_AUTH);
	login->tries++;
	login->begun_at = loop_now(s->worker->loop);
	login->is_noted = login->is_guess = login->has_words = login->ends_session = false;
	secret_free(&login->user);
	login->user = users_canonical(s->snapshot->users, claimed_user(credentials));
	trace_look_at(s);
	loop_timer_init(&login->delay, on_delay_over);
	if (s->settings->auth.count > 0)
		scene_fill(s, s->settings, login->tries, &login->scene);
	login->auth = (struct auth_request){
		.loop = s->worker->loop,
		.chain = &s->settings->auth,
		.credentials = credentials,
		.identity = &s->identity,
		.user = login->user,
		.scene = &login->scene,
		.clients = s->worker->clients,
		.hashing = s->snapshot->hashing,
		.on_verdict = on_verdict,
	};
	/* whom it names is not who it is, but for whom it would act */
	if (credentials_kind(credentials) == CREDENTIAL_CERTIFICATE &&
	    users_has_master(s->snapshot->users, claimed_user(credentials))) {
		reply_write(&login->dialogue, REPLY_AUTH_FAILED);
		fail(s, FAILURE_BARRED, "the certificate names a master user", NULL);
		return;
	}
	if (!admission_takes_login(s)) {
		tally_add(&s->listener->counters[s->worker->index].paced, 1);
		reply_write(&login->dialogue, REPLY_PACED);
		fail(s, FAILURE_PACED, "its client has tried too many", NULL);
		return;
	}
	guard_begin(s, ask);
}

void
login_respond(struct session *s)
{
	session_enter(s, FRONT_AUTH);
	auth_respond(&s->login->auth);
}

void
login_skip(struct session *s)
{
	struct condition_subject subject;
	struct pool *pool;

	if (!doorman_knows_all(s))
		return;
	doorman_describe(s, &subject);
	pool = route_rule_find(&s->settings->route, &subject, s->settings->pool);
	leg_new(s, s->snapshot, pool, on_leg)->way->hostname = s->settings->hostname;
	session_enter(s, FRONT_ROUTE);
	leg_start(s->leg);
}

void
login_cancel(struct session *s)
{
	if (s->login == NULL)
		return;
	auth_cancel(&s->login->auth);
	guard_cancel(s);
	loop_timer_stop(s->worker->loop, &s->login->delay);
}
