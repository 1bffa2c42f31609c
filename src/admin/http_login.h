/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * http_login.h: who asks, by RFC 7617's basic authentication and a file of users as `auth` has it.  Slow
 * hashes are worked out on the hashing threads; what was right is remembered for a while, as a mark that
 * tells nothing.
 */
#ifndef ADMIN_HTTP_LOGIN_H
#define ADMIN_HTTP_LOGIN_H

#include <stdbool.h>

#include "auth/user_file.h"
#include "base/addr.h"
#include "base/thread_pool.h"
#include "net/loop.h"

enum { HTTP_USER_MAX = 64 };		/* with its NUL */

struct http_memory;			/* of what was right */
struct http_login;

struct http_memory *http_memory_new(void);
void http_memory_free(struct http_memory **memory);

/* Where it is asked.  Read before http_login_start returns. */
struct http_gatekeeper {
	struct loop *loop;
	struct thread_pool *hashing;
	struct http_memory *memory;
	struct user_file *users;
};

enum http_verdict {
	HTTP_LOGIN_RIGHT,
	HTTP_LOGIN_WRONG,
	HTTP_LOGIN_MISSING,		/* nobody says who asks */
	HTTP_LOGIN_LATER		/* on_verdict comes, with RIGHT or WRONG */
};

/*
 * `header`: what Authorization says, or NULL.  `user` is filled in, with "" where the file has none such:
 * what is typed there may be a password.  Of LATER `pending` is set until on_verdict is called, or
 * http_login_cancel.
 */
struct http_question {
	const char *header;
	struct addr from;
	char user[HTTP_USER_MAX];
	struct http_login *pending;
	void (*on_verdict)(struct http_question *question, enum http_verdict verdict);
	void *owner;
};

enum http_verdict http_login_start(struct http_question *question, const struct http_gatekeeper *gatekeeper);
void http_login_cancel(struct http_question *question);		/* fine where nothing is pending */

#endif
