/* SPDX-License-Identifier: BSD-2-Clause */
/* connection.h: a socket where gatepost takes commands: a path, or HOST:PORT. */
#ifndef CTL_CONNECTION_H
#define CTL_CONNECTION_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/error.h"

struct connection {
	int fd;
	pid_t pid;		/* of who listens there; 0: not known */
};

/* False and an error that says what to look at. */
bool connection_open(struct connection *connection, const char *place, struct error *error);
bool connection_write(const struct connection *connection, struct slice data);
void connection_end(const struct connection *connection);	/* nothing more is written */
/* Appends what comes next; false: nothing more does. */
bool connection_read(const struct connection *connection, struct buf *data);
/* How long one read or write may take, instead of as long as it takes. */
void connection_set_patience(const struct connection *connection, int seconds);
void connection_close(struct connection *connection);
/* A TCP connection, or one to a socket's path, within so many seconds; -1 and errno. */
int connection_dial(const char *place, int seconds, struct error *error);

#endif
