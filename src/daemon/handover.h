/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * handover.h: what the process that is replaced (upgrade.c) and the one that replaces it (takeover.c) tell
 * each other, over a channel at a fixed descriptor; an environment variable says that it is there.  Releases
 * speak with their neighbours: what is not known is passed over, and HANDOVER_VERSION counts what cannot be.
 */
#ifndef DAEMON_HANDOVER_H
#define DAEMON_HANDOVER_H

#define HANDOVER_VARIABLE "GATEPOST_UPGRADE"
#define HANDOVER_VERSION "1"

enum { HANDOVER_FD = 3 };

enum handover_kind {
	/* from the old one, in this order */
	HANDOVER_HELLO = 'h',		/* version */
	HANDOVER_SOCKETS = 's',		/* table, key; with some of its sockets */
	HANDOVER_PID_FILE = 'p',	/* path; with the locked file */
	HANDOVER_STDERR = 'e',		/* with the standard error; that of the new one is read until then */
	HANDOVER_ALL = 'a',		/* nothing more is needed to prepare */
	HANDOVER_BINDING = 'b',		/* farm, user, server, state */
	HANDOVER_BANS = 'n',		/* as bans.c has them */
	HANDOVER_TOLD = 'o',		/* words of the extension's */
	HANDOVER_GO = 'g',		/* serve */
	HANDOVER_RELEASE = 'x',		/* farm, user: has no sessions in the old one any more */

	/* from the new one */
	HANDOVER_LEFT = 'l',		/* table, key: will not listen there */
	HANDOVER_READY = 'r',		/* all is open, servers are checked; waits for GO */
	HANDOVER_SERVING = 'v',		/* whether it has the pid file: "pid_file" or "" */
	HANDOVER_KICK = 'k',		/* farm, user: is to go from the old one */
	HANDOVER_SETTLED = 't'		/* its end would be none that the old one has to mend */
};

/* States of a binding; "": nobody is there. */
#define HANDOVER_HELD "held"		/* the user has sessions in the old process */
#define HANDOVER_BLOCKED "blocked"	/* on another server than this, and is to go before anybody gets in */

/* Tables of sockets. */
#define HANDOVER_LISTENERS "listeners"

#endif
