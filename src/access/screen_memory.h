/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * screen_memory.h: what is remembered of clients that were screened: who has passed, and what lists have
 * said.  Bounded, over all workers and reloads; from any thread.  Times are as loop_now.
 */
#ifndef ACCESS_SCREEN_MEMORY_H
#define ACCESS_SCREEN_MEMORY_H

#include "access/screen.h"

struct screen_memory;

struct screen_memory *screen_memory_new(void);
void screen_memory_free(struct screen_memory **memory);		/* nobody asks any more */

/* Until when a client need not be put to either test again; what is not behind now is over, or never was. */
struct screen_passed {
	int64_t greeting_until, lists_until;
};
struct screen_passed screen_memory_passed(struct screen_memory *memory, const struct screen_key *key,
    int64_t now);
/* Of each test the later time counts. */
void screen_memory_let_pass(struct screen_memory *memory, const struct screen_key *key, int64_t now,
    const struct screen_passed *passed);

/* What was answered to a question, as screen_write_question has it; false: it has to be asked. */
bool screen_memory_find(struct screen_memory *memory, struct slice question, int64_t now,
    struct dnsbl_answer *answer);
void screen_memory_keep(struct screen_memory *memory, struct slice question,
    const struct dnsbl_answer *answer, int64_t now, int64_t until);

enum screen_memory_kind { SCREEN_MEMORY_PASSED, SCREEN_MEMORY_ANSWERS };
size_t screen_memory_count(struct screen_memory *memory, enum screen_memory_kind kind);
size_t screen_memory_limit(enum screen_memory_kind kind);	/* of these */

#endif
