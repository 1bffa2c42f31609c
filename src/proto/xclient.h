/* SPDX-License-Identifier: BSD-2-Clause */
/* xclient.h: the command XCLIENT of Dovecot's login services: how a proxy tells them who the client is. */
#ifndef PROTO_XCLIENT_H
#define PROTO_XCLIENT_H

#include "base/buf.h"
#include "base/identity.h"
#include "proto/dial.h"

/* A dial step's is_wanted: the pool wants it, or leaves it to the server, which announces it. */
bool xclient_is_wanted(const struct dial *dial);
/* "XCLIENT ADDR=192.0.2.7 PORT=4711 SESSION=… TTL=4", without a line's end. */
void xclient_write(struct buf *out, const struct identity *identity);

#endif
