/* SPDX-License-Identifier: BSD-2-Clause */
/* tls_peer.c: a client's certificate in words, as nginx has them in its headers. */
#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include "net/tls.h"

/* Moves what was written into `out`. */
static void
take_written(BIO *bio, struct buf *out)
{
	char *data;
	long len = BIO_get_mem_data(bio, &data);

	if (len > 0)
		buf_append(out, data, (size_t)len);
	if (BIO_reset(bio) != 1)
		abort();
}

static void
read_fingerprint(const X509 *certificate, struct buf *out)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned len = 0;

	if (X509_digest(certificate, EVP_sha1(), digest, &len) != 1)
		return;
	for (unsigned i = 0; i < len; i++)
		buf_printf(out, "%02x", digest[i]);
}

static void
read_certificate(X509 *certificate, bool with_pem, struct tls_peer *peer)
{
	BIO *bio = BIO_new(BIO_s_mem());

	if (bio == NULL)
		abort();
	X509_NAME_print_ex(bio, X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253);
	take_written(bio, &peer->subject);
	X509_NAME_print_ex(bio, X509_get_issuer_name(certificate), 0, XN_FLAG_RFC2253);
	take_written(bio, &peer->issuer);
	i2a_ASN1_INTEGER(bio, X509_get0_serialNumber(certificate));
	take_written(bio, &peer->serial);
	if (with_pem && PEM_write_bio_X509(bio, certificate) == 1)
		take_written(bio, &peer->pem);
	BIO_free(bio);
	read_fingerprint(certificate, &peer->fingerprint);
	ERR_clear_error();
}

bool
tls_peer_read(const struct stream *stream, bool with_pem, struct tls_peer *peer)
{
	const struct tls *tls = stream->tls;
	X509 *certificate;
	long result;

	*peer = (struct tls_peer){ 0 };
	if (!stream_has_tls(stream) || (SSL_get_verify_mode(tls->ssl) & SSL_VERIFY_PEER) == 0)
		return false;
	certificate = SSL_get0_peer_certificate(tls->ssl);
	peer->is_shown = certificate != NULL;
	if (certificate == NULL)
		return true;
	result = SSL_get_verify_result(tls->ssl);
	if (result != X509_V_OK)
		peer->problem = tls_verify_text(result);
	read_certificate(certificate, with_pem, peer);
	return true;
}

void
tls_peer_clear(struct tls_peer *peer)
{
	buf_clear(&peer->subject);
	buf_clear(&peer->issuer);
	buf_clear(&peer->serial);
	buf_clear(&peer->fingerprint);
	buf_clear(&peer->pem);
}

static void
append_name(const char *name, void *arg)
{
	struct buf *out = arg;

	buf_printf(out, " %s", name);
}

void
tls_certificate_text(const struct stream *stream, struct buf *out)
{
	const struct tls *tls = stream->tls;
	X509 *certificate = tls != NULL ? tls_shown_certificate(tls->ssl) : NULL;
	struct tls_peer peer = { 0 };
	struct buf names = { 0 };

	if (certificate == NULL)
		return;
	read_certificate(certificate, false, &peer);
	tls_names_each(certificate, append_name, &names);
	buf_printf(out, "%.*s", SLICE_ARGS(buf_slice(&peer.subject)));
	if (buf_len(&names) > 0 && slice_is_printable(buf_slice(&names)))
		buf_printf(out, ", names:%.*s", SLICE_ARGS(buf_slice(&names)));
	buf_printf(out, ", issued by %.*s", SLICE_ARGS(buf_slice(&peer.issuer)));
	buf_clear(&names);
	tls_peer_clear(&peer);
}
