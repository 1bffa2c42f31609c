/* SPDX-License-Identifier: BSD-2-Clause */
/* session_view.h: a session as it was at a moment: copied, so that any thread may read it. */
#ifndef SESSION_SESSION_VIEW_H
#define SESSION_SESSION_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/identity.h"

struct session;

struct session_view_leg {
	const char *server;		/* "imap/d03" */
	const char *doing;		/* "reading greeting" */
};

/* What may be NULL is not known, or there is none. */
struct session_view {
	struct session_view *next;
	char id[SESSION_ID_SIZE];
	const char *origin;		/* the id that a trusted peer gave it; or NULL */
	const char *user;		/* canonical; NULL before the login */
	const char *certificate_user;	/* or NULL */
	const char *helo;		/* or NULL */
	const char *listener, *protocol;
	struct location place;		/* of the client */
	struct addr client, via, local;	/* of no family where there is none, or it was not asked for */
	const char *phase, *doing;	/* "route", "reading greeting" */
	bool is_owed;			/* the server keeps the client waiting */
	bool is_leaving;		/* it was told to go */
	const char *tls_version, *tls_cipher;	/* with the client; or NULL */
	int64_t age_ms, idle_ms;	/* since it was accepted, and since anything was said */
	uint64_t bytes_up, bytes_down;	/* relayed */
	struct session_view_leg *legs;	/* the servers it has, or is about to have */
	size_t leg_count;
};

/* On the session's own thread; what it points to is the arena's, or constant. */
struct session_view *session_view_new(const struct session *s, struct arena *arena);
int64_t session_idle_ms(const struct session *s);

#endif
