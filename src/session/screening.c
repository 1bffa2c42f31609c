/* SPDX-License-Identifier: BSD-2-Clause */
/* screening.c: a client that waits, what is found of it, and what becomes of it then. */
#include "session/screening.h"

#include "access/dnsbl.h"
#include "access/limits.h"
#include "access/screen.h"
#include "base/log.h"
#include "base/tally.h"
#include "base/xalloc.h"
#include "proto/reply.h"
#include "session/guard.h"
#include "session/listener_kept.h"

enum {
	LISTS_MS = 2000			/* that lists have where nobody waits for the greeting */
};

struct screening_zone {
	struct dnsbl_question question;
	struct screening *screening;
};

struct screening {
	struct session *session;
	int64_t began_at;
	bool is_delayed;		/* it hears the rest of the greeting when the time is over */
	bool is_early;			/* it has said something before */
	char *refusal;			/* what its recipients hear; NULL: none is refused */
	size_t zone_count, pending;
	struct dnsbl_answer *answers;	/* of each zone */
	struct screening_zone *zones;
};

enum found { FOUND_NOTHING, FOUND_EARLY, FOUND_LISTED };

static const char *const found_texts[] = {
	[FOUND_NOTHING] = "passed", [FOUND_EARLY] = "early", [FOUND_LISTED] = "listed"
};
static const char *const action_texts[] = {
	[SCREEN_IGNORE] = "ignore", [SCREEN_LOG] = "log", [SCREEN_ENFORCE] = "enforce", [SCREEN_DROP] = "drop"
};

struct finding {
	enum found found;
	enum screen_action action;	/* SCREEN_IGNORE where nothing is found */
	int64_t score;
	size_t unknown;			/* zones that could not say */
	struct buf zones;
	const char *worst;		/* the name of the worst of them; or NULL */
};

const char *
screening_refusal(const struct session *s)
{
	return s->screening != NULL ? s->screening->refusal : NULL;
}

/* What of it is about lists, and ends with what is found. */
static void
forget_zones(struct screening *screening)
{
	for (size_t i = 0; i < screening->zone_count; i++)
		dnsbl_cancel(&screening->zones[i].question);
	xfree(screening->zones);
	xfree(screening->answers);
	screening->zones = NULL;
	screening->answers = NULL;
	screening->zone_count = 0;
}

void
screening_free(struct session *s)
{
	struct screening *screening = s->screening;

	s->screening = NULL;
	if (screening == NULL)
		return;
	forget_zones(screening);
	xfree(screening->refusal);
	xfree(screening);
}

static bool
is_spared(const struct session *s, const struct screen *screen)
{
	const struct addr *client = &s->identity.client;

	return client->sa.sa_family == AF_UNIX || screen_allows(screen, client) ||
	    guard_speaks_for_itself(s) || (s->limits != NULL && limits_exempt(s->limits, client));
}

/*
 * With TLS from the first byte the client is the one to speak; under stress nobody is kept waiting.  Who
 * passes in haste has passed the lists alone.
 */
static bool
is_in_haste(const struct session *s)
{
	return s->is_tls || listener_stress(s->listener) != STRESS_NONE;
}

/* By what is known now. */
static void
look(const struct session *s, struct finding *finding)
{
	const struct screen *screen = s->settings->screen;
	const struct screening *screening = s->screening;
	bool is_listed;

	*finding = (struct finding){ .action = SCREEN_IGNORE };
	if (screening->zone_count > 0)
		finding->score = screen_score(screen, screening->answers, &finding->zones, &finding->worst);
	for (size_t i = 0; i < screening->zone_count; i++)
		finding->unknown += !screening->answers[i].is_known;
	is_listed = finding->score >= screen->threshold;
	if (screening->is_early && (screen->pregreet != SCREEN_IGNORE || !is_listed)) {
		finding->found = FOUND_EARLY;
		finding->action = (enum screen_action)screen->pregreet;
	} else if (is_listed) {
		finding->found = FOUND_LISTED;
		finding->action = (enum screen_action)screen->action;
	}
	if (finding->action != SCREEN_IGNORE && screen->action == SCREEN_LOG)
		finding->action = SCREEN_LOG;
}

static void
tell(const struct session *s, const char *result, const struct finding *finding)
{
	const struct screening *screening = s->screening;
	const char *action = finding->found != FOUND_NOTHING ? action_texts[finding->action] : NULL;
	struct screen_finding told = {
		.result = result,
		.action = action,
		.score = finding->score,
		.unknown_zones = (int64_t)finding->unknown,
		.took_ms = loop_now(s->worker->loop) - screening->began_at,
	};
	struct buf zones = { 0 };

	buf_append_slice(&zones, buf_slice(&finding->zones));
	buf_append(&zones, "", 1);
	told.zones = buf_len(&zones) > 1 ? buf_data(&zones) : NULL;
	session_screened(s, &told);
	if (finding->found == FOUND_EARLY)
		session_log(s, LOG_INFO, "it spoke before its greeting: %s", action);
	else if (finding->found == FOUND_LISTED)
		session_log(s, LOG_INFO, "it is listed with a score of %lld by %s: %s",
		    (long long)finding->score, buf_data(&zones), action);
	buf_clear(&zones);
}

