/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * auth_cache.c: an entry holds an answer (a memo), or the question under way
 * to it (a flight).  A flight has one who asks, and hands that on when it
 * leaves; the others wait on the flight's list.  The entry's lock is taken
 * before the list's.  A flush only counts up: what was said before it has
 * another count, and falls away when it is met.
 */
#include "auth/auth_cache.h"

#include <ctype.h>
#include <stdatomic.h>

#include "auth/auth_key.h"
#include "auth/auth_memo.h"
#include "auth/auth_source.h"
#include "auth/users.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/random.h"
#include "base/xalloc.h"
#include "net/waiter.h"
#include "state/table.h"

enum { ERAS = 1024, NAME_MAX_FOLDED = 64 };

struct auth_cache {
	atomic_int references;
	struct table *table;		/* of struct place, by keys */
	struct digest_marker *marker;
	uint64_t seed;
	atomic_uint flushes;		/* begun */
	atomic_uint whole_era;
	atomic_uint eras[ERAS];		/* of users, by the hash of their names */
};

/* To which eras of an answer's users it belongs: only of these it may be used. */
struct stamp {
	unsigned whole, claimed, named;
	uint16_t claimed_slot, named_slot;
};

struct place {
	struct auth_memo *memo;
	struct auth_flight *flight;
	struct stamp stamp;		/* of the memo */
	bool is_by_address;		/* the answer stands under the key with the address */
};

struct auth_flight {
	atomic_int references;
	struct auth_cache *cache;
	uint8_t key[DIGEST_MARK_SIZE];
	bool is_by_address;		/* the key has it */
	unsigned flushes;		/* when it was first asked */
	struct waiter_list others;
	/* Set by who asked, before the others are woken: */
	struct auth_memo *memo;		/* NULL: each of them is to ask for itself */
	bool asks_again;		/* by the key with the address */
};

static void
clear_place(void *value)
{
	struct place *place = value;

	auth_memo_put(&place->memo);
}

struct auth_cache *
auth_cache_new(void)
{
	struct auth_cache *cache = xcalloc(1, sizeof(*cache));

	atomic_init(&cache->references, 1);
	cache->table = table_new_lru(sizeof(struct place), clear_place);
	cache->marker = digest_marker_new();
	cache->seed = random_number();
	return cache;
}

struct auth_cache *
auth_cache_get(struct auth_cache *cache)
{
	atomic_fetch_add_explicit(&cache->references, 1, memory_order_relaxed);
	return cache;
}

void
auth_cache_put(struct auth_cache **cache)
{
	struct auth_cache *c = *cache;

	*cache = NULL;
	if (c == NULL || atomic_fetch_sub_explicit(&c->references, 1, memory_order_acq_rel) > 1)
		return;
	table_free(&c->table);
	digest_marker_free(&c->marker);
	xfree(c);
}

void
auth_cache_set_size(struct auth_cache *cache, int64_t size)
{
	table_set_limit(cache->table, (size_t)size);
}

size_t
auth_cache_count(struct auth_cache *cache)
{
	return table_count(cache->table);
}

/* Without domain and case: an answer's name need not be canonical. */
static uint16_t
slot_of(const struct auth_cache *cache, const char *user)
{
	struct slice name = slice_of(user), domain;
	char folded[NAME_MAX_FOLDED];
	size_t n;

	(void)users_split(&name, &domain);
	n = name.len < sizeof(folded) ? name.len : sizeof(folded);
	for (size_t i = 0; i < n; i++)
		folded[i] = (char)tolower((unsigned char)name.data[i]);
	return (uint16_t)(hash_bytes(folded, n, cache->seed) % ERAS);
}

void
auth_cache_flush(struct auth_cache *cache, const char *user)
{
	if (cache == NULL)
		return;
	/* first, so that who has the new era in a stamp sees that there was a flush */
	atomic_fetch_add(&cache->flushes, 1);
	atomic_fetch_add(user != NULL ? &cache->eras[slot_of(cache, user)] : &cache->whole_era, 1);
}

static struct stamp
make_stamp(struct auth_cache *cache, const char *claimed, const char *named)
{
	struct stamp stamp = { .claimed_slot = slot_of(cache, claimed) };

	stamp.named_slot = named != NULL ? slot_of(cache, named) : stamp.claimed_slot;
	stamp.whole = atomic_load(&cache->whole_era);
	stamp.claimed = atomic_load(&cache->eras[stamp.claimed_slot]);
	stamp.named = atomic_load(&cache->eras[stamp.named_slot]);
	return stamp;
}

