/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xclient.h: how proxies tell who their client is, by XCLIENT as Postfix or
 * Dovecot have it, or in IMAP's ID: what servers are told, and what a trusted
 * peer tells us.
 */
#ifndef PROTO_XCLIENT_H
#define PROTO_XCLIENT_H

#include "base/buf.h"
#include "base/identity.h"
#include "proto/dial.h"
#include "proto/dialogue.h"

enum {
	XCLIENT_VALUE_MAX = 255,	/* octets of an attribute as it is written: Postfix takes no more */
	XCLIENT_HELO_MAX = 255
};

enum xclient_form {
	XCLIENT_POSTFIX,		/* SMTP's: values are xtext, unknown attributes are wrong */
	XCLIENT_DOVECOT,		/* POP3's and ManageSieve's: as they are; unknown ones are ignored */
	XCLIENT_ID			/* IMAP's: strings */
};

/* A dial step's is_wanted: the pool wants it, or leaves it to the server, which announces it. */
bool xclient_is_wanted(const struct dial *dial);
/* A dial step's send: "XCLIENT ADDR=192.0.2.7 PORT=4711 SESSION=… TTL=4". */
void xclient_send(struct dial *dial);
bool xclient_takes(struct slice taken, const char *name);	/* "ADDR PORT": one of these names? */
/*
 * Writes all that is told in this form, value by value, the client's address first where it is known; only
 * what is among `taken`, where this is not NULL.
 */
void xclient_tell(struct dial *dial, const struct identity *identity, enum xclient_form form,
    const struct slice *taken, void (*write)(struct dial *dial, const char *name, struct slice value));

struct xclient_end {			/* of the client's connection */
	struct addr addr;		/* without the port; AF_UNSPEC: not told */
	uint16_t port;			/* 0: not told */
	bool is_bad;			/* a half that could not be read: the other does not count either */
};

struct xclient {			/* what was told; all zero: nothing */
	struct xclient_end client, local;
	char session[ORIGIN_MAX + 1];
	char helo[XCLIENT_HELO_MAX + 1];
	bool has_proto, is_extended;
	bool has_hops;
	uint8_t hops;
};

/* Reads what stands behind the verb.  False: it is wrong, and *told is not to be applied. */
bool xclient_take(struct slice attributes, enum xclient_form form, struct xclient *told);
/* A field of IMAP's ID; what is wrong or of no meaning here is ignored. */
void xclient_take_id(struct slice name, struct slice value, struct xclient *told);
/* Makes it the session's: only for a peer that is trusted.  What was not told stays. */
void xclient_apply(const struct xclient *told, struct dialogue *d);

/* A verb's `run`, as Dovecot has it: obeys trusted peers; for others there is no such verb. */
enum step xclient_run(struct dialogue *d, struct slice attributes);

#endif
