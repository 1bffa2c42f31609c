/* SPDX-License-Identifier: BSD-2-Clause */
/* password_argon2.c: the adapter to libargon2 (RFC 9106). */
#include "auth/password_scheme.h"

#ifdef HAVE_LIBARGON2
#include <argon2.h>
#endif
#include <string.h>

/* "$argon2id$v=19$m=65536,t=3,p=1", the version where it is said. */
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
argon2_is_sound(const struct password_scheme *scheme, struct slice hash)
{
	bool is_id = slice_equals(slice_of(scheme->name), "ARGON2ID");

	return slice_has_prefix(hash, is_id ? "$argon2id$" : "$argon2i$");
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
argon2_is_sound(const struct password_scheme *scheme, struct slice hash)
{
	(void)scheme;
	(void)hash;
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
