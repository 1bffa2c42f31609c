/* SPDX-License-Identifier: BSD-2-Clause */
/* penalty.c: how failed logins are counted, and what comes of it. */
#include "access/penalty.h"

#include <string.h>

#include "base/digest.h"
#include "base/log.h"
#include "base/random.h"
#include "base/xalloc.h"
#include "state/counter_redis.h"

enum {
	KEY_SIZE = DIGEST_SHA256_SIZE,
	TAG_SIZE = 8,			/* of a password: told from others, and too little to find it by */
	/*
	 * How long a failure counts after the last one: longer than a guesser of little patience pauses, and
	 * short enough for somebody who has had it wrong to come back after a coffee.
	 */
	FAILURE_MS = 10 * 60 * 1000,
	/* Longer than the longest delay and a slow server's answer.  For bookings that nobody ended only. */
	BOOKING_MS = 10 * 60 * 1000,
	ASK_MS = 1000,			/* who cannot say by then keeps nobody out */
	LOOK_MS = 100			/* how soon those are looked at again who wait for others */
};

/* About 100 octets each.  Marks of those who have logged in are not to be thrown out by those who guess. */
enum space { SPACE_FAILURES, SPACE_PASSWORDS, SPACE_KNOWN, SPACE_BOOKED, SPACE_COUNT };
static const size_t space_limits[SPACE_COUNT] = {
	[SPACE_FAILURES] = 1 << 18,
	[SPACE_PASSWORDS] = 1 << 18,
	[SPACE_KNOWN] = 1 << 20,
	[SPACE_BOOKED] = 1 << 18,
};

/* What a counter is of; the first octet of its name. */
enum subject {
	OF_CLIENT = 'c',		/* failures, logins under way */
	OF_USER = 'u',			/* failures, logins under way */
	OF_PAIR = 'p',			/* likewise, and the mark that it has logged in */
	OF_PASSWORD = 'w',		/* a pair's: logins under way that show it */
	OF_NEWCOMERS = 's',		/* an address's */
	OF_BAN = 'b',			/* a mark */
	OF_BAN_COUNT = 'n'		/* failures up to a ban; the length of its time is in the name, too */
};

struct penalty {
	struct counters *counters;
	char key[KEY_SIZE];
};

struct penalty *
penalty_new(const struct counter_engine *engine)
{
	struct penalty *penalty = xcalloc(1, sizeof(*penalty));

	penalty->counters = counters_new(engine, space_limits, SPACE_COUNT);
	random_bytes(penalty->key, sizeof(penalty->key));
	return penalty;
}

/* Logins under way are each proxy's own: they are over before they would be told. */
struct penalty *
penalty_new_shared(struct cluster *cluster)
{
	const struct counter_sharing sharing = { cluster, "penalty",
		1u << SPACE_FAILURES | 1u << SPACE_PASSWORDS | 1u << SPACE_KNOWN };
	struct penalty *penalty = xcalloc(1, sizeof(*penalty));

	if (!cluster_key(cluster, "penalty", (uint8_t *)penalty->key)) {
		xfree(penalty);
		return NULL;
	}
	penalty->counters = counters_new_shared(&sharing, space_limits, SPACE_COUNT);
	return penalty;
}

void
penalty_free(struct penalty **penalty)
{
	struct penalty *p = *penalty;

	*penalty = NULL;
	if (p == NULL)
		return;
	counters_free(&p->counters);
	secret_wipe(p->key, sizeof(p->key));
	xfree(p);
}

static struct slice
write_name(char *name, enum subject subject, const struct penalty_pair *pair)
{
	size_t len = 0;

	name[len++] = (char)subject;
	if (subject != OF_USER) {
		memcpy(name + len, pair->client.bytes, pair->client.len);
		len += pair->client.len;
	}
	if (subject == OF_USER || subject == OF_PAIR) {
		memcpy(name + len, pair->user, PENALTY_USER_SIZE);
		len += PENALTY_USER_SIZE;
	}
	return slice_make(name, len);
}

