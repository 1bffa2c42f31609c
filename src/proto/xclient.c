/* SPDX-License-Identifier: BSD-2-Clause */
/* xclient.c: what Dovecot's POP3 and ManageSieve logins take of XCLIENT; Postfix's is SMTP's own. */
#include "proto/xclient.h"

bool
xclient_is_wanted(const struct dial *dial)
{
	if (dial->order.identity == NULL)
		return false;
	if (dial->order.forward == FORWARD_AUTO)
		return dial_has(dial, "XCLIENT");
	return dial->order.forward == FORWARD_XCLIENT;
}

void
xclient_write(struct buf *out, const struct identity *identity)
{
	const struct addr *client = &identity->client;
	char host[ADDR_TEXT_MAX];

	buf_append_text(out, "XCLIENT");
	if (client->sa.sa_family == AF_INET || client->sa.sa_family == AF_INET6)
		buf_printf(out, " ADDR=%s PORT=%u", addr_host(client, host), (unsigned)addr_port(client));
	buf_printf(out, " SESSION=%s TTL=%d", identity_session(identity), identity->hops - 1);
}
