/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * end_reason.h: why sessions end.  What a reason means (its log text, level and last words) is its row in
 * session.c's `ends`.
 */
#ifndef SESSION_END_REASON_H
#define SESSION_END_REASON_H

enum end_reason {
	END_DONE,		/* both sides closed, or the client took its leave */
	END_CLIENT_LEFT,	/* closed before the login */
	END_CLIENT_LOST,	/* reset or timed out */
	END_CLIENT_TLS,		/* the handshake failed */
	END_PROXY_HEADER,	/* bad, or not there in time; nothing is said to whom it comes from */
	END_SERVER_CLOSED,	/* said goodbye */
	END_SERVER_LEFT,	/* between two transactions, with words of its own */
	END_SERVER_DOWN,	/* as the checks have it, and silent */
	END_SERVER_LOST,	/* reset or timed out while relaying */
	END_LOGIN_TIMEOUT,
	END_IDLE_TIMEOUT,
	END_REPLY_TIMEOUT,	/* the server owed a reply for too long */
	END_TOO_MANY_ERRORS,
	END_BANNED,		/* too many failed logins came from its address */
	END_DENIED,		/* by a rule of `access` */
	END_CROWDED,		/* too many connections */
	END_CROWDED_TLS,	/* too many new TLS sessions */
	END_SCREENED,		/* it spoke too early, or is on lists; it was told */
	END_REFUSED,		/* the login, and the auth source wants no other in this session */
	END_PROTOCOL,		/* the client's input could not be trusted any further; it was told */
	END_INJECTION,		/* plaintext behind STARTTLS */
	END_FORBIDDEN,		/* it asked for what may not pass a proxy */
	END_KICKED,		/* the user was moved to another server */
	END_OPERATOR,		/* an operator wants it gone */
	END_NO_SERVER,		/* none could be had, and the client was not to stay */
	END_NO_MEMORY,
	END_SENT_AWAY,		/* its server is down or in maintenance, or its pool was dropped */
	END_SHUTDOWN,
	END_COUNT
};

const char *end_reason_text(enum end_reason reason);	/* "login timeout" */

#endif
