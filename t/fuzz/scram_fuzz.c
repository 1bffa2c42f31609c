/* SPDX-License-Identifier: BSD-2-Clause */
/* scram_fuzz.c: any messages of a client, any text that is kept of a user; and that proofs are needed. */
#include "fuzz.h"

#include "auth/scram.h"
#include "base/base64.h"

static const struct slice server_nonce = SLICE_LITERAL("c2VydmVyLW5vbmNlLWlz");

static void
keep(struct slice text)
{
	struct scram_secret secret = { .digest = DIGEST_SHA256 };
	struct buf again = { 0 };

	if (scram_secret_read(&secret, text)) {
		must(secret.rounds > 0, "there are rounds");
		buf_printf(&again, "%d,", secret.rounds);
		base64_encode(buf_slice(&secret.salt), &again);
		buf_append_text(&again, ",");
		base64_encode(slice_make((const char *)secret.stored_key, DIGEST_SHA256_SIZE), &again);
		buf_append_text(&again, ",");
		base64_encode(slice_make((const char *)secret.server_key, DIGEST_SHA256_SIZE), &again);
		while (text.len > 0 && text.data[0] == '0')	/* of the rounds */
			text = slice_from(text, 1);
		must_equal(buf_slice(&again), text, "what is kept is read whole");
	}
	buf_clear(&again);
	scram_secret_wipe(&secret);
}

static void
finish(struct scram *scram, struct slice text, const struct scram_secret *secret)
{
	struct buf signature = { 0 };
	char *copy = exact(text);

	/* nobody finds a proof by chance */
	must(!scram_verify(scram, slice_make(copy, text.len), secret, &signature), "a proof is needed");
	must(buf_len(&signature) == 0, "nothing is signed without");
	xfree(copy);
}

/* The client's first message and its last one; for a $ of the latter comes the nonce. */
static void
converse(struct slice first, struct slice final)
{
	struct scram_secret secret = { .digest = DIGEST_SHA256, .rounds = SCRAM_ROUNDS, .stored_key = { 1 } };
	struct buf challenge = { 0 }, text = { 0 };
	struct scram scram = { 0 };
	char *copy = exact(first);

	buf_append_text(&secret.salt, "salt");
	if (scram_begin(&scram, slice_make(copy, first.len), &secret, server_nonce, &challenge)) {
		struct slice rest = buf_slice(&challenge), nonce = slice_take(&rest, ',');

		must(slice_has_prefix(nonce, "r="), "a challenge begins with the nonce");
		must(nonce.len > server_nonce.len + 2, "which has a part of each");
		must(slice_equals(rest, "s=c2FsdA==,i=4096"), "salt and rounds are the user's");
		for (size_t i = 0; i < final.len; i++)
			if (final.data[i] == '$')
				buf_append_slice(&text, slice_from(nonce, 2));
			else
				buf_append(&text, final.data + i, 1);
		finish(&scram, buf_slice(&text), &secret);
	} else {
		must(buf_len(&challenge) == 0, "nothing is said to what is malformed");
	}
	buf_clear(&challenge);
	buf_clear(&text);
	scram_clear(&scram);
	scram_secret_wipe(&secret);
	xfree(copy);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input;
	char *copy;

	if (!input_read(data, size, &input))
		return 0;
	copy = exact(input.body);
	if (has_option(&input, 0)) {
		keep(slice_make(copy, input.body.len));
	} else {
		struct slice final = slice_make(copy, input.body.len), first = slice_take(&final, '\n');

		converse(first, final);
	}
	xfree(copy);
	return 0;
}
