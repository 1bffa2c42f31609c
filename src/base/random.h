/* SPDX-License-Identifier: BSD-2-Clause */
/* random.h: unpredictable bytes from the kernel. */
#ifndef BASE_RANDOM_H
#define BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

void random_bytes(void *out, size_t n);		/* aborts where the kernel has none */
uint64_t random_number(void);

#endif
