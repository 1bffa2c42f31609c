/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * session_list.h: a walk over one worker's sessions, on its own thread, in pieces so short that nobody's
 * bytes wait for it: lists those that a filter lets pass, or ends them.  Sessions may end between two
 * pieces.  Each that is there all the while is met once, those that come later are not.
 */
#ifndef SESSION_SESSION_LIST_H
#define SESSION_SESSION_LIST_H

#include <stdatomic.h>

#include "session/session_view.h"
#include "session/worker.h"

enum session_tls { SESSION_TLS_ANY, SESSION_TLS_WITH, SESSION_TLS_WITHOUT };

struct session_filter {			/* what is zero excludes nobody */
	const char *id;			/* ours, or a trusted peer's */
	const char *user;		/* canonical; also of who is logging in */
	const char *server;		/* "d03" or "farm/d03", with each d03@ADDRESS */
	const char *endpoint;		/* "imap/d03", likewise */
	const char *pool, *listener, *protocol;
	const char *phase;		/* a name of session_phase_name */
	struct network client;
	bool has_client;
	int64_t older_ms, idle_ms;
	enum session_tls tls;
	bool is_living;			/* not those that have heard their last words */
};

enum session_action {
	SESSION_SHOW,			/* walk->views */
	SESSION_KICK,			/* session_kick */
	SESSION_SHUT			/* session_end: at once */
};

/* Constant while anybody walks by it, but for is_recalled. */
struct session_order {
	struct session_filter filter;
	enum session_action action;
	bool is_spread;			/* SESSION_KICK: over its pool's close_spread */
	bool wants_local;		/* SESSION_SHOW: asks the kernel where the client came to */
	atomic_bool is_recalled;	/* nobody wants it any more: walks end soon */
};

struct session_walk {
	/* The caller's to fill in; all else is zero. */
	struct worker *worker;
	const struct session_order *order;
	void (*on_done)(struct session_walk *walk);	/* on control's loop: it is control's again */
	void *owner;

	/* What came of it. */
	size_t count;				/* sessions that were shown or ended */
	struct session_view *views;		/* the oldest first */

	/* The worker's. */
	struct list node;			/* in its walks */
	struct list *next;			/* the session that it meets next, or the end */
	int64_t began;
	struct arena *arena;			/* has the views */
	struct session_view **last;
};

/* Control's: on_done follows, unless the worker's loop ends before.  The walk stays where it is. */
void session_walk_start(struct session_walk *walk);
void session_walk_clear(struct session_walk *walk);	/* behind on_done, or the worker's thread */

/* The worker's: a session is about to leave the list. */
void session_walks_pass(struct worker *worker, const struct session *session);

#endif
