/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * access.h: the block `access`: who may come, under which limits, and what they are called in the log.  Asked
 * when a client connects, again when TLS is up, and last when the user is known: each time from the first
 * rule on, as far as what is known decides.
 */
#ifndef ACCESS_ACCESS_H
#define ACCESS_ACCESS_H

#include "access/condition.h"
#include "base/buf.h"

struct limits;

struct access_rule {			/* allow … { … }, deny …, limit NAME { … }, tag WORD { … } */
	struct conf_block conf;
	struct condition_line when;		/* behind allow and deny; without a value: always */
	struct conf_list lines;			/* struct condition */
	const char *reply;			/* of deny; NULL: our own words */
	struct limits *limits;			/* of limit */
	const char *word;			/* of tag */
};

struct access {				/* access NAME { … } */
	struct conf_block conf;
	struct conf_list rules;			/* struct access_rule, in the order of the file */
};
extern const struct block access_block;

/* The files that it names, and whether its rules can be answered at all. */
bool access_open(struct access *access, const struct condition_scope *scope, struct conf_problems *problems);
void access_close(struct access *access);
void access_refresh(struct access *access);	/* control's, now and then: changed files; logs */

enum access_verdict { ACCESS_ALLOW, ACCESS_DENY, ACCESS_LATER };

struct access_answer {
	enum access_verdict verdict;
	const struct access_rule *rule;		/* that decided; NULL: none did */
	const struct limits *limits;		/* instead of the listener's; or NULL */
	struct buf tags;			/* "vip,office"; the caller's */
};

/* Who is allowed, though nothing decides, is so when all is known. */
void access_judge(const struct access *access, struct condition_subject *subject,
    struct access_answer *answer);

/* Calls each(line, block, arg) for all conditions. */
void access_each(const struct access *access,
    void (*each)(struct condition_line *line, const struct conf_block *block, void *arg), void *arg);

#endif