static bool
is_current(struct auth_cache *cache, const struct stamp *stamp)
{
	return stamp->whole == atomic_load(&cache->whole_era) &&
	    stamp->claimed == atomic_load(&cache->eras[stamp->claimed_slot]) &&
	    stamp->named == atomic_load(&cache->eras[stamp->named_slot]);
}

static void hand_on(struct auth_flight *flight);

/* Who was to ask next has left meanwhile. */
static void
on_unclaimed(void *owner, void *gift)
{
	(void)owner;
	hand_on(gift);
}

static struct auth_flight *
flight_new(struct auth_cache *cache, const uint8_t key[DIGEST_MARK_SIZE], bool by_address)
{
	struct auth_flight *flight = xcalloc(1, sizeof(*flight));

	atomic_init(&flight->references, 1);
	flight->cache = auth_cache_get(cache);
	memcpy(flight->key, key, sizeof(flight->key));
	flight->is_by_address = by_address;
	flight->flushes = atomic_load(&cache->flushes);
	waiter_list_init(&flight->others, on_unclaimed, flight);
	return flight;
}

static struct auth_flight *
flight_get(struct auth_flight *flight)
{
	atomic_fetch_add_explicit(&flight->references, 1, memory_order_relaxed);
	return flight;
}

static void
flight_put(struct auth_flight *flight)
{
	if (atomic_fetch_sub_explicit(&flight->references, 1, memory_order_acq_rel) > 1)
		return;
	waiter_list_clear(&flight->others);
	auth_memo_put(&flight->memo);
	auth_cache_put(&flight->cache);
	xfree(flight);
}

static struct slice
name_of(const uint8_t key[DIGEST_MARK_SIZE])
{
	return slice_make((const char *)key, DIGEST_MARK_SIZE);
}

/*
 * Takes over a reference: the oldest of those who wait gets it with the question; where nobody waits the
 * flight ends.
 */
static void
hand_on(struct auth_flight *flight)
{
	struct table *table = flight->cache->table;
	struct table_entry *entry = table_lock(table, name_of(flight->key), clock_ms(), false);
	struct place *place = entry != NULL ? table_value(entry) : NULL;
	bool is_given = waiter_wake_one(&flight->others, flight), is_last;

	is_last = !is_given && place != NULL && place->flight == flight;
	if (is_last)
		place->flight = NULL;
	if (entry != NULL)
		table_unlock(table, entry, is_last ? 0 : table_expires(entry));
	if (!is_given)
		flight_put(flight);
}

static void
count(const struct auth_request *request, bool is_kept)
{
	struct auth_counters *counters = auth_kept_counters(request);

	if (counters != NULL)
		tally_add(is_kept ? &counters->cached : &counters->waited, 1);
}

/* Tells what was said to an equal question: of equal secrets, too. */
static void
tell(struct auth_request *request, struct auth_cache *cache, const struct auth_memo *memo)
{
	struct auth_answer answer = memo->answer;
	uint8_t key[SEAL_KEY_SIZE];
	struct buf pass = { 0 };

	if (buf_len(&memo->pass) > 0) {
		auth_key_seal(request, cache->marker, key);
		if (!seal_open(key, buf_slice(&memo->pass), &pass))
			answer = (struct auth_answer){ .verdict = AUTH_LATER };
		buf_append(&pass, "", 1);
		answer.pass = buf_data(&pass);
		secret_wipe(key, sizeof(key));
	}
	auth_tell(request, memo->outcome, &answer);
	buf_wipe(&pass);
}

static void
on_wake(void *owner, void *gift)
{
	struct auth_request *request = owner;
	struct auth_flight *flight = request->turn.flight;
	struct auth_memo *memo = flight->memo;

	request->cancel = NULL;
	if (gift != NULL) {		/* it asks now; who left had a reference, and so has this one */
		flight_put(gift);
		auth_put(request, request->asked);
		return;
	}
	request->turn.flight = NULL;
	if (memo != NULL) {
		count(request, false);
		tell(request, flight->cache, memo);
	} else if (flight->asks_again) {
		auth_ask(request, request->asked);
	} else {
		auth_put(request, request->asked);
	}
	flight_put(flight);
}

