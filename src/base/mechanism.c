/* SPDX-License-Identifier: BSD-2-Clause */
/* mechanism.c: the table of mechanisms. */
#include "base/mechanism.h"

#include <assert.h>

enum { LED = MECHANISM_LED, CMD = MECHANISM_COMMAND };

const struct mechanism_facts mechanism_facts[] = {
	/*                            name             kind                    shown                  flags */
	[MECHANISM_NONE]          = { "",              CREDENTIAL_PASSWORD,    SHOWN_ANYWHERE,        CMD },
	[MECHANISM_PLAIN]         = { "PLAIN",         CREDENTIAL_PASSWORD,    SHOWN_ANYWHERE,        0 },
	[MECHANISM_LOGIN]         = { "LOGIN",         CREDENTIAL_PASSWORD,    SHOWN_ANYWHERE,        0 },
	[MECHANISM_CRAM_MD5]      = { "CRAM-MD5",      CREDENTIAL_PROOF,       SHOWN_NOWHERE,         0 },
	[MECHANISM_SCRAM_SHA_256] = { "SCRAM-SHA-256", CREDENTIAL_PROOF,       SHOWN_NOWHERE,         0 },
	[MECHANISM_SCRAM_SHA_1]   = { "SCRAM-SHA-1",   CREDENTIAL_PROOF,       SHOWN_NOWHERE,         LED },
	[MECHANISM_DIGEST_MD5]    = { "DIGEST-MD5",    CREDENTIAL_PROOF,       SHOWN_NOWHERE,         LED },
	[MECHANISM_NTLM]          = { "NTLM",          CREDENTIAL_PROOF,       SHOWN_NOWHERE,         LED },
	[MECHANISM_GSSAPI]        = { "GSSAPI",        CREDENTIAL_PROOF,       SHOWN_NOWHERE,         LED },
	[MECHANISM_GSS_SPNEGO]    = { "GSS-SPNEGO",    CREDENTIAL_PROOF,       SHOWN_NOWHERE,         LED },
	[MECHANISM_OTP]           = { "OTP",           CREDENTIAL_PROOF,       SHOWN_NOWHERE,         LED },
	[MECHANISM_ANONYMOUS]     = { "ANONYMOUS",     CREDENTIAL_PROOF,       SHOWN_NOWHERE,         LED },
	[MECHANISM_APOP]          = { "APOP",          CREDENTIAL_PROOF,       SHOWN_NOWHERE,         CMD },
	[MECHANISM_XOAUTH2]       = { "XOAUTH2",       CREDENTIAL_TOKEN,       SHOWN_WHERE_ANNOUNCED, 0 },
	[MECHANISM_OAUTHBEARER]   = { "OAUTHBEARER",   CREDENTIAL_TOKEN,       SHOWN_WHERE_ANNOUNCED, 0 },
	[MECHANISM_EXTERNAL]      = { "EXTERNAL",      CREDENTIAL_CERTIFICATE, SHOWN_NOWHERE,         0 },
};
static_assert(MECHANISM_COUNT <= 32, "each has a bit of a set");

enum mechanism
mechanism_find_any(struct slice name)
{
	int i = MECHANISM_COUNT - 1;

	while (i > MECHANISM_NONE && !slice_equals_nocase(name, mechanism_facts[i].name))
		i--;
	return (enum mechanism)i;
}

enum mechanism
mechanism_find(struct slice name)
{
	enum mechanism mechanism = mechanism_find_any(name);

	return (mechanism_facts[mechanism].flags & MECHANISM_COMMAND) != 0 ? MECHANISM_NONE : mechanism;
}

unsigned
mechanisms_of_kind(enum credential_kind kind)
{
	unsigned bits = 0;

	for (int i = MECHANISM_NONE + 1; i < MECHANISM_COUNT; i++)
		if (mechanism_facts[i].kind == kind)
			bits |= MECHANISM_BIT(i);
	return bits;
}

unsigned
mechanisms_of_sasl(void)
{
	unsigned bits = 0;

	for (int i = MECHANISM_NONE + 1; i < MECHANISM_COUNT; i++)
		if ((mechanism_facts[i].flags & MECHANISM_COMMAND) == 0)
			bits |= MECHANISM_BIT(i);
	return bits;
}

unsigned
mechanisms_provable(void)
{
	unsigned bits = mechanisms_of_kind(CREDENTIAL_PROOF);

	for (int i = MECHANISM_NONE + 1; i < MECHANISM_COUNT; i++)
		if ((mechanism_facts[i].flags & MECHANISM_LED) != 0)
			bits &= ~MECHANISM_BIT(i);
	return bits;
}

unsigned
mechanisms_to_show(unsigned announced)
{
	unsigned bits = 0;

	for (int i = MECHANISM_NONE + 1; i < MECHANISM_COUNT; i++)
		if (mechanism_facts[i].shown == SHOWN_ANYWHERE)
			bits |= MECHANISM_BIT(i);
		else if (mechanism_facts[i].shown == SHOWN_WHERE_ANNOUNCED)
			bits |= MECHANISM_BIT(i) & announced;
	return bits;
}
