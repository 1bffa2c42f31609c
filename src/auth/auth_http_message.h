/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * auth_http_message.h: what the source `http` says and hears: nginx's
 * auth_http protocol, the request's headers and those of the reply.
 */
#ifndef AUTH_AUTH_HTTP_MESSAGE_H
#define AUTH_AUTH_HTTP_MESSAGE_H

#include "auth/auth.h"
#include "net/tls_context.h"

enum auth_http_escape { AUTH_HTTP_NGINX, AUTH_HTTP_STRICT };
extern const struct choice auth_http_escapes[];

/* `header NAME VALUE`: a block of struct auth_http_header. */
extern const struct block auth_http_header_block;

/*
 * Appends "Name: value\r\n" for each header, Host first, in nginx's order.  `peer` is what the client's
 * certificate says; NULL: none was asked for.  Whatever the client said, a value stays one line.
 */
void auth_http_write(const struct auth_request *request, const struct auth *auth, const char *host,
    const struct tls_peer *peer, struct buf *out);

enum auth_http_status {
	AUTH_HTTP_MISSING,		/* no Auth-Status, or an empty one */
	AUTH_HTTP_GARBAGE,		/* what is there cannot be meant */
	AUTH_HTTP_OK,
	AUTH_HTTP_WAIT,
	AUTH_HTTP_ERROR
};

enum { AUTH_HTTP_NO_WAIT = -1, AUTH_HTTP_TEXT_MAX = 256 };

/* Texts are NULL where they are not said. */
struct auth_http_reply {
	enum auth_http_status status;
	const char *garbage;		/* what is no good */
	char text[AUTH_HTTP_TEXT_MAX];	/* of an error, for the client: printable ASCII */
	char code[AUTH_HTTP_TEXT_MAX];	/* Auth-Error-Code likewise, "" where there is none */
	char *server, *user, *pass, *pool;
	char *token_error;		/* Auth-Error-SASL: JSON, why a token was refused */
	uint16_t port;			/* 0: none */
	bool has_bad_port;
	int64_t wait_s;			/* AUTH_HTTP_NO_WAIT: none */
};

/* Reads the lines behind a status line. */
void auth_http_read(struct slice lines, struct auth_http_reply *reply);
void auth_http_reply_clear(struct auth_http_reply *reply);	/* overwrites what is secret */

#endif
