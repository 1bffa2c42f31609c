/* SPDX-License-Identifier: BSD-2-Clause */
/* identity.c: the id of a session, ours or another's. */
#include "base/identity.h"

#include <string.h>

#include "base/xalloc.h"

bool
identity_is_session(struct slice id)
{
	for (size_t i = 0; i < id.len; i++)
		if (id.data[i] <= ' ' || id.data[i] > '~' || strchr("\"'\\", id.data[i]) != NULL)
			return false;
	return id.len > 0 && id.len <= ORIGIN_MAX;
}

void
identity_set_origin(struct identity *identity, struct slice id)
{
	if (!identity_is_session(id))
		return;
	xfree(identity->origin);
	identity->origin = xstrndup(id.data, id.len);
}
