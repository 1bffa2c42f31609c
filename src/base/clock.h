/* SPDX-License-Identifier: BSD-2-Clause */
/* clock.h: time as the loops use it. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

int64_t clock_ms(void);			/* monotonic milliseconds */
int64_t clock_us(void);			/* likewise microseconds: for what is measured */
int64_t clock_thread_us(void);		/* processor time of the calling thread */

#endif
