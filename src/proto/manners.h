/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * manners.h: how often a client errs and idles, where mail is taken, and what comes of it: replies that are
 * late, and the end.  Counted as by Postfix: a command first, then its reply's delay by what was before it.
 */
#ifndef PROTO_MANNERS_H
#define PROTO_MANNERS_H

#include <stdbool.h>

#include "base/addr.h"
#include "base/buf.h"
#include "base/slice.h"

struct manners {
	int errors, idles;	/* so far: refused commands, and those that lead nowhere (NOOP, RSET …) */
	int soft_errors;	/* from so many on each reply is late; 0: none is */
	int hard_errors;	/* so many end the session; 0: none do */
	int idles_max;		/* behind so many each one more is an error; 0: none is */
	int delay_ms;		/* of late replies */
	bool counts_servers;	/* what servers refuse is an error, too */
};

void manners_err(struct manners *manners);	/* one more error */
bool manners_idle(struct manners *manners);	/* one more of these: true: it is an error */
void manners_forgive(struct manners *manners);	/* a mail was accepted: all is forgotten */
static inline bool
manners_are_bad(const struct manners *manners)	/* is the next reply late? */
{
	return manners->soft_errors > 0 && manners->errors >= manners->soft_errors;
}

static inline bool
manners_are_spent(const struct manners *manners)	/* was this the last error? */
{
	return manners->hard_errors > 0 && manners->errors >= manners->hard_errors;
}

/* "450 4.7.1 Error: too many recipients from 192.0.2.7": so much was named in too short a time. */
void manners_write_pace(const char *what, const struct addr *client, struct buf *out);
/* Last words of SMTP; `hello` is our reply to one, "250-mail.example.com…". */
void manners_write_end(struct slice hello, struct buf *out);

#endif
