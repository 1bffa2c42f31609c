/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sasl.h: SASL as a server (RFC 4422): mechanisms as rows, no I/O.  What comes of an exchange are
 * credentials; whether they are good is for others to say.
 */
#ifndef PROTO_SASL_H
#define PROTO_SASL_H

#include "base/buf.h"
#include "base/credentials.h"
#include "base/sasl_message.h"
#include "base/slice.h"

enum { SASL_LINE_MAX = 12288 };	/* octets of a line with a response, in base64: RFC 4954 section 4 */

struct sasl {				/* zero: no exchange under way */
	enum mechanism mechanism;
	int round;
	/* Set before sasl_start: */
	const char *hostname;		/* ours, in challenges */
	bool is_led;			/* proofs are for others to read: the client's messages go to them */
};

enum sasl_result {
	SASL_CHALLENGE,			/* `challenge` (raw, to be base64 encoded) goes to the client */
	SASL_DONE,			/* the credentials are complete */
	/* So are they, but who judges them has more challenges; led: all there is lies in ->response. */
	SASL_ASK,
	SASL_RESPONSE,			/* credentials->response answers such a challenge */
	SASL_MALFORMED,			/* not what the mechanism wants, or too long; the exchange is over */
	SASL_UNKNOWN			/* no such mechanism */
};

/* `initial` NULL: no initial response; an empty one was "=".  Decoded already. */
enum sasl_result sasl_start(struct sasl *sasl, enum mechanism mechanism, const struct slice *initial,
    struct credentials *credentials, struct buf *challenge);
enum sasl_result sasl_step(struct sasl *sasl, struct slice response, struct credentials *credentials,
    struct buf *challenge);
/* Appends prefix + name of each mechanism that is offered, separated by blanks: "AUTH=PLAIN AUTH=LOGIN". */
void sasl_list(unsigned offered, const char *prefix, struct buf *out);
/* "SASL PLAIN LOGIN\r\n" with what goes before and behind; nothing where none is offered. */
void sasl_write_offer(unsigned offered, const char *before, const char *behind, struct buf *out);

#endif
