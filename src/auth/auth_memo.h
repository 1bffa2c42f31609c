/* SPDX-License-Identifier: BSD-2-Clause */
/* auth_memo.h: what a source has said, kept behind its answer; counted, constant, from any thread. */
#ifndef AUTH_AUTH_MEMO_H
#define AUTH_AUTH_MEMO_H

#include <stdatomic.h>

#include "auth/auth.h"
#include "base/seal.h"

struct auth_memo {
	atomic_int references;
	enum auth_outcome outcome;
	struct auth_answer answer;	/* its texts lie in `texts`; without `pass` */
	char *texts;
	struct buf pass;		/* sealed; empty: the answer has none */
};

/* `key` is only read where the answer has a `pass`. */
struct auth_memo *auth_memo_new(enum auth_outcome outcome, const struct auth_answer *answer,
    const uint8_t key[SEAL_KEY_SIZE]);
struct auth_memo *auth_memo_get(struct auth_memo *memo);
void auth_memo_put(struct auth_memo **memo);

#endif
