/* SPDX-License-Identifier: BSD-2-Clause */
/* ask.h: one line of commands, on a connection of its own, and its answer. */
#ifndef CTL_ASK_H
#define CTL_ASK_H

#include <sys/types.h>

#include "base/buf.h"
#include "base/error.h"

struct json_t;

enum asked { ASKED_WELL, ASKED_FAILED, ASKED_LOST = 3 };	/* as exit statuses */

/* Words as gatepost takes them: quoted where they must be.  A single one is a line already. */
bool ask_line(char *const *words, int count, struct buf *line);	/* false: a line break cannot be said */

/* Prints what comes as it comes, failures and what is wrong to stderr; `payload` is what stands behind <<. */
enum asked ask_print(const char *place, struct slice line, struct slice payload);

/* `line` with `json` behind it; NULL and an error: where it failed, what was said. */
struct json_t *ask_json(const char *place, const char *line, enum asked *how, struct error *error);
/* Likewise, for what may take its time: who waits is a person. */
struct json_t *ask_json_slowly(const char *place, const char *line, enum asked *how, struct error *error);

/* The process that listens there; 0: not known, or nobody. */
pid_t ask_pid(const char *place, enum asked *how, struct error *error);

#endif
