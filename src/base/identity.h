/* SPDX-License-Identifier: BSD-2-Clause */
/* identity.h: who a session is: kept as long as the session, so it is small and holds no secret. */
#ifndef BASE_IDENTITY_H
#define BASE_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/location.h"
#include "base/slice.h"

enum { SESSION_ID_SIZE = 17 };		/* 16 characters and a NUL */
enum { ORIGIN_MAX = 64 };		/* octets of an id that others gave, as with Dovecot */
enum { HOPS_MAX = 5 };			/* proxies on a session's way, as Dovecot has it: more are a loop */

struct identity {
	struct addr client;		/* as accepted, or as a PROXY header or a trusted peer told */
	struct addr local;		/* the address the client came to */
	char *user;			/* canonical name; owned; NULL before the login succeeded */
	char *helo;			/* what the client calls itself: printable; owned; NULL: nothing */
	const char *tls_version;	/* "TLSv1.3"; a constant; NULL: no TLS, nor before a PROXY header */
	const char *tls_cipher;
	char *certificate_user;		/* named by the client's verified certificate; owned; or NULL */
	char *tags;			/* of `access`, with commas; owned; or NULL */
	char *origin;			/* the id that a trusted peer gave it; owned; or NULL */
	struct location place;		/* where the client is */
	char session[SESSION_ID_SIZE];	/* ours */
	uint8_t hops;			/* proxies it may pass yet, this one counted: at first HOPS_MAX */
	bool is_extended;		/* it calls itself so with EHLO or LHLO, not with HELO */
};

/* Does it fit in every log and command on the way? */
bool identity_is_session(struct slice id);
void identity_set_origin(struct identity *identity, struct slice id);	/* one that does not is no id */
/* The id that all who the session passes through know. */
static inline const char *
identity_session(const struct identity *identity)
{
	return identity->origin != NULL ? identity->origin : identity->session;
}

#endif
