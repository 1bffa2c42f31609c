/* SPDX-License-Identifier: BSD-2-Clause */
/* limiter.c: a rate is kept as the time at which all that was taken would have come evenly. */
#include "state/limiter.h"

#include "base/xalloc.h"
#include "state/table.h"

enum { NS_A_MS = 1000000 };

struct limiter {
	size_t rates_max;
	struct table *rates;		/* int64_t: ns, as the clock in ms */
	struct table *present;		/* int64_t: how many */
};

struct limiter *
limiter_new(size_t rates_max)
{
	struct limiter *limiter = xcalloc(1, sizeof(*limiter));

	limiter->rates_max = rates_max;
	limiter->rates = table_new(sizeof(int64_t), NULL);
	table_set_limit(limiter->rates, rates_max);
	limiter->present = table_new(sizeof(int64_t), NULL);
	return limiter;
}

void
limiter_free(struct limiter **limiter)
{
	struct limiter *gone = *limiter;

	*limiter = NULL;
	if (gone == NULL)
		return;
	table_free(&gone->rates);
	table_free(&gone->present);
	xfree(gone);
}

/* For which time one counts. */
static int64_t
step_of(struct limiter_rate rate)
{
	int64_t step = rate.unit_ms * NS_A_MS / rate.limit;

	return step > 0 ? step : 1;
}

/* When all that was taken is due, at this rate: it may have been another one once, of a longer unit. */
static int64_t
due_within(int64_t due, struct limiter_rate rate, int64_t now_ns)
{
	int64_t latest = now_ns + rate.unit_ms * NS_A_MS;

	if (due < now_ns)
		return now_ns;
	return due < latest ? due : latest;
}

/* The same with one more; 0: that is one too many. */
static int64_t
due_with_one(int64_t due, struct limiter_rate rate, int64_t now_ns)
{
	due = due_within(due, rate, now_ns) + step_of(rate);
	return due - now_ns <= rate.unit_ms * NS_A_MS ? due : 0;
}

bool
limiter_take(struct limiter *limiter, struct slice name, struct limiter_rate rate, int64_t now)
{
	struct table_entry *entry;
	int64_t *due, next;

	if (rate.limit == 0)
		return true;
	entry = table_lock(limiter->rates, name, now, true);
	due = table_value(entry);
	next = due_with_one(*due, rate, now * NS_A_MS);
	*due = next != 0 ? next : due_within(*due, rate, now * NS_A_MS);
	table_unlock(limiter->rates, entry, *due / NS_A_MS + 1);
	return next != 0;
}

bool
limiter_is_spent(struct limiter *limiter, struct slice name, struct limiter_rate rate, int64_t now)
{
	struct table_entry *entry;
	bool is_spent;

	if (rate.limit == 0)
		return false;
	entry = table_lock(limiter->rates, name, now, false);
	if (entry == NULL)
		return false;
	is_spent = due_with_one(*(int64_t *)table_value(entry), rate, now * NS_A_MS) == 0;
	table_unlock(limiter->rates, entry, table_expires(entry));
	return is_spent;
}

int64_t
limiter_used(struct limiter *limiter, struct slice name, struct limiter_rate rate, int64_t now)
{
	struct table_entry *entry = table_lock(limiter->rates, name, now, false);
	int64_t left;

	if (entry == NULL)
		return 0;
	left = due_within(*(int64_t *)table_value(entry), rate, now * NS_A_MS) - now * NS_A_MS;
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

bool
limiter_enter(struct limiter *limiter, struct slice name, int64_t limit)
{
	struct table_entry *entry = table_lock(limiter->present, name, 0, true);
	int64_t *count = table_value(entry);
	bool has_entered = limit == 0 || *count < limit;

	*count += has_entered;
	table_unlock(limiter->present, entry, *count > 0 ? TABLE_FOREVER : -1);
	return has_entered;
}

void
limiter_leave(struct limiter *limiter, struct slice name)
{
	struct table_entry *entry = table_lock(limiter->present, name, 0, false);
	int64_t *count;

	if (entry == NULL)
		return;
	count = table_value(entry);
	--*count;
	table_unlock(limiter->present, entry, *count > 0 ? TABLE_FOREVER : -1);
}

int64_t
limiter_present(struct limiter *limiter, struct slice name)
{
	struct table_entry *entry = table_lock(limiter->present, name, 0, false);
	int64_t count;

	if (entry == NULL)
		return 0;
	count = *(int64_t *)table_value(entry);
	table_unlock(limiter->present, entry, TABLE_FOREVER);
	return count;
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
