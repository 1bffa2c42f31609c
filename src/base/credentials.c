/* SPDX-License-Identifier: BSD-2-Clause */
/* credentials.c: what a name or a password may be, and the end of a client's secrets. */
#include "base/credentials.h"

#include <string.h>

bool
credential_is_valid(struct slice value)
{
	if (value.len == 0)
		return true;
	return value.len <= CREDENTIAL_MAX && memchr(value.data, '\0', value.len) == NULL &&
	    memchr(value.data, '\r', value.len) == NULL && memchr(value.data, '\n', value.len) == NULL;
}

void
credentials_wipe(struct credentials *credentials)
{
	credentials->mechanism = NULL;
	buf_wipe(&credentials->user);
	buf_wipe(&credentials->authzid);
	buf_wipe(&credentials->password);
}
