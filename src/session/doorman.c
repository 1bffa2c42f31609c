/* SPDX-License-Identifier: BSD-2-Clause */
/* doorman.c: a session as a subject of conditions, and what it hears when it may not come. */
#include "session/doorman.h"

#include <time.h>

#include "access/access.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "proto/reply.h"
#include "session/admission.h"
#include "session/guard.h"
#include "session/listener_kept.h"
#include "session/login.h"

static const char no_words[] = "Access is not allowed.";

void
doorman_describe(const struct session *s, struct condition_subject *subject)
{
	struct tls_facts facts;

	tls_facts_read(&s->front, &facts);
	*subject = (struct condition_subject){
		.client = &s->identity.client,
		.listener = s->listener->name,
		.tls_version = s->identity.tls_version,
		.sni = facts.sni,
		.certificate_user = s->identity.certificate_user,
		.user = slice_of(s->identity.user),
		.place = s->identity.place,
		.has_place = true,
		.now = time(NULL),
	};
}

/* Tags replace those of before: what was asked before is asked again. */
static void
take_tags(struct session *s, struct access_answer *answer)
{
	xfree(s->identity.tags);
	s->identity.tags = buf_len(&answer->tags) > 0 ?
	    xstrndup(buf_data(&answer->tags), buf_len(&answer->tags)) : NULL;
	buf_clear(&answer->tags);
}

/* NULL: it may come, as far as is known. */
static const char *
judge(struct session *s, unsigned known, const char *user)
{
	const struct access *access = s->settings->access;
	struct condition_subject subject;
	struct access_answer answer;
	char where[CONF_WHERE_MAX];

	if (access == NULL || guard_speaks_for_itself(s))
		return NULL;
	doorman_describe(s, &subject);
	subject.known = known;
	if (user != NULL)
		subject.user = slice_of(user);
	access_judge(access, &subject, &answer);
	take_tags(s, &answer);
	s->limits = answer.limits != NULL ? answer.limits : s->settings->limits;
	if (known != 0)
		admission_follow(s);
	if (answer.verdict != ACCESS_DENY)
		return NULL;
	session_log(s, LOG_INFO, "denied by access %s, %s", access->conf.title,
	    conf_where_text(conf_where(&answer.rule->conf, NULL), where, sizeof(where)));
	return answer.rule->reply != NULL ? answer.rule->reply : no_words;
}

/* One who is not greeted yet hears it instead of the greeting; before TLS that was asked for, nothing. */
static void
turn_away(struct session *s, const char *words, bool is_heard)
{
	struct buf out = { 0 };

	tally_add(&s->listener->counters[s->worker->index].denied, 1);
	if (s->login != NULL)
		front_flush(s);
	if (is_heard)
		reply_write_last(s->proto, s->settings->hostname, REPLY_DENIED, slice_of(words), &out);
	if (buf_len(&out) > 0)
		stream_write(&s->front, buf_slice(&out));
	buf_clear(&out);
	session_enter(s, s->login != NULL ? FRONT_COMMAND : is_heard ? FRONT_NEW : FRONT_TLS);
	session_end_told(s, END_DENIED);
}

enum entrance_verdict
doorman_begin(struct session *s)
{
	const char *words = judge(s, 0, NULL);

	if (words == NULL)
		return ENTRANCE_PASS;
	turn_away(s, words, s->login != NULL || !s->is_tls);
	return ENTRANCE_GONE;
}

bool
doorman_knows_tls(struct session *s)
{
	const char *words = judge(s, KNOWN_TLS, NULL);

	if (words != NULL)
		turn_away(s, words, true);
	return words == NULL;
}

bool
doorman_knows_all(struct session *s)
{
	const char *words = judge(s, KNOWN_TLS | KNOWN_USER, NULL);

	if (words != NULL)
		turn_away(s, words, true);
	return words == NULL;
}

const char *
doorman_refuses(struct session *s, const char *user)
{
	const char *words = judge(s, KNOWN_TLS | KNOWN_USER, user);

	if (words != NULL)
		tally_add(&s->listener->counters[s->worker->index].denied, 1);
	return words;
}
