/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stream_tls.c: the transport with TLS.  OpenSSL reads and writes through a
 * BIO of ours that knows a short read from a full one, so that no system call
 * asks an empty socket.  A FIN without close_notify counts as the end: mail
 * clients just close, and each mail protocol marks its own ends.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/addr.h"
#include "base/clock.h"
#include "base/xalloc.h"
#include "net/handshakes.h"
#include "net/stream_state.h"
#include "net/tls.h"
#include "net/tls_authorities.h"
#include "net/transport.h"

/*
 * What may come without data, some thousand KeyUpdates: OpenSSL works through such records for as long as
 * they come, and all other sessions of the thread would stand still.
 */
enum { FRUITLESS_MAX = 64 * 1024 };

/* OpenSSL's table of our BIO: made once for the process. */
static BIO_METHOD *method;
static pthread_once_t method_once = PTHREAD_ONCE_INIT;

static int
bio_read(BIO *bio, char *data, int n)
{
	struct tls *tls = BIO_get_data(bio);
	ssize_t got;

	BIO_clear_retry_flags(bio);
	if (!tls->is_done && stream_unread(tls->stream) > 0)
		return (int)stream_take_unread(tls->stream, data, (size_t)n);
	if (tls->is_empty) {
		BIO_set_retry_read(bio);
		return -1;
	}
	if (tls->fruitless > FRUITLESS_MAX && tls->is_done) {
		tls->stream->error = EPROTO;
		return -1;
	}
	got = recv(tls->stream->fd, data, (size_t)n, 0);
	tls->is_empty = got < n;
	if (got > 0) {
		tls->fruitless += (size_t)got;
		return (int)got;
	}
	if (got == 0)
		tls->has_ended = true;
	else if (errno == EAGAIN || errno == EINTR)
		BIO_set_retry_read(bio);
	else
		tls->stream->error = errno;
	return (int)got;
}

/*
 * A TLS 1.3 ticket, which nobody waits for: it goes in one segment with what is said next, or 0.2 s later.
 * That of TLS 1.2 is not written alone.
 */
static bool
is_ticket(const struct tls *tls)
{
	return SSL_get_state(tls->ssl) == TLS_ST_SW_SESSION_TICKET;
}

static int
bio_write(BIO *bio, const char *data, int n)
{
	struct tls *tls = BIO_get_data(bio);
	int more = tls->more_follows || is_ticket(tls) ? MSG_MORE : 0;
	ssize_t put;

	BIO_clear_retry_flags(bio);
	put = send(tls->stream->fd, data, (size_t)n, MSG_NOSIGNAL | more);
	if (put >= 0)
		return (int)put;
	if (errno == EAGAIN || errno == EINTR)
		BIO_set_retry_write(bio);
	else
		tls->stream->error = errno;
	return -1;
}

static long
bio_ctrl(BIO *bio, int command, long number, void *pointer)
{
	struct tls *tls = BIO_get_data(bio);

	(void)number;
	(void)pointer;
	switch (command) {
	case BIO_CTRL_FLUSH:
		return 1;
	case BIO_CTRL_EOF:
		return tls->has_ended;
	default:
		return 0;
	}
}

static void
make_method(void)
{
	method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "stream");
	if (method == NULL)
		abort();
	BIO_meth_set_read(method, bio_read);
	BIO_meth_set_write(method, bio_write);
	BIO_meth_set_ctrl(method, bio_ctrl);
}

struct tls *
tls_of(const SSL *ssl)
{
	return BIO_get_data(SSL_get_rbio(ssl));
}

static struct tls *
start(struct stream *stream, SSL_CTX *ctx)
{
	struct tls *tls = xcalloc(1, sizeof(*tls));
	BIO *bio;

	pthread_once(&method_once, make_method);
	bio = BIO_new(method);
	tls->ssl = SSL_new(ctx);
	if (tls->ssl == NULL || bio == NULL)
		abort();
	BIO_set_data(bio, tls);
	BIO_set_init(bio, 1);
	SSL_set_bio(tls->ssl, bio, bio);
	tls->stream = stream;
	stream->tls = tls;
	stream_tls_set_secret(stream);
	return tls;
}

