/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dovecot_wire.h: the lines that Dovecot's auth server and its clients say to
 * each other: a command and its parameters, with TABs between; no I/O.
 */
#ifndef AUTH_DOVECOT_WIRE_H
#define AUTH_DOVECOT_WIRE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/buf.h"
#include "base/slice.h"

enum {
	DOVECOT_LINE_MAX = 16384,	/* octets with the end: who says more is disconnected */
	DOVECOT_RESPONSE_MAX = 9216	/* octets of a client's message: 12 KiB of base64 */
};

enum dovecot_command {
	DOVECOT_OTHER,			/* one that is not for us to know */
	DOVECOT_VERSION,
	DOVECOT_MECH,			/* a mechanism that it takes */
	DOVECOT_DONE,			/* the handshake's end */
	DOVECOT_OK, DOVECOT_CONT, DOVECOT_FAIL,	/* replies to AUTH */
	DOVECOT_PASS, DOVECOT_NOTFOUND		/* to PASS, beside FAIL */
};

/* What the server says; it points into its line. */
struct dovecot_line {
	enum dovecot_command command;
	uint32_t id;			/* of a reply: the question's */
	struct slice parameters;	/* behind that; escaped yet */
};

/* Without its end.  false: nothing that such a server says. */
bool dovecot_line_read(struct slice text, struct dovecot_line *line);
/* Its version must have this major number. */
bool dovecot_version_is_ours(const struct dovecot_line *line);
/* MECH's name and what is behind it; empty: a mechanism that is not for clients like us. */
struct slice dovecot_mechanism(const struct dovecot_line *line);
/* CONT's message, base64 decoded; false: it is none. */
bool dovecot_read_message(const struct dovecot_line *line, struct buf *message);
/* Appends each parameter with a NUL behind it, as auth_fields_take wants them; false: one has a NUL. */
bool dovecot_read_words(const struct dovecot_line *line, struct buf *words);
/* The value of such a word: of "name=value", "" of "name" alone; NULL: there is none.  The last one holds. */
const char *dovecot_word(const struct buf *words, const char *name);

/* What it is told of a client. */
struct dovecot_facts {
	const char *service;		/* imap, pop3, … */
	const struct addr *client, *local;
	const char *session;
	const char *name;		/* SNI; or NULL */
	bool is_secured;		/* TLS, or as good as that */
	const char *certificate_user;	/* whom its verified certificate names, for EXTERNAL; or NULL */
};

/* Ours begin with this, for logins or for lookups. */
void dovecot_write_handshake(bool is_master, uint32_t process, struct buf *out);
/*
 * `initial` NULL: there is none, which is not the same as an empty one.  false, and nothing is written: this
 * would be too much for the server.
 */
bool dovecot_write_auth(uint32_t id, const char *mechanism, const struct dovecot_facts *facts,
    const struct slice *initial, struct buf *out);
bool dovecot_write_cont(uint32_t id, struct slice message, struct buf *out);
bool dovecot_write_pass(uint32_t id, const char *user, const struct dovecot_facts *facts, struct buf *out);
void dovecot_write_cancel(uint32_t id, struct buf *out);

#endif
