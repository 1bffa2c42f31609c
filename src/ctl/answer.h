/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * answer.h: gatepost's answers as they come: each ends with an empty line, and begins, after `set
 * severity-output all`, with "[6]: ", or with "[3]: " where it tells that a command failed.
 */
#ifndef CTL_ANSWER_H
#define CTL_ANSWER_H

#include <stdbool.h>

#include "base/buf.h"

struct answer {
	/* A line with its end; empty ones too, but not those that end an answer. */
	void (*on_line)(struct slice line, bool is_failure, void *arg);
	void *arg;

	bool has_failed;		/* any of them */
	struct buf rest;		/* of a line that has not ended */
	size_t blanks;			/* empty lines that are held back: the last one is no line */
	bool is_within, is_failure;	/* an answer has begun, and it is a failure */
};

void answer_feed(struct answer *answer, struct slice data);
/* All has come: false: an answer was cut off. */
bool answer_end(struct answer *answer);

#endif
