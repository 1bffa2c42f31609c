/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mover.h: one user's way to another server: where the farm has a flush_script the user is put on hold, then
 * all sessions end, at all proxies, the script runs, and the hold ends; but who was on hold before stays so.
 */
#ifndef ADMIN_MOVER_H
#define ADMIN_MOVER_H

#include "admin/cockpit.h"
#include "net/child.h"
#include "state/affinity.h"

enum { MOVER_PATIENCE_MS = 30 * 1000 };

enum mover_result {
	MOVER_MOVED,		/* nobody is left where the user was */
	MOVER_OVERTAKEN,	/* another move, or a login, came meanwhile: request.binding tells */
	MOVER_STUCK,		/* sessions do not end, or nobody can say: the user gets in once they have */
	MOVER_UNKNOWN		/* nobody can say where the user is: nothing was done */
};

/* Embedded in its owner, zero but for on_done. */
struct mover {
	void (*on_done)(struct mover *mover, enum mover_result result);	/* once; may free the owner */

	struct list node;		/* the owner's, as the next one */
	void *owner;
	struct cockpit *cockpit;
	struct affinity *bindings;	/* one reference while it is under way, as what follows */
	struct affinity_request request;
	struct child script;
	char *user, *server, *farm, *old_server, *path;
	int64_t script_ms;
	uint64_t hold;			/* ours; 0: none */
	int kicked;
	bool has_failed_script, is_stuck;
};

/* The first answer may come before it returns. */
void mover_start(struct mover *mover, struct cockpit *cockpit, const struct farm *farm, struct slice user,
    const char *server);
void mover_cancel(struct mover *mover);		/* as far as it is done it stays; a hold ends by itself */

/* The farm of that name whose users are bound, in the configuration at hand; or NULL. */
const struct farm *find_bound_farm(const struct root *root, const char *name);

#endif
