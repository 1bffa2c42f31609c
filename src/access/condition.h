/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * condition.h: the one language of conditions, for access and route: lines
 * are AND, the values of a line OR, `not` negates a line.  What is not known
 * yet (who logs in, say) makes a line neither true nor false, but LATER.
 */
#ifndef ACCESS_CONDITION_H
#define ACCESS_CONDITION_H

#include <stdbool.h>
#include <time.h>

#include "access/geo.h"
#include "base/slice.h"

enum condition_answer { CONDITION_NO, CONDITION_YES, CONDITION_LATER };

/* What may be known, or-ed, once it is settled. */
enum condition_known {
	KNOWN_TLS = 1,		/* there is TLS, or the client goes on without */
	KNOWN_USER = 2,
	KNOWN_RECIPIENT = 4
};

/* Who or what is judged.  What a listener never has is known to be empty. */
struct condition_subject {
	unsigned known;
	const struct addr *client;
	const char *listener;
	const char *tls_version, *sni;		/* NULL: no TLS; it named no host */
	const char *certificate_user;		/* of a client's verified certificate; or NULL */
	struct slice user, recipient;		/* canonical name; an address as the client wrote it */
	const struct geo *geo;			/* NULL: there are no databases */
	time_t now;

	struct location place;			/* looked up once, where a condition asks, … */
	bool has_place;				/* … or known before */
};

/* Lines of conditions are blocks of their own in the configuration: struct condition. */
enum condition_kind {
	CONDITION_NET, CONDITION_COUNTRY, CONDITION_CONTINENT, CONDITION_ASN, CONDITION_USER,
	CONDITION_USER_FILE, CONDITION_DOMAIN, CONDITION_RECIPIENT_DOMAIN, CONDITION_SNI, CONDITION_LISTENER,
	CONDITION_TLS, CONDITION_CLIENT_CERT, CONDITION_TIME, CONDITION_KIND_COUNT
};

struct condition_times {			/* minutes of a day, to behind from: over midnight */
	int from, to;
	unsigned days;				/* bit 0 is Sunday */
};

struct condition_line {
	enum condition_kind kind;
	bool is_negated;
	const char **words;			/* as written, of most kinds */
	size_t count;
	struct network *nets;
	struct condition_times *times;
	struct watched_file *names;		/* of user_file; by conditions_open */
};

struct condition {				/* a line as a block: country DE AT, not user bob */
	struct conf_block conf;
	struct condition_line line;
};

/* The blocks that fill a conf_list of struct condition, for rows of a block that has conditions. */
extern const struct block condition_blocks[CONDITION_KIND_COUNT], condition_not_block;
#define CONDITION_ROWS(type, field) \
	CONF_BLOCKS(type, field, &condition_blocks[CONDITION_NET], CONF_OWN), \
	CONF_BLOCKS(type, field, &condition_blocks[CONDITION_COUNTRY], CONF_OWN), \
	CONF_BLOCKS(type, field, &condition_blocks[CONDITION_CONTINENT], CONF_OWN), \
	CONF_BLOCKS(type, field, &condition_blocks[CONDITION_ASN], CONF_OWN), \
	CONF_BLOCKS(type, field, &condition_blocks[CONDITION_USER], CONF_OWN), \
	CONF_BLOCKS(type, field, &condition_blocks[CONDITION_USER_FILE], CONF_OWN), \
	CONF_BLOCKS(type, field, &condition_blocks[CONDITION_DOMAIN], CONF_OWN), \
	CONF_BLOCKS(type, field, &condition_blocks[CONDITION_SNI], CONF_OWN), \
	CONF_BLOCKS(type, field, &condition_blocks[CONDITION_LISTENER], CONF_OWN), \
	CONF_BLOCKS(type, field, &condition_blocks[CONDITION_TLS], CONF_OWN), \
	CONF_BLOCKS(type, field, &condition_blocks[CONDITION_CLIENT_CERT], CONF_OWN), \
	CONF_BLOCKS(type, field, &condition_blocks[CONDITION_TIME], CONF_OWN), \
	CONF_BLOCKS(type, field, &condition_not_block, CONF_OWN)

/* A setter for a condition behind a word: allow net 10.0.0.0/8.  The field is a condition_line. */
bool condition_set(struct conf_words *words, void *field, struct error *error);

/* What there is where a line stands. */
struct condition_scope {
	const struct geo *geo;			/* or NULL */
	const struct conf_list *listeners;	/* blocks, by their titles */
	bool has_recipients;
};
/* Opens the files that a line names; false, and told at the block: also where nothing can ever answer. */
bool condition_open(struct condition_line *line, const struct conf_block *block,
    const struct condition_scope *scope, struct conf_problems *problems);
void condition_close(struct condition_line *line);
void condition_refresh(struct condition_line *line);	/* control's: takes up a changed file; logs */

enum condition_answer condition_judge(const struct condition_line *line, struct condition_subject *subject);
/* All of a list of struct condition. */
enum condition_answer conditions_judge(const struct conf_list *lines, struct condition_subject *subject);
bool condition_is_of_client(enum condition_kind kind);	/* another client of the user may differ in it */
const char *condition_word(enum condition_kind kind);	/* "country" */

#endif
