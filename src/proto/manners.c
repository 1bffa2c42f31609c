/* SPDX-License-Identifier: BSD-2-Clause */
/* manners.c: counts, and says so. */
#include "proto/manners.h"

#include <limits.h>
#include <string.h>

void
manners_err(struct manners *manners)
{
	if (manners->errors < INT_MAX)
		manners->errors++;
}

bool
manners_idle(struct manners *manners)
{
	/* Postfix counts behind its question, so that one more than the limit is let pass */
	if (manners->idles_max == 0 || manners->idles++ <= manners->idles_max)
		return false;
	manners->idles--;
	return true;
}

void
manners_forgive(struct manners *manners)
{
	manners->errors = manners->idles = 0;
}

void
manners_write_pace(const char *what, const struct addr *client, struct buf *out)
{
	char host[ADDR_TEXT_MAX];

	buf_printf(out, "450 4.7.1 Error: too %s from %s\r\n", what, addr_host(client, host));
}

void
manners_write_end(struct slice hello, struct buf *out)
{
	struct slice name = slice_from(hello, strlen("250-"));
	size_t len = 0;

	while (len < name.len && name.data[len] > ' ')
		len++;
	buf_printf(out, "421 4.7.0 %.*s Error: too many errors\r\n", (int)len, name.data);
}
