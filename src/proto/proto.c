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
