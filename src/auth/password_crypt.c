/* SPDX-License-Identifier: BSD-2-Clause */
/* password_crypt.c: the adapter to libcrypt: whatever hash it knows is good, yescrypt and bcrypt too. */
#include <crypt.h>
#include <string.h>

#include "auth/password_scheme.h"
#include "base/xalloc.h"

/* Where a method says what a hash costs: in a field, in one that may be missing, in the first digits. */
enum cost_place { COST_FIELD, COST_ROUNDS, COST_DIGITS };

static const struct method {
	const char *prefix;
	enum cost_place cost;
} methods[] = {
	{ "$2", COST_FIELD }, { "$y$", COST_FIELD }, { "$gy$", COST_FIELD }, { "$sha1$", COST_FIELD },
	{ "$5$", COST_ROUNDS }, { "$6$", COST_ROUNDS }, { "$7$", COST_DIGITS },
};

static const struct method *
find_method(struct slice hash)
{
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
		if (slice_has_prefix(hash, methods[i].prefix))
			return &methods[i];
	return NULL;
}

/* All up to the cost, for the method is part of it.  DES has no "$", and four digits where it is extended. */
struct slice
crypt_cost(struct slice hash)
{
	enum { DES_EXTENDED_DIGITS = 4, SCRYPT_DIGITS = 11 };
	const struct method *method = find_method(hash);
	struct slice rest = slice_from(hash, 1);

	if (hash.data[0] != '$')
		return slice_make(hash.data, hash.data[0] == '_' ? 1 + DES_EXTENDED_DIGITS : 0);
	slice_take(&rest, '$');
	if (method != NULL && method->cost == COST_DIGITS)
		rest = slice_from(rest, SCRYPT_DIGITS);
	else if (method != NULL && (method->cost == COST_FIELD || slice_has_prefix(rest, "rounds=")))
		slice_take(&rest, '$');
	return slice_make(hash.data, hash.len - rest.len);
}

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
