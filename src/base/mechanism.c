/* SPDX-License-Identifier: BSD-2-Clause */
/* mechanism.c: the table of SASL mechanisms. */
#include "base/mechanism.h"

const struct mechanism_facts mechanism_facts[] = {
	[MECHANISM_NONE]          = { "",              CREDENTIAL_PASSWORD,    SHOWN_ANYWHERE },
	[MECHANISM_PLAIN]         = { "PLAIN",         CREDENTIAL_PASSWORD,    SHOWN_ANYWHERE },
	[MECHANISM_LOGIN]         = { "LOGIN",         CREDENTIAL_PASSWORD,    SHOWN_ANYWHERE },
	[MECHANISM_CRAM_MD5]      = { "CRAM-MD5",      CREDENTIAL_PROOF,       SHOWN_NOWHERE },
	[MECHANISM_SCRAM_SHA_256] = { "SCRAM-SHA-256", CREDENTIAL_PROOF,       SHOWN_NOWHERE },
	[MECHANISM_XOAUTH2]       = { "XOAUTH2",       CREDENTIAL_TOKEN,       SHOWN_WHERE_ANNOUNCED },
	[MECHANISM_OAUTHBEARER]   = { "OAUTHBEARER",   CREDENTIAL_TOKEN,       SHOWN_WHERE_ANNOUNCED },
	[MECHANISM_EXTERNAL]      = { "EXTERNAL",      CREDENTIAL_CERTIFICATE, SHOWN_NOWHERE },
};

enum mechanism
mechanism_find(struct slice name)
{
	int i = MECHANISM_COUNT - 1;

	while (i > MECHANISM_NONE && !slice_equals_nocase(name, mechanism_facts[i].name))
		i--;
	return (enum mechanism)i;
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
