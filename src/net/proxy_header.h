/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * proxy_header.h: the header that tells a server whose connection it really
 * is, before the first word (the PROXY protocol, versions 1 and 2).  It only
 * writes: who sends it does so in one write, since servers read it in one.
 */
#ifndef NET_PROXY_HEADER_H
#define NET_PROXY_HEADER_H

#include "base/buf.h"
#include "base/identity.h"
#include "net/tls_context.h"

enum proxy_version { PROXY_VERSION_NONE, PROXY_VERSION_1, PROXY_VERSION_2 };
/* Below what a segment over any path of IPv6 carries (1220), and what servers read at once (Dovecot 1500). */
enum { PROXY_HEADER_MAX = 768 };

struct proxy_header {
	enum proxy_version version;
	const struct identity *identity;	/* NULL: no client, it is a connection of our own */
	struct tls_facts tls;			/* of the client; but version and cipher are in identity */
	struct addr from, to;			/* the two ends of the connection to the server */
};

/*
 * The client's address always goes out as it is.  The address it came to is of the same family in a header:
 * beside an IPv6 client IPv4 is written as ::ffff:a.b.c.d, and what cannot be written as 0.0.0.0 or ::.
 *
 * Without a client's address (no client at all, or one on a unix socket) version 2 says LOCAL, which lets
 * the server see the connection itself.  Version 1 has no such word that all servers take (Postfix refuses
 * UNKNOWN, and who knows version 1 only refuses LOCAL): it names the two ends of the connection, which
 * means the same.  UNKNOWN remains for a server on a unix socket.
 *
 * The user that a client's certificate names goes out as its common name, but only if the certificate is
 * verified: there are servers that believe the name without looking at the verdict beside it.
 */
void proxy_header_write(const struct proxy_header *header, struct buf *out);	/* VERSION_NONE: nothing */

#endif
