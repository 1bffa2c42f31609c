/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dovecot_sockets.h: the sockets that a block names, and what all workers
 * know of them, over reloads.  Counted; each function from any thread.
 */
#ifndef AUTH_DOVECOT_SOCKETS_H
#define AUTH_DOVECOT_SOCKETS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "conf/directive.h"

struct dovecot_sockets {
	atomic_int references;
	char *title;			/* of the block; who has the same and the same sockets is the same */
	size_t count;
	struct dovecot_socket {
		char *text;		/* as written */
		char *host;		/* a name or an address; or NULL and */
		char *path;		/* of a unix socket */
		uint16_t port;
		atomic_uint mechanisms;	/* of the last handshake; 0: there was none */
		atomic_bool is_away;	/* that was logged */
	} items[];
};

struct dovecot_sockets *dovecot_sockets_new(const char *title, const struct address_list *addresses);
struct dovecot_sockets *dovecot_sockets_get(struct dovecot_sockets *sockets);
void dovecot_sockets_put(struct dovecot_sockets **sockets);
bool dovecot_sockets_are(const struct dovecot_sockets *sockets, const char *title,
    const struct address_list *addresses);
bool dovecot_sockets_are_away(const struct dovecot_sockets *sockets);	/* as was logged of all */
/* What all of those take that were heard of; 0: none was, or they have nothing in common. */
unsigned dovecot_sockets_mechanisms(const struct dovecot_sockets *sockets);

#endif