static struct slice
write_ban_count_name(char *name, const struct limits_client *client, int64_t within_ms)
{
	struct penalty_pair pair = { .client = *client };
	struct slice of = write_name(name, OF_BAN_COUNT, &pair);

	memcpy(name + of.len, &within_ms, sizeof(within_ms));
	return slice_make(name, of.len + sizeof(within_ms));
}

static struct counter_wish *
wish(struct penalty_wishes *wishes, enum counter_act act, enum space space, enum subject subject,
    const struct penalty_pair *pair)
{
	struct counter_wish *item = &wishes->items[wishes->count];

	*item = (struct counter_wish){ .act = act, .space = (int)space };
	item->name = write_name(wishes->names[wishes->count++], subject, pair);
	if (space == SPACE_FAILURES)
		item->window_ms = FAILURE_MS;
	else if (space == SPACE_BOOKED)
		item->window_ms = BOOKING_MS;
	return item;
}

static struct counter_wish *
wish_ban_count(struct penalty_wishes *wishes, enum counter_act act, const struct penalty_pair *pair,
    const struct failure_ban *ban)
{
	struct counter_wish *item = wish(wishes, act, SPACE_FAILURES, OF_BAN_COUNT, pair);

	item->name = write_ban_count_name(wishes->names[wishes->count - 1], &pair->client, ban->within_ms);
	item->window_ms = ban->within_ms;
	item->keeps_time = true;
	return item;
}

static void
fill_request(struct counter_request *request, struct loop *loop, struct penalty_wishes *wishes, int64_t now)
{
	*request = (struct counter_request){
		.loop = loop,
		.wishes = wishes->items,
		.count = wishes->count,
		.now = now,
		.deadline = now + ASK_MS,
		.on_answer = request->on_answer,
	};
}

void
penalty_open(struct penalty_case *opened, const struct addr *client, struct slice user)
{
	opened->pair = (struct penalty_pair){ .client = limits_client(opened->limits, client) };
	opened->booking = PENALTY_NOT_BOOKED;
	penalty_name(opened, user);
}

void
penalty_name(struct penalty_case *named, struct slice user)
{
	struct slice key = slice_make(named->penalty->key, KEY_SIZE);
	struct penalty_pair *pair = &named->pair;
	uint8_t digest[DIGEST_SIZE_MAX];

	pair->has_user = user.len > 0 && digest_hmac(DIGEST_SHA256, key, user, digest);
	if (pair->has_user)
		memcpy(pair->user, digest, PENALTY_USER_SIZE);
}

/* Under which a password of the pair is known again; false: it cannot be. */
static bool
write_tag(const struct penalty *penalty, const struct penalty_pair *of, struct slice secret, char *tag)
{
	char name[PENALTY_NAME_MAX];
	uint8_t key[DIGEST_SIZE_MAX], digest[DIGEST_SIZE_MAX];
	struct slice pair = write_name(name, OF_PAIR, of);
	bool ok = secret.len > 0 &&
	    digest_hmac(DIGEST_SHA256, slice_make(penalty->key, KEY_SIZE), pair, key) &&
	    digest_hmac(DIGEST_SHA256, slice_make((const char *)key, DIGEST_SHA256_SIZE), secret, digest);

	if (ok)
		memcpy(tag, digest, TAG_SIZE);
	secret_wipe(key, sizeof(key));
	secret_wipe(digest, sizeof(digest));
	return ok;
}

static int64_t
delay_after(const struct failure_delay *delay, int64_t failures)
{
	int64_t ms = delay->first_ms;

	if (failures == 0)
		return 0;
	while (--failures > 0 && ms < delay->longest_ms)
		ms *= 2;
	return ms < delay->longest_ms ? ms : delay->longest_ms;
}

