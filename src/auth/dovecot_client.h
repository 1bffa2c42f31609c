/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dovecot_client.h: a worker's connections to Dovecot's auth server: one to
 * each socket of a block, always open, shared by all questions, and renewed
 * from time to time: a reloaded Dovecot serves old ones by what it knew before.
 */
#ifndef AUTH_DOVECOT_CLIENT_H
#define AUTH_DOVECOT_CLIENT_H

#include "auth/auth_clients.h"
#include "auth/dovecot_link.h"
#include "auth/dovecot_sockets.h"

struct dovecot_client;
struct dovecot_request;

struct dovecot_settings {
	struct dovecot_sockets *sockets;	/* the client takes a reference */
	bool is_master;				/* for lookups, not for logins */
	/* How old connections get at least, and what chance adds at most; 0: as it should be. */
	int64_t age_ms, age_chance_ms;
};

struct dovecot_client *dovecot_client_get(struct auth_clients *clients,
    const struct dovecot_settings *settings);

/* Both run from the client's callbacks; on_line may ask again, and have the request freed by loop_defer. */
struct dovecot_request_kind {
	/* Appends the line that asks a server which takes these mechanisms; false: it cannot be asked. */
	bool (*write)(struct dovecot_request *request, unsigned mechanisms, struct buf *out);
	/* Once for the question and each message.  NULL: there is no reply; request->why says why. */
	void (*on_line)(struct dovecot_request *request, const struct dovecot_line *line);
};

/* A question, and the exchange that it may become.  Embedded in its owner, zero before. */
struct dovecot_request {
	const struct dovecot_request_kind *kind;
	int64_t timeout_ms;			/* of the question, and of each message */
	uint32_t id;
	char why[DOVECOT_WHY_MAX];
	bool has_no_reply;			/* with on_line's NULL: none came in time */
	/* the client's */
	struct dovecot_client *client;		/* NULL: it is over */
	struct dovecot_link *link;		/* where it is asked; NULL: nowhere yet, or no more */
	struct list node;			/* of those that wait to be asked, or of the link's */
	struct loop_timer timer;		/* set while a reply is awaited */
	int64_t sent_at;
};

/*
 * The first socket is asked whose server can be and takes the question; until there is one, it waits.  The
 * reply comes later; or at once, where none can come.
 */
void dovecot_ask(struct dovecot_client *client, struct dovecot_request *request);
/* After CONT: the exchange's next message. */
void dovecot_continue(struct dovecot_request *request, struct slice message);
/* No reply comes any more, and the server is told.  Fine also when it is over. */
void dovecot_cancel(struct dovecot_request *request);

#endif
