/* SPDX-License-Identifier: BSD-2-Clause */
/* dial_step.h: the dialogue with a server as rows, which dial.c walks. */
#ifndef PROTO_DIAL_STEP_H
#define PROTO_DIAL_STEP_H

#include <stdbool.h>

#include "base/slice.h"

struct dial;

/* What a server's line means for the dial step that waits for it. */
enum answer {
	ANSWER_MORE,		/* not the reply yet: untagged or continued line */
	ANSWER_OK,
	ANSWER_REFUSED,		/* wrong credentials, or a command refused for good */
	ANSWER_LATER,		/* a temporary failure: another try or server may do */
	ANSWER_GARBLED		/* not the protocol */
};

/* Columns of a dial step, judged once in dial.c. */
enum {
	DIAL_STARTS_TLS = 1 << 0,	/* after its OK comes TLS; bytes behind the OK are an attack */
	DIAL_LOGIN = 1 << 1,		/* a health check stops before the first of these */
	DIAL_SECRET = 1 << 2,		/* refused while wanted TLS is missing */
	DIAL_FORWARD = 1 << 3,		/* its last reply is what the client is told */
	DIAL_PIPELINED = 1 << 4,	/* the next step is sent without waiting for this one's reply */
	DIAL_DECIDES = 1 << 5,		/* its `send` sends nothing, and there is no reply to `read` */

	DIAL_ASKS = DIAL_LOGIN | DIAL_SECRET,		/* on the way to a login */
	DIAL_TELLS = DIAL_ASKS | DIAL_FORWARD,		/* its reply is the login's */
	DIAL_INFORMS = DIAL_SECRET | DIAL_PIPELINED	/* of the client */
};

struct dial_step {
	const char *doing;			/* "reading greeting": logs, check results, show sess */
	bool (*is_wanted)(const struct dial *dial);	/* NULL: always */
	enum answer (*read)(struct dial *dial, struct slice line);
	unsigned flags;
	void (*send)(struct dial *dial);	/* appends to dial->out */
	const char *command;			/* where `send` is NULL; %u: the user, %p: the password */
	const char *tag;			/* tagged protocols: of what is sent */
};

#endif
