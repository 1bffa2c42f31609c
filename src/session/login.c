/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * login.c: from complete credentials to a server that took them: asks who
 * decides, has a server chosen, dials, and tells the client the outcome.
 */
#include "session/login.h"

#include <string.h>

#include "balance/endpoint.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "proto/reply.h"
#include "session/mediate.h"
#include "session/placement.h"
#include "session/plan.h"
#include "session/route_rule.h"

enum { TRIES_MAX = 20 };	/* logins of one connection, also where no server can be had */

static void on_back(struct back *back, enum back_event event, void *owner);

static void
forget_answer(struct login *login)
{
	credentials_wipe(&login->back);
	xfree(login->user);
	xfree(login->mailbox);
	xfree(login->server);
	login->user = login->mailbox = login->server = NULL;
	login->has_host = false;
}

/* The login failed for good; the client may try again. */
static void
fail(struct session *s, bool is_refused)
{
	struct login *login = s->login;

	session_drop_back(s);
	placement_cancel(s);
	route_cancel(&login->route);
	dialogue_login_over(&login->dialogue, is_refused);
	forget_answer(login);
	front_resume(s);
}

static void
refuse(struct session *s, const char *why)
{
	tally_add(&s->listener->counters[s->worker->index].failed_logins, 1);
	session_log(s, LOG_INFO, "login refused: %s", why);
	session_event(s, SESSION_EVENT_LOGIN_FAILED, why);
	session_drop_back(s);
	/* like a bad command: a connection is good for so many guesses and no more */
	front_count_error(s);
	if (!s->has_ended)
		fail(s, true);
}

void
login_unavailable(struct session *s, const char *why)
{
	session_log(s, LOG_WARNING, "no server: %s", why);
	if (s->relay != NULL) {
		mediate_no_server(s);
		return;
	}
	if (!s->proto->has_login) {
		session_end(s, END_NO_SERVER);
		return;
	}
	session_event(s, SESSION_EVENT_LOGIN_FAILED, why);
	if (s->settings->unavailable == UNAVAILABLE_BYE) {
		session_end(s, END_NO_SERVER);
		return;
	}
	reply_write(&s->login->dialogue, REPLY_UNAVAILABLE);
	if (s->login->tries < TRIES_MAX) {
		fail(s, false);
		return;
	}
	front_flush(s);
	session_end(s, END_NO_SERVER);
}

void
login_on_routed(struct route *route, struct endpoint *endpoint, void *owner)
{
	struct session *s = owner;

	if (endpoint == NULL) {
		if (!placement_anew(s))
			login_unavailable(s, route->why);
		return;
	}
	plan_fill(s, endpoint);
	s->back = xcalloc(1, sizeof(*s->back));
	back_start(s->back, s->worker->loop, &s->login->plan, on_back, s);
}

void
login_succeed(struct session *s)
{
	struct login *login = s->login;

	if (s->identity.user == NULL) {
		s->identity.user = login->user;
		login->user = NULL;
	}
	s->endpoint = route_claim(&login->route);
	tally_add(&s->endpoint->counters[s->worker->index].sessions, 1);
	if (s->proto->has_login && s->relay == NULL) {
		s->proto->login_ok(&login->dialogue, s->back->dial);
		front_flush(s);
		tally_add(&s->listener->counters[s->worker->index].logins, 1);
		session_event(s, SESSION_EVENT_LOGIN, NULL);
	}
	relay_begin(s);
}

/* The proxy that the session came through tries again.  If all did, a circle of them would hardly end. */
static bool
is_tried_again_elsewhere(const struct session *s, enum back_event event)
{
	return event == BACK_EVENT_LATER && s->identity.hops < HOPS_MAX;
}

static void
try_again(struct session *s, enum back_event event)
{
	char reason[BACK_REASON_MAX];

	if (!back_is_own_fault(s->back))
		tally_add(&s->login->route.endpoint->counters[s->worker->index].connect_failures, 1);
	session_log(s, LOG_WARNING, "server failed: %s while %s", back_reason(s->back, reason),
	    back_doing(s->back));
	session_drop_back(s);
	affinity_cancel(&s->login->binding);
	if (is_tried_again_elsewhere(s, event))
		route_elsewhere(&s->login->route);
	else
		route_again(&s->login->route);
}

