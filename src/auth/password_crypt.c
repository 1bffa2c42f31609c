/* SPDX-License-Identifier: BSD-2-Clause */
/* password_crypt.c: the adapter to libcrypt: whatever hash it knows is good, yescrypt and bcrypt too. */
#include <crypt.h>
#include <string.h>

#include "auth/password_scheme.h"
#include "base/xalloc.h"

/* Where a method says what a hash costs: in a field, in one that may be missing, in the first digits. */
enum cost_place { COST_FIXED, COST_FIELD, COST_ROUNDS, COST_DIGITS };

static bool
is_bcrypt_cost(struct slice text)
{
	enum { LEAST = 4, MOST = 31 };
	uint64_t cost;

	return text.len == 2 && slice_to_number(text, MOST, &cost) && cost >= LEAST;
}

/* "rounds=5000" */
static bool
is_sha_cost(struct slice text)
{
	enum { LEAST = 1000, MOST = 999999999 };
	struct slice number = slice_from(text, strlen("rounds="));
	uint64_t rounds;

	return slice_to_number(number, MOST, &rounds) && rounds >= LEAST && number.data[0] != '0';
}

/* What kind, the logarithm of its N, its r: at least a digit each. */
static bool
is_yescrypt_cost(struct slice text)
{
	return text.len >= 3;
}

static bool
is_sha1_cost(struct slice text)
{
	uint64_t rounds;

	return slice_to_number(text, UINT32_MAX, &rounds);
}

static const struct method {
	const char *prefix;
	size_t hash_size;		/* behind the last "$": with bcrypt's salt, which ends in none */
	enum cost_place place;
	bool (*is_cost)(struct slice text);	/* of a field */
} methods[] = {
	{ "$1$",    22, COST_FIXED,  NULL },
	{ "$2a$",   53, COST_FIELD,  is_bcrypt_cost },
	{ "$2b$",   53, COST_FIELD,  is_bcrypt_cost },
	{ "$2x$",   53, COST_FIELD,  is_bcrypt_cost },
	{ "$2y$",   53, COST_FIELD,  is_bcrypt_cost },
	{ "$3$$",   32, COST_FIXED,  NULL },
	{ "$5$",    43, COST_ROUNDS, is_sha_cost },
	{ "$6$",    86, COST_ROUNDS, is_sha_cost },
	{ "$7$",    43, COST_DIGITS, NULL },
	{ "$y$",    43, COST_FIELD,  is_yescrypt_cost },
	{ "$gy$",   43, COST_FIELD,  is_yescrypt_cost },
	{ "$sha1$", 28, COST_FIELD,  is_sha1_cost },
	{ "$md5",   22, COST_FIXED,  NULL },
};

static const struct method *
find_method(struct slice hash)
{
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
		if (slice_has_prefix(hash, methods[i].prefix))
			return &methods[i];
	return NULL;
}

/* Takes it off the front of what is behind the method; empty where it is not said. */
static struct slice
take_cost(const struct method *method, struct slice *rest)
{
	enum { SCRYPT_DIGITS = 11 };
	struct slice text = *rest;

	switch (method != NULL ? method->place : COST_FIXED) {
	case COST_FIXED:
		break;
	case COST_ROUNDS:
		if (slice_has_prefix(*rest, "rounds="))
			return slice_take(rest, '$');
		break;
	case COST_FIELD:
		return slice_take(rest, '$');
	case COST_DIGITS:
		*rest = slice_from(*rest, SCRYPT_DIGITS);
		break;
	}
	return slice_make(text.data, text.len - rest->len);
}

/* All up to the cost, for the method is part of it.  DES has no "$", and four digits where it is extended. */
struct slice
crypt_cost(struct slice hash)
{
	enum { DES_EXTENDED_DIGITS = 4 };
	struct slice rest = slice_from(hash, 1);

	if (hash.data[0] != '$')
		return slice_make(hash.data, hash.data[0] == '_' ? 1 + DES_EXTENDED_DIGITS : 0);
	slice_take(&rest, '$');
	take_cost(find_method(hash), &rest);
	return slice_make(hash.data, hash.len - rest.len);
}

static bool
has_digits_only(struct slice text)
{
	static const char digits[] = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

	return strspn(text.data, digits) == text.len;
}

/* libcrypt looks at salts only: is there a whole hash behind it?  It may know newer methods than we do. */
static bool
has_hash(const struct method *method, struct slice hash)
{
	enum { SHORTEST = 22, DES = 13, DES_EXTENDED = 20 };	/* bare hashes have one length */
	const char *dollar = memrchr(hash.data, '$', hash.len);
	struct slice end = slice_from(hash, dollar != NULL ? (size_t)(dollar + 1 - hash.data) : 0);

	if (dollar == NULL && hash.data[0] == '_')
		return hash.len == DES_EXTENDED && has_digits_only(slice_from(hash, 1));
	if (!has_digits_only(end))
		return false;
	if (dollar == NULL)
		return hash.len == DES;
	return method != NULL ? end.len == method->hash_size : end.len >= SHORTEST;
}

static bool
has_good_cost(const struct method *method, struct slice hash)
{
	struct slice rest = slice_from(hash, 1), cost;

	if (method == NULL || method->is_cost == NULL)
		return true;
	slice_take(&rest, '$');
	cost = take_cost(method, &rest);
	return (cost.len == 0 && method->place == COST_ROUNDS) || method->is_cost(cost);
}

bool
crypt_is_sound(const struct password_scheme *scheme, struct slice hash)
{
	const struct method *method = find_method(hash);
	int result = crypt_checksalt(hash.data);

	(void)scheme;
	return strlen(hash.data) == hash.len && has_hash(method, hash) && has_good_cost(method, hash) &&
	    result != CRYPT_SALT_INVALID && result != CRYPT_SALT_METHOD_DISABLED;
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
