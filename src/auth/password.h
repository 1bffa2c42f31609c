/* SPDX-License-Identifier: BSD-2-Clause */
/* password.h: passwords as Dovecot keeps them, "{SCHEME}hash", and whether one that is given is the same. */
#ifndef AUTH_PASSWORD_H
#define AUTH_PASSWORD_H

#include <stdbool.h>

#include "auth/scram.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/mechanism.h"
#include "base/slice.h"

struct password_scheme;

enum password_coding {
	PASSWORD_AS_IS,
	PASSWORD_BASE64,
	PASSWORD_HEX
};

struct password {
	const struct password_scheme *scheme;	/* NULL: locked, nothing matches ("", "*…" and "!…") */
	const char *hash;			/* within the text that was read */
	enum password_coding coding;		/* of the hash: {SCHEME.HEX}, {SCHEME.B64} or its own */
};

/* Without a scheme it is {CRYPT}.  `text` is pointed into.  false: the error tells what is wrong. */
bool password_read(const char *text, struct password *password, struct error *error);
bool password_is_slow(const struct password *password);	/* to match takes long: not for a loop */
bool password_matches(const struct password *password, struct slice given);
/* Appends "CRYPT $2y$10$" or the like: what takes the same time to match has the same class; locked: "". */
void password_class(const struct password *password, struct buf *out);
/* Of the mechanisms with a proof: those that what is kept suffices for. */
unsigned password_proofs(const struct password *password);
bool password_decode_hex(struct slice in, struct buf *out);	/* appends; false: no digits, or odd */
bool password_is_clear_text(const struct password *password);
/* Appends the password itself; false: it is not kept. */
bool password_clear_text(const struct password *password, struct buf *out);
/* What CRAM-MD5 answers to the challenge; false: not enough is kept. */
bool password_cram_md5(const struct password *password, struct slice challenge,
    uint8_t digest[DIGEST_SIZE_MAX]);
/* What APOP answers to the greeting's timestamp; likewise. */
bool password_apop(const struct password *password, struct slice timestamp,
    uint8_t digest[DIGEST_SIZE_MAX]);
/* What is kept for SCRAM-SHA-256; false: something else is.  Wipe it in either case. */
bool password_scram_secret(const struct password *password, struct scram_secret *secret);

#endif
