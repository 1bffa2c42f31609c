/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tls_authorities.h: what clients' certificates are held against, and whom they name.  For the tls_*.c
 * files and stream_tls.c only, as tls.h.
 */
#ifndef NET_TLS_AUTHORITIES_H
#define NET_TLS_AUTHORITIES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/digest.h"
#include "net/tls_context.h"

struct ssl_ctx_st;
struct stack_st_X509_NAME;
struct x509_st;
struct x509_store_st;

/* Who vouches for clients' certificates. */
struct tls_authorities {
	struct x509_store_st *store;
	struct stack_st_X509_NAME *names;
	uint8_t digest[DIGEST_SHA256_SIZE];	/* of all their certificates */
};

/* Reads the files of client_ca, if any; false: the problems tell, and there is nothing to free. */
bool tls_authorities_load(const struct tls_settings *settings, struct tls_authorities *authorities,
    struct conf_problems *problems);
void tls_authorities_free(struct tls_authorities *authorities);
/* Has clients asked for certificates: verify_client is enum tls_verify_client. */
void tls_authorities_install(const struct tls_authorities *authorities, int verify_client,
    struct ssl_ctx_st *ctx);

/* The user that a certificate names, by the rules of tls_facts_user, whether or not it is believed. */
bool tls_certificate_user(const struct x509_st *certificate, char out[TLS_USER_MAX]);

#endif
