/* SPDX-License-Identifier: BSD-2-Clause */
/* cluster_signing.c: a line before the message: "signed INC SERIAL TIME HMAC", of the channel, too. */
#include "state/cluster_signing.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/map.h"
#include "base/xalloc.h"

enum {
	SIGNATURE_SIZE = 2 * DIGEST_SHA256_SIZE + 1,
	LATE_MS = 60 * 1000,
	SIGNERS_MAX = 10 * 1000		/* only who has the key becomes one */
};

static const char begin[] = "signed ";

struct signer {
	uint64_t serial;		/* of the latest one that was opened */
};

struct signing {
	uint8_t key[DIGEST_SHA256_SIZE];
	const char *channel, *incarnation;
	uint64_t serial;
	struct map *signers;
};

struct signing *
signing_new(const uint8_t key[DIGEST_SHA256_SIZE], const char *channel, const char *incarnation)
{
	struct signing *signing = xcalloc(1, sizeof(*signing));

	memcpy(signing->key, key, sizeof(signing->key));
	signing->channel = channel;
	signing->incarnation = incarnation;
	signing->signers = map_new();
	return signing;
}

static void
free_signer(const char *name, void *value, void *arg)
{
	(void)name;
	(void)arg;
	xfree(value);
}

void
signing_free(struct signing **signing)
{
	struct signing *gone = *signing;

	*signing = NULL;
	if (gone == NULL)
		return;
	map_each(gone->signers, free_signer, NULL);
	map_free(&gone->signers);
	secret_wipe(gone->key, sizeof(gone->key));
	xfree(gone);
}

/* Of "CHANNEL\nINC SERIAL TIME\nMESSAGE". */
static bool
make_signature(const struct signing *signing, struct slice head, struct slice message,
    char out[SIGNATURE_SIZE])
{
	uint8_t digest[DIGEST_SIZE_MAX];
	struct buf text = { 0 };
	bool ok;

	buf_printf(&text, "%s\n%.*s\n", signing->channel, SLICE_ARGS(head));
	buf_append_slice(&text, message);
	ok = digest_hmac(DIGEST_SHA256, slice_make((const char *)signing->key, sizeof(signing->key)),
	    buf_slice(&text), digest);
	for (size_t i = 0; ok && i < DIGEST_SHA256_SIZE; i++)
		snprintf(out + 2 * i, SIGNATURE_SIZE - 2 * i, "%02x", digest[i]);
	buf_clear(&text);
	return ok;
}

void
signing_write(struct signing *signing, struct slice message, int64_t now, struct buf *out)
{
	char signature[SIGNATURE_SIZE] = "";
	struct buf head = { 0 };

	buf_printf(&head, "%s %" PRIu64 " %" PRId64, signing->incarnation, ++signing->serial, now);
	(void)make_signature(signing, buf_slice(&head), message, signature);
	buf_printf(out, "%s%.*s %s\n", begin, SLICE_ARGS(buf_slice(&head)), signature);
	buf_append_slice(out, message);
	buf_clear(&head);
}

bool
signing_is_signed(struct slice message)
{
	return slice_has_prefix(message, begin);
}

/* False: it was opened before, or one that was signed later. */
static bool
is_next(struct signing *signing, struct slice incarnation, uint64_t serial)
{
	struct signer *signer = map_get(signing->signers, incarnation);

	if (signer == NULL && map_count(signing->signers) >= SIGNERS_MAX)
		return false;
	if (signer == NULL) {
		signer = xcalloc(1, sizeof(*signer));
		map_set(signing->signers, incarnation, signer);
	}
	if (serial <= signer->serial)
		return false;
	signer->serial = serial;
	return true;
}

bool
signing_open(struct signing *signing, struct slice *message, int64_t now)
{
	struct slice rest = *message, line, head, incarnation;
	char signature[SIGNATURE_SIZE];
	uint64_t serial, time;

	line = slice_take(&rest, '\n');
	if (!slice_has_prefix(line, begin) || line.len <= strlen(begin) + SIGNATURE_SIZE)
		return false;
	line = slice_from(line, strlen(begin));
	head = slice_make(line.data, line.len - SIGNATURE_SIZE);
	line = slice_from(line, head.len);
	if (*line.data != ' ' || !make_signature(signing, head, rest, signature) ||
	    !secret_equals(signature, line.data + 1, SIGNATURE_SIZE - 1))
		return false;
	incarnation = slice_take(&head, ' ');
	if (!slice_to_number(slice_take(&head, ' '), UINT64_MAX, &serial) ||
	    !slice_to_number(head, INT64_MAX, &time))
		return false;
	if ((int64_t)time < now - LATE_MS || (int64_t)time > now + LATE_MS)
		return false;
	*message = rest;
	return is_next(signing, incarnation, serial);
}
