/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * password_cram.c: Dovecot's {CRAM-MD5}: of HMAC-MD5 with the password as its key (RFC 2104) the outer and
 * the inner state behind their first block, from which any digest can be made, but not the password.
 */
#include <string.h>

#include "auth/password_scheme.h"
#include "base/md5.h"

enum { CONTEXT_SIZE = 2 * MD5_SIZE };

bool
cram_is_sound(const struct password_scheme *scheme, struct slice hash)
{
	(void)scheme;
	return hash.len == CONTEXT_SIZE;
}

static void
begin(const uint8_t key[MD5_BLOCK_SIZE], uint8_t pad, uint8_t state[MD5_SIZE])
{
	uint8_t block[MD5_BLOCK_SIZE];

	for (size_t i = 0; i < sizeof(block); i++)
		block[i] = key[i] ^ pad;
	md5_begin(state);
	md5_block(state, block);
	secret_wipe(block, sizeof(block));
}

bool
cram_matches(const struct password_scheme *scheme, struct slice hash, struct slice given)
{
	enum { OUTER = 0x5c, INNER = 0x36 };
	static const struct slice nothing = { "", 0 };
	uint8_t key[MD5_BLOCK_SIZE + DIGEST_SIZE_MAX] = { 0 }, context[CONTEXT_SIZE];
	bool ok = true;

	if (given.len > MD5_BLOCK_SIZE)
		ok = digest_both(scheme->digest, given, nothing, key);
	else if (given.len > 0)
		memcpy(key, given.data, given.len);
	begin(key, OUTER, context);
	begin(key, INNER, context + MD5_SIZE);
	ok = ok && secret_equals(context, hash.data, sizeof(context));
	secret_wipe(key, sizeof(key));
	secret_wipe(context, sizeof(context));
	return ok;
}

void
cram_digest(struct slice hash, struct slice challenge, uint8_t out[DIGEST_SIZE_MAX])
{
	const uint8_t *outer = (const uint8_t *)hash.data;
	uint8_t inner[MD5_SIZE];

	md5_end(outer + MD5_SIZE, challenge, inner);
	md5_end(outer, slice_make((const char *)inner, sizeof(inner)), out);
}
