/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * takeover.h: the start of a process that replaces a running one: it gets that one's sockets, becomes ready
 * without touching a client, and serves when it is told to.  Without such a one nothing here does anything.
 */
#ifndef DAEMON_TAKEOVER_H
#define DAEMON_TAKEOVER_H

#include "daemon/control.h"

/* Before anything is opened.  False: there is one, but it cannot be understood. */
bool takeover_join(struct control *control, struct error *error);
void takeover_end(struct control *control);

/* Gives the sockets of a table (HANDOVER_LISTENERS, or the extension's name for its own) to it, once. */
void takeover_give_sockets(struct control *control, const char *name, struct socket_table *table);
/* pid_file_write; but where the old process has that very file it stays so until takeover_tell_serving. */
bool takeover_pid_file(struct control *control, const char *path, struct error *error);
/* The standard error is the old process's own again. */
void takeover_use_stderr(struct control *control);

/* Has on_go called once this process may serve: at once, or when the old one says so. */
void takeover_await_go(struct control *control, void (*on_go)(struct control *control));
void takeover_tell_serving(struct control *control);
/* Whatever becomes of this process from now on is no failed upgrade. */
void takeover_settle(struct control *control);
/* Is there one that has not told to serve yet? */
bool takeover_is_under_way(const struct control *control);
/* Are there users with sessions in the old process, so that a process after this one hears of them by it? */
bool takeover_is_needed(const struct control *control);

#endif
