/* SPDX-License-Identifier: BSD-2-Clause */
/* credentials.h: what a client claims to be, and its proof.  Wiped once verdict and binding are settled. */
#ifndef BASE_CREDENTIALS_H
#define BASE_CREDENTIALS_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/slice.h"

enum { CREDENTIAL_MAX = 1024 };		/* octets of a name or a password */

struct credentials {
	const char *mechanism;	/* "PLAIN", "LOGIN", or the plain login command's "" */
	struct buf user;	/* authentication identity, as the client wrote it */
	struct buf authzid;	/* authorization identity; empty where none was given */
	struct buf password;
};

bool credential_is_valid(struct slice value);		/* not too long, and without NUL, CR and LF */
void credentials_wipe(struct credentials *credentials);	/* overwrites all, frees, ready for the next try */

#endif