static int64_t
larger(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static int64_t
smaller(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

enum {
	ASKED_PAIR, ASKED_CLIENT, ASKED_USER, ASKED_KNOWN,
	ASKED_NEWCOMERS, ASKED_BOOKED_PAIR, ASKED_BOOKED_CLIENT, ASKED_BOOKED_USER
};

/* Without an answer all values are 0. */
static int64_t
failures_of(const struct counter_wish *asked)
{
	int64_t pair = asked[ASKED_PAIR].value;

	if (asked[ASKED_KNOWN].value != 0)
		return pair;
	return larger(pair, larger(asked[ASKED_CLIENT].value, asked[ASKED_USER].value));
}

/* But for the login itself. */
static int64_t
under_way(const struct counter_wish *booked)
{
	return larger(booked->value - 1, 0);
}

static int64_t
failures_to_come(const struct penalty_case *of)
{
	const struct counter_wish *asked = of->wishes.items;
	int64_t pair = asked[ASKED_PAIR].value + under_way(&asked[ASKED_BOOKED_PAIR]) / PENALTY_CROWD;
	int64_t ahead = smaller(under_way(&asked[ASKED_BOOKED_CLIENT]), of->ahead);
	int64_t crowd = larger(ahead - PENALTY_ROOM * asked[ASKED_NEWCOMERS].value, 0);
	int64_t client = asked[ASKED_CLIENT].value + crowd / PENALTY_CROWD;
	int64_t user = asked[ASKED_USER].value + under_way(&asked[ASKED_BOOKED_USER]);

	return asked[ASKED_KNOWN].value != 0 ? pair : larger(pair, larger(client, user));
}

/* It is to wait as for so many failures, of which some are certain, and the others may come to nothing. */
static void
answer(struct penalty_case *of, int64_t failures, int64_t now)
{
	const struct failure_delay *delay = &of->limits->auth_failure_delay;
	int64_t waited = now - of->asked_at;
	int64_t wait = larger(delay_after(delay, failures) - waited, 0);
	int64_t certain = delay_after(delay, failures_of(of->wishes.items)) - waited;

	of->look_ms = smaller(wait, larger(certain, larger(LOOK_MS, waited / 2)));
	of->on_answer(of, wait);
}

static void
on_looked(struct counter_request *request, bool is_known)
{
	struct penalty_case *opened = loop_owner(request, struct penalty_case, request);

	(void)is_known;
	opened->ahead = under_way(&opened->wishes.items[ASKED_BOOKED_CLIENT]);
	opened->failures = failures_to_come(opened);
	answer(opened, opened->failures, request->now);
}

/* Those that came after it do not count as long as they are under way. */
static void
on_looked_again(struct counter_request *request, bool is_known)
{
	struct penalty_case *waited = loop_owner(request, struct penalty_case, request);
	int64_t to_come = smaller(failures_to_come(waited), waited->failures);

	(void)is_known;
	answer(waited, larger(failures_of(waited->wishes.items), to_come), request->now);
}

/* `act` for what is booked of the pair that has such a thing. */
static void
wish_bookings(struct penalty_wishes *wishes, enum counter_act act, const struct penalty_pair *pair)
{
	bool has_client = pair->client.len > 0;

	wish(wishes, has_client || pair->has_user ? act : COUNTER_LOOK, SPACE_BOOKED, OF_PAIR, pair);
	wish(wishes, has_client ? act : COUNTER_LOOK, SPACE_BOOKED, OF_CLIENT, pair);
	wish(wishes, pair->has_user ? act : COUNTER_LOOK, SPACE_BOOKED, OF_USER, pair);
}

static void
look(struct penalty_case *opened, enum counter_act act, int64_t now,
    void (*on_answer)(struct counter_request *request, bool is_known))
{
	struct penalty_wishes *wishes = &opened->wishes;

	wishes->count = 0;
	wish(wishes, COUNTER_LOOK, SPACE_FAILURES, OF_PAIR, &opened->pair);
	wish(wishes, COUNTER_LOOK, SPACE_FAILURES, OF_CLIENT, &opened->pair);
	wish(wishes, COUNTER_LOOK, SPACE_FAILURES, OF_USER, &opened->pair);
	wish(wishes, COUNTER_LOOK, SPACE_KNOWN, OF_PAIR, &opened->pair);
	wish(wishes, COUNTER_LOOK, SPACE_BOOKED, OF_NEWCOMERS, &opened->pair);
	wish_bookings(wishes, act, &opened->pair);
	opened->request.on_answer = on_answer;
	fill_request(&opened->request, opened->loop, wishes, now);
	counter_ask(opened->penalty->counters, &opened->request);
}

/* The first one with a password books for all that show it meanwhile, and the last one ends that. */
static void
on_password_booked(struct counter_request *request, bool is_known)
{
	struct penalty_case *opened = loop_owner(request, struct penalty_case, request);
	bool is_first = is_known && request->wishes[0].value == 1;

	look(opened, is_first ? COUNTER_ADD : COUNTER_LOOK, opened->asked_at, on_looked);
}

static void
wish_password(struct penalty_wishes *wishes, enum counter_act act, const char *tag)
{
	struct counter_wish *item = &wishes->items[wishes->count];
	char *name = wishes->names[wishes->count++];

	name[0] = OF_PASSWORD;
	memcpy(name + 1, tag, TAG_SIZE);
	*item = (struct counter_wish){
		.act = act,
		.space = SPACE_BOOKED,
		.name = slice_make(name, 1 + TAG_SIZE),
		.window_ms = BOOKING_MS,
	};
}

void
penalty_ask(struct penalty_case *opened, struct slice secret, int64_t now)
{
	opened->asked_at = now;
	opened->booked = opened->pair;
	if (!write_tag(opened->penalty, &opened->pair, secret, opened->password)) {
		opened->booking = PENALTY_BOOKED;
		look(opened, COUNTER_ADD, now, on_looked);
		return;
	}
	opened->booking = PENALTY_BOOKED_BY_PASSWORD;
	opened->wishes.count = 0;
	wish_password(&opened->wishes, COUNTER_ADD, opened->password);
	opened->request.on_answer = on_password_booked;
	fill_request(&opened->request, opened->loop, &opened->wishes, now);
	counter_ask(opened->penalty->counters, &opened->request);
}

void
penalty_ask_again(struct penalty_case *waited, int64_t now)
{
	look(waited, COUNTER_LOOK, now, on_looked_again);
}

void
penalty_cancel(struct penalty_case *opened)
{
	counter_cancel(&opened->request);
}

/* What becomes of an outcome, which the session need not live to see; frees itself. */
struct report {
	struct penalty *penalty;
	struct loop *loop;
	struct penalty_pair pair;
	struct failure_ban ban;
	int64_t now;			/* of the outcome */
	struct penalty_wishes wishes;
	struct counter_request request;
};

static struct report *
report_new(const struct penalty_case *judged, int64_t now)
{
	struct report *report = xcalloc(1, sizeof(*report));

	report->penalty = judged->penalty;
	report->loop = judged->loop;
	report->pair = judged->pair;
	report->ban = judged->limits->auth_ban;
	report->now = now;
	return report;
}

/* Asks for what the report wishes, and begins anew. */
static void
report_send(struct report *report, void (*on_answer)(struct counter_request *request, bool is_known))
{
	report->request.on_answer = on_answer;
	fill_request(&report->request, report->loop, &report->wishes, report->now);
	report->wishes.count = 0;
	counter_ask(report->penalty->counters, &report->request);
}

static void
on_done(struct counter_request *request, bool is_known)
{
	(void)is_known;
	xfree(loop_owner(request, struct report, request));
}

static void
on_banned(struct counter_request *request, bool is_known)
{
	struct report *report = loop_owner(request, struct report, request);
	char text[LIMITS_CLIENT_TEXT_MAX];

	/* others may have come to the same end at the same time */
	if (is_known && request->wishes[0].value == 0)
		log_write(LOG_NOTICE, "%s is banned for %lld s, after %lld failed logins within %lld s",
		    limits_client_text(&report->pair.client, text), (long long)(report->ban.for_ms / 1000),
		    (long long)report->ban.count, (long long)(report->ban.within_ms / 1000));
	xfree(report);
}

static void
on_counted(struct counter_request *request, bool is_known)
{
	struct report *report = loop_owner(request, struct report, request);
	const struct counter_wish *last = &request->wishes[request->count - 1];
	struct counter_wish *mark;

	if (!is_known || report->ban.count == 0 || report->pair.client.len == 0 ||
	    last->value < report->ban.count) {
		xfree(report);
		return;
	}
	mark = wish(&report->wishes, COUNTER_SET, SPACE_FAILURES, OF_BAN, &report->pair);
	mark->value = 1;
	mark->window_ms = report->ban.for_ms;
	wish_ban_count(&report->wishes, COUNTER_SET, &report->pair, &report->ban);
	report_send(report, on_banned);
}

static void
count_failure(struct report *report)
{
	struct penalty_wishes *wishes = &report->wishes;

	wish(wishes, COUNTER_ADD, SPACE_FAILURES, OF_PAIR, &report->pair);
	if (report->pair.has_user)
		wish(wishes, COUNTER_ADD, SPACE_FAILURES, OF_USER, &report->pair);
	if (report->pair.client.len > 0)
		wish(wishes, COUNTER_ADD, SPACE_FAILURES, OF_CLIENT, &report->pair);
	if (report->pair.client.len > 0 && report->ban.count > 0)
		wish_ban_count(wishes, COUNTER_ADD, &report->pair, &report->ban);
	report_send(report, on_counted);
}

static void
on_password_told(struct counter_request *request, bool is_known)
{
	struct report *report = loop_owner(request, struct report, request);
	bool is_repeated = is_known && request->wishes[0].value > 1;

	if (is_repeated)
		xfree(report);
	else
		count_failure(report);
}

static void
on_password_left(struct counter_request *request, bool is_known)
{
	struct report *report = loop_owner(request, struct report, request);

	if (!is_known || request->wishes[0].value > 0) {
		xfree(report);
		return;
	}
	wish_bookings(&report->wishes, COUNTER_TAKE, &report->pair);
	report_send(report, on_done);
}

void
penalty_undecided(struct penalty_case *judged, int64_t now)
{
	enum penalty_booking booking = judged->booking;
	struct report *report;

	judged->booking = PENALTY_NOT_BOOKED;
	if (booking == PENALTY_NOT_BOOKED)
		return;
	report = report_new(judged, now);
	report->pair = judged->booked;
	if (booking == PENALTY_BOOKED) {
		wish_bookings(&report->wishes, COUNTER_TAKE, &report->pair);
		report_send(report, on_done);
		return;
	}
	wish_password(&report->wishes, COUNTER_TAKE, judged->password);
	report_send(report, on_password_left);
}

static void
report_failure(const struct penalty_case *judged, struct slice secret, int64_t now)
{
	struct report *report;
	struct counter_wish *seen;
	char *tag;

	if (!judged->pair.has_user && judged->pair.client.len == 0)
		return;
	report = report_new(judged, now);
	seen = &report->wishes.items[0];
	tag = report->wishes.names[0];
	if (!write_tag(report->penalty, &report->pair, secret, tag)) {
		count_failure(report);
		return;
	}
	*seen = (struct counter_wish){
		.act = COUNTER_ADD,
		.space = SPACE_PASSWORDS,
		.name = slice_make(tag, TAG_SIZE),
		.window_ms = judged->limits->auth_known_ttl.ms,
	};
	report->wishes.count = 1;
	report_send(report, on_password_told);
}

/* It counts before it is no longer under way: nobody looks between. */
void
penalty_failed(struct penalty_case *judged, struct slice secret, int64_t now)
{
	report_failure(judged, secret, now);
	penalty_undecided(judged, now);
}

/* Whoever is new there. */
static void
on_success_told(struct counter_request *request, bool is_known)
{
	struct report *report = loop_owner(request, struct report, request);
	struct counter_wish *newcomers;

	if (!is_known || request->wishes[0].value != 0 || report->pair.client.len == 0) {
		xfree(report);
		return;
	}
	newcomers = wish(&report->wishes, COUNTER_ADD, SPACE_BOOKED, OF_NEWCOMERS, &report->pair);
	newcomers->window_ms = FAILURE_MS;
	newcomers->keeps_time = true;
	report_send(report, on_done);
}

static void
report_success(const struct penalty_case *judged, int64_t now)
{
	struct report *report;
	struct counter_wish *known;

	if (!judged->pair.has_user)
		return;
	report = report_new(judged, now);
	known = wish(&report->wishes, COUNTER_SET, SPACE_KNOWN, OF_PAIR, &report->pair);
	known->value = 1;
	known->window_ms = judged->limits->auth_known_ttl.ms;
	wish(&report->wishes, COUNTER_SET, SPACE_FAILURES, OF_PAIR, &report->pair);
	report_send(report, on_success_told);
}

void
penalty_succeeded(struct penalty_case *judged, int64_t now)
{
	report_success(judged, now);
	penalty_undecided(judged, now);
}

bool
penalty_bans(struct penalty *penalty, const struct limits *limits, const struct addr *client, int64_t now)
{
	struct penalty_pair pair = { .client = limits_client(limits, client) };
	char name[PENALTY_NAME_MAX];

	if (limits->auth_ban.count == 0 || pair.client.len == 0)
		return false;
	return counter_look(penalty->counters, SPACE_FAILURES, write_name(name, OF_BAN, &pair), now) != 0;
}

struct visitor {
	penalty_visit *visit;
	void *arg;
};

static void
visit_failures(struct slice name, int64_t value, int64_t left_ms, void *arg)
{
	const struct visitor *visitor = arg;
	struct penalty_entry entry = { .left_ms = left_ms };

	if (name.len <= 1 || name.len > 1 + LIMITS_CLIENT_MAX || value == 0 ||
	    (name.data[0] != OF_CLIENT && name.data[0] != OF_BAN))
		return;
	entry.is_banned = name.data[0] == OF_BAN;
	entry.failures = entry.is_banned ? 0 : value;
	entry.client.len = (uint8_t)(name.len - 1);
	memcpy(entry.client.bytes, name.data + 1, entry.client.len);
	visitor->visit(&entry, visitor->arg);
}

uint64_t
penalty_walk(struct penalty *penalty, uint64_t cursor, int64_t now, penalty_visit *visit, void *arg)
{
	struct visitor visitor = { visit, arg };
	const struct counter_walk walk = { SPACE_FAILURES, now, visit_failures, &visitor };

	return counter_walk(penalty->counters, &walk, cursor);
}

static struct report *
report_of(struct penalty *penalty, const struct limits_client *client, struct loop *loop)
{
	struct report *report = xcalloc(1, sizeof(*report));

	report->penalty = penalty;
	report->loop = loop;
	report->pair.client = *client;
	report->now = loop_now(loop);
	return report;
}

void
penalty_ban(struct penalty *penalty, const struct limits_client *client, int64_t left_ms, struct loop *loop)
{
	struct report *report = report_of(penalty, client, loop);
	struct counter_wish *mark = wish(&report->wishes, COUNTER_SET, SPACE_FAILURES, OF_BAN, &report->pair);

	mark->value = 1;
	mark->window_ms = left_ms;
	report_send(report, on_done);
}

void
penalty_forgive(struct penalty *penalty, const struct limits_client *client, const struct limits *limits,
    struct loop *loop)
{
	struct report *report = report_of(penalty, client, loop);

	wish(&report->wishes, COUNTER_SET, SPACE_FAILURES, OF_CLIENT, &report->pair);
	wish(&report->wishes, COUNTER_SET, SPACE_FAILURES, OF_BAN, &report->pair);
	if (limits != NULL && limits->auth_ban.count > 0)
		wish_ban_count(&report->wishes, COUNTER_SET, &report->pair, &limits->auth_ban);
	report_send(report, on_done);
}

size_t
penalty_count(struct penalty *penalty)
{
	return counter_count(penalty->counters, SPACE_FAILURES);
}

size_t
penalty_limit(void)
{
	return space_limits[SPACE_FAILURES];
}
