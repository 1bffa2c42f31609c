/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * proxy_reader.h: what a PROXY header (versions 1 and 2) tells of a client.
 * It only looks at bytes; from whom one is believed is not its matter.
 */
#ifndef NET_PROXY_READER_H
#define NET_PROXY_READER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/addr.h"
#include "base/slice.h"
#include "net/proxy_wire.h"

enum proxy_result {
	PROXY_MORE,		/* good so far, and not at its end */
	PROXY_DONE,
	PROXY_BAD		/* it can become no header, or it is one that must not be believed */
};

/* Room for what peers add, a client's certificate too. */
enum { PROXY_READ_MAX = PROXY_FIXED_SIZE + 4096 };

struct proxy_facts {			/* with PROXY_DONE; of others only `why` means anything */
	size_t len;			/* of the header; what is behind it is the client's */
	const char *why;		/* PROXY_BAD: "an unknown family" */
	bool has_addresses;		/* false (LOCAL, UNKNOWN …): those of the connection count */
	struct addr client, local;	/* the address that the client came to */
	bool has_tls;			/* between the client and the peer */
	struct slice tls_version, tls_cipher;	/* printable, as the next two; empty: not told */
	struct slice sni, unique_id;
};

/*
 * Of all that has come from a peer: is its header whole?  Each beginning of a good one is PROXY_MORE, and
 * nothing of PROXY_READ_MAX bytes is.  The slices point into `in`.
 */
enum proxy_result proxy_facts_read(struct slice in, struct proxy_facts *facts);

#endif
