/* SPDX-License-Identifier: BSD-2-Clause */
/* digest.c: the adapter to OpenSSL's digests. */
#include "base/digest.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/params.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "base/xalloc.h"

static void *
allocate(size_t n, const char *file, int line)
{
	(void)file;
	(void)line;
	return try_malloc(n);
}

static void *
reallocate(void *p, size_t n, const char *file, int line)
{
	(void)file;
	(void)line;
	if (n > 0)
		return try_realloc(p, n);
	xfree(p);
	return NULL;
}

static void
release(void *p, const char *file, int line)
{
	(void)file;
	(void)line;
	xfree(p);
}

void
digest_init(void)
{
	(void)CRYPTO_set_mem_functions(allocate, reallocate, release);
}

void
digest_sha256(const void *data, size_t n, uint8_t out[DIGEST_SHA256_SIZE])
{
	if (EVP_Digest(data, n, out, NULL, EVP_sha256(), NULL) != 1)
		abort();
}

static const EVP_MD *
find_digest(enum digest_kind kind)
{
	static const EVP_MD *(*const makers[])(void) = {
		[DIGEST_MD5] = EVP_md5,
		[DIGEST_SHA1] = EVP_sha1,
		[DIGEST_SHA256] = EVP_sha256,
		[DIGEST_SHA512] = EVP_sha512,
	};

	return makers[kind]();
}

size_t
digest_size(enum digest_kind kind)
{
	return (size_t)EVP_MD_get_size(find_digest(kind));
}

bool
digest_both(enum digest_kind kind, struct slice first, struct slice second,
    uint8_t out[DIGEST_SIZE_MAX])
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool ok;

	if (ctx == NULL)
		abort();
	ok = EVP_DigestInit_ex(ctx, find_digest(kind), NULL) == 1 &&
	    EVP_DigestUpdate(ctx, first.data, first.len) == 1 &&
	    EVP_DigestUpdate(ctx, second.data, second.len) == 1 && EVP_DigestFinal_ex(ctx, out, NULL) == 1;
	EVP_MD_CTX_free(ctx);
	return ok;
}

bool
digest_hmac(enum digest_kind kind, struct slice key, struct slice data, uint8_t out[DIGEST_SIZE_MAX])
{
	const unsigned char *bytes = (const unsigned char *)data.data;

	return HMAC(find_digest(kind), key.data, (int)key.len, bytes, data.len, out, NULL) != NULL;
}

bool
digest_pbkdf2(enum digest_kind kind, struct slice password, struct slice salt, int rounds,
    uint8_t out[DIGEST_SIZE_MAX])
{
	const EVP_MD *md = find_digest(kind);
	const unsigned char *bytes = (const unsigned char *)salt.data;

	return PKCS5_PBKDF2_HMAC(password.data, (int)password.len, bytes, (int)salt.len, rounds, md,
		   (int)digest_size(kind), out) == 1;
}

/* A context that is ready to be copied: looking the algorithm up costs more than the digest. */
struct digest_marker {
	EVP_MAC *mac;
	EVP_MAC_CTX *ready;
};

struct digest_marker *
digest_marker_new(void)
{
	struct digest_marker *marker = xcalloc(1, sizeof(*marker));
	unsigned size = DIGEST_MARK_SIZE;
	const OSSL_PARAM params[] = {
		OSSL_PARAM_construct_uint(OSSL_MAC_PARAM_SIZE, &size), OSSL_PARAM_construct_end(),
	};
	unsigned char key[16];

	random_bytes(key, sizeof(key));
	marker->mac = EVP_MAC_fetch(NULL, "SIPHASH", NULL);
	marker->ready = EVP_MAC_CTX_new(marker->mac);
	if (marker->ready == NULL || EVP_MAC_init(marker->ready, key, sizeof(key), params) != 1)
		abort();
	secret_wipe(key, sizeof(key));
	return marker;
}

void
digest_marker_free(struct digest_marker **marker)
{
	struct digest_marker *m = *marker;

	*marker = NULL;
	if (m == NULL)
		return;
	EVP_MAC_CTX_free(m->ready);
	EVP_MAC_free(m->mac);
	xfree(m);
}

void
digest_mark(const struct digest_marker *marker, struct slice text, uint8_t mark[DIGEST_MARK_SIZE])
{
	EVP_MAC_CTX *ctx = EVP_MAC_CTX_dup(marker->ready);
	size_t size;

	if (ctx == NULL || EVP_MAC_update(ctx, (const unsigned char *)text.data, text.len) != 1 ||
	    EVP_MAC_final(ctx, mark, &size, DIGEST_MARK_SIZE) != 1)
		abort();
	EVP_MAC_CTX_free(ctx);
}

bool
secret_equals(const void *a, const void *b, size_t n)
{
	return CRYPTO_memcmp(a, b, n) == 0;
}

void
secret_wipe(void *data, size_t n)
{
	if (n > 0)
		explicit_bzero(data, n);
}

void
secret_free(char **text)
{
	if (*text != NULL)
		secret_wipe(*text, strlen(*text));
	xfree(*text);
	*text = NULL;
}
