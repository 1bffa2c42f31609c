/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * certificates.h: certificates made at test time in a folder of the test's
 * own, and tls blocks that name them.
 */
#ifndef UNIT_NET_CERTIFICATES_H
#define UNIT_NET_CERTIFICATES_H

#include "tape.h"

#include <dirent.h>
#include <time.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/slice.h"
#include "conf/conf.h"
#include "net/tls_context.h"

enum { DAY = 24 * 60 * 60, YEAR = 365 * DAY };

static char folder[64];
static char file_names[64][512];		/* of in_folder: a few at a time */

static inline const char *
in_folder(const char *name)
{
	static int next;			/* which of file_names */
	char *out = file_names[next++ % 64];

	snprintf(out, sizeof(file_names[0]), "%s/%s", folder, name);
	return out;
}

static inline int
make_folder(void **state)
{
	(void)state;
	snprintf(folder, sizeof(folder), "/tmp/gatepost-unit-XXXXXX");
	return mkdtemp(folder) == NULL;
}

static inline int
remove_folder(void **state)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;

	(void)state;
	while (dir != NULL && (entry = readdir(dir)) != NULL)
		if (entry->d_name[0] != '.')
			unlink(in_folder(entry->d_name));
	if (dir != NULL)
		closedir(dir);
	return rmdir(folder);
}

static inline EVP_PKEY *
make_key(bool rsa)
{
	return rsa ? EVP_RSA_gen(2048u) : EVP_EC_gen("P-256");
}

/* A self-signed certificate; names as "DNS:a,DNS:b". */
static inline X509 *
make_certificate(EVP_PKEY *key, const char *names, long valid_s)
{
	X509 *certificate = X509_new();
	X509_NAME *subject = X509_get_subject_name(certificate);
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, names);

	X509_set_version(certificate, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(certificate), time(NULL));
	X509_gmtime_adj(X509_getm_notBefore(certificate), -YEAR);
	X509_gmtime_adj(X509_getm_notAfter(certificate), valid_s);
	X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)names, -1, -1, 0);
	X509_set_issuer_name(certificate, subject);
	X509_set_pubkey(certificate, key);
	assert_non_null(extension);
	X509_add_ext(certificate, extension, -1);
	X509_EXTENSION_free(extension);
	assert_true(X509_sign(certificate, key, EVP_sha256()) > 0);
	return certificate;
}

/* Writes certificate and key (either may be NULL) to files, which may be the same one. */
struct wanted {
	const char *names;
	bool rsa;
	long valid_s;
	const char *certificate_file, *key_file, *password;
};

static inline void
write_pair(const struct wanted *wanted)
{
	EVP_PKEY *key = make_key(wanted->rsa);
	X509 *certificate = make_certificate(key, wanted->names, wanted->valid_s);
	FILE *file;

	if (wanted->certificate_file != NULL) {
		file = fopen(in_folder(wanted->certificate_file), "w");
		PEM_write_X509(file, certificate);
		fclose(file);
	}
	if (wanted->key_file != NULL) {
		file = fopen(in_folder(wanted->key_file), "a");
		PEM_write_PrivateKey(file, key, wanted->password != NULL ? EVP_aes_256_cbc() : NULL,
		    (const unsigned char *)wanted->password,
		    wanted->password != NULL ? (int)strlen(wanted->password) : 0, NULL, NULL);
		fclose(file);
	}
	X509_free(certificate);
	EVP_PKEY_free(key);
}

static inline void
write_pem(const char *names, const char *file)
{
	unlink(in_folder(file));
	write_pair(&(struct wanted){ .names = names, .valid_s = YEAR, .certificate_file = file,
	    .key_file = file });
}

/* A tls block with the files of one pattern. */
struct block_of {
	struct tls_settings settings;
	const char *certificates[4], *keys[4];
};

static inline void
fill_block(struct block_of *block, const char *pattern)
{
	*block = (struct block_of){ .certificates = { in_folder(pattern) } };
	block->settings.conf.title = "main";
	block->settings.certificate = (struct string_list){ block->certificates, 1 };
	block->settings.key = (struct string_list){ block->keys, 0 };
	block->settings.min_version = TLS1_2_VERSION;
	block->settings.session_tickets = true;
}

/* What is said to be wrong, a line each; begins as { 0 }, and what was read is forgotten. */
struct said {
	struct conf_problems problems;
	char text[2048];
};

static inline const char *
read_said(struct said *said)
{
	FILE *file = fmemopen(said->text, sizeof(said->text), "w");

	assert_non_null(file);
	conf_problems_print(&said->problems, file);
	fclose(file);
	conf_problems_clear(&said->problems);
	return said->text;
}

static inline struct tls_context *
load_block(const struct block_of *block)
{
	struct said said = { 0 };
	struct tls_context *context = tls_context_load(&block->settings, &said.problems);

	if (context == NULL)
		fail_msg("%s", read_said(&said));
	return context;
}

#endif
