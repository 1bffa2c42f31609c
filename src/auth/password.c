/* SPDX-License-Identifier: BSD-2-Clause */
/* password.c: the table of schemes, and which of them a password has. */
#include "auth/password.h"

#include <string.h>

#include "auth/password_scheme.h"
#include "base/base64.h"
#include "base/buf.h"

/* Of a name with several rows, it is the first one whose hash this may be. */
static const struct password_scheme schemes[] = {
	/* name           coding           digest         sound            matches        cost */
	{ "PLAIN",         PASSWORD_AS_IS,  DIGEST_SHA256, plain_is_sound,  plain_matches,  NULL },
	{ "CLEARTEXT",     PASSWORD_AS_IS,  DIGEST_SHA256, plain_is_sound,  plain_matches,  NULL },
	{ "CLEAR",         PASSWORD_AS_IS,  DIGEST_SHA256, plain_is_sound,  plain_matches,  NULL },
	{ "CRYPT",         PASSWORD_AS_IS,  DIGEST_SHA256, crypt_is_sound,  crypt_matches,  crypt_cost },
	{ "SHA512-CRYPT",  PASSWORD_AS_IS,  DIGEST_SHA256, crypt_is_sound,  crypt_matches,  crypt_cost },
	{ "SHA256-CRYPT",  PASSWORD_AS_IS,  DIGEST_SHA256, crypt_is_sound,  crypt_matches,  crypt_cost },
	{ "BLF-CRYPT",     PASSWORD_AS_IS,  DIGEST_SHA256, crypt_is_sound,  crypt_matches,  crypt_cost },
	{ "MD5-CRYPT",     PASSWORD_AS_IS,  DIGEST_SHA256, crypt_is_sound,  crypt_matches,  crypt_cost },
	{ "MD5",           PASSWORD_AS_IS,  DIGEST_SHA256, crypt_is_sound,  crypt_matches,  crypt_cost },
	{ "MD5",           PASSWORD_HEX,    DIGEST_MD5,    digest_is_sound, salted_matches, NULL },
	{ "DES-CRYPT",     PASSWORD_AS_IS,  DIGEST_SHA256, crypt_is_sound,  crypt_matches,  crypt_cost },
	{ "SHA",           PASSWORD_BASE64, DIGEST_SHA1,   digest_is_sound, salted_matches, NULL },
	{ "SHA1",          PASSWORD_BASE64, DIGEST_SHA1,   digest_is_sound, salted_matches, NULL },
	{ "SHA256",        PASSWORD_BASE64, DIGEST_SHA256, digest_is_sound, salted_matches, NULL },
	{ "SHA512",        PASSWORD_BASE64, DIGEST_SHA512, digest_is_sound, salted_matches, NULL },
	{ "LDAP-MD5",      PASSWORD_BASE64, DIGEST_MD5,    digest_is_sound, salted_matches, NULL },
	{ "PLAIN-MD5",     PASSWORD_HEX,    DIGEST_MD5,    digest_is_sound, salted_matches, NULL },
	{ "SSHA",          PASSWORD_BASE64, DIGEST_SHA1,   salted_is_sound, salted_matches, NULL },
	{ "SSHA256",       PASSWORD_BASE64, DIGEST_SHA256, salted_is_sound, salted_matches, NULL },
	{ "SSHA512",       PASSWORD_BASE64, DIGEST_SHA512, salted_is_sound, salted_matches, NULL },
	{ "SMD5",          PASSWORD_BASE64, DIGEST_MD5,    salted_is_sound, salted_matches, NULL },
	{ "PBKDF2",        PASSWORD_AS_IS,  DIGEST_SHA1,   pbkdf2_is_sound, pbkdf2_matches, pbkdf2_cost },
	{ "SCRAM-SHA-1",   PASSWORD_AS_IS,  DIGEST_SHA1,   scram_is_sound,  scram_matches,  scram_cost },
	{ "SCRAM-SHA-256", PASSWORD_AS_IS,  DIGEST_SHA256, scram_is_sound,  scram_matches,  scram_cost },
	{ "CRAM-MD5",      PASSWORD_HEX,    DIGEST_MD5,    cram_is_sound,   cram_matches,   NULL },
	{ "ARGON2I",       PASSWORD_AS_IS,  DIGEST_SHA256, argon2_is_sound, argon2_matches, argon2_cost },
	{ "ARGON2ID",      PASSWORD_AS_IS,  DIGEST_SHA256, argon2_is_sound, argon2_matches, argon2_cost },
};