void
stream_tls_set_secret(struct stream *stream)
{
	struct tls *tls = stream->tls;

	/* records are decrypted where they were read, and that memory is given back as it is */
	if (stream->is_secret)
		SSL_set_options(tls->ssl, SSL_OP_CLEANSE_PLAINTEXT);
	else
		SSL_clear_options(tls->ssl, SSL_OP_CLEANSE_PLAINTEXT);
}

/* Apart, since most TLS streams have long done their handshakes. */
struct turn {
	struct handshake handshake;
	struct stream *stream;
};

/* A client that has given up is not worth a handshake. */
static bool
has_left(const struct stream *stream)
{
	struct pollfd pfd = { .fd = stream->fd, .events = POLLRDHUP };

	return poll(&pfd, 1, 0) > 0;
}

static void
on_turn(struct handshake *handshake)
{
	struct stream *stream = list_entry(handshake, struct turn, handshake)->stream;

	if (has_left(stream))
		stream_fail(stream);
	else
		stream_shake(stream);
}

void
stream_tls_accept(struct stream *stream, const struct tls_front *front)
{
	struct tls_server *server = tls_server_get(front->context);
	struct tls *tls = start(stream, server->first);

	tls_server_put(server);
	tls->front = front;
	tls->alpn = front->alpn;
	tls->turn = xcalloc(1, sizeof(*tls->turn));
	tls->turn->handshake.on_turn = on_turn;
	tls->turn->stream = stream;
	SSL_set_accept_state(tls->ssl);
}

static void
offer_alpn(SSL *ssl, const char *alpn)
{
	unsigned char list[1 + UINT8_MAX];
	size_t n = strlen(alpn);

	if (n == 0 || n > UINT8_MAX)
		return;
	list[0] = (unsigned char)n;
	memcpy(list + 1, alpn, list[0]);
	SSL_set_alpn_protos(ssl, list, (unsigned)n + 1);
}

void
stream_tls_connect(struct stream *stream, const struct tls_back *back)
{
	struct tls *tls = start(stream, tls_client_ctx(back->client));
	bool is_addr;
	struct addr addr;

	SSL_set_connect_state(tls->ssl);
	if (back->alpn != NULL)
		offer_alpn(tls->ssl, back->alpn);
	if (back->name != NULL) {
		is_addr = addr_parse(slice_of(back->name), 0, &addr);
		if (!is_addr)
			SSL_set_tlsext_host_name(tls->ssl, back->name);
		if (is_addr)
			X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(tls->ssl), back->name);
		else
			SSL_set1_host(tls->ssl, back->name);
		SSL_set_hostflags(tls->ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	}
	if (back->server != 0) {
		/* a ticket may come long after the pool is gone */
		tls->client = tls_client_get(back->client);
		tls->server = back->server;
		tls_client_resume(back->client, tls->ssl, back->server);
	}
	tls->is_empty = true;	/* the server has nothing to say before our hello */
}

static void
clear_errors(void)
{
	if (ERR_peek_error() != 0)
		ERR_clear_error();
}

/* What a call that moved nothing means. */
static enum stream_io
judge(struct tls *tls)
{
	struct stream *stream = tls->stream;

	switch (SSL_get_error(tls->ssl, -1)) {
	case SSL_ERROR_WANT_READ:
		stream->tls_wants_read = true;
		return STREAM_IO_AGAIN;
	case SSL_ERROR_WANT_WRITE:
		stream->tls_wants_write = true;
		return STREAM_IO_AGAIN;
	case SSL_ERROR_ZERO_RETURN:
		return STREAM_IO_CLOSED;
	case SSL_ERROR_SYSCALL:		/* the BIO has noted errno */
		clear_errors();
		return STREAM_IO_FAILED;
	default:
		tls->error = ERR_get_error();
		clear_errors();
		return STREAM_IO_FAILED;
	}
}

