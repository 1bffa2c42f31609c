/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scram.h: SCRAM (RFC 5802, RFC 7677) as a server, without I/O: what is kept of a user's password, and an
 * exchange of messages by it.  Passwords are taken as they are, without SASLprep, as Dovecot takes them.
 */
#ifndef AUTH_SCRAM_H
#define AUTH_SCRAM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/slice.h"

enum { SCRAM_ROUNDS = 4096, SCRAM_SALT_SIZE = 16 };	/* where nobody has chosen; RFC 7677 wants as many */

/* Zero but for `digest` before scram_secret_read, and the salt and the rounds too before ..._derive. */
struct scram_secret {
	enum digest_kind digest;
	struct buf salt;
	int rounds;
	uint8_t stored_key[DIGEST_SIZE_MAX], server_key[DIGEST_SIZE_MAX];
};

/* "rounds,salt,StoredKey,ServerKey", all but the first in base64.  Wipe it also after false. */
bool scram_secret_read(struct scram_secret *secret, struct slice text);
/* Takes milliseconds and more, by the rounds; false where the machine's policy forbids the digest. */
bool scram_secret_derive(struct scram_secret *secret, struct slice password);
void scram_secret_wipe(struct scram_secret *secret);

struct scram {				/* begins as zero */
	struct buf messages;		/* what the proof is made over */
	struct buf binding;		/* the client's GS2 header, in base64 as it will be repeated */
	struct buf nonce;		/* the client's and ours */
};

/* Appends the server's first message, for which the keys are not needed; false: the client's is malformed. */
bool scram_begin(struct scram *scram, struct slice client_first, const struct scram_secret *secret,
    struct slice server_nonce, struct buf *server_first);
/* Once: appends the server's last message where the client has proved that it knows the password. */
bool scram_verify(struct scram *scram, struct slice client_final, const struct scram_secret *secret,
    struct buf *server_final);
void scram_clear(struct scram *scram);

#endif
