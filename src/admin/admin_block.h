/* SPDX-License-Identifier: BSD-2-Clause */
/* admin_block.h: the block `admin` and the root of a configuration that may have one. */
#ifndef ADMIN_ADMIN_BLOCK_H
#define ADMIN_ADMIN_BLOCK_H

#include "admin/level.h"
#include "daemon/config.h"
#include "net/listener.h"

struct id_list {			/* of users or groups, as the kernel has them */
	unsigned *items;
	size_t count;
};

struct admin_socket {			/* socket PLACE { … } */
	struct conf_block conf;
	struct address place;
	int mode;			/* of the file; 0: as `level` has it */
	const char *group;		/* NULL: the process's */
	int level;			/* enum admin_level: of whoever is not named below */
	struct id_list operator_users, operator_groups, admin_users, admin_groups;
};

struct admin_settings {			/* admin { … } */
	struct conf_block conf;
	struct conf_list sockets;	/* struct admin_socket */
	struct conf_list https;		/* struct admin_http */
};

struct admin_root {
	struct root root;
	struct admin_settings *admin;	/* NULL: nobody operates it */
};

extern const struct block admin_root_block;
/* As ROOT_ROWS, for a program with more blocks: its root begins with a struct admin_root. */
extern const struct directive admin_root_directives[];
#define ADMIN_ROOT_ROWS(type) CONF_GROUP(type, root, admin_root_directives)

/* Where it listens.  False and an error: its group is not known. */
bool admin_socket_spec(const struct admin_socket *socket, struct listen_spec *spec, struct error *error);

#endif
