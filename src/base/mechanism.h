/* SPDX-License-Identifier: BSD-2-Clause */
/* mechanism.h: the mechanisms to log in by, as sets of bits, and what each of them proves. */
#ifndef BASE_MECHANISM_H
#define BASE_MECHANISM_H

#include "base/slice.h"

/* What a client shows for itself. */
enum credential_kind {
	CREDENTIAL_PASSWORD,	/* the user's password, in the clear */
	CREDENTIAL_PROOF,	/* no more than that it knows the password, say: for those who know it, too */
	CREDENTIAL_TOKEN,	/* an OAuth 2 bearer token */
	CREDENTIAL_CERTIFICATE	/* nothing more: TLS has verified its certificate */
};

/* Can a server be shown what was shown to us? */
enum shown {
	SHOWN_NOWHERE,		/* it is for us, or has proved something to us only */
	SHOWN_WHERE_ANNOUNCED,
	SHOWN_ANYWHERE		/* by the mechanism, or in other ways */
};

enum {
	MECHANISM_LED = 1 << 0,		/* only an auth source that leads the exchange can judge it */
	MECHANISM_COMMAND = 1 << 1	/* of one protocol, and none of SASL's: nobody lists it */
};

/* In the order in which they are announced. */
enum mechanism {
	MECHANISM_NONE,		/* a protocol's own command, with a password; no set has it */
	MECHANISM_PLAIN,
	MECHANISM_LOGIN,
	MECHANISM_CRAM_MD5,
	MECHANISM_SCRAM_SHA_256,
	MECHANISM_SCRAM_SHA_1,
	MECHANISM_DIGEST_MD5,
	MECHANISM_NTLM,
	MECHANISM_GSSAPI,
	MECHANISM_GSS_SPNEGO,
	MECHANISM_OTP,
	MECHANISM_ANONYMOUS,
	MECHANISM_APOP,
	MECHANISM_XOAUTH2,
	MECHANISM_OAUTHBEARER,
	MECHANISM_EXTERNAL,
	MECHANISM_COUNT
};

enum { MECHANISM_NAME_MAX = 20 };	/* octets, as RFC 4422 has it */

#define MECHANISM_BIT(mechanism) (1U << (mechanism))

extern const struct mechanism_facts {
	const char *name;
	enum credential_kind kind;
	enum shown shown;
	unsigned flags;
} mechanism_facts[MECHANISM_COUNT];

/* Both without regard to case; MECHANISM_NONE: unknown. */
enum mechanism mechanism_find(struct slice name);		/* of SASL's */
enum mechanism mechanism_find_any(struct slice name);
unsigned mechanisms_of_kind(enum credential_kind kind);
unsigned mechanisms_of_sasl(void);
unsigned mechanisms_provable(void);	/* the proofs that whoever keeps the password can judge */
/* Those whose credentials a server can be shown that announces these. */
unsigned mechanisms_to_show(unsigned announced);

#endif
