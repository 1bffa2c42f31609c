/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * auth.h: who decides whether a login is good.  Asynchronous from the start:
 * a verdict may come at once or later, and can be cancelled.
 */
#ifndef AUTH_AUTH_H
#define AUTH_AUTH_H

#include "base/credentials.h"
#include "base/identity.h"
#include "conf/directive.h"
#include "net/loop.h"

/* What the directive `source` may say; source `x` is auth_x. */
#define AUTH_SOURCES(row) \
	row(server)

struct auth {				/* auth NAME { … } */
	struct conf_block conf;
	int source;			/* a row of AUTH_SOURCES */
};
extern const struct block auth_block;

enum auth_verdict {
	AUTH_OK,			/* the source vouches for the user */
	AUTH_REFUSED,
	AUTH_LATER,			/* the source cannot say now */
	AUTH_BY_SERVER			/* the mail server judges the password */
};

/* One question.  Embedded in its owner; everything pointed to outlives the answer or the cancel. */
struct auth_request {
	struct loop *loop;
	const struct conf_list *chain;	/* of struct auth: the first decides; empty: the server */
	const struct credentials *credentials;
	const struct identity *identity;
	/* Called once, perhaps before auth_start returns; may end the session. */
	void (*on_verdict)(struct auth_request *request, enum auth_verdict verdict);
	void (*cancel)(struct auth_request *request);	/* set by a source while its answer is under way */
	void *work;			/* the source's own, while its answer is under way */
};

/* A kind of source: one file, one row in AUTH_SOURCES. */
struct auth_source {
	const char *name;
	bool knows_users;		/* false: it only says AUTH_BY_SERVER */
	void (*start)(struct auth_request *request, const struct auth *auth);
};

bool auth_knows_users(const struct conf_list *chain);	/* false: it leaves every login to the server */
void auth_start(struct auth_request *request);
void auth_cancel(struct auth_request *request);		/* no verdict will come; fine when none is awaited */

extern const struct auth_source auth_server;

#endif
