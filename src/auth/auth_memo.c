/* SPDX-License-Identifier: BSD-2-Clause */
/* auth_memo.c: copies of answers.  What a new member of an answer points to is to be copied here, too. */
#include "auth/auth_memo.h"

#include <stddef.h>
#include <string.h>

#include "base/xalloc.h"

static const size_t texts[] = {
	offsetof(struct auth_answer, user), offsetof(struct auth_answer, why),
	offsetof(struct auth_answer, reason), offsetof(struct auth_answer, code),
	offsetof(struct auth_answer, host), offsetof(struct auth_answer, pool),
	offsetof(struct auth_answer, server), offsetof(struct auth_answer, destuser),
	offsetof(struct auth_answer, master), offsetof(struct auth_answer, token_error),
};
enum { TEXTS = sizeof(texts) / sizeof(texts[0]) };

static const char *
text_of(const struct auth_answer *answer, size_t offset)
{
	const char *text;

	memcpy(&text, (const char *)answer + offset, sizeof(text));
	return text;
}

static void
copy_texts(struct auth_memo *memo, const struct auth_answer *answer)
{
	size_t size = 1;
	char *room;

	for (size_t i = 0; i < TEXTS; i++)
		size += text_of(answer, texts[i]) != NULL ? strlen(text_of(answer, texts[i])) + 1 : 0;
	room = memo->texts = xmalloc(size);
	for (size_t i = 0; i < TEXTS; i++) {
		const char *text = text_of(answer, texts[i]);
		size_t n = text != NULL ? strlen(text) + 1 : 0;

		if (text == NULL)
			continue;
		memcpy(room, text, n);
		memcpy((char *)&memo->answer + texts[i], &room, sizeof(room));
		room += n;
	}
}

struct auth_memo *
auth_memo_new(enum auth_outcome outcome, const struct auth_answer *answer, const uint8_t key[SEAL_KEY_SIZE])
{
	struct auth_memo *memo = xcalloc(1, sizeof(*memo));

	atomic_init(&memo->references, 1);
	memo->outcome = outcome;
	memo->answer = (struct auth_answer){
		.verdict = answer->verdict,
		.refuses_login = answer->refuses_login,
		.is_right = answer->is_right,
		.depends_on_client = answer->depends_on_client,
		.ends_session = answer->ends_session,
		.wait_ms = answer->wait_ms,
		.port = answer->port,
		.tls = answer->tls,
		.delay_ms = answer->delay_ms,
		.timeout_ms = answer->timeout_ms,
	};
	copy_texts(memo, answer);
	if (answer->pass != NULL)
		seal_make(key, slice_of(answer->pass), &memo->pass);
	return memo;
}

struct auth_memo *
auth_memo_get(struct auth_memo *memo)
{
	atomic_fetch_add_explicit(&memo->references, 1, memory_order_relaxed);
	return memo;
}

void
auth_memo_put(struct auth_memo **memo)
{
	struct auth_memo *m = *memo;

	*memo = NULL;
	if (m == NULL || atomic_fetch_sub_explicit(&m->references, 1, memory_order_acq_rel) > 1)
		return;
	xfree(m->texts);
	buf_clear(&m->pass);
	xfree(m);
}
