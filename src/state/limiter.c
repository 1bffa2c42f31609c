/* SPDX-License-Identifier: BSD-2-Clause */
/* limiter.c: a rate is kept as the time at which all that was taken would have come evenly. */
#include "state/limiter.h"

#include "base/xalloc.h"
#include "state/limiter_state.h"

struct limiter *
limiter_new(size_t rates_max)
{
	struct limiter *limiter = xcalloc(1, sizeof(*limiter));

	limiter->rates_max = rates_max;
	limiter->rates = table_new(sizeof(struct limiter_due), NULL);
	table_set_limit(limiter->rates, rates_max);
	limiter->present = table_new(sizeof(struct limiter_present), NULL);
	atomic_init(&limiter->proxies, 1);
	return limiter;
}

void
limiter_free(struct limiter **limiter)
{
	struct limiter *gone = *limiter;

	*limiter = NULL;
	if (gone == NULL)
		return;
	limiter_unshare(gone);
	table_free(&gone->rates);
	table_free(&gone->present);
	xfree(gone);
}

/* For which time one counts. */
static int64_t
step_of(struct limiter_rate rate)
{
	int64_t step = rate.unit_ms * LIMITER_NS_A_MS / rate.limit;

	return step > 0 ? step : 1;
}

/* When all that was taken is due, at this rate: it may have been another one once, of a longer unit. */
static int64_t
due_within(int64_t due, struct limiter_rate rate, int64_t now_ns)
{
	int64_t latest = now_ns + rate.unit_ms * LIMITER_NS_A_MS;

	if (due < now_ns)
		return now_ns;
	return due < latest ? due : latest;
}

/* The same with one more; 0: that is one too many. */
static int64_t
due_with_one(int64_t due, struct limiter_rate rate, int64_t now_ns)
{
	due = due_within(due, rate, now_ns) + step_of(rate);
	return due - now_ns <= rate.unit_ms * LIMITER_NS_A_MS ? due : 0;
}

int64_t
limiter_share_of(const struct limiter *limiter, int64_t limit)
{
	enum { PART = 4, FEWEST = 2 };
	int64_t proxies = atomic_load_explicit(&limiter->proxies, memory_order_relaxed);
	int64_t share = (limit + PART * proxies - 1) / (PART * proxies);

	return limit == 1 || share > FEWEST ? share : FEWEST;
}

/* True: others are to be told; of each one where it becomes scarce. */
static bool
note_taken(const struct limiter *limiter, struct limiter_due *due, struct limiter_rate rate, int64_t now)
{
	bool is_scarce = due->ns - now * LIMITER_NS_A_MS > rate.unit_ms * LIMITER_NS_A_MS / 2;

	due->rate = rate;
	due->untold++;
	if (due->is_listed || (!is_scarce && due->untold < limiter_share_of(limiter, rate.limit)))
		return false;
	due->is_listed = true;
	return true;
}

bool
limiter_take(struct limiter *limiter, struct slice name, struct limiter_rate rate, int64_t now)
{
	struct table_entry *entry;
	struct limiter_due *due;
	int64_t next;
	bool is_news;

	if (rate.limit == 0)
		return true;
	entry = table_lock(limiter->rates, name, now, true);
	due = table_value(entry);
	next = due_with_one(due->ns, rate, now * LIMITER_NS_A_MS);
	due->ns = next != 0 ? next : due_within(due->ns, rate, now * LIMITER_NS_A_MS);
	is_news = next != 0 && limiter->sharing != NULL && note_taken(limiter, due, rate, now);
	table_unlock(limiter->rates, entry, due->ns / LIMITER_NS_A_MS + 1);
	if (is_news)
		limiter_list(limiter, LIMITER_RATES, name);
	return next != 0;
}

bool
limiter_is_spent(struct limiter *limiter, struct slice name, struct limiter_rate rate, int64_t now)
{
	const struct limiter_due *due;
	struct table_entry *entry;
	bool is_spent;

	if (rate.limit == 0)
		return false;
	entry = table_lock(limiter->rates, name, now, false);
	if (entry == NULL)
		return false;
	due = table_value(entry);
	is_spent = due_with_one(due->ns, rate, now * LIMITER_NS_A_MS) == 0;
	table_unlock(limiter->rates, entry, table_expires(entry));
	return is_spent;
}

