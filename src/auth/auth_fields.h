/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * auth_fields.h: the extra fields of a user, with Dovecot's names: where the
 * session goes, how it logs in there, and what stands against the login.
 */
#ifndef AUTH_AUTH_FIELDS_H
#define AUTH_AUTH_FIELDS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/error.h"

struct auth_request;
struct auth_answer;

enum auth_tls { AUTH_TLS_POOL, AUTH_TLS_STARTTLS, AUTH_TLS_IMPLICIT };

/* Texts are within what was read; NULL: not said. */
struct auth_fields {
	const char *user;
	const char *host, *hostip, *port, *destuser, *pass, *master;
	const char *pool, *server;
	const char *starttls, *ssl;		/* "", "yes", "no" or "any-cert" */
	const char *proxy_timeout;		/* "5", of seconds, or with a unit */
	const char *reason, *allow_nets, *allow_countries, *delay_until;
	const char *nologin, *nopassword, *proxy, *proxy_maybe;	/* said at all: true */
};

/* The longest wait that delay_until may ask for, as Dovecot's: beyond it the login fails. */
enum { AUTH_DELAY_MAX_S = 300 };

/* Is one of these in the text, name and =, or a flag alone?  Blanks and colons cut it. */
bool auth_fields_are_in(const char *text);
/* May a client be told this?  A line of some protocol will hold it. */
bool auth_reason_is_safe(const char *text);
/*
 * Reads words "key" and "key=value" with a NUL behind each; all are within `size` bytes, empty ones do not
 * count.  What is unknown, and what is for Dovecot's userdb, is left alone.  false: a value is no good.
 */
bool auth_fields_read(const char *words, size_t size, struct auth_fields *fields, struct error *error);
/*
 * The same of what somebody says for this user at this moment: a word is a field, without variables and with
 * colons as it likes, but without line breaks; a host may be a name.
 */
bool auth_fields_take(const char *words, size_t size, struct auth_fields *fields, struct error *error);
/*
 * Appends "name=value" and a NUL for auth_fields_read, of whatever bytes they are; nothing where the name is
 * unknown.  The value of a flag alone is "", "yes" or "no".  false: a control character, or a flag that is
 * something else.
 */
bool auth_fields_add(struct buf *words, struct slice name, struct slice value, struct error *error);
/*
 * Puts in the user's canonical name for %u, what of it is before the last @ for %n, what is behind it for
 * %d; %% is a %.  Values that change are put into `texts`, the caller's to wipe.  false: one is no good then.
 */
bool auth_fields_expand(struct auth_fields *fields, const char *user, struct buf *texts);
/*
 * The answer for a user whose password is right; to a lookup, which asks for no password and refuses nobody:
 * what stands against a login is only told.
 */
void auth_fields_judge(const struct auth_fields *fields, const struct auth_request *request,
    struct auth_answer *answer);

#endif