bool
stream_tls_has_turn(struct stream *stream)
{
	struct tls *tls = stream->tls;
	bool is_begun = SSL_get_state(tls->ssl) != TLS_ST_BEFORE;

	if (tls->turn == NULL || handshake_may_go(stream->loop, &tls->turn->handshake, is_begun))
		return true;
	stream->tls_wants_read = stream->tls_wants_write = false;
	return false;
}

static void
end_turn(struct tls *tls)
{
	if (tls->turn == NULL)
		return;
	handshake_leave(&tls->turn->handshake);
	tls->waited_ms = (uint32_t)tls->turn->handshake.waited_ms;
	xfree(tls->turn);
	tls->turn = NULL;
}

static enum stream_io
shake(struct stream *stream)
{
	struct tls *tls = stream->tls;
	enum stream_io result;

	clear_errors();
	stream->tls_wants_read = stream->tls_wants_write = false;
	if (SSL_do_handshake(tls->ssl) == 1) {
		/* it came before TLS and would be told as if it had come through it */
		if (stream_unread(stream) > 0) {
			stream->error = EPROTO;
			return STREAM_IO_FAILED;
		}
		tls->is_done = true;
		tls->front = NULL;
		end_turn(tls);
		tls->has_more = SSL_has_pending(tls->ssl);
		tls->is_empty = false;
		tls->fruitless = 0;
		return STREAM_IO_OK;
	}
	result = judge(tls);
	tls->is_empty = false;
	return result == STREAM_IO_CLOSED ? STREAM_IO_FAILED : result;
}

enum stream_io
stream_tls_handshake(struct stream *stream)
{
	const struct tls *tls = stream->tls;
	bool is_server = SSL_is_server(tls->ssl) != 0;
	int64_t began_us = is_server ? clock_us() : 0;
	enum stream_io result = shake(stream);

	if (is_server)
		handshake_took(stream->loop, clock_us() - began_us);
	return result;
}

static enum stream_io
tls_read(struct stream *stream, char *data, size_t n, size_t *done)
{
	struct tls *tls = stream->tls;
	enum stream_io result = STREAM_IO_OK;
	size_t got;

	tls->has_more = tls->is_empty = false;
	if (tls->end != STREAM_IO_OK)
		return tls->end;
	clear_errors();
	stream->tls_wants_write = false;
	*done = 0;
	while (*done < n && result == STREAM_IO_OK) {
		if (!SSL_read_ex(tls->ssl, data + *done, n - *done, &got)) {
			result = judge(tls);
			break;
		}
		*done += got;
		tls->fruitless = 0;
		if (tls->is_empty && !SSL_has_pending(tls->ssl))
			break;
	}
	if (*done == 0)
		return result;
	if (result == STREAM_IO_CLOSED || result == STREAM_IO_FAILED)
		tls->end = result;
	tls->has_more = tls->end != STREAM_IO_OK || (*done == n && SSL_has_pending(tls->ssl));
	return STREAM_IO_OK;
}

static enum stream_io
tls_write(struct stream *stream, const char *data, size_t n, size_t *done)
{
	struct tls *tls = stream->tls;
	bool wanted_write = stream->tls_wants_write;
	size_t put;

	clear_errors();
	*done = 0;
	while (*done < n) {
		tls->more_follows = n - *done > SSL3_RT_MAX_PLAIN_LENGTH;
		if (!SSL_write_ex(tls->ssl, data + *done, n - *done, &put))
			break;
		*done += put;
	}
	tls->more_follows = false;
	if (*done > 0)
		return STREAM_IO_OK;
	if (judge(tls) != STREAM_IO_AGAIN)
		return STREAM_IO_FAILED;
	stream->tls_wants_write = wanted_write;	/* that is for reads; what is kept is watched for anyhow */
	return STREAM_IO_AGAIN;
}

static bool
tls_has_pending(const struct stream *stream)
{
	const struct tls *tls = stream->tls;

	return tls->has_more;
}

