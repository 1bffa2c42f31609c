/* SPDX-License-Identifier: BSD-2-Clause */
/* passing_code.c: the table of codes, of all protocols: none has one that another means otherwise. */
#include "base/passing_code.h"

#include <stddef.h>

bool
passing_code_is(struct slice code)
{
	static const char *const passing[] = {
		"UNAVAILABLE", "LIMIT", "INUSE", "SERVERBUG",	/* IMAP */
		"SYS/TEMP", "LOGIN-DELAY", "IN-USE",		/* POP3 */
		"TRYLATER",					/* ManageSieve */
	};

	for (size_t i = 0; i < sizeof(passing) / sizeof(passing[0]); i++)
		if (slice_equals_nocase(code, passing[i]))
			return true;
	return false;
}
