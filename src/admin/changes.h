/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * changes.h: where the process at run time is not as its configuration says, since when, by whom and why;
 * and that states and weights of servers outlive a restart.  Of servers, both are read from the servers
 * themselves, behind each command that may change something and every second, whoever changed them.  All else
 * is told by the command that does it.  On control's loop.
 */
#ifndef ADMIN_CHANGES_H
#define ADMIN_CHANGES_H

#include "admin/call.h"
#include "admin/cockpit.h"

struct changes;
struct conf_problems;

/* May the state file be written, as far as its folder goes?  False: a problem. */
bool changes_check(const struct root *root, struct conf_problems *problems);
/* Reads the state file; what is wrong with it is logged by the commit, and nothing of it is used then. */
struct changes *changes_new(struct cockpit *cockpit, const struct root *root);
/* What there is to write is, at once. */
void changes_free(struct changes **changes);

/* Another configuration is in force; the first time, before clients come. */
void changes_commit(struct changes *changes);
void changes_follow(struct changes *changes);	/* names have other addresses: servers came or went */
/* Something may have been set; by whom, where it was a command.  NULL: nobody is known to have. */
void changes_look(struct changes *changes, const char *who);

/* What of all else a command has set; where it is as in the file, nothing is remembered. */
struct change {
	const char *what;		/* "address", "listener", "certificate" */
	const char *subject;		/* "imap/d03", "imap" */
	const char *now, *in_file;
	const char *why;		/* or "" */
};
void changes_note(struct admin_call *call, const struct change *change);

/* A change as it is told. */
struct told_change {
	const char *kind, *subject, *what, *now, *in_file, *who, *why;
	int64_t when;			/* seconds since 1970; 0: from the beginning */
};
void changes_each(struct changes *changes, void (*each)(const struct told_change *change, void *arg),
    void *arg);

#endif
