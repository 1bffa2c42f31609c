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
 * What an older process has handed over, before the first claim: sockets that listen already, as its
 * sockets_each told them; owned from now on.  Whoever claims the address gets them, all of them: a worker
 * more than one where that process had more workers.
 */
void sockets_inherit(struct socket_table *table, const char *key, const int *fds, int count);
/* Tells what is inherited and not claimed. */
void sockets_each_left(const struct socket_table *table, void (*each)(void *owner, const char *key),
    void *owner);
/* Tells each address and its sockets, also those that were taken. */
void sockets_each(const struct socket_table *table,
    void (*each)(void *owner, const char *key, const int *fds, int count), void *owner);
int sockets_find(const struct socket_table *table, const char *key);	/* the number; -1: there is none */
/* A newer process has that socket, and a unix socket's file is its to remove; or (false) it is ours again. */
void sockets_give(struct socket_table *table, const char *key, bool is_given);

/*
 * Claims an address for the configuration that is being prepared: the number
 * it has already, or a new one, with sockets opened.  -1 and an error.
 */
int socket_claim(struct socket_table *table, const struct listen_spec *spec, const struct tcp_settings *tcp,
    struct error *error);
/* Could it be claimed, as far as one can tell without binding: would a unix socket's folder take it? */
bool socket_check(const struct listen_spec *spec, struct error *error);
/*
 * A socket of the worker, the caller's from now on, which listens; -1: there is none, or no further one, or
 * that worker has it from an earlier configuration.
 */
int socket_take(struct socket_table *table, int number, int worker);

void sockets_commit(struct socket_table *table);	/* what was not claimed is forgotten */
void sockets_undo(struct socket_table *table);		/* what was claimed anew is closed, unless taken */

#endif
