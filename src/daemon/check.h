/* SPDX-License-Identifier: BSD-2-Clause */
/* check.h: what can be said of a configuration without running it.  The functions return exit statuses. */
#ifndef DAEMON_CHECK_H
#define DAEMON_CHECK_H

#include "conf/directive.h"
#include "daemon/program.h"

/*
 * Reads it and opens its files as its user; every problem goes to standard
 * error.  The process has no more rights then, and should end.
 */
int check_configuration(const char *config_path, const struct program *program);
int check_print(const char *config_path, const struct block *root);	/* the effective configuration */

#endif
