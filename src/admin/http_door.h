/* SPDX-License-Identifier: BSD-2-Clause */
/* http_door.h: the addresses where HTTP is answered, over all reloads. */
#ifndef ADMIN_HTTP_DOOR_H
#define ADMIN_HTTP_DOOR_H

#include "admin/cockpit.h"
#include "admin/http_block.h"
#include "admin/http_login.h"

struct conf_problems;
struct http_server;

struct http_door {
	struct list node;		/* in the cockpit's */
	struct cockpit *cockpit;
	struct acceptor acceptor;
	struct http_server *server;	/* NULL until it is committed */
	const struct admin_http *settings;	/* of the configuration at hand; NULL: it is about to go */
	struct user_file *users;	/* one reference; NULL: nobody has to say who he is */
	struct user_file *next_users;	/* of the configuration that is prepared */
	struct list bridges;
	int number;			/* in the socket table */
	bool is_next;			/* the configuration that is prepared has it */
};

/* The same of all doors. */
struct http_doors {
	struct list doors;
	struct socket_table *sockets;	/* one socket an address */
	struct http_memory *memory;
	struct loop_timer look;		/* at the files of users */
};

/* The parts of the extension (daemon/extension.h). */
void http_doors_check(const struct admin_settings *admin, struct conf_problems *problems);
bool http_doors_prepare(struct cockpit *cockpit, const struct admin_settings *admin,
    struct conf_problems *problems);
void http_doors_undo(struct cockpit *cockpit);
void http_doors_commit(struct cockpit *cockpit, const struct admin_settings *admin);
void http_doors_close(struct cockpit *cockpit);
void http_doors_yield(struct cockpit *cockpit);
void http_doors_resume(struct cockpit *cockpit);
void http_doors_release(struct cockpit *cockpit);	/* visits go on */

#define HTTP_SOCKETS "http"	/* the name of their table */

#endif