static void
send_close_notify(struct tls *tls)
{
	if (SSL_is_init_finished(tls->ssl))
		(void)SSL_shutdown(tls->ssl);
	clear_errors();
}

static void
tls_shut(struct stream *stream)
{
	send_close_notify(stream->tls);
	(void)shutdown(stream->fd, SHUT_WR);
}

static void
tls_close(struct stream *stream, bool politely)
{
	struct tls *tls = stream->tls;

	end_turn(tls);
	if (politely)
		send_close_notify(tls);
	SSL_free(tls->ssl);
	tls_client_free(&tls->client);
	xfree(tls);
	clear_errors();
}

const struct stream_ops stream_tls = {
	.read = tls_read,
	.write = tls_write,
	.has_pending = tls_has_pending,
	.shut = tls_shut,
	.close = tls_close,
};

bool
stream_tls_reason(const struct stream *stream, char out[STREAM_REASON_MAX])
{
	const struct tls *tls = stream->tls;
	const char *text = tls->error != 0 ? ERR_reason_error_string(tls->error) : NULL;

	if (text != NULL && ERR_GET_REASON(tls->error) == SSL_R_CERTIFICATE_VERIFY_FAILED)
		text = tls_verify_text(SSL_get_verify_result(tls->ssl));
	if (text == NULL && stream->error == 0 && !SSL_is_init_finished(tls->ssl))
		text = "connection closed during the TLS handshake";
	if (text == NULL)
		return false;
	snprintf(out, STREAM_REASON_MAX, "%s", text);
	return true;
}

void
tls_facts_read(const struct stream *stream, struct tls_facts *facts)
{
	const struct tls *tls = stream->tls;
	const unsigned char *alpn;
	unsigned alpn_len;

	*facts = (struct tls_facts){ 0 };
	if (tls != NULL)
		facts->waited_ms = tls->turn != NULL ? tls->turn->handshake.waited_ms : tls->waited_ms;
	if (!stream_has_tls(stream))
		return;
	facts->version = SSL_get_version(tls->ssl);
	facts->cipher = SSL_get_cipher_name(tls->ssl);
	facts->resumed = SSL_session_reused(tls->ssl);
	if (!SSL_is_server(tls->ssl))
		return;
	SSL_get0_alpn_selected(tls->ssl, &alpn, &alpn_len);
	facts->alpn = alpn_len > 0 ? tls->alpn : NULL;
	facts->sni = SSL_get_servername(tls->ssl, TLSEXT_NAMETYPE_host_name);
	facts->has_certificate = SSL_get0_peer_certificate(tls->ssl) != NULL;
	/* without a certificate the result is good, too */
	facts->is_verified = facts->has_certificate && SSL_get_verify_result(tls->ssl) == X509_V_OK;
}

/* A server's that was not believed stands in its chain alone. */
X509 *
tls_shown_certificate(const SSL *ssl)
{
	X509 *certificate = SSL_get0_peer_certificate(ssl);
	STACK_OF(X509) *chain = SSL_get_peer_cert_chain(ssl);

	if (certificate == NULL && !SSL_is_server(ssl) && sk_X509_num(chain) > 0)
		certificate = sk_X509_value(chain, 0);
	return certificate;
}

int
tls_days_left(const struct stream *stream)
{
	const struct tls *tls = stream->tls;
	const X509 *certificate = tls != NULL ? tls_shown_certificate(tls->ssl) : NULL;
	int days, seconds;

	if (certificate == NULL || !ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(certificate)))
		return TLS_NO_CERTIFICATE;
	return seconds < 0 ? days - 1 : days;
}

bool
tls_facts_user(const struct stream *stream, char out[TLS_USER_MAX])
{
	const struct tls *tls = stream->tls;
	struct tls_facts facts;

	tls_facts_read(stream, &facts);
	return facts.is_verified && tls_certificate_user(SSL_get0_peer_certificate(tls->ssl), out);
}
