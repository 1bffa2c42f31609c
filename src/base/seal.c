/* SPDX-License-Identifier: BSD-2-Clause */
/* seal.c: nonce, ciphertext and tag in a row.  A nonce is random: a key seals far fewer than 2^32 secrets. */
#include "base/seal.h"

#include <openssl/evp.h>
#include <stdlib.h>

#include "base/digest.h"
#include "base/random.h"

enum { NONCE_SIZE = 12, TAG_SIZE = 16 };

static EVP_CIPHER_CTX *
new_ctx(void)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();

	if (ctx == NULL)
		abort();
	return ctx;
}

void
seal_make(const uint8_t key[SEAL_KEY_SIZE], struct slice secret, struct buf *sealed)
{
	EVP_CIPHER_CTX *ctx = new_ctx();
	unsigned char *out = (unsigned char *)buf_reserve(sealed, NONCE_SIZE + secret.len + TAG_SIZE);
	unsigned char *text = out + NONCE_SIZE;
	int len = 0, rest = 0;

	random_bytes(out, NONCE_SIZE);
	if (EVP_EncryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, out) != 1 ||
	    EVP_EncryptUpdate(ctx, text, &len, (const unsigned char *)secret.data, (int)secret.len) != 1 ||
	    EVP_EncryptFinal_ex(ctx, text + len, &rest) != 1 ||
	    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, TAG_SIZE, text + secret.len) != 1)
		abort();
	EVP_CIPHER_CTX_free(ctx);
	buf_added(sealed, NONCE_SIZE + secret.len + TAG_SIZE);
}

bool
seal_open(const uint8_t key[SEAL_KEY_SIZE], struct slice sealed, struct buf *secret)
{
	const unsigned char *nonce = (const unsigned char *)sealed.data, *text = nonce + NONCE_SIZE;
	unsigned char tag[TAG_SIZE], *out;
	EVP_CIPHER_CTX *ctx;
	int len = 0, rest = 0;
	size_t size;
	bool ok;

	if (sealed.len < NONCE_SIZE + TAG_SIZE)
		return false;
	size = sealed.len - NONCE_SIZE - TAG_SIZE;
	memcpy(tag, text + size, TAG_SIZE);
	out = (unsigned char *)buf_reserve(secret, size + 1);
	ctx = new_ctx();
	ok = EVP_DecryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, nonce) == 1 &&
	    EVP_DecryptUpdate(ctx, out, &len, text, (int)size) == 1 &&
	    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, TAG_SIZE, tag) == 1 &&
	    EVP_DecryptFinal_ex(ctx, out + len, &rest) == 1;
	EVP_CIPHER_CTX_free(ctx);
	if (ok)
		buf_added(secret, size);
	else
		secret_wipe(out, size);
	return ok;
}
