/* SPDX-License-Identifier: BSD-2-Clause */
/* clock.c: the monotonic clock. */
#include "base/clock.h"

#include <stdlib.h>
#include <time.h>

static struct timespec
read_clock(void)
{
	struct timespec now;

	if (clock_gettime(CLOCK_MONOTONIC, &now) != 0)
		abort();
	return now;
}

int64_t
clock_ms(void)
{
	struct timespec now = read_clock();

	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t
clock_us(void)
{
	struct timespec now = read_clock();

	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}