static void
learn(struct session *s, const struct back *back)
{
	/* who was greeted with HELO has announced nothing */
	if (back->dial != NULL && buf_len(&back->dial->capabilities) > 0)
		endpoint_learn(s->login->route.endpoint, buf_slice(&back->dial->capabilities));
}

/* The login, or the client itself, in whose place no other server would be asked. */
static void
on_refused(struct session *s, const struct dial *dial)
{
	struct slice words = buf_slice(&dial->last);

	if (dial->refuses_client)
		session_log(s, LOG_NOTICE, "the server refuses the client: %.*s", SLICE_ARGS(words));
	if (dial->refuses_client && s->relay != NULL) {
		mediate_refused(s, words);
	} else if (dial->refuses_client || s->relay != NULL) {
		login_unavailable(s, "refused by the server");
	} else {
		s->proto->login_refused(&s->login->dialogue, dial);
		buf_append_slice(&s->login->dialogue.token_error, buf_slice(&dial->token_error));
		refuse(s, "refused by the server");
	}
}

static void
on_back(struct back *back, enum back_event event, void *owner)
{
	struct session *s = owner;

	switch (event) {
	case BACK_EVENT_READY:
		learn(s, back);
		placement_confirm(s);
		break;
	case BACK_EVENT_REFUSED:
		learn(s, back);
		tally_add(&s->login->route.endpoint->counters[s->worker->index].refused, 1);
		on_refused(s, back->dial);
		break;
	case BACK_EVENT_LATER:
	case BACK_EVENT_FAILED:
		try_again(s, event);
		break;
	}
}

static struct pool *
find_pool(const struct session *s, const char *name)
{
	for (size_t i = 0; i < s->snapshot->pools.count; i++) {
		struct pool *pool = s->snapshot->pools.items[i];

		if (strcmp(pool->conf.title, name) == 0 && strcmp(pool->protocol, s->proto->name) == 0)
			return pool;
	}
	return NULL;
}

/* What the client has shown, can it be shown again? */
static bool
has_shown_all(const struct login *login)
{
	enum credential_kind kind = login->dialogue.credentials.kind;

	return kind == CREDENTIAL_PASSWORD || kind == CREDENTIAL_TOKEN;
}

/* Where the answer sends the session; NULL, or why that cannot be. */
static const char *
take_target(struct session *s, const struct auth_answer *answer)
{
	struct login *login = s->login;
	const char *user = answer->user != NULL ? answer->user : login->user;
	const struct route_subject subject = { .user = slice_of(user) };

	if (answer->pool != NULL)
		login->pool = find_pool(s, answer->pool);
	else
		login->pool = route_rule_find(&s->settings->route, &subject, s->settings->pool);
	if (login->pool == NULL)
		return "there is no pool of the name that the auth source gave";
	if (answer->verdict == AUTH_BY_SERVER &&
	    (login->pool->options.login != LOGIN_PASSWORD || answer->pass != NULL))
		return "nobody would check the password: the server is not shown the client's";
	if (login->pool->options.login == LOGIN_PASSWORD && answer->pass == NULL && !has_shown_all(login))
		return "the server wants a password, and the client has shown none";
	if (answer->tls != AUTH_TLS_POOL && login->pool->tls_client == NULL)
		return "the auth source wants TLS with the server, and the pool has no server_tls";
	login->has_host = answer->host != NULL;
	if (login->has_host && !addr_parse(slice_of(answer->host), answer->port, &login->host))
		return "the host that the auth source gave is not an address";
	if (answer->server != NULL)
		login->server = xstrdup(answer->server);
	return NULL;
}

