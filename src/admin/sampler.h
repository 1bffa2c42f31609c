/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sampler.h: once a second all figures are looked at, for rates, maxima and the last minutes; and for what a
 * pool's servers have counted that left it.  What is known of an object is kept by its name over reloads, and
 * forgotten with it.  On control's loop alone.
 */
#ifndef ADMIN_SAMPLER_H
#define ADMIN_SAMPLER_H

#include "admin/cockpit.h"
#include "admin/figures.h"

enum metric_object { METRIC_LISTENER, METRIC_POOL, METRIC_SERVER, METRIC_OBJECT_COUNT };

enum { SAMPLER_POINTS = 300 };		/* of history, one a second */

/* What is kept of a second. */
enum sample {
	SAMPLE_SESSIONS,		/* at its end */
	SAMPLE_RATE,			/* clients that came, or sessions that the server took */
	SAMPLE_FAILURES,
	SAMPLE_QUEUED,			/* at its end */
	SAMPLE_BYTES_UP,
	SAMPLE_BYTES_DOWN,
	SAMPLE_REFUSED,			/* logins, by the server; a listener's: without a server */
	SAMPLE_LOGIN_MS,		/* all that took place together; 0: a listener's */
	SAMPLE_COUNT
};

struct track {
	enum metric_object kind;
	const void *object;		/* whose figures they are */
	unsigned round;
	struct figures last, base;	/* of the last look; of `clear counters all` */
	struct figures carried;		/* a pool's: of the servers that left it */
	int64_t most[SAMPLE_COUNT];	/* of a second */
	uint32_t now[SAMPLE_COUNT];	/* of the last one */
	bool was_seen;			/* `last` is of a look */
	bool is_down;			/* a pool */
	int64_t changed_at, down_since;	/* a pool's, clock_ms; 0: from the beginning, not down */
	int64_t downs, down_ms;		/* a pool's; but for what goes on */
	uint32_t (*points)[SAMPLE_COUNT];	/* a ring; NULL: none is kept */
	unsigned next, count;
};

struct sampler;

int64_t track_recent(const struct track *track, enum sample sample);	/* the sum of the history */

struct sampler *sampler_new(struct cockpit *cockpit);	/* looks from now on */
void sampler_free(struct sampler **sampler);

/* What is known of an object; made where it is new, or another one of its name. */
struct track *sampler_track(struct sampler *sampler, enum metric_object kind, const char *name,
    const void *object);
/* The same, or NULL where there is none. */
const struct track *sampler_find(const struct sampler *sampler, enum metric_object kind, const char *name);

/* The whole process, in the last second. */
struct sampler_process {
	uint32_t accept_rate, login_rate, tls_rate, bytes_rate;
	uint32_t most_accept_rate, most_login_rate, most_tls_rate;
	uint32_t key_rate, most_key_rate;	/* TLS that resumed nothing */
	uint32_t server_key_rate, most_server_key_rate;	/* the same with servers */
	int idle_percent;		/* of the time that the workers had */
	int64_t control_lag_us;		/* how late control's loop was */
};
const struct sampler_process *sampler_process(const struct sampler *sampler);
/* How long a message to this worker's loop took, the last one that has come. */
int64_t sampler_worker_lag_us(const struct sampler *sampler, int worker);
int64_t sampler_started_at(const struct sampler *sampler);	/* seconds since 1970 */
int64_t sampler_started_ms(const struct sampler *sampler);	/* clock_ms */

/* Maxima begin anew; `all`: counters, too. */
void sampler_clear(struct sampler *sampler, bool all);

#endif
