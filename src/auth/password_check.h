/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * password_check.h: is what a client shows right, by what a source keeps of
 * the user?  Cheap passwords are checked at once, slow ones on the hashing
 * threads; for a stranger somebody's password is checked, so that the time
 * tells nothing.  Proofs are judged by what is kept: CRAM-MD5 (RFC 2195),
 * SCRAM (RFC 7677).
 */
#ifndef AUTH_PASSWORD_CHECK_H
#define AUTH_PASSWORD_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "auth/auth_source.h"
#include "base/digest.h"
#include "base/slice.h"

struct password_record {		/* of a user; good: what is read of it has no errors */
	const char *password;		/* "{SCHEME}hash", see password.h; "": none */
	const char *fields;		/* words with a NUL behind each, for auth_fields_read */
	size_t fields_size;
};

/* A source of records.  Constant. */
struct password_keeper {
	/*
	 * A password that costs what most users' do, of those whom SCRAM-SHA-256 can judge or of all; lasts
	 * as `kept` does.  NULL: none is known.
	 */
	const char *(*typical)(const struct auth *auth, void *kept, bool by_scram);
	/* SCRAM shows it for a name for which none is kept: the same each time, not to be guessed. */
	void (*salt)(const struct auth *auth, struct slice name, uint8_t salt[DIGEST_SIZE_MAX]);
	void (*release)(void *kept);	/* the check is over; on the loop */
};

/* The mechanisms that are handled; for those with a proof a user's password may be of the wrong kind. */
unsigned password_check_mechanisms(void);
/*
 * Ends in an answer, in its time.  record: copied, what it points to lasts as `kept` does, which is the
 * check's from now on; NULL: the user is a stranger, whom nothing is right for.
 */
void password_check(struct auth_request *request, const struct auth *auth,
    const struct password_keeper *keeper, void *kept, const struct password_record *record);
/* Answers a lookup. */
void password_check_look_up(struct auth_request *request, const struct password_record *record);

#endif
