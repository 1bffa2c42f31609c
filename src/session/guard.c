/* SPDX-License-Identifier: BSD-2-Clause */
/* guard.c: a session's client before the counters of failed logins. */
#include "session/guard.h"

#include "access/penalty.h"
#include "base/digest.h"
#include "base/log.h"
#include "base/tally.h"
#include "base/xalloc.h"
#include "session/listener_kept.h"
#include "session/login.h"

struct guard {
	struct session *session;
	struct penalty_case login;		/* the last one */
	bool is_counted;			/* by what comes of it */
	void (*on_time)(struct session *s);
	struct loop_timer timer;
	bool has_waited;			/* the last login, already */
	int64_t until;				/* … and for how long it was told to */
	int64_t waited_ms;			/* by all logins of the session */
};

static struct listener_counters *
counters_of(const struct session *s)
{
	return &s->listener->counters[s->worker->index];
}

/* A trusted peer that has not told of another client. */
bool
guard_speaks_for_itself(const struct session *s)
{
	const struct dialogue *d = s->login != NULL ? &s->login->dialogue : NULL;
	const struct addr *client = &s->identity.client;

	if (d == NULL || !d->is_trusted)
		return listener_trusts(s->settings, client);
	return !d->has_told || addr_equals(client, &d->told_from);
}

bool
guard_spares(const struct session *s)
{
	return limits_exempt(s->limits, &s->identity.client) || guard_speaks_for_itself(s);
}

static bool
is_watched(const struct session *s)
{
	return s->limits != NULL && s->snapshot->penalty != NULL && !guard_spares(s);
}

bool
guard_bans(const struct session *s)
{
	return is_watched(s) && penalty_bans(s->snapshot->penalty, s->limits, &s->identity.client,
	    loop_now(s->worker->loop));
}

void
guard_turn_away(struct session *s)
{
	tally_add(&counters_of(s)->banned, 1);
	session_end(s, END_BANNED);
}

static void
go_on(struct session *s)
{
	/* others of its address may have had it banned meanwhile */
	if (guard_bans(s))
		guard_turn_away(s);
	else
		s->login->guard->on_time(s);
}

/* Others may have failed meanwhile. */
static void
on_timer(struct loop_timer *timer)
{
	struct guard *guard = loop_owner(timer, struct guard, timer);

	penalty_ask_again(&guard->login, loop_now(guard->session->worker->loop));
}

/* The time is not the client's: its login_timeout is as much longer.  It is looked at again in `look_ms`. */
static void
wait(struct session *s, int64_t ms, int64_t look_ms)
{
	struct guard *guard = s->login->guard;
	int64_t now = loop_now(s->worker->loop);

	if (!guard->has_waited)
		tally_add(&counters_of(s)->delayed_logins, 1);
	if (!guard->has_waited || now + ms > guard->until)
		session_log(s, LOG_DEBUG, "the login waits for %lld ms", (long long)ms);
	guard->has_waited = true;
	guard->until = now + ms;
	guard->waited_ms += look_ms;
	loop_timer_set(s->worker->loop, &guard->timer, now + look_ms);
	if (session_has_left(s))
		session_end(s, END_CLIENT_LEFT);
	else if (s->settings->login_timeout.ms > 0)
		session_wake_at(s, s->accepted_at + s->settings->login_timeout.ms + guard->waited_ms);
}

static void
on_answer(struct penalty_case *login, int64_t wait_ms)
{
	struct session *s = loop_owner(login, struct guard, login)->session;

	if (wait_ms == 0)
		go_on(s);
	else
		wait(s, wait_ms, login->look_ms);
}

/* Whose password was shown, or what proves that it is known: the master user's, who acts for another. */
static char *
name_owner(const struct session *s)
{
	const struct users *users = s->snapshot->users;
	struct slice user = buf_slice(&s->login->dialogue.credentials.user);
	struct slice master = users_master(users, user);

	return users_canonical(users, master.len > 0 ? master : user);
}

static bool
can_be_guessed(const struct session *s)
{
	return credentials_kind(&s->login->dialogue.credentials) != CREDENTIAL_CERTIFICATE;
}

static struct guard *
guard_new(struct session *s)
{
	struct guard *guard = xcalloc(1, sizeof(*guard));

	guard->session = s;
	loop_timer_init(&guard->timer, on_timer);
	return guard;
}

void
guard_begin(struct session *s, void (*on_time)(struct session *s))
{
	struct guard *guard = s->login->guard;
	char *owner;

	/* one that the client has broken off */
	guard_undecided(s);
	if (!is_watched(s) || !can_be_guessed(s)) {
		on_time(s);
		return;
	}
	if (guard == NULL)
		guard = s->login->guard = guard_new(s);
	guard->on_time = on_time;
	guard->is_counted = true;
	guard->has_waited = false;
	guard->login.penalty = s->snapshot->penalty;
	guard->login.limits = s->limits;
	guard->login.loop = s->worker->loop;
	guard->login.on_answer = on_answer;
	owner = name_owner(s);
	penalty_open(&guard->login, &s->identity.client, slice_of(owner));
	secret_free(&owner);
	penalty_ask(&guard->login, buf_slice(&s->login->dialogue.credentials.password),
	    loop_now(s->worker->loop));
}

bool
guard_delays(const struct session *s)
{
	return s->login != NULL && s->login->guard != NULL && loop_timer_is_set(&s->login->guard->timer);
}

int64_t
guard_waited_ms(const struct session *s)
{
	return s->login != NULL && s->login->guard != NULL ? s->login->guard->waited_ms : 0;
}

/* Of an exchange that its source has led the name is known with the outcome only. */
static void
learn_name(struct session *s)
{
	struct guard *guard = s->login->guard;

	if (!guard->login.pair.has_user && s->login->user != NULL)
		penalty_name(&guard->login, slice_of(s->login->user));
}

void
guard_failed(struct session *s)
{
	struct guard *guard = s->login->guard;

	if (guard == NULL || !guard->is_counted)
		return;
	guard->is_counted = false;
	learn_name(s);
	penalty_failed(&guard->login, buf_slice(&s->login->dialogue.credentials.password),
	    loop_now(s->worker->loop));
}

void
guard_succeeded(struct session *s)
{
	struct guard *guard = s->login->guard;

	if (guard == NULL || !guard->is_counted)
		return;
	guard->is_counted = false;
	learn_name(s);
	penalty_succeeded(&guard->login, loop_now(s->worker->loop));
}

void
guard_undecided(struct session *s)
{
	struct guard *guard = s->login->guard;

	if (guard == NULL || !guard->is_counted)
		return;
	guard->is_counted = false;
	penalty_undecided(&guard->login, loop_now(s->worker->loop));
}

void
guard_cancel(struct session *s)
{
	struct guard *guard = s->login->guard;

	if (guard == NULL)
		return;
	penalty_cancel(&guard->login);
	loop_timer_stop(s->worker->loop, &guard->timer);
	guard_undecided(s);
}

void
guard_free(struct guard **guard, struct loop *loop)
{
	struct guard *gone = *guard;

	*guard = NULL;
	if (gone != NULL)
		loop_defer(loop, xfree, gone);
}
