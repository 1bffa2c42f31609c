/* SPDX-License-Identifier: BSD-2-Clause */
/* proto.c: a protocol by its name. */
#include "proto/proto.h"

#include "base/slice.h"

const struct proto *
proto_find(const char *name)
{
	for (int i = 0; protocols[i] != NULL; i++)
		if (slice_equals(slice_of(name), protocols[i]->name))
			return protocols[i];
	return NULL;
}

bool
proto_is_served_by(const struct proto *proto, const char *servers)
{
	for (const char *const *name = proto->also_served_by; name != NULL && *name != NULL; name++)
		if (slice_equals(slice_of(servers), *name))
			return true;
	return slice_equals(slice_of(servers), proto->name);
}
