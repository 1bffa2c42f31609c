/* SPDX-License-Identifier: BSD-2-Clause */
/* password_scheme.h: what a scheme is, for the files that have some: one row of password.c each. */
#ifndef AUTH_PASSWORD_SCHEME_H
#define AUTH_PASSWORD_SCHEME_H

#include "auth/password.h"
#include "base/digest.h"

struct password_scheme {
	const char *name;
	enum password_coding coding;
	enum digest_kind digest;
	/* May this be a hash?  It is decoded, and a NUL is behind it. */
	bool (*is_sound)(const struct password_scheme *scheme, struct slice hash);
	/* Only for what is sound.  `given` has no NUL in it, and one behind it. */
	bool (*matches)(const struct password_scheme *scheme, struct slice hash, struct slice given);
	/* The part of what is sound that tells how long to match takes; NULL: no time. */
	struct slice (*cost)(struct slice hash);
};

/* password_digest.c */
bool plain_is_sound(const struct password_scheme *scheme, struct slice hash);
bool plain_matches(const struct password_scheme *scheme, struct slice hash, struct slice given);
bool digest_is_sound(const struct password_scheme *scheme, struct slice hash);
bool salted_is_sound(const struct password_scheme *scheme, struct slice hash);
bool salted_matches(const struct password_scheme *scheme, struct slice hash, struct slice given);
bool pbkdf2_is_sound(const struct password_scheme *scheme, struct slice hash);
bool pbkdf2_matches(const struct password_scheme *scheme, struct slice hash, struct slice given);
struct slice pbkdf2_cost(struct slice hash);
bool scram_is_sound(const struct password_scheme *scheme, struct slice hash);
bool scram_matches(const struct password_scheme *scheme, struct slice hash, struct slice given);
struct slice scram_cost(struct slice hash);

/* password_cram.c */
bool cram_is_sound(const struct password_scheme *scheme, struct slice hash);
bool cram_matches(const struct password_scheme *scheme, struct slice hash, struct slice given);
void cram_digest(struct slice hash, struct slice challenge, uint8_t out[DIGEST_SIZE_MAX]);

/* password_crypt.c */
bool crypt_is_sound(const struct password_scheme *scheme, struct slice hash);
bool crypt_matches(const struct password_scheme *scheme, struct slice hash, struct slice given);
struct slice crypt_cost(struct slice hash);

/* password_argon2.c */
bool argon2_is_there(void);
bool argon2_is_sound(const struct password_scheme *scheme, struct slice hash);
bool argon2_matches(const struct password_scheme *scheme, struct slice hash, struct slice given);
struct slice argon2_cost(struct slice hash);

#endif