/* In the words of the protocol, to last words or to recipients. */
static void
write_words(const struct session *s, const struct finding *finding, struct buf *out)
{
	const struct proto_screen *texts = s->proto->screen;
	bool is_last = finding->action == SCREEN_DROP;
	char client[ADDR_TEXT_MAX];
	struct buf words = { 0 };
	const char *text;

	if (finding->found == FOUND_EARLY) {
		text = is_last ? texts->early_bye : texts->early;
	} else {
		text = is_last ? texts->listed_bye : texts->listed;
		buf_printf(&words, "Service unavailable; client [%s] blocked using %s",
		    addr_host(&s->identity.client, client), finding->worst);
	}
	reply_write_alone(s->proto, s->settings->hostname, text, buf_slice(&words), out);
	buf_clear(&words);
}

/* Nothing is said before TLS that was asked for from the first byte. */
static void
turn_away(struct session *s, const struct finding *finding)
{
	struct buf out = { 0 };

	write_words(s, finding, &out);
	if (!s->is_tls || s->login != NULL)
		stream_write(&s->front, buf_slice(&out));
	buf_clear(&out);
	session_end(s, END_SCREENED);
}

static void
refuse_recipients(struct session *s, const struct finding *finding)
{
	struct buf out = { 0 };

	forget_zones(s->screening);
	write_words(s, finding, &out);
	s->screening->refusal = xstrndup(buf_data(&out), buf_len(&out));
	buf_clear(&out);
}

/* Each test that it was put to, and passed, is remembered. */
static void
let_pass(struct session *s, const struct finding *finding)
{
	const struct screen *screen = s->settings->screen;
	const struct screening *screening = s->screening;
	int64_t now = loop_now(s->worker->loop);
	const struct screen_key key = screen_key(screen, &s->identity.client);
	struct screen_passed passed = { 0 };

	if (!screening->is_early && (screening->is_delayed || screen->greeting_delay.ms == 0))
		passed.greeting_until = now + screen->passed_ttl.ms;
	if (screening->zone_count > 0 && finding->score < screen->threshold)
		passed.lists_until = screen_lists_until(screen, screening->answers, now);
	if (passed.greeting_until != 0 || passed.lists_until != 0)
		screen_memory_let_pass(s->snapshot->screened, &key, now, &passed);
	screening_free(s);
}

static enum entrance_verdict
judge(struct session *s)
{
	struct finding finding;

	look(s, &finding);
	tell(s, found_texts[finding.found], &finding);
	if (finding.action == SCREEN_ENFORCE || finding.action == SCREEN_DROP)
		tally_add(&session_counters(s)->screened_out, 1);
	if (finding.action == SCREEN_DROP)
		turn_away(s, &finding);
	else if (finding.action == SCREEN_ENFORCE)
		refuse_recipients(s, &finding);
	else
		let_pass(s, &finding);
	buf_clear(&finding.zones);
	return finding.action == SCREEN_DROP ? ENTRANCE_GONE : ENTRANCE_PASS;
}

/* The time is over, or all is known.  What it has said too early is told to the dialogue, in another turn. */
static void
finish(struct session *s)
{
	if (judge(s) == ENTRANCE_GONE)
		return;
	if (s->login != NULL) {
		front_resume(s);
		session_set_deadline(s);
		return;
	}
	stream_resume(&s->front);
	entrance_go_on(s);
}

void
screening_on_time(struct session *s)
{
	finish(s);
}

static void
on_answer(struct dnsbl_question *question, const struct dnsbl_answer *answer)
{
	struct screening_zone *zone = loop_owner(question, struct screening_zone, question);
	struct screening *screening = zone->screening;

	screening->answers[zone - screening->zones] = *answer;
	screening->pending--;
	if (screening->pending == 0 && !screening->is_delayed)
		finish(screening->session);
}

/* It is kept, and as little as can be: it is read when the client is greeted, if ever. */
static void
on_early(struct session *s)
{
	const struct screen *screen = s->settings->screen;

	stream_hold(&s->front);
	if (!s->screening->is_delayed || s->screening->is_early)
		return;
	s->screening->is_early = true;
	if (screen->pregreet == SCREEN_DROP && screen->action != SCREEN_LOG)
		judge(s);
}

