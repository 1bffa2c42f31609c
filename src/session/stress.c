/* SPDX-License-Identifier: BSD-2-Clause */
/* stress.c: when a level is entered and left, and what it means. */
#include "session/stress.h"

#include <stdio.h>

static const struct cause_row {
	const char *format;			/* of the load */
	int64_t enter[STRESS_LEVEL_COUNT];	/* this much calls for the level */
	int64_t stay[STRESS_LEVEL_COUNT];	/* this much keeps one that was entered */
} causes[] = {
	[STRESS_CONNECTIONS] = { "%lld %% of connections are in use",   { 0, 80, 95 }, { 0, 70, 85 } },
	[STRESS_MEMORY]      = { "%lld %% of relay_memory is in use",   { 0, 80, 95 }, { 0, 70, 85 } },
	[STRESS_LAG]         = { "sessions wait %lld ms for others",    { 0, 100, 500 }, { 0, 50, 200 } },
	[STRESS_HANDSHAKES]  = { "TLS handshakes wait %lld ms",         { 0, 1000, 4000 }, { 0, 500, 2000 } },
};
_Static_assert(sizeof(causes) / sizeof(causes[0]) == STRESS_CAUSE_COUNT, "a row per cause");

static const struct effect_row {
	int64_t patience_ms, errors, idles;	/* of the last two 0: as configured */
} effects[] = {
	[STRESS_NONE]    = { INT64_MAX, 0, 0 },
	[STRESS_HIGH]    = { 30 * 1000, 5, 10 },
	[STRESS_EXTREME] = { 10 * 1000, 1, 1 },
};
_Static_assert(sizeof(effects) / sizeof(effects[0]) == STRESS_LEVEL_COUNT, "a row per level");

/* The highest level that the load calls for, or keeps. */
static int
find_level(const struct stress_load *load, bool keeps, enum stress_cause *cause)
{
	for (int level = STRESS_LEVEL_COUNT - 1; level > STRESS_NONE; level--)
		for (int i = 0; i < STRESS_CAUSE_COUNT; i++)
			if (load->of[i] >= (keeps ? causes[i].stay : causes[i].enter)[level]) {
				*cause = (enum stress_cause)i;
				return level;
			}
	return STRESS_NONE;
}

static void
enter(struct stress *stress, int level, int64_t now)
{
	atomic_store_explicit(&stress->level, level, memory_order_relaxed);
	stress->needed_at = now;
}

bool
stress_move(struct stress *stress, const struct stress_load *load, int64_t now, struct stress_change *change)
{
	int level = stress_level(stress), wanted = find_level(load, false, &change->cause);
	enum stress_cause unused;

	change->from = level;
	if (wanted > level) {
		change->load = load->of[change->cause];
		enter(stress, wanted, now);
	} else if (level == STRESS_NONE || find_level(load, true, &unused) >= level) {
		stress->needed_at = now;
	} else if (now - stress->needed_at >= STRESS_STAY_MS) {
		enter(stress, level - 1, now);
	}
	change->to = stress_level(stress);
	return change->to != level;
}

const char *
stress_change_text(const struct stress_change *change, char out[STRESS_TEXT_MAX])
{
	if (change->to > change->from)
		snprintf(out, STRESS_TEXT_MAX, causes[change->cause].format, (long long)change->load);
	else
		snprintf(out, STRESS_TEXT_MAX, "there is no more cause");
	return out;
}

int64_t
stress_patience_ms(int level)
{
	return effects[level].patience_ms;
}

/* The lower one of two limits, of which 0 is none. */
static int64_t
lower(int64_t one, int64_t other)
{
	if (one == 0 || other == 0)
		return one + other;
	return one < other ? one : other;
}

int64_t
stress_max_errors(int level, int64_t configured)
{
	return lower(configured, effects[level].errors);
}

int64_t
stress_max_idles(int level, int64_t configured)
{
	return lower(configured, effects[level].idles);
}
