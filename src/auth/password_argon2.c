/* SPDX-License-Identifier: BSD-2-Clause */
/* password_argon2.c: the adapter to libargon2 (RFC 9106). */
#include "auth/password_scheme.h"

#ifdef HAVE_LIBARGON2
#include <argon2.h>
#include <string.h>

bool
argon2_is_there(void)
{
	return true;
}

static bool
has_prefix(struct slice hash, const char *prefix)
{
	return hash.len > strlen(prefix) && memcmp(hash.data, prefix, strlen(prefix)) == 0;
}

bool
argon2_is_sound(const struct password_scheme *scheme, struct slice hash)
{
	bool is_id = slice_equals(slice_of(scheme->name), "ARGON2ID");

	return has_prefix(hash, is_id ? "$argon2id$" : "$argon2i$");
}

bool
argon2_matches(const struct password_scheme *scheme, struct slice hash, struct slice given)
{
	(void)scheme;
	return argon2_verify(hash.data, given.data, given.len,
		   has_prefix(hash, "$argon2id$") ? Argon2_id : Argon2_i) == ARGON2_OK;
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
