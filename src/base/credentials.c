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

bool
token_is_valid(struct slice value)
{
	for (size_t i = 0; i < value.len; i++)
		if (value.data[i] <= ' ' || value.data[i] > '~')
			return false;
	return value.len > 0 && value.len <= TOKEN_MAX;
}

void
credentials_wipe(struct credentials *credentials)
{
	credentials->mechanism = MECHANISM_NONE;
	credentials->has_initial = false;
	buf_wipe(&credentials->user);
	buf_wipe(&credentials->authzid);
	buf_wipe(&credentials->password);
	buf_wipe(&credentials->challenge);
	buf_wipe(&credentials->response);
}
