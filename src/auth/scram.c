/* SPDX-License-Identifier: BSD-2-Clause */
/* scram.c: the messages of SCRAM, read and written, and the proofs made over them. */
#include "auth/scram.h"

#include <string.h>

#include "base/base64.h"

static const struct slice nothing = { "", 0 };

static struct slice
slice_of_key(const uint8_t *key, enum digest_kind digest)
{
	return slice_make((const char *)key, digest_size(digest));
}

static bool
read_key(struct slice text, enum digest_kind digest, uint8_t key[DIGEST_SIZE_MAX])
{
	struct buf bytes = { 0 };
	bool ok = base64_decode(text, &bytes) && buf_len(&bytes) == digest_size(digest);

	if (ok)
		memcpy(key, buf_data(&bytes), buf_len(&bytes));
	buf_wipe(&bytes);
	return ok;
}

bool
scram_secret_read(struct scram_secret *secret, struct slice text)
{
	uint64_t rounds;

	if (!slice_to_number(slice_take(&text, ','), DIGEST_ROUNDS_MAX, &rounds) || rounds == 0)
		return false;
	secret->rounds = (int)rounds;
	return base64_decode(slice_take(&text, ','), &secret->salt) &&
	    read_key(slice_take(&text, ','), secret->digest, secret->stored_key) &&
	    read_key(text, secret->digest, secret->server_key);
}

bool
scram_secret_derive(struct scram_secret *secret, struct slice password)
{
	enum digest_kind digest = secret->digest;
	uint8_t salted[DIGEST_SIZE_MAX], client_key[DIGEST_SIZE_MAX];
	bool ok;

	ok = digest_pbkdf2(digest, password, buf_slice(&secret->salt), secret->rounds, salted) &&
	    digest_hmac(digest, slice_of_key(salted, digest), slice_of("Client Key"), client_key) &&
	    digest_both(digest, slice_of_key(client_key, digest), nothing, secret->stored_key) &&
	    digest_hmac(digest, slice_of_key(salted, digest), slice_of("Server Key"), secret->server_key);
	secret_wipe(salted, sizeof(salted));
	secret_wipe(client_key, sizeof(client_key));
	return ok;
}

void
scram_secret_wipe(struct scram_secret *secret)
{
	buf_wipe(&secret->salt);
	secret_wipe(secret, sizeof(*secret));
}

static bool
take_prefix(struct slice *text, const char *prefix)
{
	if (!slice_has_prefix(*text, prefix))
		return false;
	*text = slice_from(*text, strlen(prefix));
	return true;
}

/* RFC 5802 section 7: printable, and no comma, which has ended it. */
static bool
is_nonce(struct slice text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.data[i] <= ' ' || text.data[i] > '~')
			return false;
	return text.len > 0;
}

bool
scram_begin(struct scram *scram, struct slice client_first, const struct scram_secret *secret,
    struct slice server_nonce, struct buf *server_first)
{
	struct slice bare = client_first, rest, header, nonce;
	struct buf message = { 0 };

	/* commas within names are written otherwise */
	slice_take(&bare, ',');		/* what the client says of channel binding */
	slice_take(&bare, ',');		/* for whom it acts */
	header = slice_make(client_first.data, client_first.len - bare.len);
	rest = bare;
	if (!slice_has_prefix(slice_take(&rest, ','), "n="))
		return false;
	nonce = slice_take(&rest, ',');		/* extensions behind it are to be ignored */
	if (!take_prefix(&nonce, "r=") || !is_nonce(nonce))
		return false;
	base64_encode(header, &scram->binding);
	buf_append_slice(&scram->nonce, nonce);
	buf_append_slice(&scram->nonce, server_nonce);
	buf_printf(&message, "r=%.*s,s=", SLICE_ARGS(buf_slice(&scram->nonce)));
	base64_encode(buf_slice(&secret->salt), &message);
	buf_printf(&message, ",i=%d", secret->rounds);
	buf_append_slice(&scram->messages, bare);
	buf_append_text(&scram->messages, ",");
	buf_append_slice(&scram->messages, buf_slice(&message));
	buf_append_slice(server_first, buf_slice(&message));
	buf_clear(&message);
	return true;
}

static bool
is_same(struct slice a, const struct buf *b)
{
	return a.len == buf_len(b) && memcmp(a.data, buf_slice(b).data, a.len) == 0;
}

/* "c=binding,r=nonce,extensions,p=proof"; what is before the last comma goes to `without_proof`. */
static bool
read_final(const struct scram *scram, struct slice message, struct slice *without_proof, struct slice *proof)
{
	const char *comma = message.len > 0 ? memrchr(message.data, ',', message.len) : NULL;
	struct slice rest, binding, nonce;

	if (comma == NULL)
		return false;
	rest = *without_proof = slice_make(message.data, (size_t)(comma - message.data));
	*proof = slice_from(message, rest.len + 1);
	binding = slice_take(&rest, ',');
	nonce = slice_take(&rest, ',');
	while (rest.len > 0)	/* what is mandatory to understand is not understood */
		if (slice_has_prefix(slice_take(&rest, ','), "m="))
			return false;
	return take_prefix(proof, "p=") && take_prefix(&binding, "c=") && is_same(binding, &scram->binding) &&
	    take_prefix(&nonce, "r=") && is_same(nonce, &scram->nonce);
}

/* The proof is the client's key under a signature that only those can make who have the stored one. */
static bool
is_proved(enum digest_kind digest, struct slice messages, const uint8_t proof[DIGEST_SIZE_MAX],
    const uint8_t stored_key[DIGEST_SIZE_MAX])
{
	uint8_t key[DIGEST_SIZE_MAX], found[DIGEST_SIZE_MAX];
	bool ok = digest_hmac(digest, slice_of_key(stored_key, digest), messages, key);

	for (size_t i = 0; ok && i < digest_size(digest); i++)
		key[i] ^= proof[i];
	ok = ok && digest_both(digest, slice_of_key(key, digest), nothing, found) &&
	    secret_equals(found, stored_key, digest_size(digest));
	secret_wipe(key, sizeof(key));
	secret_wipe(found, sizeof(found));
	return ok;
}

bool
scram_verify(struct scram *scram, struct slice client_final, const struct scram_secret *secret,
    struct buf *server_final)
{
	enum digest_kind digest = secret->digest;
	uint8_t proof[DIGEST_SIZE_MAX], signature[DIGEST_SIZE_MAX];
	struct slice without_proof, text;
	bool ok;

	if (!read_final(scram, client_final, &without_proof, &text) || !read_key(text, digest, proof))
		return false;
	buf_append_text(&scram->messages, ",");
	buf_append_slice(&scram->messages, without_proof);
	ok = is_proved(digest, buf_slice(&scram->messages), proof, secret->stored_key) &&
	    digest_hmac(digest, slice_of_key(secret->server_key, digest), buf_slice(&scram->messages),
		signature);
	if (ok) {
		buf_append_text(server_final, "v=");
		base64_encode(slice_of_key(signature, digest), server_final);
	}
	secret_wipe(proof, sizeof(proof));
	secret_wipe(signature, sizeof(signature));
	return ok;
}

void
scram_clear(struct scram *scram)
{
	buf_wipe(&scram->messages);
	buf_wipe(&scram->binding);
	buf_wipe(&scram->nonce);
}
