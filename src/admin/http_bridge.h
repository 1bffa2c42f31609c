/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * http_bridge.h: ends TLS in front of the HTTP server, by a `tls` block as at any listener: between a
 * client's stream and a socket pair, whose other end the server has.  Its deadlines are the bridge's.
 */
#ifndef ADMIN_HTTP_BRIDGE_H
#define ADMIN_HTTP_BRIDGE_H

#include "base/list.h"
#include "net/loop.h"
#include "net/tls_context.h"

/* Owns fd from now on.  The other end for the server, or -1: there is no descriptor for it. */
int http_bridge_open(struct list *bridges, struct loop *loop, int fd, struct tls_context *context);
/* The context is about to go: those whose handshake is not over. */
void http_bridges_drop_handshakes(struct list *bridges);
void http_bridges_close(struct list *bridges);		/* all, at once */

#endif
