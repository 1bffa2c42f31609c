/* SPDX-License-Identifier: BSD-2-Clause */
/* protocols.c: all protocols there are. */
#include "proto/proto.h"

#include "base/slice.h"

const struct proto *const protocols[] = {
	&proto_imap, &proto_pop3, &proto_sieve, &proto_smtp, &proto_submission, &proto_tcp, NULL
};

const struct proto *
proto_find(const char *name)
{
	for (int i = 0; protocols[i] != NULL; i++)
		if (slice_equals(slice_of(name), protocols[i]->name))
			return protocols[i];
	return NULL;
}
