/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * shared_words.h: what operators have said of states and weights of servers, at any proxy of the cluster.
 * The last one wins; where a proxy's configuration has changed since, that wins there.
 */
#ifndef ADMIN_SHARED_WORDS_H
#define ADMIN_SHARED_WORDS_H

#include "admin/state_file.h"
#include "net/loop.h"

struct buf;
struct cluster;
struct shared_words;

struct shared_words_settings {
	struct cluster *cluster;	/* NULL: there is none, and so are the words */
	const struct list *records;	/* struct server_record: what holds here, which outlives the words */
	struct loop_timer *look;	/* of control's loop: due at once where there is something to take */
};

/* All of these are fine with NULL. */
struct shared_words *shared_words_new(const struct shared_words_settings *settings);
void shared_words_free(struct shared_words **words);

/* It was said at this proxy, by its clock not in times to come: what it tells anew when it starts. */
bool shared_words_is_own(const char *who, int64_t when);
/* Of a word that has fields: with nothing in it that would end one. */
void shared_words_write_text(const char *text, struct buf *out);
/* "uid 0 (pid 7) at lb1": who has said it at another proxy is called so already. */
void shared_words_write_who(const char *who, const struct cluster *cluster, struct buf *out);

enum shared_word_kind { SHARED_STATE, SHARED_WEIGHT, SHARED_KINDS };
/* Somebody here has said it, at word->when. */
void shared_words_tell(struct shared_words *words, const struct server_record *record,
    enum shared_word_kind which);
/*
 * What was heard of this server since it was last asked for, and is not so already: to be done, and then for
 * server_record_free.  Or NULL.
 */
struct server_record *shared_words_take(struct shared_words *words, const struct server_record *of,
    enum shared_word_kind which);

#endif
