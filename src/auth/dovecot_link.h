/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dovecot_link.h: one connection to Dovecot's auth server: the handshake, and
 * the questions that are asked on it, whose replies come in any order.
 */
#ifndef AUTH_DOVECOT_LINK_H
#define AUTH_DOVECOT_LINK_H

#include "auth/dovecot_wire.h"
#include "base/list.h"
#include "base/map.h"
#include "net/stream.h"

enum { DOVECOT_WHY_MAX = 256 };

struct dovecot_link;

struct dovecot_link_owner {
	void (*on_ready)(struct dovecot_link *link);	/* it may be asked */
	void (*on_drained)(struct dovecot_link *link);	/* it takes more again; or a question is over */
	/* It is of no use any more: to be closed.  Its questions are there yet. */
	void (*on_lost)(struct dovecot_link *link, const char *why);
	/* A reply to one of its questions, which unless it is CONT is none any more. */
	void (*on_line)(struct dovecot_link *link, struct list *question, const struct dovecot_line *line);
};

struct dovecot_link {
	struct list node;			/* the owner's, as are: */
	const struct dovecot_link_owner *owner;
	void *site;
	struct loop_timer timer;
	int64_t ready_at;
	struct list asked;			/* the questions, as they were given to dovecot_link_ask */
	const char *name;			/* for logs */
	bool is_master;
	/* its own */
	struct stream stream;
	bool is_ready, has_version, is_closed;
	bool has_told_wrong_id;			/* in the log */
	unsigned mechanisms;			/* that it takes, when it is ready */
	int64_t heard_at;			/* ms, when it said something last */
	uint32_t first_id, last_id;		/* of its questions; 0: there was none */
	struct map *questions;			/* by their ids: list nodes of the owner's */
};

/* Connects; `link` is zero but for the owner's fields. */
void dovecot_link_open(struct dovecot_link *link, struct loop *loop, const struct addr *to);
void dovecot_link_close(struct dovecot_link *link);	/* no event comes any more; frees it, later */
/* It is ready, and takes what is written. */
bool dovecot_link_takes(const struct dovecot_link *link);
bool dovecot_link_has(const struct dovecot_link *link, uint32_t id);
/* The line asks the question, with an id that the link has not yet. */
void dovecot_link_ask(struct dovecot_link *link, uint32_t id, struct list *question, struct slice line);
void dovecot_link_say(struct dovecot_link *link, struct slice line);
/* No reply to it is told any more; where it waits for one, the server is told. */
void dovecot_link_forget(struct dovecot_link *link, uint32_t id);
size_t dovecot_link_count(const struct dovecot_link *link);	/* questions */

#endif
