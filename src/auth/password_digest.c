/* SPDX-License-Identifier: BSD-2-Clause */
/* password_digest.c: the schemes made of a digest: plain, salted, PBKDF2 (RFC 8018), SCRAM (RFC 5802). */
#include <string.h>

#include "auth/password_scheme.h"
#include "auth/scram.h"
#include "base/buf.h"

bool
plain_is_sound(const struct password_scheme *scheme, struct slice hash)
{
	(void)scheme;
	(void)hash;
	return true;
}

/* Digests are compared, so that not even the length shows in the time. */
bool
plain_matches(const struct password_scheme *scheme, struct slice hash, struct slice given)
{
	uint8_t ours[DIGEST_SHA256_SIZE], theirs[DIGEST_SHA256_SIZE];
	bool ok;

	(void)scheme;
	digest_sha256(hash.data, hash.len, ours);
	digest_sha256(given.data, given.len, theirs);
	ok = secret_equals(ours, theirs, sizeof(ours));
	secret_wipe(ours, sizeof(ours));
	secret_wipe(theirs, sizeof(theirs));
	return ok;
}

bool
digest_is_sound(const struct password_scheme *scheme, struct slice hash)
{
	return hash.len == digest_size(scheme->digest);
}

bool
salted_is_sound(const struct password_scheme *scheme, struct slice hash)
{
	return hash.len >= digest_size(scheme->digest);
}

/* The salt is what lies behind the digest: nothing in the schemes without. */
bool
salted_matches(const struct password_scheme *scheme, struct slice hash, struct slice given)
{
	uint8_t out[DIGEST_SIZE_MAX];
	size_t size = digest_size(scheme->digest);
	bool ok;

	ok = digest_both(scheme->digest, given, slice_from(hash, size), out) &&
	    secret_equals(out, hash.data, size);
	secret_wipe(out, sizeof(out));
	return ok;
}

static bool
read_rounds(struct slice text, int *rounds)
{
	uint64_t number;

	if (!slice_to_number(text, DIGEST_ROUNDS_MAX, &number) || number == 0)
		return false;
	*rounds = (int)number;
	return true;
}

/* "$1$salt$rounds$key", the key in hexadecimal digits. */
struct pbkdf2 {
	struct slice salt, key;
	int rounds;
};

static bool
pbkdf2_read(const struct password_scheme *scheme, struct slice hash, struct pbkdf2 *out)
{
	if (slice_take(&hash, '$').len != 0 || !slice_equals(slice_take(&hash, '$'), "1"))
		return false;
	out->salt = slice_take(&hash, '$');
	if (!read_rounds(slice_take(&hash, '$'), &out->rounds))
		return false;
	out->key = hash;
	return out->key.len == 2 * digest_size(scheme->digest);
}

bool
pbkdf2_is_sound(const struct password_scheme *scheme, struct slice hash)
{
	struct pbkdf2 parts;
	struct buf key = { 0 };
	bool ok = pbkdf2_read(scheme, hash, &parts) && password_decode_hex(parts.key, &key);

	buf_wipe(&key);
	return ok;
}

struct slice
pbkdf2_cost(struct slice hash)
{
	enum { FIELDS_BEFORE = 3 };	/* nothing, the version, the salt */

	for (int i = 0; i < FIELDS_BEFORE; i++)
		slice_take(&hash, '$');
	return slice_take(&hash, '$');
}

bool
pbkdf2_matches(const struct password_scheme *scheme, struct slice hash, struct slice given)
{
	uint8_t out[DIGEST_SIZE_MAX];
	struct buf key = { 0 };
	struct pbkdf2 parts;
	bool ok;

	ok = pbkdf2_read(scheme, hash, &parts) && password_decode_hex(parts.key, &key) &&
	    digest_pbkdf2(scheme->digest, given, parts.salt, parts.rounds, out) &&
	    secret_equals(out, buf_data(&key), buf_len(&key));
	secret_wipe(out, sizeof(out));
	buf_wipe(&key);
	return ok;
}

bool
scram_is_sound(const struct password_scheme *scheme, struct slice hash)
{
	struct scram_secret secret = { .digest = scheme->digest };
	bool ok = scram_secret_read(&secret, hash);

	scram_secret_wipe(&secret);
	return ok;
}

bool
scram_matches(const struct password_scheme *scheme, struct slice hash, struct slice given)
{
	struct scram_secret secret = { .digest = scheme->digest };
	uint8_t kept[DIGEST_SIZE_MAX];
	bool ok = scram_secret_read(&secret, hash);

	memcpy(kept, secret.stored_key, sizeof(kept));
	ok = ok && scram_secret_derive(&secret, given) &&
	    secret_equals(kept, secret.stored_key, digest_size(scheme->digest));
	scram_secret_wipe(&secret);
	secret_wipe(kept, sizeof(kept));
	return ok;
}

struct slice
scram_cost(struct slice hash)
{
	return slice_take(&hash, ',');
}
