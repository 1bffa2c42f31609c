/* SPDX-License-Identifier: BSD-2-Clause */
/* commands_check.h: `check now`. */
#ifndef ADMIN_COMMANDS_CHECK_H
#define ADMIN_COMMANDS_CHECK_H

struct cockpit;

void checks_end(struct cockpit *cockpit);	/* pools and their settings are about to go: calls fail */

#endif
