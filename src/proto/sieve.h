/* SPDX-License-Identifier: BSD-2-Clause */
/* sieve.h: what the files of ManageSieve (RFC 5804) share; nobody else includes it. */
#ifndef PROTO_SIEVE_H
#define PROTO_SIEVE_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/slice.h"
#include "proto/proto.h"
#include "proto/relay_filter.h"

/* A reply: OK (CODE "argument") "text". */
struct sieve_status {
	struct slice word;		/* "OK", "NO" or "BYE" */
	struct slice code;		/* its first word; empty for none */
	struct slice text;		/* still a string, or empty */
};

/* sieve_arguments.c */
bool sieve_take_status(struct slice line, struct sieve_status *status);	/* false: no reply */
/* "NAME" "words" as "NAME words" in entry; what cannot be an entry leaves it empty.  False: no capability. */
bool sieve_take_capability(struct slice line, struct buf *entry);
/* Quoted, or a literal where it is too long for that; those to servers are not synchronising. */
void sieve_write_string(struct buf *out, struct slice text, bool to_server);
/* Columns of the row: what is said within a SASL exchange is a string. */
bool sieve_take_response(struct slice line, struct slice *base64);
void sieve_write_response(struct buf *out, struct slice base64);

extern const struct relay_filter sieve_relay;		/* sieve_relay.c */

/* sieve_dial.c */
extern const struct dial_step sieve_dial[];
bool sieve_take_challenge(struct dial *dial, struct slice line, struct slice *base64);
enum answer sieve_read_status(struct dial *dial, struct slice line);
void sieve_write_login_ok(struct dialogue *d, const struct dial *dial);
void sieve_write_login_refused(struct dialogue *d, const struct dial *dial);

#endif
