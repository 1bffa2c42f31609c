/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * console.h: one who is connected to a socket for commands, which speaks as HAProxy's does: a line with
 * commands between semicolons is answered, each answer ends with an empty line, then the connection ends;
 * after `prompt` it goes on, and "> " asks for the next line.
 */
#ifndef ADMIN_CONSOLE_H
#define ADMIN_CONSOLE_H

#include "admin/cockpit.h"

/* Owns fd from now on. */
void console_open(struct door *door, int fd, const struct addr *peer);
void consoles_close(struct cockpit *cockpit);		/* all, at once */

#endif
