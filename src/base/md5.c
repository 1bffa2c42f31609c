/* SPDX-License-Identifier: BSD-2-Clause */
/* md5.c: OpenSSL's own structure is the only one that can be begun in the middle; EVP hides it. */
#include "base/md5.h"

#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/md5.h>

#include "base/digest.h"

enum { WORD_SIZE = 4, WORD_COUNT = MD5_SIZE / WORD_SIZE };

static MD5_LONG
read_word(const uint8_t *from)
{
	return (MD5_LONG)from[0] | (MD5_LONG)from[1] << 8 | (MD5_LONG)from[2] << 16 | (MD5_LONG)from[3] << 24;
}

static void
save(MD5_CTX *ctx, uint8_t state[MD5_SIZE])
{
	const MD5_LONG words[WORD_COUNT] = { ctx->A, ctx->B, ctx->C, ctx->D };

	for (int i = 0; i < MD5_SIZE; i++)
		state[i] = (uint8_t)(words[i / WORD_SIZE] >> 8 * (i % WORD_SIZE));
	secret_wipe(ctx, sizeof(*ctx));
}

/* As it is behind this many whole blocks. */
static void
restore(const uint8_t state[MD5_SIZE], MD5_LONG blocks, MD5_CTX *ctx)
{
	MD5_Init(ctx);
	ctx->A = read_word(state);
	ctx->B = read_word(state + WORD_SIZE);
	ctx->C = read_word(state + 2 * WORD_SIZE);
	ctx->D = read_word(state + 3 * WORD_SIZE);
	ctx->Nl = blocks * MD5_BLOCK_SIZE * 8;		/* in bits */
}

void
md5_begin(uint8_t state[MD5_SIZE])
{
	MD5_CTX ctx;

	MD5_Init(&ctx);
	save(&ctx, state);
}

void
md5_block(uint8_t state[MD5_SIZE], const uint8_t block[MD5_BLOCK_SIZE])
{
	MD5_CTX ctx;

	restore(state, 0, &ctx);
	MD5_Transform(&ctx, block);
	save(&ctx, state);
}

void
md5_end(const uint8_t state[MD5_SIZE], struct slice rest, uint8_t out[MD5_SIZE])
{
	MD5_CTX ctx;

	restore(state, 1, &ctx);
	MD5_Update(&ctx, rest.data, rest.len);
	MD5_Final(out, &ctx);
	secret_wipe(&ctx, sizeof(ctx));
}
