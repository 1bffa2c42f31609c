/* SPDX-License-Identifier: BSD-2-Clause */
/* tls_describe.c: what a loaded certificate says. */
#include "net/tls_describe.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "net/tls.h"

static void
write_name(const X509_NAME *name, struct buf *out)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *data;
	long len;

	if (bio == NULL)
		abort();
	X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253);
	len = BIO_get_mem_data(bio, &data);
	if (len > 0)
		buf_append(out, data, (size_t)len);
	BIO_free(bio);
}

static void
write_digest(const X509 *leaf, const EVP_MD *kind, struct buf *out)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned len = 0;

	if (X509_digest(leaf, kind, digest, &len) != 1)
		return;
	for (unsigned i = 0; i < len; i++)
		buf_printf(out, "%02X", digest[i]);
}

static void
write_serial(X509 *leaf, struct buf *out)
{
	BIGNUM *number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(leaf), NULL);
	char *text = number != NULL ? BN_bn2hex(number) : NULL;

	if (text != NULL)
		buf_append_text(out, text);
	OPENSSL_free(text);
	BN_free(number);
}

static void
write_key(X509 *leaf, struct buf *out)
{
	const EVP_PKEY *key = X509_get0_pubkey(leaf);
	const char *kind = key != NULL ? OBJ_nid2sn(EVP_PKEY_get_base_id(key)) : NULL;

	if (kind == NULL)
		return;
	if (EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA)
		kind = "RSA";
	else if (EVP_PKEY_get_base_id(key) == EVP_PKEY_EC)
		kind = "EC";
	buf_printf(out, "%s%d", kind, EVP_PKEY_get_bits(key));
}

static void
add_name(const char *name, void *arg)
{
	struct buf *names = arg;

	buf_printf(names, "%sDNS:%s", buf_len(names) > 0 ? ", " : "", name);
}

static time_t
time_of(const ASN1_TIME *when)
{
	struct tm tm;

	return ASN1_TIME_to_tm(when, &tm) == 1 ? timegm(&tm) : 0;
}

static void
clear(struct tls_description *description)
{
	struct buf *bufs[] = { &description->subject, &description->issuer, &description->names,
		&description->serial, &description->sha1, &description->sha256, &description->key };

	for (size_t i = 0; i < sizeof(bufs) / sizeof(bufs[0]); i++)
		buf_clear(bufs[i]);
}

void
tls_describe(struct tls_context *context,
    void (*each)(const struct tls_description *certificate, void *arg), void *arg)
{
	struct tls_server *server = tls_server_get(context);

	for (size_t i = 0; i < server->leaf_count; i++) {
		X509 *leaf = server->leaves[i].leaf;
		struct tls_description description = {
			.file = server->leaves[i].file,
			.from = time_of(X509_get0_notBefore(leaf)),
			.until = time_of(X509_get0_notAfter(leaf)),
		};

		write_name(X509_get_subject_name(leaf), &description.subject);
		write_name(X509_get_issuer_name(leaf), &description.issuer);
		write_serial(leaf, &description.serial);
		write_digest(leaf, EVP_sha1(), &description.sha1);
		write_digest(leaf, EVP_sha256(), &description.sha256);
		write_key(leaf, &description.key);
		tls_names_each(leaf, add_name, &description.names);
		each(&description, arg);
		clear(&description);
	}
	ERR_clear_error();
	tls_server_put(server);
}
