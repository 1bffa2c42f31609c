/* SPDX-License-Identifier: BSD-2-Clause */
/* tls_describe.h: the certificates that a `tls` block shows its clients, in words. */
#ifndef NET_TLS_DESCRIBE_H
#define NET_TLS_DESCRIBE_H

#include <time.h>

#include "base/buf.h"
#include "net/tls_context.h"

struct tls_description {
	const char *file;
	struct buf subject, issuer;	/* as RFC 2253 writes them, in printable ASCII */
	struct buf names;		/* "DNS:mail.example.com, DNS:*.example.org" */
	struct buf serial, sha1, sha256;	/* in hex: capitals */
	struct buf key;			/* "RSA2048", "EC256" */
	time_t from, until;
};

/* For each of those in use, in the order of the files; what is described lasts until `each` returns. */
void tls_describe(struct tls_context *context,
    void (*each)(const struct tls_description *certificate, void *arg), void *arg);

#endif
