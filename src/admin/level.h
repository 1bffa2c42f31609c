/* SPDX-License-Identifier: BSD-2-Clause */
/* level.h: what an operator may do. */
#ifndef ADMIN_LEVEL_H
#define ADMIN_LEVEL_H

enum admin_level {
	ADMIN_LEVEL_USER,		/* sees figures and states, nobody's name or address */
	ADMIN_LEVEL_OPERATOR,		/* sees who is there too, and clears what only was the highest */
	ADMIN_LEVEL_ADMIN		/* changes states and weights, ends sessions, reloads */
};

const char *admin_level_text(enum admin_level level);	/* "operator" */

#endif
