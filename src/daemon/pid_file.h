/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pid_file.h: the file with the number of this process.  It is locked while
 * the process lives, so that a stale one is replaced and a living one is not.
 */
#ifndef DAEMON_PID_FILE_H
#define DAEMON_PID_FILE_H

#include <stdbool.h>

#include "base/error.h"

/* The descriptor that holds the lock goes to *fd; path NULL: none is wanted, and *fd is -1. */
bool pid_file_write(const char *path, int *fd, struct error *error);
/* Could it be written, as far as that can be told without doing it? */
bool pid_file_check(const char *path, struct error *error);
bool pid_file_renew(int fd);	/* writes the number of this process where another one's was; or errno */
void pid_file_remove(const char *path, int *fd);

#endif
