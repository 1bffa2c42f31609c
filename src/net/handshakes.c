/* SPDX-License-Identifier: BSD-2-Clause */
/* handshakes.c: two queues and a budget a loop; what waits is let in by a timer that is due at once. */
#include "net/handshakes.h"

#include <stdatomic.h>

#include "base/tally.h"
#include "base/xalloc.h"

enum { BUDGET_MIN_US = 2000, BUDGET_MAX_US = 10 * 1000 };

struct handshakes {
	struct loop *loop;
	struct list begun, fresh;
	struct loop_timer timer;	/* while somebody waits */
	uint64_t turn;			/* of the loop, which the following is of */
	int64_t budget_us, spent_us;
};

/* Of the whole process, for who watches over it. */
static atomic_int waiting;
static _Atomic uint64_t paced;
static _Atomic int64_t longest_ms;

static void
release(void *data)
{
	struct handshakes *all = data;

	loop_timer_stop(all->loop, &all->timer);
	xfree(all);
}

/* The last turn tells what the others need. */
static void
begin_turn(struct handshakes *all)
{
	uint64_t turn = loop_turn(all->loop);
	int64_t others;

	if (all->turn == turn)
		return;
	others = loop_turn_us(all->loop) - (all->turn + 1 == turn ? all->spent_us : 0);
	all->budget_us = others < BUDGET_MIN_US ? BUDGET_MIN_US : others;
	if (all->budget_us > BUDGET_MAX_US)
		all->budget_us = BUDGET_MAX_US;
	all->turn = turn;
	all->spent_us = 0;
}

static bool
has_budget(const struct handshakes *all)
{
	return all->spent_us < all->budget_us;
}

static void
note_wait(int64_t ms)
{
	int64_t longest = atomic_load_explicit(&longest_ms, memory_order_relaxed);

	while (ms > longest && !atomic_compare_exchange_weak(&longest_ms, &longest, ms))
		;
}

static struct handshake *
first_of(struct list *queue)
{
	return list_is_empty(queue) ? NULL : list_entry(queue->next, struct handshake, node);
}

static void
on_time(struct loop_timer *timer)
{
	struct handshakes *all = loop_owner(timer, struct handshakes, timer);
	struct handshake *next = NULL;

	begin_turn(all);
	while (has_budget(all)) {
		next = first_of(&all->begun);
		if (next == NULL)
			next = first_of(&all->fresh);
		if (next == NULL)
			return;
		next->waited_ms += loop_now(all->loop) - next->since;
		note_wait(loop_now(all->loop) - next->since);
		handshake_leave(next);
		next->on_turn(next);
	}
	loop_timer_set(all->loop, &all->timer, loop_now(all->loop));
}

static struct handshakes *
handshakes_of(struct loop *loop)
{
	struct loop_slot *slot = loop_slot(loop, LOOP_SLOT_HANDSHAKES);
	struct handshakes *all = slot->data;

	if (all == NULL) {
		all = xcalloc(1, sizeof(*all));
		all->loop = loop;
		list_init(&all->begun);
		list_init(&all->fresh);
		loop_timer_init(&all->timer, on_time);
		*slot = (struct loop_slot){ .data = all, .release = release };
	}
	begin_turn(all);
	return all;
}

bool
handshake_may_go(struct loop *loop, struct handshake *handshake, bool is_begun)
{
	struct handshakes *all = handshakes_of(loop);
	bool is_next = list_is_empty(&all->begun) && (is_begun || list_is_empty(&all->fresh));

	if (handshake->since != 0)
		return false;
	if (is_next && has_budget(all))
		return true;
	handshake->since = loop_now(loop);
	list_append(is_begun ? &all->begun : &all->fresh, &handshake->node);
	atomic_fetch_add_explicit(&waiting, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&paced, 1, memory_order_relaxed);
	if (!loop_timer_is_set(&all->timer))
		loop_timer_set(loop, &all->timer, loop_now(loop));
	return false;
}

void
handshake_took(struct loop *loop, int64_t us)
{
	handshakes_of(loop)->spent_us += us;
}

void
handshake_leave(struct handshake *handshake)
{
	if (handshake->since == 0)
		return;
	handshake->since = 0;
	list_remove(&handshake->node);
	atomic_fetch_sub_explicit(&waiting, 1, memory_order_relaxed);
}

int
handshakes_waiting(void)
{
	return atomic_load_explicit(&waiting, memory_order_relaxed);
}

uint64_t
handshakes_paced(void)
{
	return tally_read(&paced);
}

int64_t
handshakes_longest_ms(void)
{
	return atomic_exchange(&longest_ms, 0);
}
