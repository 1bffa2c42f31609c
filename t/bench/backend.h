/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * backend.h: a mock of mail servers: IMAP, POP3, ManageSieve, SMTP, a TCP
 * service, and the HTTP service that nginx asks for a login.  It knows as much
 * of them as the scenarios and the proxies need, and keeps nothing.
 */
#ifndef BENCH_BACKEND_H
#define BENCH_BACKEND_H

#include <netinet/in.h>
#include <openssl/ssl.h>
#include <stdbool.h>

/* For the names of roles with an s at their end, and STARTTLS. */
void backend_init(SSL_CTX *ctx);

/* "imap=1143", or "imaps=1993" for TLS from the first byte; false: not to be had, and why is told. */
bool backend_listen(const char *role_and_port, const struct sockaddr_in *host);

#endif
