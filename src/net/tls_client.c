/* SPDX-License-Identifier: BSD-2-Clause */
/* tls_client.c: TLS with servers: whom to believe. */
#include <sys/stat.h>

#include <openssl/ssl.h>

#include "base/xalloc.h"
#include "net/tls.h"

struct tls_client {
	SSL_CTX *ctx;
};

static bool
trust(SSL_CTX *ctx, const char *ca, struct error *error)
{
	char text[STREAM_REASON_MAX];
	struct stat st;
	bool ok;

	if (ca == NULL)
		ok = SSL_CTX_set_default_verify_paths(ctx) == 1;
	else if (stat(ca, &st) == 0 && S_ISDIR(st.st_mode))
		ok = SSL_CTX_load_verify_dir(ctx, ca) == 1;
	else
		ok = SSL_CTX_load_verify_file(ctx, ca) == 1;
	return ok || error_set(error, "%s: %s", ca != NULL ? ca : "the system's certificates",
	    tls_error_text(text));
}

struct tls_client *
tls_client_load(bool verify, const char *ca, struct error *error)
{
	SSL_CTX *ctx = tls_new_ctx(TLS_client_method(), TLS1_2_VERSION, error);
	struct tls_client *client;

	if (ctx == NULL)
		return NULL;
	if (verify && !trust(ctx, ca, error)) {
		SSL_CTX_free(ctx);
		return NULL;
	}
	SSL_CTX_set_verify(ctx, verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
	client = xcalloc(1, sizeof(*client));
	client->ctx = ctx;
	return client;
}

void
tls_client_free(struct tls_client **client)
{
	struct tls_client *c = *client;

	*client = NULL;
	if (c == NULL)
		return;
	SSL_CTX_free(c->ctx);
	xfree(c);
}

SSL_CTX *
tls_client_ctx(const struct tls_client *client)
{
	return client->ctx;
}
