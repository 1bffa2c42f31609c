/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * register.h: words by name that hold at all proxies of a cluster, until
 * somebody has another one: the last one wins, by when it was said, and not
 * by when Redis could be told.  They stay in Redis for good: operators' words
 * are few.  Each proxy keeps those that it has told or heard, and tells them
 * again where Redis has lost them, or has older ones.  On control's loop.
 */
#ifndef STATE_REGISTER_H
#define STATE_REGISTER_H

#include "state/cluster.h"

struct shared_register;

struct register_settings {
	struct cluster *cluster;	/* joined; the register goes before it, or after it has left */
	const char *name;		/* a constant */
	/*
	 * Another proxy's word, said so long ago, no newer one being known; or, while all is read, any;
	 * or one that Redis had lost, and has again.
	 */
	void (*on_word)(void *owner, struct slice name, struct slice word, int64_t age_ms);
	void (*on_all)(void *owner);	/* now all was read: at the start, and when something was missed */
	void *owner;
};

struct shared_register *register_new(const struct register_settings *settings);
void register_free(struct shared_register **shared);
/*
 * Neither is empty or has line ends.  It is told as soon as Redis is there; of a name the latest, and nothing
 * where a newer one was heard.
 */
void register_tell(struct shared_register *shared, struct slice name, struct slice word, int64_t age_ms);
/* It is not told yet. */
bool register_is_telling(const struct shared_register *shared, struct slice name);

/* Some word of it was told or heard. */
bool register_knows(const struct shared_register *shared, struct slice name);

/* KEYS: words.  ARGV: INC, channel, register, name, word, age ms.  Answers {}, or {a later word, its age}. */
extern const struct cluster_script register_script_tell;
/* KEYS: words.  ARGV: a cursor.  Answers the next one, and names, words, ages in ms. */
extern const struct cluster_script register_script_read;
/* KEYS: words.  ARGV: a name.  Answers its word and its age in ms, or nothing. */
extern const struct cluster_script register_script_look;

#endif
