/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * board.h: what each proxy says of itself, for the others to read: one sheet
 * of text a proxy, exchanged once a second.  A sheet ends a few seconds after
 * its proxy, and all of them do where Redis is away for so long.  On
 * control's loop.
 */
#ifndef STATE_BOARD_H
#define STATE_BOARD_H

#include "base/buf.h"
#include "state/cluster.h"

struct board;

enum {
	BOARD_EXCHANGE_MS = 1000,
	BOARD_LEASE_MS = 5000,		/* how long a proxy that has died is counted */
	BOARD_SHEET_MAX = 64 * 1024	/* octets; of more the lines that fit are told, and it is logged */
};

struct board_settings {
	struct cluster *cluster;	/* joined; it outlives the board */
	const char *name;		/* a constant */
	/* Appends this proxy's sheet as it is now. */
	void (*write)(void *owner, struct buf *sheet);
	/* Others' sheets are not what they were, others came or went; and once it is known who is there. */
	void (*on_read)(void *owner);
	void *owner;
};

struct board *board_new(const struct board_settings *settings);
void board_free(struct board **board);
void board_exchange(struct board *board);	/* at once, where none is under way */

size_t board_count(const struct board *board);	/* of other proxies that are there */

/* A proxy that starts anew, or that another process takes over, has two of them for a while. */
struct board_sheet {
	const char *proxy;
	struct slice text;
	bool is_own;			/* of a process that has this proxy's name */
	bool is_latest;			/* of those of its proxy: the one that has changed last */
};
/* Visits the other processes' sheets. */
typedef void board_visit(const struct board_sheet *sheet, void *arg);
void board_each(const struct board *board, board_visit *visit, void *arg);

/* KEYS: sheets, leases, stamps.  ARGV: INC, lease ms, the stamp that is known, "NAME\nSHEET". */
extern const struct cluster_script board_script;

#endif
