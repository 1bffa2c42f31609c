/* SPDX-License-Identifier: BSD-2-Clause */
/* metric_subject.h: one listener, pool or server with all that is known of it at a moment. */
#ifndef ADMIN_METRIC_SUBJECT_H
#define ADMIN_METRIC_SUBJECT_H

#include "admin/cockpit.h"
#include "admin/sampler.h"
#include "balance/pool.h"
#include "session/listener_settings.h"

struct agent_result;
struct watch;

enum server_status { STATUS_UP, STATUS_DOWN, STATUS_NOLB, STATUS_MAINT, STATUS_DRAIN, STATUS_COUNT };

struct metric_subject {
	enum metric_object kind;
	struct cockpit *cockpit;
	const char *proxy, *name;		/* "imap", and "FRONTEND", "BACKEND" or the server's */
	int iid, sid;
	const struct listener_settings *listener;	/* of kind LISTENER */
	const struct pool *pool;			/* of the others */
	const struct server *server;			/* of kind SERVER, as all that follows */
	struct endpoint *endpoint;
	struct endpoint_facts facts;
	struct machine_facts machine;
	const struct watch *watch;		/* the check that decides; NULL: it has none */
	const struct agent_result *agent;	/* NULL: it has none that is asked */
	enum server_status status;
	char status_text[160];			/* of all kinds, "UP 2/3" */
	struct track *track;
	struct figures figures;			/* since the start, or `clear counters all` */
	/* A pool's: servers, those that are usable, of these the backups. */
	int servers, usable, usable_backups;
	int by_status[STATUS_COUNT], by_check[2];	/* by_check: failed, good */
	int64_t weight, set_weight;		/* of a pool all usable servers' */
};

/* Listeners, then each pool's servers and the pool; `each` keeps nothing. */
typedef void metric_each(struct metric_subject *subject, void *arg);
void metric_subjects(struct cockpit *cockpit, metric_each *each, void *arg);
char metric_object_letter(enum metric_object kind);		/* F, B or S: frontend, backend, server */
const char *server_status_name(enum server_status status);	/* "MAINT" */

#endif
