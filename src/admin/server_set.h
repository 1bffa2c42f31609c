/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * server_set.h: what an operator means by a server: with all its services ("d03", "farm/d03"), or as one pool
 * reaches it ("imap/d03"); a server that is many, each address of its name, is meant with all of them.
 */
#ifndef ADMIN_SERVER_SET_H
#define ADMIN_SERVER_SET_H

#include "admin/call.h"
#include "admin/target.h"

struct server_set {
	const char *name;		/* as it was written */
	bool is_service;		/* of one pool: the machines are none of its business */
	struct machine **machines;	/* each once; empty with is_service */
	size_t machine_count;
	struct endpoint **endpoints;	/* all of theirs */
	size_t endpoint_count;
};

/* False: the call has failed.  Nothing is counted, as with target.h. */
bool server_set_find(struct admin_call *call, const char *name, struct server_set *set);
/* False: it may mean servers of two farms, and the call has failed.  True also where there is none. */
bool server_set_is_clear(struct admin_call *call, const char *name);
/* Every server that some operator or the configuration keeps from being ready. */
void server_set_find_drained(const struct cockpit *cockpit, struct server_set *set);
void server_set_clear(struct server_set *set);

/* An operator's state; false: all of it was so. */
bool server_set_admin(const struct server_set *set, enum admin_state state, const char *why);

#endif
