/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tls_select.c: what is decided while a client's hello is read: the
 * certificates for the name it asks for (RFC 6066), the protocol it must mean
 * (RFC 7301, against ALPACA), and whether its ticket was made for this
 * listener, name and `tls` block and under the same authorities of clients
 * (else a full handshake follows).
 */
#include "net/tls.h"

#include <ctype.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "base/digest.h"

/*
 * The host name of a server_name extension, in lower case; its length, 0 for a name that cannot be one.
 * The layout: u16 length of the list, u8 type (0: host name), u16 length of the name, the name.
 */
static size_t
parse_name(const unsigned char *data, size_t n, char out[TLS_NAME_MAX])
{
	size_t len;

	if (n < 5 || (size_t)(data[0] << 8 | data[1]) != n - 2 || data[2] != TLSEXT_NAMETYPE_host_name)
		return 0;
	len = (size_t)(data[3] << 8 | data[4]);
	if (len != n - 5 || len >= TLS_NAME_MAX || memchr(data + 5, '\0', len) != NULL)
		return 0;
	for (size_t i = 0; i < len; i++)
		out[i] = (char)tolower(data[5 + i]);
	return len;
}

static SSL_CTX *
find_ctx(const struct tls_server *server, char *name, size_t len)
{
	char *dot = memchr(name, '.', len);
	SSL_CTX *ctx = map_get(server->names, slice_make(name, len));
	char before;

	if (ctx != NULL || dot == NULL || dot == name)
		return ctx;
	/* one label is what a star stands for */
	before = dot[-1];
	dot[-1] = '*';
	ctx = map_get(server->names, slice_make(dot - 1, len - (size_t)(dot - 1 - name)));
	dot[-1] = before;
	return ctx;
}

static void
bind_ticket(struct tls *tls, const struct tls_server *server, const char *name, size_t len)
{
	uint8_t text[2 * DIGEST_SHA256_SIZE + sizeof(uint64_t) + TLS_NAME_MAX], digest[DIGEST_SHA256_SIZE];
	size_t at = DIGEST_SHA256_SIZE;

	memcpy(text, tls_context_identity(tls->front->context), at);
	memcpy(text + at, server->authorities, DIGEST_SHA256_SIZE);
	at += DIGEST_SHA256_SIZE;
	memcpy(text + at, &tls->front->ticket_tag, sizeof(uint64_t));
	at += sizeof(uint64_t);
	memcpy(text + at, name, len);
	digest_sha256(text, at + len, digest);
	memcpy(tls->binding, digest, TLS_BINDING_SIZE);
}

static int
on_client_hello(SSL *ssl, int *alert, void *arg)
{
	struct tls *tls = tls_of(ssl);
	struct tls_server *server = tls_server_get(tls->front->context);
	const unsigned char *data;
	char name[TLS_NAME_MAX] = "";
	size_t n, len = 0;
	bool is_named = SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &data, &n) == 1;
	SSL_CTX *ctx = NULL;

	(void)arg;
	if (is_named) {
		len = parse_name(data, n, name);
		ctx = find_ctx(server, name, len);
	}
	bind_ticket(tls, server, name, len);
	if (is_named && ctx == NULL && server->refuses_unknown) {
		tls_server_put(server);
		*alert = SSL_AD_UNRECOGNIZED_NAME;
		return SSL_CLIENT_HELLO_ERROR;
	}
	if (ctx == NULL)
		ctx = server->first;
	if (ctx != SSL_get_SSL_CTX(ssl))
		SSL_set_SSL_CTX(ssl, ctx);
	tls_server_put(server);
	return SSL_CLIENT_HELLO_SUCCESS;
}

/* RFC 6066, section 3: the client hears that its name was heeded. */
static int	/* NOLINTNEXTLINE(readability-non-const-parameter): the shape is OpenSSL's */
on_server_name(SSL *ssl, int *alert, void *arg)
{
	(void)alert;
	(void)arg;
	if (SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name) == NULL)
		return SSL_TLSEXT_ERR_NOACK;
	return SSL_TLSEXT_ERR_OK;
}

/* OpenSSL asks only where the client offers ALPN, so its absence is always fine. */
static int	/* NOLINTNEXTLINE(readability-function-size): the shape is OpenSSL's */
on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *in, unsigned in_len,
    void *arg)
{
	const char *ours = tls_of(ssl)->front->alpn;
	size_t len = ours != NULL ? strlen(ours) : 0;

	(void)arg;
	if (ours == NULL)
		return SSL_TLSEXT_ERR_NOACK;
	for (unsigned i = 0; i < in_len; i += 1u + in[i]) {
		if (in[i] == len && i + 1 + len <= in_len && memcmp(in + i + 1, ours, len) == 0) {
			*out = in + i + 1;
			*out_len = in[i];
			return SSL_TLSEXT_ERR_OK;
		}
	}
	return SSL_TLSEXT_ERR_ALERT_FATAL;
}

static int
on_ticket_made(SSL *ssl, void *arg)
{
	(void)arg;
	return SSL_SESSION_set1_ticket_appdata(SSL_get_session(ssl), tls_of(ssl)->binding, TLS_BINDING_SIZE);
}

/* The client's certificate was good when the ticket was made, which renewals may have let pass long ago. */
static bool
has_expired(SSL_SESSION *session)
{
	const X509 *shown = SSL_SESSION_get0_peer(session);

	return shown != NULL && X509_cmp_current_time(X509_get0_notAfter(shown)) <= 0;
}

static SSL_TICKET_RETURN	/* NOLINTNEXTLINE(readability-function-size): the shape is OpenSSL's */
on_ticket_read(SSL *ssl, SSL_SESSION *session, const unsigned char *name, size_t name_len,
    SSL_TICKET_STATUS status, void *arg)
{
	void *binding;
	size_t len;

	(void)name;
	(void)name_len;
	(void)arg;
	if (status != SSL_TICKET_SUCCESS && status != SSL_TICKET_SUCCESS_RENEW)
		return SSL_TICKET_RETURN_IGNORE_RENEW;
	if (!SSL_SESSION_get0_ticket_appdata(session, &binding, &len) || len != TLS_BINDING_SIZE ||
	    CRYPTO_memcmp(binding, tls_of(ssl)->binding, len) != 0 || has_expired(session))
		return SSL_TICKET_RETURN_IGNORE_RENEW;
	return status == SSL_TICKET_SUCCESS ? SSL_TICKET_RETURN_USE : SSL_TICKET_RETURN_USE_RENEW;
}

void
tls_select_install(SSL_CTX *ctx)
{
	SSL_CTX_set_client_hello_cb(ctx, on_client_hello, NULL);
	SSL_CTX_set_tlsext_servername_callback(ctx, on_server_name);
	SSL_CTX_set_alpn_select_cb(ctx, on_alpn, NULL);
	SSL_CTX_set_session_ticket_cb(ctx, on_ticket_made, on_ticket_read, NULL);
}
