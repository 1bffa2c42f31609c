/* SPDX-License-Identifier: BSD-2-Clause */
/* smtp.h: what the parts of SMTP (RFC 5321) and LMTP (RFC 2033) share. */
#ifndef PROTO_SMTP_H
#define PROTO_SMTP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/slice.h"
#include "proto/dial.h"
#include "proto/fanout.h"
#include "proto/mediator.h"
#include "proto/proto.h"

/* smtp_reply.c: one line of a reply, without its line end (RFC 5321 section 4.2). */
struct smtp_reply {
	int code;			/* 200 to 599 */
	bool is_last;			/* "250 text" or "250"; false: "250-text", more lines follow */
	struct slice text;		/* behind the separator, with an enhanced status code; may be empty */
};
bool smtp_take_reply(struct slice line, struct smtp_reply *reply);	/* false: it is none */
/*
 * All lines of a reply, with their ends, at the front of `in`; *last without its end.  It is passed on as a
 * whole or not at all: a server may be lost in its middle.
 */
enum smtp_found { SMTP_FOUND_WHOLE, SMTP_FOUND_PART, SMTP_FOUND_GARBAGE };
enum smtp_found smtp_find_reply(struct slice in, struct slice *whole, struct slice *last, int *code);

/* smtp_arguments.c: what stands behind a verb. */
/*
 * Takes "FROM:<path>" or "TO:<path>" (the keyword is "FROM" or "TO"; blanks before it and behind the colon
 * are tolerated) off the front; *path without the angle brackets, which may be missing.  What is left are
 * ESMTP parameters, with the blank before them.  False, and nothing changed: it is none, or there are CTL
 * characters, in the parameters too.
 */
bool smtp_take_path(struct slice *args, const char *keyword, struct slice *path);
/* "BDAT": a count of octets and perhaps LAST (RFC 3030).  False: cannot be told how many octets follow. */
bool smtp_take_chunk(struct slice args, uint64_t *octets, bool *is_last);
bool smtp_helo_is_valid(struct slice name);	/* printable, no blanks, not empty, at most 255 octets */
void smtp_write_xtext(struct buf *out, struct slice value);		/* RFC 3461 section 4 */
bool smtp_read_xtext(struct slice text, struct buf *out);		/* appends; false: it is none */
/* "Subject: x", "Host: y": a header line, and no command: from a browser, or a client out of step. */
bool smtp_is_header(struct slice line);
/* It begins as no verb does: data of a client out of step, or TLS. */
bool smtp_is_no_verb(struct slice line);
/* A header line, or by its first word one of HTTP's. */
bool smtp_is_foreign(struct slice line, struct slice word);
/* No control characters: they have no place in a command, as no two servers agree about them. */
bool smtp_is_clean(struct slice text);

/* smtp.c: the reply to EHLO, "250-host\r\n250 …\r\n", as the offer and the state want it. */
enum { SMTP_OFFERS_STARTTLS = 1, SMTP_TAKES_XCLIENT = 2 };
void smtp_write_ehlo(struct buf *out, const char *hostname, struct slice offer, unsigned flags,
    unsigned mechanisms);

/* smtp_dial.c */
extern const struct dial_step smtp_dial[];
bool smtp_take_challenge(struct dial *dial, struct slice line, struct slice *base64);
enum answer smtp_read_login(struct dial *dial, struct slice line);
const char *smtp_refuses_plain(const struct dial *dial);

/*
 * The answer to a recipient whom an auth source does not let in, in its own words where it has some (or
 * NULL); for good only where it may and wants to be: 451 otherwise.
 */
void smtp_write_refusal(struct buf *out, bool may_be_final, const char *code, const char *reason);

extern const struct mediator smtp_mediator;		/* smtp_relay.c */
extern const struct fanout lmtp_fanout;			/* lmtp_relay.c */

#endif
