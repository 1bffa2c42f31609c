/* SPDX-License-Identifier: BSD-2-Clause */
/* imap.h: what the files of IMAP (RFC 9051, RFC 3501) share; nobody else includes it. */
#ifndef PROTO_IMAP_H
#define PROTO_IMAP_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/slice.h"
#include "proto/proto.h"
#include "proto/relay_filter.h"
#include "proto/xclient.h"

/* imap_arguments.c: each takes something off the front of *rest; false: *rest is of no more use. */
bool imap_take_astring(struct slice *rest, struct buf *out);	/* or quoted, or a literal; appends it */
/* RFC 2971: NIL or a list of pairs; *told: what they say of a client (xclient.h). */
bool imap_take_id(struct slice *rest, struct xclient *told);

/* A status response: "OK [CODE] text". */
struct imap_status {
	struct slice word;		/* "OK", "NO", "BAD", "BYE", "PREAUTH" */
	struct slice code;		/* within the brackets; empty for none */
	struct slice text;
};

void imap_split_status(struct slice line, struct imap_status *status);	/* line: without tag */
/* The words behind "CAPABILITY" that can be passed on, blanks between; false: the text is something else. */
bool imap_take_capabilities(struct slice text, struct buf *words);

/* imap_dial.c, imap_login.c, imap_relay.c */
extern const struct dial_step imap_dial[];
enum answer imap_read_login(struct dial *dial, struct slice line);
const char *imap_refuses_plain(const struct dial *dial);
void imap_write_login_ok(struct dialogue *d, const struct dial *dial);
void imap_write_login_refused(struct dialogue *d, const struct dial *dial);
extern const struct relay_filter imap_relay;

#endif