static const struct {
	const char *suffix;
	enum password_coding coding;
} codings[] = {
	{ ".HEX", PASSWORD_HEX },
	{ ".B64", PASSWORD_BASE64 },
	{ ".BASE64", PASSWORD_BASE64 },
};

/* What stands in braces. */
struct label {
	struct slice name;
	bool has_coding;
	enum password_coding coding;
};

/* The first row of the name; or, of those behind `last`, the next one. */
static const struct password_scheme *
find_scheme(struct slice name, const struct password_scheme *last)
{
	for (size_t i = last != NULL ? (size_t)(last - schemes) + 1 : 0;
	     i < sizeof(schemes) / sizeof(schemes[0]); i++)
		if (slice_equals_nocase(name, schemes[i].name))
			return &schemes[i];
	return NULL;
}

/* "SCHEME" or "SCHEME.CODING"; a coding that is not known is part of an unknown scheme's name. */
static bool
read_label(struct slice text, struct label *label)
{
	const char *dot = text.len > 0 ? memrchr(text.data, '.', text.len) : NULL;
	struct slice suffix = slice_from(text, dot != NULL ? (size_t)(dot - text.data) : text.len);

	*label = (struct label){ .name = slice_make(text.data, text.len - suffix.len) };
	for (size_t i = 0; i < sizeof(codings) / sizeof(codings[0]) && !label->has_coding; i++) {
		label->has_coding = slice_equals_nocase(suffix, codings[i].suffix);
		label->coding = codings[i].coding;
	}
	return (suffix.len == 0 || label->has_coding) && find_scheme(label->name, NULL) != NULL;
}

static int
hex_digit(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = c != '\0' ? strchr(digits, c >= 'A' && c <= 'F' ? c - 'A' + 'a' : c) : NULL;

	return at != NULL ? (int)(at - digits) : -1;
}

bool
password_decode_hex(struct slice in, struct buf *out)
{
	for (size_t i = 0; i + 1 < in.len; i += 2) {
		int high = hex_digit(in.data[i]), low = hex_digit(in.data[i + 1]);
		char byte;

		if (high < 0 || low < 0)
			return false;
		byte = (char)(high << 4 | low);
		buf_append(out, &byte, 1);
	}
	return in.len % 2 == 0;
}

/* The bytes of the hash, and a NUL behind them. */
static bool
decode(const struct password *password, struct buf *out)
{
	struct slice text = slice_of(password->hash);
	bool ok = true;

	switch (password->coding) {
	case PASSWORD_AS_IS:
		buf_append_slice(out, text);
		break;
	case PASSWORD_BASE64:
		ok = base64_decode(text, out);
		break;
	case PASSWORD_HEX:
		ok = password_decode_hex(text, out);
		break;
	}
	*buf_reserve(out, 1) = '\0';
	return ok;
}

/* Of digests without salt the length tells how they are written, where that is not said. */
static enum password_coding
find_coding(const struct label *label, const struct password_scheme *scheme, const char *hash)
{
	if (label->has_coding)
		return label->coding;
	if (scheme->is_sound != digest_is_sound)
		return scheme->coding;
	return strlen(hash) == 2 * digest_size(scheme->digest) ? PASSWORD_HEX : PASSWORD_BASE64;
}

static bool
is_sound(const struct password *password)
{
	const struct password_scheme *scheme = password->scheme;
	struct buf hash = { 0 };
	bool ok = decode(password, &hash) && scheme->is_sound(scheme, buf_slice(&hash));

	buf_wipe(&hash);
	return ok;
}

static bool
is_locked(const char *hash)
{
	return *hash == '*' || *hash == '!';
}

static bool
read_hash(const struct label *label, struct password *password, struct error *error)
{
	const struct password_scheme *scheme = find_scheme(label->name, NULL);

	if (scheme->is_sound == crypt_is_sound && is_locked(password->hash))
		return true;
	if (scheme->is_sound == argon2_is_sound && !argon2_is_there())
		return error_set(error, "%s needs a build with libargon2", scheme->name);
	for (; scheme != NULL; scheme = find_scheme(label->name, scheme)) {
		password->scheme = scheme;
		password->coding = find_coding(label, scheme, password->hash);
		if (is_sound(password))
			return true;
	}
	return error_set(error, "the password is none of scheme %s", password->scheme->name);
}

