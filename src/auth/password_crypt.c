/* SPDX-License-Identifier: BSD-2-Clause */
/* password_crypt.c: the adapter to libcrypt: whatever hash it knows is good, yescrypt and bcrypt too. */
#include <crypt.h>
#include <string.h>

#include "auth/password_scheme.h"
#include "base/xalloc.h"

/* As libcrypt looks at salts only: is there a hash behind it? */
static bool
has_hash(struct slice hash)
{
	enum { SHORTEST = 22, DES = 13, DES_EXTENDED = 20 };	/* that of $1$; a bare hash has one length */
	const char *dollar = memrchr(hash.data, '$', hash.len);

	if (dollar != NULL)
		return hash.len - (size_t)(dollar + 1 - hash.data) >= SHORTEST;
	return hash.len == (hash.data[0] == '_' ? DES_EXTENDED : DES);
}

bool
crypt_is_sound(const struct password_scheme *scheme, struct slice hash)
{
	int result = crypt_checksalt(hash.data);

	(void)scheme;
	return strlen(hash.data) == hash.len && has_hash(hash) && result != CRYPT_SALT_INVALID &&
	    result != CRYPT_SALT_METHOD_DISABLED;
}

bool
crypt_matches(const struct password_scheme *scheme, struct slice hash, struct slice given)
{
	struct crypt_data *data = xcalloc(1, sizeof(*data));	/* 32 KiB: not for a stack */
	const char *result = crypt_r(given.data, hash.data, data);
	bool ok;

	(void)scheme;
	ok = result != NULL && *result != '*' && strlen(result) == hash.len &&
	    secret_equals(result, hash.data, hash.len);
	secret_wipe(data, sizeof(*data));
	xfree(data);
	return ok;
}