static const struct waiter_duty wake_duty = { .on_wake = on_wake };

static void
stop_waiting(struct auth_request *request)
{
	struct auth_flight *flight = request->turn.flight;

	request->turn.flight = NULL;
	(void)waiter_cancel(&request->turn.waiter);
	flight_put(flight);
}

static void
join(struct auth_request *request, struct auth_flight *flight)
{
	request->turn.flight = flight_get(flight);
	request->cancel = stop_waiting;
	waiter_add(&flight->others, request->loop, &wake_duty, request, &request->turn.waiter);
}

/* Drops what is too old to be used or joined. */
static void
tidy(struct auth_cache *cache, struct place *place)
{
	if ((place->memo != NULL || place->is_by_address) && !is_current(cache, &place->stamp)) {
		auth_memo_put(&place->memo);
		place->is_by_address = false;
	}
	/* who began it has it, and ends it */
	if (place->flight != NULL && place->flight->flushes != atomic_load(&cache->flushes))
		place->flight = NULL;
}

/* What the place of a key has for the request. */
enum found { FOUND_NOTHING, FOUND_MEMO, FOUND_FLIGHT, FOUND_BY_ADDRESS };

/* With FOUND_NOTHING the request has a flight of its own then, with FOUND_FLIGHT it waits. */
static enum found
look(struct auth_request *request, const struct auth_source *source, bool by_address, struct auth_memo **memo)
{
	struct auth_cache *cache = request->asked->cache;
	uint8_t key[DIGEST_MARK_SIZE];
	struct table_entry *entry;
	struct place *place;
	enum found found = FOUND_NOTHING;

	auth_key_make(request, source, by_address, cache->marker, key);
	entry = table_lock(cache->table, name_of(key), loop_now(request->loop), true);
	place = table_value(entry);
	tidy(cache, place);
	if (place->is_by_address) {
		found = FOUND_BY_ADDRESS;
	} else if (place->memo != NULL) {
		*memo = auth_memo_get(place->memo);
		found = FOUND_MEMO;
	} else if (place->flight != NULL) {
		join(request, place->flight);
		found = FOUND_FLIGHT;
	} else {
		request->turn.flight = place->flight = flight_new(cache, key, by_address);
	}
	table_unlock(cache->table, entry, place->flight != NULL ? TABLE_FOREVER : table_expires(entry));
	return found;
}

bool
auth_cache_ask(struct auth_request *request, const struct auth_source *source)
{
	const struct auth *auth = request->asked;
	struct auth_memo *memo = NULL;
	enum found found;

	request->turn = (struct auth_turn){ 0 };
	if (auth->cache == NULL || !auth_key_exists(request, source))
		return false;
	found = look(request, source, auth->cache_by_address, &memo);
	if (found == FOUND_BY_ADDRESS)
		found = look(request, source, true, &memo);
	if (found == FOUND_MEMO) {
		count(request, true);
		tell(request, auth->cache, memo);
		auth_memo_put(&memo);
	}
	return found != FOUND_NOTHING;
}

void
auth_cache_leave(struct auth_request *request)
{
	struct auth_flight *flight = request->turn.flight;

	request->turn.flight = NULL;
	if (flight != NULL)
		hand_on(flight);
}

/* Wrong credentials, or nobody's; not a user who may not log in. */
static bool
is_guess(enum auth_outcome outcome, const struct auth_answer *answer)
{
	return outcome == AUTH_OUTCOME_UNKNOWN ||
	    (answer->verdict == AUTH_REFUSED &&
		(outcome == AUTH_OUTCOME_REFUSAL || (answer->why == NULL && answer->reason == NULL)));
}

/* 0: it is told to those who wait, but not kept. */
static int64_t
time_to_live(const struct auth *auth, enum auth_outcome outcome, const struct auth_answer *answer)
{
	if (is_guess(outcome, answer))
		return auth->cache_negative_ttl.ms;
	return answer->verdict == AUTH_OK && answer->delay_ms == 0 ? auth->cache_ttl.ms : 0;
}

/* NULL: it is for this one alone. */
static struct auth_memo *
make_memo(const struct auth_request *request, enum auth_outcome outcome, const struct auth_answer *answer)
{
	const struct auth_flight *flight = request->turn.flight;
	uint8_t key[SEAL_KEY_SIZE];
	struct auth_memo *memo;

	if (answer->verdict == AUTH_CHALLENGE || (answer->pass != NULL && request->is_lookup))
		return NULL;
	if (answer->pass == NULL)
		return auth_memo_new(outcome, answer, NULL);
	auth_key_seal(request, flight->cache->marker, key);
	memo = auth_memo_new(outcome, answer, key);
	secret_wipe(key, sizeof(key));
	return memo;
}

