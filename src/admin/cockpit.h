/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cockpit.h: how gatepost is watched and operated: its sockets over all reloads, and what commands look at.
 * On control's loop alone.
 */
#ifndef ADMIN_COCKPIT_H
#define ADMIN_COCKPIT_H

#include "admin/admin_block.h"
#include "base/list.h"
#include "daemon/control.h"

struct sampler;
struct http_doors;
struct changes;
struct socket_table;

struct cockpit {
	struct control *control;
	struct socket_table *sockets;	/* of the block `admin`; one socket a place */
	struct sampler *sampler;	/* of all figures, over all reloads */
	struct list doors;		/* struct door: where operators come in */
	struct list consoles;		/* struct console: who is in */
	struct list gate_rounds;	/* of listeners that are being opened or closed */
	int64_t started_at;		/* clock_ms */
	struct http_doors *http;	/* who comes by HTTP */
	struct list rebalances;		/* that workers are asked about */
	struct changes *changes;	/* see changes.h; there from the first configuration on */
	struct list surveys;		/* struct survey: what the workers are asked about sessions */
	struct list checks;		/* commands_check.c's: calls that wait for checks */
	struct list traces;		/* commands_trace.c's */
	unsigned last_trace;		/* their numbers */
	struct list legacies;		/* legacy.c's: what another process has told */
};

/* A socket that operators connect to. */
struct door {
	struct list node;
	struct cockpit *cockpit;
	struct acceptor acceptor;
	int number;			/* in the socket table */
	bool is_kept;			/* by the configuration that is being committed */
	const struct admin_socket *settings;	/* of the configuration that is in force */
	char *own_path;			/* beside another process's socket: removed with the door */
};

extern const struct extension cockpit_extension;

void rebalances_close(struct cockpit *cockpit);		/* commands_rebalance.c's: the workers have ended */

/* commands_kick.c's: whether other proxies' operators are heard. */
void kicks_listen(struct cockpit *cockpit, bool listens);

/* The configuration at hand. */
const struct root *cockpit_root(const struct cockpit *cockpit);
const struct conf_list *cockpit_sockets(const struct cockpit *cockpit);	/* struct admin_socket */

#endif
