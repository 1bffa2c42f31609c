/* SPDX-License-Identifier: BSD-2-Clause */
/* admission.c: what is counted of a session, under which names, and what it gives back. */
#include "session/admission.h"

#include "base/buf.h"
#include "base/xalloc.h"
#include "session/admission_name.h"
#include "session/guard.h"
#include "session/listener_kept.h"
#include "state/limiter.h"

struct admission {
	struct limiter *limiter;		/* of the process */
	const struct limits *limits;		/* whose names these are: only compared */
	struct admission_key key;		/* the block's, and the client's */
	struct limits_counts counts;		/* a copy: the session outlives its snapshot */
	bool is_watched;
	struct buf connection, user, user_client;	/* names that it counts under; empty: none */
};

static struct slice
name_of(struct admission *admission, enum admission_subject subject, char name[ADMISSION_NAME_MAX])
{
	admission->key.subject = subject;
	return admission_name_write(&admission->key, name);
}

/* Whom it is about: the client at hand.  limits: NULL: nothing more is counted of it. */
static void
describe(struct session *s, const struct limits *limits)
{
	struct admission *admission = s->admission;

	admission->limits = limits;
	admission->is_watched = false;
	if (limits == NULL)
		return;
	admission->key = (struct admission_key){
		.block = admission_block(limits), .client = limits_client(limits, &s->identity.client),
	};
	admission->counts = limits->counts;
	admission->is_watched = !guard_spares(s);
}

/* False: it came by a unix socket, which tells nothing of it: only its user can be counted. */
static bool
has_client(const struct admission *admission)
{
	return admission->key.client.len > 0;
}

static bool
takes(const struct session *s, enum admission_subject subject, int64_t limit)
{
	struct admission *admission = s->admission;
	const struct limiter_rate rate = { limit, admission->counts.rate_unit.ms };
	char name[ADMISSION_NAME_MAX];

	return limit == 0 || !has_client(admission) || limiter_take(admission->limiter,
	    name_of(admission, subject, name), rate, loop_now(s->worker->loop));
}

/* Under `name`, which it fills in; false: it does not. */
static bool
enter(struct admission *admission, struct buf *name, int64_t limit)
{
	if (limiter_enter(admission->limiter, buf_slice(name), limit))
		return true;
	buf_clear(name);
	return false;
}

static void
leave(struct admission *admission, struct buf *name)
{
	if (buf_len(name) > 0)
		limiter_leave(admission->limiter, buf_slice(name));
	buf_clear(name);
}

static enum entrance_verdict
let_in(struct session *s)
{
	struct admission *admission = s->admission;
	const struct limits_counts *counts = &admission->counts;
	char name[ADMISSION_NAME_MAX];

	if (!admission->is_watched || !has_client(admission))
		return ENTRANCE_PASS;
	if (takes(s, ADMISSION_CONNECTION_RATE, counts->client_connection_rate)) {
		if (counts->client_connections == 0)
			return ENTRANCE_PASS;
		buf_append_slice(&admission->connection, name_of(admission, ADMISSION_CONNECTIONS, name));
		if (enter(admission, &admission->connection, counts->client_connections))
			return ENTRANCE_PASS;
	}
	tally_add(&s->listener->counters[s->worker->index].crowded, 1);
	session_end(s, END_CROWDED);
	return ENTRANCE_GONE;
}

enum entrance_verdict
admission_begin(struct session *s)
{
	admission_follow(s);
	return s->admission != NULL ? let_in(s) : ENTRANCE_PASS;
}

void
admission_follow(struct session *s)
{
	const struct limits *limits = s->limits;
	bool is_counted = s->admission != NULL || (limits != NULL && limits_count(limits));

	if (s->snapshot->limiter == NULL || !is_counted)
		return;
	if (s->admission == NULL) {
		s->admission = xcalloc(1, sizeof(*s->admission));
		s->admission->limiter = s->snapshot->limiter;
	}
	if (s->admission->limits != limits)
		describe(s, limits);
}

enum entrance_verdict
admission_retold(struct session *s)
{
	if (s->admission == NULL)
		return admission_begin(s);
	leave(s->admission, &s->admission->connection);
	describe(s, s->limits);
	return let_in(s);
}

/* NULL: nothing is counted of the session. */
static const struct limits_counts *
counts_of(const struct session *s)
{
	return s->admission != NULL && s->admission->is_watched ? &s->admission->counts : NULL;
}

bool
admission_takes_tls(const struct session *s)
{
	const struct limits_counts *counts = counts_of(s);

	return counts == NULL || takes(s, ADMISSION_TLS_RATE, counts->client_tls_rate);
}

bool
admission_is_tls_spent(const struct session *s)
{
	const struct limits_counts *counts = counts_of(s);
	char name[ADMISSION_NAME_MAX];
	struct limiter_rate rate;

	if (counts == NULL || counts->client_tls_rate == 0 || !has_client(s->admission))
		return false;
	rate = (struct limiter_rate){ counts->client_tls_rate, counts->rate_unit.ms };
	return limiter_is_spent(s->admission->limiter, name_of(s->admission, ADMISSION_TLS_RATE, name), rate,
	    loop_now(s->worker->loop));
}

bool
admission_takes_login(const struct session *s)
{
	const struct limits_counts *counts = counts_of(s);

	return counts == NULL || takes(s, ADMISSION_AUTH_RATE, counts->client_auth_rate);
}

bool
admission_takes_mail(const struct session *s)
{
	const struct limits_counts *counts = counts_of(s);

	return counts == NULL || takes(s, ADMISSION_MESSAGE_RATE, counts->client_message_rate);
}

bool
admission_takes_recipient(const struct session *s)
{
	const struct limits_counts *counts = counts_of(s);

	return counts == NULL || takes(s, ADMISSION_RECIPIENT_RATE, counts->client_recipient_rate);
}

/* Counts the user under a name of its own, which is kept in `name`; false: there are too many. */
static bool
takes_name(struct admission *admission, enum admission_subject subject, const char *user, int64_t limit,
    struct buf *name)
{
	char start[ADMISSION_NAME_MAX];

	if (limit == 0)
		return true;
	buf_append_slice(name, name_of(admission, subject, start));
	buf_append_text(name, user);
	return enter(admission, name, limit);
}

bool
admission_takes_user(struct session *s, const char *user)
{
	const struct limits_counts *counts = counts_of(s);
	struct admission *admission = s->admission;
	int64_t limit;

	if (counts == NULL)
		return true;
	admission_leave_user(s);
	if (!takes_name(admission, ADMISSION_USER, user, counts->user_connections, &admission->user))
		return false;
	limit = has_client(admission) ? counts->user_client_connections : 0;
	if (takes_name(admission, ADMISSION_USER_CLIENT, user, limit, &admission->user_client))
		return true;
	admission_leave_user(s);
	return false;
}

void
admission_leave_user(struct session *s)
{
	if (s->admission == NULL)
		return;
	leave(s->admission, &s->admission->user);
	leave(s->admission, &s->admission->user_client);
}

void
admission_free(struct session *s)
{
	if (s->admission == NULL)
		return;
	admission_leave_user(s);
	leave(s->admission, &s->admission->connection);
	xfree(s->admission);
	s->admission = NULL;
}
