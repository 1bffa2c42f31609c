/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * upgrade.h: this process has another one, of the program that is installed now, take its place.  That one
 * gets the sockets; once it serves, this one accepts nobody, and ends when its sessions have.  If the other
 * one fails within the first ten seconds, this one goes on as if nothing were.
 */
#ifndef DAEMON_UPGRADE_H
#define DAEMON_UPGRADE_H

#include "daemon/control.h"

/* Who wants to hear how it went. */
struct upgrade_watcher {
	struct list node;
	/* Once: the other process serves, or (failure is not NULL) it does not. */
	void (*on_result)(struct upgrade_watcher *watcher, pid_t pid, const char *failure);
};

/* Finds out which program that is, while its path means what it meant to the caller. */
void upgrade_init(struct control *control);
void upgrade_end(struct control *control);

/* The watcher or NULL.  False and an error: it has not begun, and why is told nobody else. */
bool upgrade_begin(struct control *control, struct upgrade_watcher *watcher, struct error *error);
void upgrade_unwatch(struct upgrade_watcher *watcher);	/* on_result will not come */

struct channel_message;

/* Sends it to the other process, if that has this number and lives. */
void upgrade_send(struct control *control, uint64_t pid, const struct channel_message *message);

/* This process is to end: the other one does, too, but where it serves already. */
void upgrade_abandon(struct control *control);
bool upgrade_has_succeeded(const struct control *control);
/* May the configuration change?  Not while another process opens what this one has, nor later. */
bool upgrade_lets_reload(const struct control *control);

#endif
