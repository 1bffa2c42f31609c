/* SPDX-License-Identifier: BSD-2-Clause */
/* password_argon2.c: the adapter to libargon2 (RFC 9106), without which nothing matches. */
#include "auth/password_scheme.h"

#ifdef HAVE_LIBARGON2
#include <argon2.h>
#endif
#include <string.h>

/* Takes "m=65536" or so off the front of the text. */
static bool
take_number(struct slice *text, const char *name, uint64_t least, uint64_t *number)
{
	struct slice part = slice_take(text, ',');

	return slice_has_prefix(part, name) &&
	    slice_to_number(slice_from(part, strlen(name)), UINT32_MAX, number) && *number >= least;
}

/* "m=65536,t=3,p=1": KiB, passes, lanes. */
static bool
is_cost(struct slice text)
{
	enum { LEAST_OF_A_LANE = 8, LANES_MAX = 0xffffff };
	uint64_t memory, passes, lanes;

	return take_number(&text, "m=", LEAST_OF_A_LANE, &memory) && take_number(&text, "t=", 1, &passes) &&
	    take_number(&text, "p=", 1, &lanes) && text.len == 0 && lanes <= LANES_MAX &&
	    memory >= LEAST_OF_A_LANE * lanes;
}

/* Base64 without its "=", of so many bytes at least. */
static bool
is_unpadded(struct slice text, size_t least)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < text.len; i++)
		if (memchr(digits, text.data[i], sizeof(digits) - 1) == NULL)
			return false;
	return text.len % 4 != 1 && text.len * 3 / 4 >= least;
}

/* "$argon2id$v=19$m=65536,t=3,p=1$salt$hash"; 19 is the version, and 16 where none is said. */
bool
argon2_is_sound(const struct password_scheme *scheme, struct slice hash)
{
	enum { SALT_LEAST = 8, HASH_LEAST = 4 };
	bool is_id = slice_equals(slice_of(scheme->name), "ARGON2ID");
	struct slice field = slice_take(&hash, '$');

	if (field.len != 0 || !slice_equals(slice_take(&hash, '$'), is_id ? "argon2id" : "argon2i"))
		return false;
	field = slice_take(&hash, '$');
	if (slice_equals(field, "v=19") || slice_equals(field, "v=16"))
		field = slice_take(&hash, '$');
	return is_cost(field) && is_unpadded(slice_take(&hash, '$'), SALT_LEAST) &&
	    is_unpadded(hash, HASH_LEAST);
}

/* "$argon2id$v=19$m=65536,t=3,p=1$" */
struct slice
argon2_cost(struct slice hash)
{
	struct slice rest = slice_from(hash, 1);

	slice_take(&rest, '$');
	if (slice_has_prefix(rest, "v="))
		slice_take(&rest, '$');
	slice_take(&rest, '$');
	return slice_make(hash.data, hash.len - rest.len);
}

#ifdef HAVE_LIBARGON2
bool
argon2_is_there(void)
{
	return true;
}

bool
argon2_matches(const struct password_scheme *scheme, struct slice hash, struct slice given)
{
	(void)scheme;
	return argon2_verify(hash.data, given.data, given.len,
		   slice_has_prefix(hash, "$argon2id$") ? Argon2_id : Argon2_i) == ARGON2_OK;
}
#endif

#ifndef HAVE_LIBARGON2
bool
argon2_is_there(void)
{
	return false;
}

bool
argon2_matches(const struct password_scheme *scheme, struct slice hash, struct slice given)
{
	(void)scheme;
	(void)hash;
	(void)given;
	return false;
}
#endif
