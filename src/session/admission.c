/* SPDX-License-Identifier: BSD-2-Clause */
/* admission.c: what is counted of a session, under which names, and what it gives back. */
#include "session/admission.h"

#include <string.h>

#include "access/limits.h"
#include "base/buf.h"
#include "base/hash.h"
#include "base/xalloc.h"
#include "session/guard.h"
#include "state/limiter.h"

/* What a number is of; the first octet of its name. */
enum subject {
	OF_CONNECTIONS = 'c',
	OF_CONNECTION_RATE = 'r',
	OF_TLS_RATE = 't',
	OF_AUTH_RATE = 'a',
	OF_MESSAGE_RATE = 'm',
	OF_RECIPIENT_RATE = 'n',
	OF_USER = 'u',
	OF_USER_CLIENT = 'p'
};

enum { NAME_MAX_BYTES = 1 + sizeof(uint64_t) + LIMITS_CLIENT_MAX };

struct admission {
	struct limiter *limiter;		/* of the process */
	uint8_t name[NAME_MAX_BYTES];		/* a subject's place, the block's hash, the client */
	uint8_t len;
	struct limits_counts counts;		/* a copy: the session outlives its snapshot */
	bool is_watched;
	bool is_inside;				/* counted among its client's connections */
	struct buf user, user_client;		/* the names that it counts under; empty: it does not */
};

static struct slice
name_of(struct admission *admission, enum subject subject)
{
	admission->name[0] = (uint8_t)subject;
	return slice_make((const char *)admission->name, admission->len);
}

/* Whom it is about: the client at hand. */
static void
describe(struct session *s, const struct limits *limits)
{
	struct admission *admission = s->admission;
	struct limits_client client = limits_client(limits, &s->identity.client);
	uint64_t block = hash_bytes(limits->conf.title, strlen(limits->conf.title), 0);

	memcpy(admission->name + 1, &block, sizeof(block));
	memcpy(admission->name + 1 + sizeof(block), client.bytes, client.len);
	admission->counts = limits->counts;
	admission->len = (uint8_t)(1 + sizeof(block) + client.len);
	admission->is_watched = client.len > 0 && !guard_spares(s);
}

static bool
takes(const struct session *s, enum subject subject, int64_t limit)
{
	struct admission *admission = s->admission;
	const struct limiter_rate rate = { limit, admission->counts.rate_unit.ms };

	return limit == 0 || limiter_take(admission->limiter, name_of(admission, subject), rate,
	    loop_now(s->worker->loop));
}

static enum entrance_verdict
let_in(struct session *s)
{
	struct admission *admission = s->admission;
	const struct limits_counts *counts = &admission->counts;

	if (!admission->is_watched)
		return ENTRANCE_PASS;
	if (takes(s, OF_CONNECTION_RATE, counts->client_connection_rate)) {
		if (counts->client_connections == 0)
			return ENTRANCE_PASS;
		admission->is_inside = limiter_enter(admission->limiter, name_of(admission, OF_CONNECTIONS),
		    counts->client_connections);
		if (admission->is_inside)
			return ENTRANCE_PASS;
	}
	tally_add(&s->listener->counters[s->worker->index].crowded, 1);
	session_end(s, END_CROWDED);
	return ENTRANCE_GONE;
}

enum entrance_verdict
admission_begin(struct session *s)
{
	const struct limits *limits = s->limits;

	if (limits == NULL || s->snapshot->limiter == NULL || !limits_count(limits))
		return ENTRANCE_PASS;
	s->admission = xcalloc(1, sizeof(*s->admission));
	s->admission->limiter = s->snapshot->limiter;
	describe(s, limits);
	return let_in(s);
}

static void
leave(struct admission *admission)
{
	if (admission->is_inside)
		limiter_leave(admission->limiter, name_of(admission, OF_CONNECTIONS));
	admission->is_inside = false;
}

enum entrance_verdict
admission_retold(struct session *s)
{
	if (s->admission == NULL)
		return ENTRANCE_PASS;
	leave(s->admission);
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

	return counts == NULL || takes(s, OF_TLS_RATE, counts->client_tls_rate);
}

bool
admission_is_tls_spent(const struct session *s)
{
	const struct limits_counts *counts = counts_of(s);
	struct limiter_rate rate;

	if (counts == NULL)
		return false;
	rate = (struct limiter_rate){ counts->client_tls_rate, counts->rate_unit.ms };
	return limiter_is_spent(s->admission->limiter, name_of(s->admission, OF_TLS_RATE), rate,
	    loop_now(s->worker->loop));
}

bool
admission_takes_login(const struct session *s)
{
	const struct limits_counts *counts = counts_of(s);

	return counts == NULL || takes(s, OF_AUTH_RATE, counts->client_auth_rate);
}

bool
admission_takes_mail(const struct session *s)
{
	const struct limits_counts *counts = counts_of(s);

	return counts == NULL || takes(s, OF_MESSAGE_RATE, counts->client_message_rate);
}

bool
admission_takes_recipient(const struct session *s)
{
	const struct limits_counts *counts = counts_of(s);

	return counts == NULL || takes(s, OF_RECIPIENT_RATE, counts->client_recipient_rate);
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

bool
admission_takes_user(struct session *s, const char *user)
{
	const struct limits_counts *counts = counts_of(s);
	struct admission *admission = s->admission;

	if (counts == NULL)
		return true;
	admission_leave_user(s);
	if (counts->user_connections > 0) {
		struct slice block = name_of(admission, OF_USER);

		buf_append(&admission->user, block.data, 1 + sizeof(uint64_t));
		buf_append_text(&admission->user, user);
		if (!enter(admission, &admission->user, counts->user_connections))
			return false;
	}
	if (counts->user_client_connections > 0) {
		buf_append_slice(&admission->user_client, name_of(admission, OF_USER_CLIENT));
		buf_append_text(&admission->user_client, user);
		if (!enter(admission, &admission->user_client, counts->user_client_connections)) {
			admission_leave_user(s);
			return false;
		}
	}
	return true;
}

static void
leave_name(struct admission *admission, struct buf *name)
{
	if (buf_len(name) > 0)
		limiter_leave(admission->limiter, buf_slice(name));
	buf_clear(name);
}

void
admission_leave_user(struct session *s)
{
	if (s->admission == NULL)
		return;
	leave_name(s->admission, &s->admission->user);
	leave_name(s->admission, &s->admission->user_client);
}

void
admission_free(struct session *s)
{
	if (s->admission == NULL)
		return;
	admission_leave_user(s);
	leave(s->admission);
	xfree(s->admission);
	s->admission = NULL;
}
