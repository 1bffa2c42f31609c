/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sockets.h: the addresses that are listened at, over all reloads: one
 * number each, and one socket a worker, which belongs to the worker once it
 * has been taken.  Control's thread only.
 */
#ifndef DAEMON_SOCKETS_H
#define DAEMON_SOCKETS_H

#include "base/error.h"
#include "net/listener.h"

struct socket_table;

struct socket_table *socket_table_new(int threads);
void socket_table_free(struct socket_table **table);	/* removes the files of unix sockets */

/*
 * Claims an address for the configuration that is being prepared: the number
 * it has already, or a new one, with sockets opened.  -1 and an error.
 */
int socket_claim(struct socket_table *table, const struct listen_spec *spec, const struct tcp_settings *tcp,
    struct error *error);
/* Could it be claimed, as far as one can tell without binding: would a unix socket's folder take it? */
bool socket_check(const struct listen_spec *spec, struct error *error);
/* The socket of a worker, the caller's from now on; -1: that worker has it from an earlier configuration. */
int socket_take(struct socket_table *table, int number, int worker);

void sockets_commit(struct socket_table *table);	/* what was not claimed is forgotten */
void sockets_undo(struct socket_table *table);		/* what was claimed anew is closed, unless taken */

#endif
