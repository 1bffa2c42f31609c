/* SPDX-License-Identifier: BSD-2-Clause */
/* tls_clients.h: clients (client.h) where TLS is to be had, for groups of tests of sessions with it. */
#ifndef UNIT_SESSION_TLS_CLIENTS_H
#define UNIT_SESSION_TLS_CLIENTS_H

#include "../net/certificates.h"
#include "client.h"

static const char greeting_before_tls[] =
    "* OK [CAPABILITY IMAP4rev1 SASL-IR ID IDLE STARTTLS LOGINDISABLED] lb.example.com ready.\r\n";
static struct tls_context *context;	/* of all tests of a group: a key takes time */

static inline int
tls_clients_set_up(void **state)
{
	static struct block_of block;

	if (quiet_log(state) != 0 || make_folder(state) != 0)
		return -1;
	write_pem("DNS:lb.example.com", "mail.pem");
	fill_block(&block, "mail.pem");
	context = load_block(&block);
	return 0;
}

static inline int
tls_clients_tear_down(void **state)
{
	tls_context_free(&context);
	end_log(state);
	return remove_folder(state);
}

#endif