int64_t
limiter_used(struct limiter *limiter, struct slice name, struct limiter_rate rate, int64_t now)
{
	struct table_entry *entry = table_lock(limiter->rates, name, now, false);
	const struct limiter_due *due;
	int64_t left;

	if (entry == NULL)
		return 0;
	due = table_value(entry);
	left = due_within(due->ns, rate, now * LIMITER_NS_A_MS) - now * LIMITER_NS_A_MS;
	table_unlock(limiter->rates, entry, table_expires(entry));
	return rate.limit > 0 ? (left + step_of(rate) - 1) / step_of(rate) : 0;
}

void
limiter_forget(struct limiter *limiter, struct slice name)
{
	struct table_entry *entry = table_lock(limiter->rates, name, 0, false);

	if (entry != NULL)
		table_unlock(limiter->rates, entry, -1);
}

/* Is it to be told?  Who is turned away since others are there asks whether they still are. */
static bool
is_to_be_told(const struct limiter *limiter, const struct limiter_present *present, bool is_turned_away)
{
	bool is_share = present->limit != 0 && present->count >= limiter_share_of(limiter, present->limit);

	if (limiter->sharing == NULL || present->is_listed || (present->told == 0 && !is_share))
		return false;
	return present->count != present->told || (is_turned_away && present->others > 0);
}

/* Unlocks the entry, and has it told where that is due. */
static void
end_present(struct limiter *limiter, struct table_entry *entry, struct slice name, bool is_turned_away)
{
	struct limiter_present *present = table_value(entry);
	bool is_news = is_to_be_told(limiter, present, is_turned_away);

	present->is_listed |= is_news;
	table_unlock(limiter->present, entry,
	    present->count > 0 || present->is_listed || present->told != 0 ? TABLE_FOREVER : -1);
	if (is_news)
		limiter_list(limiter, LIMITER_PRESENT, name);
}

bool
limiter_enter(struct limiter *limiter, struct slice name, int64_t limit)
{
	struct table_entry *entry = table_lock(limiter->present, name, 0, true);
	struct limiter_present *present = table_value(entry);
	int64_t others = atomic_load_explicit(&limiter->is_heard, memory_order_relaxed) ? present->others : 0;
	bool has_entered = limit == 0 || present->count + others < limit;

	present->limit = limit;
	present->count += has_entered;
	end_present(limiter, entry, name, !has_entered);
	return has_entered;
}

void
limiter_leave(struct limiter *limiter, struct slice name)
{
	struct table_entry *entry = table_lock(limiter->present, name, 0, false);

	if (entry == NULL)
		return;
	((struct limiter_present *)table_value(entry))->count--;
	end_present(limiter, entry, name, false);
}

int64_t
limiter_present(struct limiter *limiter, struct slice name)
{
	struct table_entry *entry = table_lock(limiter->present, name, 0, false);
	int64_t count;

	if (entry == NULL)
		return 0;
	count = ((struct limiter_present *)table_value(entry))->count;
	table_unlock(limiter->present, entry, table_expires(entry));
	return count;
}

void
limiter_set_proxies(struct limiter *limiter, size_t others)
{
	atomic_store_explicit(&limiter->proxies, (int)others + 1, memory_order_relaxed);
}

size_t
limiter_count(struct limiter *limiter, enum limiter_kind kind)
{
	return table_count(kind == LIMITER_RATES ? limiter->rates : limiter->present);
}

size_t
limiter_max(const struct limiter *limiter, enum limiter_kind kind)
{
	return kind == LIMITER_RATES ? limiter->rates_max : 0;
}

static void
visit_name(struct slice name, void *value, int64_t expires, void *arg)
{
	const struct limiter_walk *walk = arg;

	(void)value;
	(void)expires;
	walk->visit(name, walk->arg);
}

uint64_t
limiter_walk(struct limiter *limiter, const struct limiter_walk *walk, uint64_t cursor)
{
	struct limiter_walk copy = *walk;

	return table_walk(walk->kind == LIMITER_RATES ? limiter->rates : limiter->present, cursor, walk->now,
	    visit_name, &copy);
}
