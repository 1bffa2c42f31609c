/* SPDX-License-Identifier: BSD-2-Clause */
/* tls_client.c: TLS with servers: whom to believe, by authorities and by pinned keys, and who we are. */
#include <string.h>
#include <sys/stat.h>

#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "base/base64.h"
#include "base/digest.h"
#include "base/xalloc.h"
#include "net/tls.h"

struct pin {
	uint8_t sha256[DIGEST_SHA256_SIZE];
};

struct tls_client {
	SSL_CTX *ctx;
	bool verify;
	struct pin *pins;
	size_t pin_count;
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
	client->verify = verify;
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
	xfree(c->pins);
	xfree(c);
}

SSL_CTX *
tls_client_ctx(const struct tls_client *client)
{
	return client->ctx;
}

/* The first is enough: there is one file. */
static void
keep_complaint(void *owner, const char *directive, size_t value, const char *text)
{
	struct error *error = owner;

	(void)directive;
	(void)value;
	if (error->text[0] == '\0')
		error_set(error, "%s", text);
}

bool
tls_client_show(struct tls_client *client, const char *path, struct error *error)
{
	const char *paths[] = { path };
	const struct tls_settings settings = { .certificate = { paths, 1 } };
	const struct tls_complaints to = { keep_complaint, error };
	char text[STREAM_REASON_MAX];
	const struct tls_pair *pair;
	struct tls_pairs pairs;
	bool ok;

	error->text[0] = '\0';
	if (!tls_pairs_load(&settings, &pairs, &to))
		return false;
	pair = &pairs.all[0];
	ok = SSL_CTX_use_cert_and_key(client->ctx, pair->leaf, pair->key, pair->chain, 1) == 1 ||
	    error_set(error, "%s: %s", path, tls_error_text(text));
	tls_pairs_free(&pairs);
	return ok;
}

static bool
is_pinned(const struct tls_client *client, X509 *leaf)
{
	unsigned char *key = NULL;
	int len = leaf != NULL ? i2d_X509_PUBKEY(X509_get_X509_PUBKEY(leaf), &key) : 0;
	uint8_t found[DIGEST_SHA256_SIZE];

	if (len <= 0)
		return false;
	digest_sha256(key, (size_t)len, found);
	OPENSSL_free(key);
	for (size_t i = 0; i < client->pin_count; i++)
		if (memcmp(client->pins[i].sha256, found, sizeof(found)) == 0)
			return true;
	return false;
}

/* The shape is OpenSSL's. */
static int
on_certificate(X509_STORE_CTX *store, void *arg)
{
	const struct tls_client *client = arg;

	if (client->verify && X509_verify_cert(store) <= 0)
		return 0;
	if (is_pinned(client, X509_STORE_CTX_get0_cert(store)))
		return 1;
	X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION);
	return 0;
}

bool
tls_client_pin(struct tls_client *client, const char *sha256)
{
	struct buf digest = { 0 };
	bool ok = base64_decode(slice_of(sha256), &digest) && buf_len(&digest) == DIGEST_SHA256_SIZE;

	if (ok) {
		client->pins = xrealloc(client->pins, (client->pin_count + 1) * sizeof(client->pins[0]));
		memcpy(client->pins[client->pin_count++].sha256, buf_data(&digest), DIGEST_SHA256_SIZE);
		SSL_CTX_set_verify(client->ctx, SSL_VERIFY_PEER, NULL);
		SSL_CTX_set_cert_verify_callback(client->ctx, on_certificate, client);
	}
	buf_clear(&digest);
	return ok;
}

const char *
tls_verify_text(long result)
{
	if (result == X509_V_ERR_APPLICATION_VERIFICATION)
		return "the server's public key is not pinned";
	return X509_verify_cert_error_string(result);
}
