/* SPDX-License-Identifier: BSD-2-Clause */
/* credentials.h: what a client claims to be, and its proof.  Wiped once verdict and binding are settled. */
#ifndef BASE_CREDENTIALS_H
#define BASE_CREDENTIALS_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/mechanism.h"
#include "base/slice.h"

enum { CREDENTIAL_MAX = 1024 };		/* octets of a name or a password */
enum { TOKEN_MAX = 8192 };		/* of a token */

struct credentials {
	enum mechanism mechanism;
	struct buf user;	/* authentication identity, as the client wrote it */
	struct buf authzid;	/* authorization identity; empty where none was given */
	struct buf password;	/* or the token */
	struct buf challenge;	/* of a proof: that of our own making, if the client has answered one */
	struct buf response;	/* of a proof: the client's last message */
	bool has_initial;	/* where others lead: its first response came at once, if an empty one */
};

static inline enum credential_kind
credentials_kind(const struct credentials *credentials)
{
	return mechanism_facts[credentials->mechanism].kind;
}

bool credential_is_valid(struct slice value);		/* not too long, and without NUL, CR and LF */
bool token_is_valid(struct slice value);		/* what RFC 6750 lets one be, and not too long */
void credentials_wipe(struct credentials *credentials);	/* overwrites all, frees, ready for the next try */

#endif