bool
password_read(const char *text, struct password *password, struct error *error)
{
	const char *end = *text == '{' ? strchr(text, '}') : NULL;
	struct label label;

	*password = (struct password){ .hash = end != NULL ? end + 1 : text };
	if (*text == '{' && end == NULL)
		return error_set(error, "no } after the password's scheme");
	if (end == NULL && (*text == '\0' || is_locked(text)))
		return true;
	if (!read_label(end != NULL ? slice_make(text + 1, (size_t)(end - text) - 1) : slice_of("CRYPT"),
		&label))
		return error_set(error, "unknown password scheme %.*s}", (int)(end - text), text);
	return read_hash(&label, password, error);
}

bool
password_is_slow(const struct password *password)
{
	return password->scheme != NULL && password->scheme->cost != NULL;
}

bool
password_matches(const struct password *password, struct slice given)
{
	const struct password_scheme *scheme = password->scheme;
	struct buf hash = { 0 }, copy = { 0 };
	bool ok;

	if (scheme == NULL || (given.len > 0 && memchr(given.data, '\0', given.len) != NULL))
		return false;
	buf_append_slice(&copy, given);
	*buf_reserve(&copy, 1) = '\0';
	ok = decode(password, &hash) && scheme->matches(scheme, buf_slice(&hash), buf_slice(&copy));
	buf_wipe(&hash);
	buf_wipe(&copy);
	return ok;
}

/* Hashes of crypt tell by themselves what they are, under whichever of its schemes. */
void
password_class(const struct password *password, struct buf *out)
{
	const struct password_scheme *scheme = password->scheme;
	struct buf hash = { 0 };

	if (scheme == NULL)
		return;
	if (scheme->cost == NULL) {
		buf_append_text(out, "fast");
		return;
	}
	buf_printf(out, "%s ", scheme->cost == crypt_cost ? "CRYPT" : scheme->name);
	if (decode(password, &hash))
		buf_append_slice(out, scheme->cost(buf_slice(&hash)));
	buf_wipe(&hash);
}

bool
password_is_clear_text(const struct password *password)
{
	return password->scheme != NULL && password->scheme->matches == plain_matches;
}

static bool
is_cram_md5(const struct password *password)
{
	return password->scheme != NULL && password->scheme->matches == cram_matches;
}

static bool
is_scram_sha_256(const struct password *password)
{
	return password->scheme != NULL && password->scheme->matches == scram_matches &&
	    password->scheme->digest == DIGEST_SHA256;
}

unsigned
password_proofs(const struct password *password)
{
	if (password_is_clear_text(password))
		return mechanisms_provable();
	if (is_cram_md5(password))
		return MECHANISM_BIT(MECHANISM_CRAM_MD5);
	return is_scram_sha_256(password) ? MECHANISM_BIT(MECHANISM_SCRAM_SHA_256) : 0;
}

bool
password_clear_text(const struct password *password, struct buf *out)
{
	return password_is_clear_text(password) && decode(password, out);
}

bool
password_scram_secret(const struct password *password, struct scram_secret *secret)
{
	struct buf hash = { 0 };
	bool ok;

	*secret = (struct scram_secret){ .digest = DIGEST_SHA256 };
	ok = is_scram_sha_256(password) && decode(password, &hash) &&
	    scram_secret_read(secret, buf_slice(&hash));
	buf_wipe(&hash);
	return ok;
}

bool
password_apop(const struct password *password, struct slice timestamp, uint8_t digest[DIGEST_SIZE_MAX])
{
	struct buf kept = { 0 };
	bool ok = password_clear_text(password, &kept) &&
	    digest_both(DIGEST_MD5, timestamp, buf_slice(&kept), digest);

	buf_wipe(&kept);
	return ok;
}

bool
password_cram_md5(const struct password *password, struct slice challenge, uint8_t digest[DIGEST_SIZE_MAX])
{
	struct buf kept = { 0 };
	bool ok = false;

	if (password_clear_text(password, &kept)) {
		ok = digest_hmac(DIGEST_MD5, buf_slice(&kept), challenge, digest);
	} else if (is_cram_md5(password)) {
		ok = decode(password, &kept);
		cram_digest(buf_slice(&kept), challenge, digest);
	}
	buf_wipe(&kept);
	return ok;
}
