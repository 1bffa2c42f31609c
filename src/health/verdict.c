/* SPDX-License-Identifier: BSD-2-Clause */
/* verdict.c: a streak that is broken by each check that speaks for the state at hand. */
#include "health/verdict.h"

static int
wanted_of(const struct verdict *verdict, int rise, int fall)
{
	return verdict->state == HEALTH_DOWN ? rise : fall;
}

bool
verdict_add(struct verdict *verdict, bool is_good, int rise, int fall)
{
	bool is_for_another = is_good == (verdict->state == HEALTH_DOWN);

	if (verdict->state == HEALTH_UNKNOWN && is_good) {
		*verdict = (struct verdict){ .state = HEALTH_UP };
		return true;
	}
	verdict->streak = is_for_another ? verdict->streak + 1 : 0;
	if (verdict->streak < wanted_of(verdict, rise, fall))
		return false;
	*verdict = (struct verdict){ .state = is_good ? HEALTH_UP : HEALTH_DOWN };
	return true;
}

void
verdict_progress(const struct verdict *verdict, int rise, int fall, int *passed, int *wanted)
{
	*passed = verdict->streak;
	*wanted = verdict->streak > 0 ? wanted_of(verdict, rise, fall) : 0;
}