/* Who it is, and whose mail it is: as with the Director, users who share a destuser must meet. */
static void
take_names(struct session *s, const struct auth_answer *answer)
{
	const struct users *users = s->snapshot->users;
	struct login *login = s->login;

	if (answer->user != NULL) {
		xfree(login->user);
		login->user = users_canonical(users, slice_of(answer->user));
	}
	if (answer->user == NULL && answer->destuser != NULL)
		login->mailbox = users_canonical(users, slice_of(answer->destuser));
	else
		login->mailbox = xstrdup(login->user);
	login->key = users_key(users, login->mailbox);
}

static void
on_delay_over(struct loop_timer *timer)
{
	placement_start(loop_owner(timer, struct login, delay)->session);
}

/* Would another login of this user be the same, without the client's password and the answer? */
static bool
is_repeatable(const struct session *s, const struct auth_answer *answer)
{
	return s->login->pool->options.login != LOGIN_PASSWORD && s->login->pool == s->settings->pool &&
	    answer->host == NULL && answer->server == NULL && answer->destuser == NULL &&
	    answer->pass == NULL && answer->master == NULL;
}

static void
place(struct session *s, const struct auth_answer *answer)
{
	struct login *login = s->login;
	const char *why = take_target(s, answer);
	int64_t now = loop_now(s->worker->loop);

	if (why != NULL) {
		login_unavailable(s, why);
		return;
	}
	take_names(s, answer);
	login->is_judged_by_server = answer->verdict == AUTH_BY_SERVER;
	login->is_repeatable = is_repeatable(s, answer);
	plan_take_credentials(s, answer);
	if (answer->delay_ms == 0) {
		placement_start(s);
		return;
	}
	/* a user who is being moved: the time is not the client's */
	loop_timer_set(s->worker->loop, &login->delay, now + answer->delay_ms);
	if (s->settings->login_timeout.ms > 0)
		session_wake_at(s, now + answer->delay_ms + s->settings->login_timeout.ms);
}

static void
on_verdict(struct auth_request *request, const struct auth_answer *answer)
{
	struct session *s = loop_owner(request, struct login, auth)->session;
	const char *why = answer->reason != NULL ? answer->reason : answer->why;

	switch (answer->verdict) {
	case AUTH_OK:
	case AUTH_BY_SERVER:
		place(s, answer);
		break;
	case AUTH_REFUSED:
		reply_write_reason(&s->login->dialogue, answer->reason);
		refuse(s, why != NULL ? why : "refused by the auth source");
		break;
	case AUTH_LATER:
		login_unavailable(s, "the auth source cannot say");
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

void
login_begin(struct session *s)
{
	struct login *login = s->login;
	const struct credentials *credentials = &login->dialogue.credentials;

	auth_cancel(&login->auth);
	session_enter(s, FRONT_AUTH);
	login->tries++;
	forget_answer(login);
	login->is_placed_anew = false;
	login->route.deadline = 0;
	login->user = users_canonical(s->snapshot->users, claimed_user(credentials));
	loop_timer_init(&login->delay, on_delay_over);
	login->auth = (struct auth_request){
		.loop = s->worker->loop,
		.chain = &s->settings->auth,
		.credentials = credentials,
		.identity = &s->identity,
		.user = login->user,
		.hashing = s->snapshot->hashing,
		.on_verdict = on_verdict,
	};
	/* whom it names is not who it is, but for whom it would act */
	if (credentials->kind == CREDENTIAL_CERTIFICATE &&
	    users_has_master(s->snapshot->users, claimed_user(credentials))) {
		reply_write(&login->dialogue, REPLY_AUTH_FAILED);
		refuse(s, "the certificate names a master user");
		return;
	}
	auth_start(&login->auth);
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
	s->login->pool = s->settings->pool;
	placement_start(s);
}

void
login_cancel(struct session *s)
{
	struct login *login = s->login;

	if (login == NULL)
		return;
	auth_cancel(&login->auth);
	loop_timer_stop(s->worker->loop, &login->delay);
	session_drop_back(s);
	affinity_cancel(&login->binding);
	route_cancel(&login->route);
	forget_answer(login);
}
