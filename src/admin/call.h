/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * call.h: what an operator can ask for, as rows of tables: one row is the parser, the level, the help, the
 * completion and the manual.  A call is a command on its way: from a socket, or from the HTTP API; it is
 * answered at once, or later.  All of it on control's loop.
 */
#ifndef ADMIN_CALL_H
#define ADMIN_CALL_H

#include <stdbool.h>

#include "admin/level.h"
#include "base/buf.h"
#include "base/slice.h"

struct cockpit;
struct console;
struct admin_command;

enum { CALL_WORDS_MAX = 64, CALL_WHO_MAX = 96 };

struct admin_call {
	struct cockpit *cockpit;
	enum admin_level level;
	char who[CALL_WHO_MAX];	/* "root (unix)", "127.0.0.1:4711": for the log and `show changes` */
	struct slice payload;		/* behind <<, without the line that ends it */
	/* Once, perhaps before call_run returns; `out` is its answer then. */
	void (*on_done)(struct admin_call *call);
	/*
	 * Takes what there is to be read before the answer is complete; returns how much of it the operator
	 * has not taken yet.  NULL: answers come as a whole.
	 */
	size_t (*on_more)(struct admin_call *call, struct slice text);
	void *owner;
	struct console *console;	/* who asks at a socket; or NULL */

	/* The command's, from here on. */
	const struct admin_command *command;
	const char *words[CALL_WORDS_MAX];	/* behind those of its name, without `json`; NULL ends */
	int count;
	bool wants_json;		/* the last word was `json`; or the caller has set it before */
	struct buf out;			/* what is answered: whole lines */
	bool has_failed;
	void *work;			/* of a command that answers later */
	void (*on_cancel)(struct admin_call *call);	/* nobody waits any more: gives `work` back */
	char *text;			/* that `words` points into */
};

struct admin_command {
	const char *name;		/* "show stat"; NULL ends a table */
	const char *arguments;		/* "[PROXY] [typed]", as help has it; NULL: none */
	enum admin_level level;		/* whoever has less hears "Permission denied" */
	bool has_json;			/* the word `json` may stand behind everything else */
	int looks;			/* with up to so many words it only looks, as `show …` always does */
	/* Answers by call_done or call_fail, now or later; looks at no word that is not there. */
	void (*run)(struct admin_call *call);
	const char *help;		/* a sentence or more, for the manual; help shows the first */
};

/*
 * Runs one command: fields up to `owner` are set, the others zero.  Unknown ones get a list of near matches.
 * The caller clears it behind on_done (call_clear).
 */
void call_run(struct admin_call *call, struct slice text);
void call_cancel(struct admin_call *call);		/* on_done will not come; then call_clear */
void call_clear(struct admin_call *call);

/* The command's: `out` is its answer.  Nothing of the call may be touched behind these. */
void call_done(struct admin_call *call);
/* One sentence; in JSON {"error":"…"}.  HAProxy's own words where it has the command: tools compare them. */
void call_fail(struct admin_call *call, const char *format, ...) __attribute__((format(printf, 2, 3)));

/*
 * Takes a command's text off the front of a line, behind a `;` that is neither escaped nor quoted: false: it
 * was the last.
 */
bool call_split(struct slice *line, struct slice *text);

/* Appends its line of help. */
void admin_command_usage(const struct admin_command *row, struct buf *out);

/* Every row of every table, in the order of help. */
const struct admin_command *admin_command_row(size_t i);		/* NULL: there are no more */

#endif
