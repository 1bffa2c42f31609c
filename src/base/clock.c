/* SPDX-License-Identifier: BSD-2-Clause */
/* clock.c: the monotonic clock, and that of a thread. */
#include "base/clock.h"

#include <stdlib.h>
#include <time.h>

static struct timespec
read_clock(clockid_t clock)
{
	struct timespec now;

	if (clock_gettime(clock, &now) != 0)
		abort();
	return now;
}

int64_t
clock_ms(void)
{
	struct timespec now = read_clock(CLOCK_MONOTONIC);

	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t
clock_us(void)
{
	struct timespec now = read_clock(CLOCK_MONOTONIC);

	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t
clock_thread_us(void)
{
	struct timespec now = read_clock(CLOCK_THREAD_CPUTIME_ID);

	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}
