/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * snapshot.h: one configuration as the workers use it: settings only, and
 * constant.  Each worker counts its own references; a snapshot that no
 * worker uses any more is handed back to control.
 */
#ifndef SESSION_SNAPSHOT_H
#define SESSION_SNAPSHOT_H

#include <stdint.h>

#include "auth/users.h"
#include "base/log_fields.h"
#include "conf/directive.h"
#include "net/loop.h"

struct conf;
struct country_tally;
struct geo;
struct limiter;
struct penalty;
struct screen_memory;
struct thread_pool;

/* One worker's references: on a cache line of its own, touched by that worker only. */
struct snapshot_share {
	_Alignas(64) int references;
};

/* What the access log is told, or-ed. */
enum session_events {
	SESSION_EVENT_LOGIN = LOG_EVENT_login,
	SESSION_EVENT_LOGIN_FAILED = LOG_EVENT_login_failed,
	SESSION_EVENT_SESSION = LOG_EVENT_session,
	SESSION_EVENT_MESSAGE = LOG_EVENT_message,
	SESSION_EVENT_SCREEN = LOG_EVENT_screen
};

struct snapshot {
	struct conf *conf;			/* owns what is pointed to below and by the gates' orders */
	struct conf_list pools;			/* struct pool, for answers that name one */
	struct conf_list listeners;		/* struct listener_settings, which no server may be */
	struct conf_list auths;			/* struct auth, for which a worker has clients */
	struct address_list nameservers;
	const struct users *users;
	struct thread_pool *hashing;		/* NULL: passwords are hashed on the loop */
	struct penalty *penalty;		/* of failed logins; NULL: they cost nothing */
	const struct geo *geo;			/* NULL: nobody knows where clients are */
	struct limiter *limiter;		/* what `limits` count; NULL: nothing */
	struct screen_memory *screened;		/* who was; NULL: nobody is */
	struct country_tally *countries;	/* of clients; NULL: nobody counts */
	int64_t max_connections;		/* sessions of the whole process; 0: no bound */
	bool hash_unknown_users;		/* names that did not log in are hashed in the log */
	bool mask_addresses;			/* clients' in events: the first 24 or 48 bits only */
	unsigned events;			/* enum session_events: which are written */
	struct loop *control;
	/* On control's loop, when the last worker let go; may free the snapshot. */
	void (*on_unused)(struct snapshot *snapshot);
	int workers;				/* control's: how many still hold it */
	struct snapshot_share *shares;		/* one a worker, by xcalloc_aligned */
};

struct pool;
struct proto;

/* By its name, where its servers may serve this protocol's listeners; NULL: there is none such. */
struct pool *snapshot_find_pool(const struct snapshot *snapshot, const char *name, const struct proto *proto);
/* On the worker's own thread. */
void snapshot_get(struct snapshot *snapshot, int worker);
void snapshot_put(struct snapshot *snapshot, int worker);

#endif
