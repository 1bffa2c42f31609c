/* SPDX-License-Identifier: BSD-2-Clause */
/* random.c: getrandom(2), asked until all bytes are there. */
#include "base/random.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

void
random_bytes(void *out, size_t n)
{
	char *p = out;

	while (n > 0) {
		ssize_t got = getrandom(p, n, 0);

		if (got < 0 && errno != EINTR)
			abort();
		if (got > 0) {
			p += got;
			n -= (size_t)got;
		}
	}
}

uint64_t
random_number(void)
{
	uint64_t number;

	random_bytes(&number, sizeof(number));
	return number;
}
