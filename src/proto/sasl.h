/* SPDX-License-Identifier: BSD-2-Clause */
/* sasl.h: SASL as a server (RFC 4422): mechanisms as rows, no I/O.  PLAIN (RFC 4616) and LOGIN. */
#ifndef PROTO_SASL_H
#define PROTO_SASL_H

#include "base/buf.h"
#include "base/credentials.h"
#include "base/slice.h"

struct sasl_mechanism;

struct sasl {				/* zero: no exchange under way */
	const struct sasl_mechanism *mechanism;
	int round;
};

enum sasl_result {
	SASL_CHALLENGE,			/* `challenge` (raw, to be base64 encoded) goes to the client */
	SASL_DONE,			/* the credentials are complete */
	SASL_MALFORMED,			/* not what the mechanism wants, or too long; the exchange is over */
	SASL_UNKNOWN			/* no such mechanism */
};

/* `initial` NULL: no initial response; an empty one was "=". Decoded already. */
enum sasl_result sasl_start(struct sasl *sasl, struct slice mechanism, const struct slice *initial,
    struct credentials *credentials, struct buf *challenge);
enum sasl_result sasl_step(struct sasl *sasl, struct slice response, struct credentials *credentials,
    struct buf *challenge);
/* Appends prefix + name of each offered mechanism, separated by blanks: "AUTH=PLAIN AUTH=LOGIN". */
void sasl_list(const char *prefix, struct buf *out);

#endif
