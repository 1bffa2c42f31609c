/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * changes.h: where the process at run time is not as its configuration says, since when, by whom and why;
 * and that it is so again behind a restart.  States and weights of servers are read from the servers
 * themselves, behind each command that may change something and every second, whoever changed them; so is all
 * else that commands set: deviations.h.  On control's loop.
 */
#ifndef ADMIN_CHANGES_H
#define ADMIN_CHANGES_H

#include "admin/call.h"
#include "admin/cockpit.h"
#include "admin/deviations.h"

struct changes;
struct conf_problems;

/* May the state file be written, as far as its folder goes?  False: a problem. */
bool changes_check(const struct root *root, struct conf_problems *problems);
struct changes *changes_new(struct cockpit *cockpit);
/* What there is to write is, at once. */
void changes_free(struct changes **changes);

/*
 * Another configuration is in force; the first time, before clients come: the state file is read then, or
 * what another process has told comes in its place.  Where something is wrong with it nothing of it is used.
 */
void changes_commit(struct changes *changes);
/*
 * Another process goes on with the states and weights: what it has to hear, in pieces of `max` bytes at most;
 * and the state file is its own to write until changes_resume.
 */
void changes_hand_over(struct changes *changes, size_t max, void (*say)(void *owner, struct slice piece),
    void *owner);
void changes_resume(struct changes *changes);
void changes_hear(struct changes *changes, struct slice piece);	/* of another process, before the commit */
void changes_follow(struct changes *changes);	/* names have other addresses: servers came or went */
/* Something may have been set; by whom, where it was a command.  NULL: nobody is known to have. */
void changes_look(struct changes *changes, const char *who);

void changes_note_move(const struct admin_call *call, const char *user, const char *server);

void changes_each(struct changes *changes, void (*each)(const struct told_change *change, void *arg),
    void *arg);

#endif
