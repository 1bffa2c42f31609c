/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * check.h: one check of one endpoint, from its settings to its result.  It
 * walks the protocol's own way to a server, and knows neither when it is due
 * nor what its result means for the endpoint.
 */
#ifndef HEALTH_CHECK_H
#define HEALTH_CHECK_H

#include "balance/check_settings.h"
#include "balance/pool.h"
#include "base/credentials.h"
#include "health/check_code.h"
#include "session/back.h"
#include "session/back_plan.h"

/* All pointers outlive the check. */
struct check_order {
	const struct proto *proto;
	const struct pool *pool;		/* open */
	struct endpoint *endpoint;
	const struct check_settings *settings;	/* one of the pool's; not of CHECK_NONE */
	const char *hostname;			/* ours, in greetings */
	struct tap *tap;			/* of its stream; or NULL */
	int64_t began_at;			/* loop_now that its timeout counts from; 0: its start */
};

/* May be copied by whoever keeps it.  Texts are printable, and without secrets. */
struct check_result {
	enum check_code code;
	char doing[64];			/* the step that failed, "reading greeting"; "" */
	char reason[BACK_REASON_MAX];	/* and why, "timed out"; "" */
	char seen[128];			/* the end of what the server said, as one line */
	int64_t took_ms;		/* its farewell not counted */
	int days_left;			/* of the server's certificate; TLS_NO_CERTIFICATE: none was shown */
};

struct check;
/*
 * The outcome, once.  check->back.dial has what the server announced while the callback runs.  It may cancel
 * the check, but not start it anew; memory that holds the check may be freed by loop_defer only.
 */
typedef void check_callback(struct check *check, const struct check_result *result, void *owner);

struct check {
	struct loop *loop;
	struct check_order order;
	check_callback *on_end;
	void *owner;
	struct back back;
	struct back_plan plan;
	struct back_plan_tls tls;
	struct back_seen seen;
	struct credentials credentials;	/* of kind login */
	struct loop_timer timer;	/* once the back is ready */
	size_t line;			/* of settings->lines, the next */
	bool has_heard;			/* something since the last line that was met */
	struct check_result result;
};

/* The outcome never comes before this returns. */
void check_start(struct check *check, struct loop *loop, const struct check_order *order,
    check_callback *on_end, void *owner);
/* At once, at any time: no outcome comes any more.  Twice is fine, a zeroed check too. */
void check_cancel(struct check *check);
bool check_is_under_way(const struct check *check);

#endif
