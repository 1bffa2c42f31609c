/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tls_authorities.c: clients' certificates: who vouches for them, whether
 * they are asked for, and which user they name.  Revocation lists are not
 * looked at: an authority goes when its certificate leaves the files.
 */
#include "net/tls_authorities.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/buf.h"
#include "conf/conf.h"
#include "net/tls.h"

/* While files are read. */
struct reading {
	struct tls_authorities *authorities;
	struct buf all;			/* of each certificate its octets */
	size_t value;			/* of client_ca, which is being read */
	const struct tls_settings *settings;
	struct conf_problems *problems;
	bool is_bad;
};

static void
refuse(struct reading *reading, const char *path, const char *why)
{
	conf_error_at_value(reading->problems, &reading->settings->conf, "client_ca", reading->value,
	    "%s: %s", path, why);
	reading->is_bad = true;
}

static void
add(struct reading *reading, X509 *certificate)
{
	X509_NAME *name = X509_NAME_dup(X509_get_subject_name(certificate));
	unsigned char *octets = NULL;
	int len = i2d_X509_AUX(certificate, &octets);

	if (name == NULL || len <= 0 || !sk_X509_NAME_push(reading->authorities->names, name) ||
	    !X509_STORE_add_cert(reading->authorities->store, certificate))
		abort();
	buf_append(&reading->all, octets, (size_t)len);
	OPENSSL_free(octets);
}

static void
read_certificates(struct reading *reading, BIO *file, const char *path)
{
	char no_password[] = "", text[STREAM_REASON_MAX];	/* without it OpenSSL would ask a terminal */
	size_t before = buf_len(&reading->all);
	X509 *certificate;

	while ((certificate = PEM_read_bio_X509_AUX(file, NULL, NULL, no_password)) != NULL) {
		add(reading, certificate);
		X509_free(certificate);
	}
	if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
		refuse(reading, path, tls_error_text(text));
	else if (buf_len(&reading->all) == before)
		refuse(reading, path, "no certificate found");
	ERR_clear_error();
}

static void
read_file(const char *path, void *arg)
{
	struct reading *reading = arg;
	char text[STREAM_REASON_MAX];
	BIO *file = BIO_new_file(path, "r");

	if (file == NULL) {
		refuse(reading, path, tls_error_text(text));
		return;
	}
	read_certificates(reading, file, path);
	BIO_free(file);
}

bool
tls_authorities_load(const struct tls_settings *settings, struct tls_authorities *authorities,
    struct conf_problems *problems)
{
	struct reading reading = { .authorities = authorities, .settings = settings,
		.problems = problems };

	authorities->store = X509_STORE_new();
	authorities->names = sk_X509_NAME_new_null();
	if (authorities->store == NULL || authorities->names == NULL)
		abort();
	for (size_t i = 0; i < settings->client_ca.count; i++) {
		const char *pattern = settings->client_ca.items[i];
		const char *why;

		reading.value = i;
		why = tls_pattern_each(pattern, read_file, &reading);
		if (why != NULL)
			refuse(&reading, pattern, why);
	}
	digest_sha256(buf_data(&reading.all), buf_len(&reading.all), authorities->digest);
	buf_clear(&reading.all);
	if (reading.is_bad)
		tls_authorities_free(authorities);
	return !reading.is_bad;
}

void
tls_authorities_free(struct tls_authorities *authorities)
{
	X509_STORE_free(authorities->store);
	sk_X509_NAME_pop_free(authorities->names, X509_NAME_free);
	*authorities = (struct tls_authorities){ 0 };
}

/* The shape is OpenSSL's.  The verdict stays in the session, and the handshake goes on. */
static int
on_any_certificate(X509_STORE_CTX *store, void *arg)
{
	(void)arg;
	if (X509_verify_cert(store) <= 0 && X509_STORE_CTX_get_error(store) == X509_V_OK)
		X509_STORE_CTX_set_error(store, X509_V_ERR_UNSPECIFIED);
	return 1;
}

void
tls_authorities_install(const struct tls_authorities *authorities, int verify_client, SSL_CTX *ctx)
{
	int mode = SSL_VERIFY_PEER;

	if (verify_client == TLS_VERIFY_OFF)
		return;
	if (verify_client == TLS_VERIFY_REQUIRED)
		mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
	SSL_CTX_set_verify(ctx, mode, NULL);
	if (!SSL_CTX_set1_verify_cert_store(ctx, authorities->store))
		abort();
	if (verify_client == TLS_VERIFY_ANY)
		SSL_CTX_set_cert_verify_callback(ctx, on_any_certificate, NULL);
	else	/* not with `any`: a client would keep back what none of the names vouches for */
		SSL_CTX_set_client_CA_list(ctx, SSL_dup_CA_list(authorities->names));
}

static bool
take_name(const void *data, int len, char out[TLS_USER_MAX])
{
	if (len <= 0 || len >= TLS_USER_MAX || !slice_is_printable(slice_make(data, (size_t)len)))
		return false;
	memcpy(out, data, (size_t)len);
	out[len] = '\0';
	return true;
}

static bool
take_common_name(const X509_NAME_ENTRY *entry, char out[TLS_USER_MAX])
{
	unsigned char *text = NULL;
	int len = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(entry));
	bool ok = take_name(text, len, out);

	OPENSSL_free(text);
	return ok;
}

static bool
take_mail_address(const X509 *certificate, char out[TLS_USER_MAX])
{
	GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
	const GENERAL_NAME *name = NULL;
	bool ok;

	for (int i = 0; i < sk_GENERAL_NAME_num(names) && (name == NULL || name->type != GEN_EMAIL); i++)
		name = sk_GENERAL_NAME_value(names, i);
	ok = name != NULL && name->type == GEN_EMAIL &&
	    take_name(ASN1_STRING_get0_data(name->d.rfc822Name), ASN1_STRING_length(name->d.rfc822Name), out);
	GENERAL_NAMES_free(names);
	return ok;
}

bool
tls_certificate_user(const X509 *certificate, char out[TLS_USER_MAX])
{
	const X509_NAME *subject = X509_get_subject_name(certificate);
	int next = X509_NAME_get_index_by_NID(subject, NID_commonName, -1), last = next;
	bool ok;

	while (next >= 0) {
		last = next;
		next = X509_NAME_get_index_by_NID(subject, NID_commonName, last);
	}
	ok = last >= 0 ? take_common_name(X509_NAME_get_entry(subject, last), out) :
	    take_mail_address(certificate, out);
	ERR_clear_error();
	return ok;
}