static void
on_left(struct session *s, enum end_reason reason)
{
	struct finding finding;

	look(s, &finding);
	finding.found = FOUND_NOTHING;
	tell(s, "left", &finding);
	buf_clear(&finding.zones);
	session_end(s, reason);
}

size_t
screening_event(struct session *s, enum stream_event event, struct slice data)
{
	switch (event) {
	case STREAM_CONNECTED:
	case STREAM_TLS_READY:
	case STREAM_MOVED:
	case STREAM_DRAINED:
		break;
	case STREAM_DATA:
		on_early(s);
		return s->has_ended ? data.len : 0;
	case STREAM_CLOSED:
		/* a peer has perhaps said all that it has to say: this comes again behind that */
		if (s->login == NULL)
			on_left(s, END_CLIENT_LEFT);
		break;
	case STREAM_FAILED:
		on_left(s, END_CLIENT_LOST);
		break;
	}
	return data.len;
}

static void
ask_zone(struct session *s, const struct screen *screen, size_t i)
{
	struct screening *screening = s->screening;
	struct screening_zone *zone = &screening->zones[i];
	struct buf name = { 0 };

	zone->screening = screening;
	zone->question.on_answer = on_answer;
	zone->question.zone = screen_zone(screen, i)->zone;
	zone->question.called = screen_zone(screen, i)->name;
	if (screen_write_question(screen, i, &s->identity.client, &name)) {
		zone->question.name = buf_slice(&name);
		screening->pending += !dnsbl_ask(s->worker->dnsbl, s->snapshot->screened, &zone->question,
		    &screening->answers[i]);
	}
	buf_clear(&name);
}

static void
ask_zones(struct session *s, const struct screen *screen)
{
	struct screening *screening = s->screening;

	screening->zone_count = screen->zone_count;
	screening->answers = xcalloc(screen->zone_count, sizeof(screening->answers[0]));
	screening->zones = xcalloc(screen->zone_count, sizeof(screening->zones[0]));
	for (size_t i = 0; i < screen->zone_count; i++)
		ask_zone(s, screen, i);
}

/* The first line of the greeting, of which the dialogue's is the last. */
static void
tease(struct session *s)
{
	struct buf out = { 0 };

	reply_write_alone(s->proto, s->settings->hostname, s->proto->screen->teaser, slice_of(NULL), &out);
	stream_write(&s->front, buf_slice(&out));
	buf_clear(&out);
}

/* What it need not be put to again. */
static void
recall(const struct session *s, bool *has_waited, bool *is_unlisted)
{
	const struct screen *screen = s->settings->screen;
	int64_t now = loop_now(s->worker->loop);
	const struct screen_key key = screen_key(screen, &s->identity.client);
	const struct screen_passed passed = screen_memory_passed(s->snapshot->screened, &key, now);

	*has_waited = passed.greeting_until > now;
	*is_unlisted = screen->zone_count == 0 || passed.lists_until > now;
}

static bool
is_looked_at(const struct session *s)
{
	const struct screen *screen = s->settings->screen;

	return screen != NULL && s->proto->screen != NULL && s->snapshot->screened != NULL &&
	    !is_spared(s, screen);
}

static enum entrance_verdict
begin(struct session *s, bool is_delayed, bool is_unlisted)
{
	const struct screen *screen = s->settings->screen;
	int64_t now = loop_now(s->worker->loop);

	tally_add(&session_counters(s)->screened, 1);
	s->screening = xcalloc(1, sizeof(*s->screening));
	s->screening->session = s;
	s->screening->began_at = now;
	s->screening->is_delayed = is_delayed;
	if (!is_unlisted)
		ask_zones(s, screen);
	if (s->screening->pending == 0 && !is_delayed)
		return judge(s);
	session_enter(s, FRONT_SCREEN);
	session_wake_at(s, now + (is_delayed ? screen->greeting_delay.ms : LISTS_MS));
	if (is_delayed)
		tease(s);
	return ENTRANCE_WAIT;
}

enum entrance_verdict
screening_begin(struct session *s)
{
	bool has_waited, is_unlisted;

	if (!is_looked_at(s))
		return ENTRANCE_PASS;
	recall(s, &has_waited, &is_unlisted);
	has_waited = has_waited || is_in_haste(s);
	if (has_waited && is_unlisted)
		return ENTRANCE_PASS;
	return begin(s, !has_waited && s->settings->screen->greeting_delay.ms > 0, is_unlisted);
}

enum entrance_verdict
screening_retold(struct session *s)
{
	bool has_waited, is_unlisted;

	screening_free(s);
	if (!is_looked_at(s))
		return ENTRANCE_PASS;
	recall(s, &has_waited, &is_unlisted);
	return is_unlisted ? ENTRANCE_PASS : begin(s, false, false);
}
