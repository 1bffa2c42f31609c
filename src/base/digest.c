/* SPDX-License-Identifier: BSD-2-Clause */
/* digest.c: the adapter to OpenSSL's digests. */
#include "base/digest.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

void
digest_sha256(const void *data, size_t n, uint8_t out[DIGEST_SHA256_SIZE])
{
	if (EVP_Digest(data, n, out, NULL, EVP_sha256(), NULL) != 1)
		abort();
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
