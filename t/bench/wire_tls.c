/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wire_tls.c: TLS on a wire.  Clients take every certificate: what is
 * measured is the other side's work.
 */
#include "wire.h"

#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <sys/epoll.h>

static SSL_CTX *
make_ctx(const SSL_METHOD *method)
{
	SSL_CTX *ctx = SSL_CTX_new(method);

	if (ctx == NULL)
		return NULL;
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
	    SSL_MODE_RELEASE_BUFFERS);
	/* not all proxies say farewell in TLS before they close */
	SSL_CTX_set_options(ctx, SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION);
	return ctx;
}

SSL_CTX *
wire_server_ctx(const char *pem)
{
	SSL_CTX *ctx = make_ctx(TLS_server_method());

	if (ctx != NULL && SSL_CTX_use_certificate_chain_file(ctx, pem) == 1 &&
	    SSL_CTX_use_PrivateKey_file(ctx, pem, SSL_FILETYPE_PEM) == 1)
		return ctx;
	SSL_CTX_free(ctx);
	return NULL;
}

static int
on_new_session(SSL *ssl, SSL_SESSION *session)
{
	struct wire *wire = SSL_get_app_data(ssl);

	SSL_SESSION_free(wire->session);
	wire->session = session;
	return 1;
}

SSL_CTX *
wire_client_ctx(bool resumes)
{
	SSL_CTX *ctx = make_ctx(TLS_client_method());

	if (ctx != NULL && resumes) {
		SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
		SSL_CTX_sess_set_new_cb(ctx, on_new_session);
	}
	return ctx;
}

void
wire_start_tls(struct wire *wire, SSL_CTX *ctx)
{
	wire_flush(wire);
	wire->ssl = SSL_new(ctx);
	if (wire->ssl == NULL || SSL_set_fd(wire->ssl, wire->watch.fd) != 1) {
		wire_fail(wire, "no TLS to be had");
		return;
	}
	SSL_set_app_data(wire->ssl, wire);
	if (wire->session != NULL)
		SSL_set_session(wire->ssl, wire->session);
	if (SSL_CTX_get0_certificate(ctx) != NULL)
		SSL_set_accept_state(wire->ssl);
	else
		SSL_set_connect_state(wire->ssl);
	wire->state = WIRE_HANDSHAKING;
	wire_shake_hands(wire);
}

/* The events to wait for; 0: the other side is through, or the connection broke. */
static uint32_t
wanted_events(const struct wire *wire, int result)
{
	switch (SSL_get_error(wire->ssl, result)) {
	case SSL_ERROR_WANT_READ:
		return EPOLLIN;
	case SSL_ERROR_WANT_WRITE:
		return EPOLLOUT;
	default:
		return 0;
	}
}

void
wire_shake_hands(struct wire *wire)
{
	bool resumes = wire->session != NULL;
	int result;

	ERR_clear_error();
	result = SSL_do_handshake(wire->ssl);
	if (result != 1) {
		uint32_t events = wanted_events(wire, result);

		if (events == 0)
			wire_fail(wire, "the TLS handshake failed");
		else
			wire_watch(&wire->watch, events);
		return;
	}
	wire->state = WIRE_OPEN;
	if (resumes && !SSL_session_reused(wire->ssl))
		wire_fail(wire, "the TLS session was not resumed");
	else
		wire->events->ready(wire);
}

void
wire_end_tls(struct wire *wire)
{
	if (wire->state == WIRE_OPEN && wire->is_closing)
		SSL_shutdown(wire->ssl);
	else	/* or the session could not be resumed */
		SSL_set_shutdown(wire->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(wire->ssl);
	wire->ssl = NULL;
}

static ssize_t
result_of(const struct wire *wire, int result)
{
	if (result > 0)
		return result;
	if (SSL_get_error(wire->ssl, result) == SSL_ERROR_ZERO_RETURN)
		return 0;
	errno = wanted_events(wire, result) != 0 ? EAGAIN : ECONNRESET;
	return -1;
}

ssize_t
wire_tls_read(struct wire *wire, char *data, size_t n)
{
	ERR_clear_error();
	return result_of(wire, SSL_read(wire->ssl, data, n < INT_MAX ? (int)n : INT_MAX));
}

ssize_t
wire_tls_write(struct wire *wire, const char *data, size_t n)
{
	ERR_clear_error();
	return result_of(wire, SSL_write(wire->ssl, data, n < INT_MAX ? (int)n : INT_MAX));
}
