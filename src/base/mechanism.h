/* SPDX-License-Identifier: BSD-2-Clause */
/* mechanism.h: the SASL mechanisms there are, as sets of bits, and what each of them proves. */
#ifndef BASE_MECHANISM_H
#define BASE_MECHANISM_H

#include "base/slice.h"

/* What a client shows for itself. */
enum credential_kind {
	CREDENTIAL_PASSWORD,	/* the user's password, in the clear */
	CREDENTIAL_PROOF,	/* that it knows the password: for those who know it, too */
	CREDENTIAL_TOKEN,	/* an OAuth 2 bearer token */
	CREDENTIAL_CERTIFICATE	/* nothing more: TLS has verified its certificate */
};

/* Can a server be shown what was shown to us? */
enum shown {
	SHOWN_NOWHERE,		/* it is for us, or has proved something to us only */
	SHOWN_WHERE_ANNOUNCED,
	SHOWN_ANYWHERE		/* by the mechanism, or in other ways */
};

/* In the order in which they are announced. */
enum mechanism {
	MECHANISM_NONE,		/* a protocol's own command, with a password; no set has it */
	MECHANISM_PLAIN,
	MECHANISM_LOGIN,
	MECHANISM_CRAM_MD5,
	MECHANISM_SCRAM_SHA_256,
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
} mechanism_facts[MECHANISM_COUNT];

enum mechanism mechanism_find(struct slice name);	/* without regard to case; MECHANISM_NONE: unknown */
unsigned mechanisms_of_kind(enum credential_kind kind);
/* Those whose credentials a server can be shown that announces these. */
unsigned mechanisms_to_show(unsigned announced);

#endif
