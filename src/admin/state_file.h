/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * state_file.h: what operators have said, as a file of lines that is whole or refused: its first line has the
 * version, its last one a count and a sum.  It is replaced at once, never written into.
 */
#ifndef ADMIN_STATE_FILE_H
#define ADMIN_STATE_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/list.h"

/* Whose: a farm's server, a server of a pool's own, or a server in one pool ("service"). */
enum server_kind { SERVER_OF_FARM, SERVER_OF_POOL, SERVER_SERVICE, SERVER_KIND_COUNT };

/* What holds, and what the configuration said then: where that has changed, the configuration wins. */
struct server_word {
	int now, in_file;
	int64_t when;				/* of the last change, seconds since 1970; or 0 */
	char *who, *why;			/* never NULL */
};

struct server_record {
	struct list node;
	enum server_kind kind;
	char *owner, *name;			/* the farm or the pool; the server */
	struct server_word state;		/* enum admin_state; a service is always configured ready */
	struct server_word weight;		/* -1: a service has none */
	bool is_there;				/* changes.c's: it was seen in the last look */
};

/* All else that was said, as `show changes` tells it; no text is NULL. */
struct setting {
	struct list node;
	char *kind, *subject, *what, *now, *in_file, *who, *why;
	int64_t when;				/* seconds since 1970 */
};

/* Of both kinds; the file has those of two lists each, of which only the first is appended to. */
struct state_lists {
	struct list *records, *more_records;	/* struct server_record; those that deviate */
	struct list *settings, *more_settings;	/* struct setting */
};

void setting_free(struct setting **setting);

struct server_record *server_record_new(enum server_kind kind, const char *owner, const char *name);
void server_record_free(struct server_record **record);
void server_record_set_text(char **field, const char *text);
bool server_word_deviates(const struct server_word *word);
/* Has the configuration changed since it was said, to something else? */
bool server_word_is_overruled(const struct server_word *word, int in_file);
bool server_record_deviates(const struct server_record *record);
const char *server_kind_text(enum server_kind kind);		/* "farm", "pool", "service" */

void state_format(const struct state_lists *lists, struct buf *out);		/* a whole file */
/* Appends to the first ones; false and nothing: the error tells what is wrong. */
bool state_parse(struct slice text, const struct state_lists *lists, struct error *error);

/* One that is not there is empty. */
bool state_read(const char *path, const struct state_lists *lists, struct error *error);
/* On the disk when it returns true; else the old one is there: another process may be writing, say. */
bool state_write(const char *path, struct slice text, struct error *error);

#endif
