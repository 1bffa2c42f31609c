/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tls_client.c: TLS with servers: whom to believe, by authorities and by
 * pinned keys, who we are, and the sessions that may be resumed: only those
 * of handshakes that were believed here become any.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>

#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "base/base64.h"
#include "base/digest.h"
#include "base/xalloc.h"
#include "conf/conf.h"
#include "net/tls.h"

struct pin {
	uint8_t sha256[DIGEST_SHA256_SIZE];
};

enum { KEPT_SESSIONS = 64 };		/* servers of a pool; those of more share places */

/* The latest session with a server. */
struct kept_session {
	uint64_t server;
	SSL_SESSION *session;		/* NULL: none */
};

struct tls_client {
	atomic_int references;
	SSL_CTX *ctx;
	bool verify;
	struct pin *pins;
	size_t pin_count;
	pthread_mutex_t lock;		/* of what is kept: all workers use it */
	struct kept_session kept[KEPT_SESSIONS];
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

/* Takes the reference; the one that was kept is given up. */
static void
keep(struct tls_client *client, uint64_t server, SSL_SESSION *session)
{
	struct kept_session *kept = &client->kept[server % KEPT_SESSIONS];
	SSL_SESSION *old;

	pthread_mutex_lock(&client->lock);
	old = kept->session;
	*kept = (struct kept_session){ server, session };
	pthread_mutex_unlock(&client->lock);
	SSL_SESSION_free(old);
}

/* The shape is OpenSSL's: 1 takes the reference. */
static int
on_session(SSL *ssl, SSL_SESSION *session)
{
	const struct tls *tls = tls_of(ssl);

	if (tls->client == NULL)
		return 0;
	keep(tls->client, tls->server, session);
	return 1;
}

/* A ticket of TLS 1.3 is used once: whoever reads along could tell two uses apart (RFC 8446 appendix C.4). */
static SSL_SESSION *
take(struct tls_client *client, uint64_t server)
{
	struct kept_session *kept = &client->kept[server % KEPT_SESSIONS];
	SSL_SESSION *session = NULL;

	pthread_mutex_lock(&client->lock);
	if (kept->session != NULL && kept->server == server) {
		session = kept->session;
		if (SSL_SESSION_get_protocol_version(session) == TLS1_3_VERSION)
			kept->session = NULL;
		else
			SSL_SESSION_up_ref(session);
	}
	pthread_mutex_unlock(&client->lock);
	return session;
}

void
tls_client_resume(struct tls_client *client, SSL *ssl, uint64_t server)
{
	SSL_SESSION *session = take(client, server);

	if (session != NULL)
		SSL_set_session(ssl, session);
	SSL_SESSION_free(session);
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
	client->references = 1;
	client->ctx = ctx;
	client->verify = verify;
	pthread_mutex_init(&client->lock, NULL);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(ctx, on_session);
	return client;
}

struct tls_client *
tls_client_get(struct tls_client *client)
{
	atomic_fetch_add_explicit(&client->references, 1, memory_order_relaxed);
	return client;
}

void
tls_client_free(struct tls_client **client)
{
	struct tls_client *c = *client;

	*client = NULL;
	if (c == NULL || atomic_fetch_sub(&c->references, 1) > 1)
		return;
	for (size_t i = 0; i < KEPT_SESSIONS; i++)
		SSL_SESSION_free(c->kept[i].session);
	SSL_CTX_free(c->ctx);
	pthread_mutex_destroy(&c->lock);
	xfree(c->pins);
	xfree(c);
}

SSL_CTX *
tls_client_ctx(const struct tls_client *client)
{
	return client->ctx;
}

bool
tls_client_show(struct tls_client *client, const char *path, const struct conf_block *block,
    struct conf_problems *problems)
{
	const char *paths[] = { path };
	const struct tls_settings settings = { .conf = *block, .certificate = { paths, 1 } };
	char text[STREAM_REASON_MAX];
	const struct tls_pair *pair;
	struct tls_pairs pairs;
	bool ok;

	if (!tls_pairs_load(&settings, &pairs, problems))
		return false;
	pair = &pairs.all[0];
	ok = SSL_CTX_use_cert_and_key(client->ctx, pair->leaf, pair->key, pair->chain, 1) == 1;
	if (!ok)
		conf_error_at_value(problems, block, "certificate", 0, "%s: %s", path, tls_error_text(text));
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
