/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * window.c: counts in integers, so that nothing drifts.  Parts are rounded
 * down by less than 1 each, together by less than SLACK over the largest
 * window, whose parts are larger than that.
 */
#include "balance/window.h"

enum { SIZE_BOUND = 1000 * 1000, SLACK = SIZE_BOUND };
static const int64_t ONE = INT64_C(10) * SLACK * SIZE_BOUND;

static int64_t
part(const struct window *w)
{
	return ONE / w->size;
}

static int
at_most(const struct window *w, int size)
{
	int limit = w->limit != 0 ? w->limit : SIZE_BOUND;

	return size < limit ? size : limit;
}

int
window_bound(const struct window *w)
{
	return w->state == WINDOW_DEAD ? WINDOW_CLOSED : w->size;
}

void
window_lift(struct window *w)
{
	*w = (struct window){ .limit = w->limit, .opened_at = w->opened_at };
}

void
window_move(struct window *w, int64_t now)
{
	window_lift(w);
	w->opened_at = now;
}

static void
begin(struct window *w, int size)
{
	w->size = size;
	w->gained = w->owed = w->lost = 0;
	w->calm = 0;
}

static void
half_open(struct window *w, int64_t now)
{
	w->state = WINDOW_HALF_OPEN;
	w->opened_at = now;
	begin(w, 1);
}

static void
die(struct window *w, int64_t now)
{
	int dead_ms = w->dead_ms != 0 ? 2 * w->dead_ms : WINDOW_DEAD_MIN_MS;

	w->dead_ms = dead_ms < WINDOW_DEAD_MAX_MS ? dead_ms : WINDOW_DEAD_MAX_MS;
	w->dead_until = now + w->dead_ms;
	w->state = WINDOW_DEAD;
}

static void
grow(struct window *w)
{
	for (w->gained += part(w); w->gained >= ONE - SLACK; w->gained -= ONE) {
		w->size++;
		w->owed = 0;
	}
	if (w->gained < SLACK)
		w->gained = 0;
	w->size = at_most(w, w->size);
}

static void
shrink(struct window *w)
{
	for (w->owed -= part(w); w->owed < -SLACK; w->owed += ONE) {
		w->size--;
		w->gained = 0;
	}
	if (w->size < 1)
		w->size = 1;
}

void
window_succeed(struct window *w, int busy, int64_t now)
{
	if (w->size == 0)
		return;
	if (w->state == WINDOW_DEAD)
		half_open(w, now);
	w->state = WINDOW_OPEN;
	w->lost = 0;
	if (w->size < at_most(w, busy + WINDOW_INITIAL)) {
		w->calm = 0;
		grow(w);
	} else if (++w->calm >= w->size) {
		window_lift(w);
	}
}

void
window_fail(struct window *w, int busy, int64_t began, int64_t now)
{
	if (w->state == WINDOW_DEAD || began < w->opened_at)
		return;
	if (w->size == 0)
		begin(w, at_most(w, busy > WINDOW_INITIAL ? busy : WINDOW_INITIAL));
	w->calm = 0;
	w->lost += part(w);
	if (w->lost >= ONE - SLACK)
		die(w, now);
	else
		shrink(w);
}

bool
window_tick(struct window *w, int64_t now)
{
	if (w->state != WINDOW_DEAD || now < w->dead_until)
		return false;
	half_open(w, now);
	return true;
}

bool
window_reopen(struct window *w, int64_t now)
{
	if (w->state != WINDOW_DEAD)
		return false;
	w->dead_ms /= 2;
	half_open(w, now);
	return true;
}