/* What goes to a place. */
struct keep {
	struct auth_memo *memo;		/* NULL: that the key with the address is to be taken */
	struct stamp stamp;
	int64_t expires;
};

static void
fill(struct place *place, const struct keep *keep)
{
	auth_memo_put(&place->memo);
	place->memo = keep->memo != NULL ? auth_memo_get(keep->memo) : NULL;
	place->is_by_address = keep->memo == NULL;
	place->stamp = keep->stamp;
}

/* Ends the flight at its place; what is kept may be NULL. */
static void
land(struct auth_flight *flight, int64_t now, const struct keep *keep)
{
	struct table *table = flight->cache->table;
	struct table_entry *entry = table_lock(table, name_of(flight->key), now, false);
	struct place *place;
	int64_t expires;

	if (entry == NULL)
		return;
	place = table_value(entry);
	expires = table_expires(entry);
	if (place->flight == flight) {
		place->flight = NULL;
		if (keep != NULL)
			fill(place, keep);
		expires = keep != NULL ? keep->expires : 0;
	}
	table_unlock(table, entry, expires);
}

/* Under the key with the address, where nobody is asking by that. */
static void
keep_by_address(const struct auth_request *request, const struct auth_source *source, const struct keep *keep)
{
	struct auth_cache *cache = request->turn.flight->cache;
	int64_t now = loop_now(request->loop);
	uint8_t key[DIGEST_MARK_SIZE];
	struct table_entry *entry;
	struct place *place;

	auth_key_make(request, source, true, cache->marker, key);
	entry = table_lock(cache->table, name_of(key), now, true);
	place = table_value(entry);
	if (place->flight == NULL)
		fill(place, keep);
	table_unlock(cache->table, entry, place->flight != NULL ? TABLE_FOREVER : keep->expires);
}

static int64_t
longest_ttl(const struct auth *auth)
{
	return auth->cache_ttl.ms > auth->cache_negative_ttl.ms ? auth->cache_ttl.ms :
	    auth->cache_negative_ttl.ms;
}

/* Of an answer: who else may be told it, and for how long. */
static void
share(struct auth_request *request, const struct auth_source *source, struct keep *keep, int64_t ttl)
{
	struct auth_flight *flight = request->turn.flight;
	int64_t now = loop_now(request->loop);
	struct keep hint;
	bool is_fresh;

	keep->stamp = make_stamp(flight->cache, request->user,
	    keep->memo != NULL ? keep->memo->answer.user : NULL);
	keep->expires = now + ttl;
	is_fresh = atomic_load(&flight->cache->flushes) == flight->flushes;
	if (keep->memo == NULL || !keep->memo->answer.depends_on_client || flight->is_by_address) {
		flight->memo = keep->memo != NULL ? auth_memo_get(keep->memo) : NULL;
		land(flight, now, is_fresh && ttl > 0 ? keep : NULL);
		return;
	}
	if (is_fresh && ttl > 0)
		keep_by_address(request, source, keep);
	flight->asks_again = true;
	hint = (struct keep){ NULL, keep->stamp, now + longest_ttl(request->asked) };
	land(flight, now, is_fresh ? &hint : NULL);
}

void
auth_cache_settle(struct auth_request *request, const struct auth_source *source, enum auth_outcome outcome,
    const struct auth_answer *answer)
{
	const struct auth_answer unknown = { .verdict = AUTH_REFUSED };
	struct auth_flight *flight = request->turn.flight;
	struct keep keep;

	if (flight == NULL)
		return;
	if (answer == NULL)
		answer = &unknown;
	else if (request->turn.is_unknown && answer->verdict == AUTH_REFUSED)
		outcome = AUTH_OUTCOME_UNKNOWN;
	keep.memo = make_memo(request, outcome, answer);
	share(request, source, &keep, keep.memo != NULL ? time_to_live(request->asked, outcome, answer) : 0);
	request->turn.flight = NULL;
	waiter_wake_all(&flight->others);
	auth_memo_put(&keep.memo);
	flight_put(flight);
}
