/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tls_certificate.c: finds certificates and keys in PEM files, in any number
 * and order of files, and pairs them by public key.
 */
#include "net/tls.h"

#include <ctype.h>
#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/digest.h"
#include "base/xalloc.h"
#include "conf/conf.h"

enum { PASSWORD_MAX = 256 };

struct found_key {
	char *file;
	struct tls_place place;
	EVP_PKEY *key;
	bool is_used;
};

/* What has been read so far. */
struct found {
	struct tls_pairs *pairs;
	struct found_key *keys;
	size_t key_count;
	char password[PASSWORD_MAX];	/* of encrypted keys; "" where there is none */
	bool lacks_password;		/* it could not be read: no key is to blame */
	bool keys_only;			/* a `key` file */
	struct tls_place place;		/* of what is being read */
	const struct tls_settings *settings;
	struct conf_problems *problems;
	bool is_bad;
};

const char *
tls_error_text(char out[STREAM_REASON_MAX])
{
	unsigned long code = ERR_get_error();
	const char *reason = code != 0 ? ERR_reason_error_string(code) : "unknown error";

	ERR_clear_error();
	if (reason == NULL)
		reason = strerror(ERR_GET_REASON(code));	/* a failed system call's */
	snprintf(out, STREAM_REASON_MAX, "%s", reason);
	return out;
}

const char *
tls_pattern_each(const char *pattern, void (*each)(const char *path, void *arg), void *arg)
{
	glob_t matches;
	int result = glob(pattern, GLOB_ERR, NULL, &matches);

	if (result == GLOB_NOMATCH && strpbrk(pattern, "*?[") == NULL) {
		each(pattern, arg);		/* its opening says why it cannot be read */
		return NULL;
	}
	if (result != 0)
		return result == GLOB_NOMATCH ? "no such file" : "cannot be read";
	for (size_t i = 0; i < matches.gl_pathc; i++)
		each(matches.gl_pathv[i], arg);
	globfree(&matches);
	return NULL;
}

void
tls_files_each(const struct tls_settings *settings, void (*each)(const char *path, void *arg), void *arg)
{
	for (size_t i = 0; i < settings->certificate.count; i++)
		(void)tls_pattern_each(settings->certificate.items[i], each, arg);
	for (size_t i = 0; i < settings->key.count; i++)
		(void)tls_pattern_each(settings->key.items[i], each, arg);
	for (size_t i = 0; i < settings->client_ca.count; i++)
		(void)tls_pattern_each(settings->client_ca.items[i], each, arg);
	if (settings->key_password_file != NULL)
		each(settings->key_password_file, arg);
}

static void
refuse(struct found *found, const char *path, const char *why)
{
	conf_error_at_value(found->problems, &found->settings->conf, found->place.directive,
	    found->place.value, "%s: %s", path, why);
	found->is_bad = true;
}

/* The shape is OpenSSL's. */
static int
on_password(char *out, int size, int is_writing, void *arg)
{
	const struct found *found = arg;
	size_t n = strlen(found->password);

	(void)is_writing;
	if (n == 0 || n > (size_t)size)
		return -1;
	memcpy(out, found->password, n);
	return (int)n;
}

/* From now to then. */
static time_t
seconds_until(const ASN1_TIME *when)
{
	int days = 0, seconds = 0;

	(void)ASN1_TIME_diff(&days, &seconds, NULL, when);
	return (time_t)days * 24 * 60 * 60 + seconds;
}

static void
add_certificate(struct found *found, X509 *certificate, const char *path, struct tls_pair **leaf)
{
	struct tls_pairs *pairs = found->pairs;

	if (*leaf != NULL) {
		if (!sk_X509_push((*leaf)->chain, certificate))
			abort();
		return;
	}
	pairs->all = xrealloc(pairs->all, (pairs->count + 1) * sizeof(pairs->all[0]));
	*leaf = &pairs->all[pairs->count++];
	**leaf = (struct tls_pair){ .file = xstrdup(path), .place = found->place, .leaf = certificate,
		.chain = sk_X509_new_null(),
		.expires = time(NULL) + seconds_until(X509_get0_notAfter(certificate)) };
	if ((*leaf)->chain == NULL)
		abort();
}

static void
add_key(struct found *found, EVP_PKEY *key, const char *path)
{
	found->keys = xrealloc(found->keys, (found->key_count + 1) * sizeof(found->keys[0]));
	found->keys[found->key_count++] = (struct found_key){ .file = xstrdup(path), .place = found->place,
		.key = key };
}

/* A block of a PEM file. */
struct pem {
	char *name, *header;
	unsigned char *data;
	long len;
};

static void
add_pem_certificate(struct found *found, const struct pem *pem, const char *path, struct tls_pair **leaf)
{
	const unsigned char *at = pem->data;
	X509 *certificate = d2i_X509_AUX(NULL, &at, pem->len);
	char text[STREAM_REASON_MAX];

	if (certificate == NULL)
		refuse(found, path, tls_error_text(text));
	else
		add_certificate(found, certificate, path, leaf);
}

static void
add_pem_key(struct found *found, const struct pem *pem, const char *path)
{
	BIO *alone = BIO_new(BIO_s_secmem());
	char text[STREAM_REASON_MAX], why[2 * STREAM_REASON_MAX];
	EVP_PKEY *key;

	/* a key's block stands alone here: in a file of several, OpenSSL cannot tell a bad one from none */
	if (alone == NULL || !PEM_write_bio(alone, pem->name, pem->header, pem->data, pem->len))
		abort();
	key = PEM_read_bio_PrivateKey(alone, NULL, on_password, found);
	BIO_free(alone);
	if (key != NULL) {
		add_key(found, key, path);
		return;
	}
	snprintf(why, sizeof(why), "the key cannot be read: %s", tls_error_text(text));
	if (!found->lacks_password)
		refuse(found, path, why);
}

static void
add_pem(struct found *found, const struct pem *pem, const char *path, struct tls_pair **leaf)
{
	struct slice name = slice_of(pem->name), key = slice_of(PEM_STRING_PKCS8INF);
	bool is_certificate = strcmp(pem->name, PEM_STRING_X509) == 0 ||
	    strcmp(pem->name, PEM_STRING_X509_TRUSTED) == 0 || strcmp(pem->name, PEM_STRING_X509_OLD) == 0;

	/* others are "EC PARAMETERS" and the like */
	if (is_certificate && !found->keys_only)
		add_pem_certificate(found, pem, path, leaf);
	else if (name.len >= key.len && slice_equals(slice_from(name, name.len - key.len), key.data))
		add_pem_key(found, pem, path);
}

static void
read_blocks(struct found *found, BIO *file, const char *path)
{
	size_t keys_before = found->key_count;
	bool was_bad = found->is_bad;
	char text[STREAM_REASON_MAX];
	struct tls_pair *leaf = NULL;
	struct pem pem;

	found->is_bad = false;
	while (!found->is_bad && PEM_read_bio(file, &pem.name, &pem.header, &pem.data, &pem.len)) {
		add_pem(found, &pem, path, &leaf);
		OPENSSL_free(pem.name);
		OPENSSL_free(pem.header);
		OPENSSL_clear_free(pem.data, (size_t)pem.len);
	}
	if (!found->is_bad && ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
		refuse(found, path, tls_error_text(text));
	else if (!found->is_bad && leaf == NULL && found->key_count == keys_before && !found->lacks_password)
		refuse(found, path, found->keys_only ? "no key found" : "no certificate found");
	ERR_clear_error();
	found->is_bad = found->is_bad || was_bad;
}

static void
read_file(const char *path, void *arg)
{
	struct found *found = arg;
	char text[STREAM_REASON_MAX];
	BIO *file = BIO_new_file(path, "r");

	if (file == NULL) {
		refuse(found, path, tls_error_text(text));
		return;
	}
	read_blocks(found, file, path);
	BIO_free(file);
}

static void
read_password(struct found *found, const char *path)
{
	FILE *file;

	if (path == NULL)
		return;
	found->place = (struct tls_place){ "key_password_file", 0 };
	file = fopen(path, "re");
	if (file == NULL) {
		refuse(found, path, strerror(errno));
	} else {
		if (fgets(found->password, sizeof(found->password), file) != NULL)
			found->password[strcspn(found->password, "\r\n")] = '\0';
		fclose(file);
		if (found->password[0] == '\0')
			refuse(found, path, "no password found");
	}
	found->lacks_password = found->is_bad;
}

static void
read_list(struct found *found, const char *directive, const struct string_list *patterns)
{
	for (size_t i = 0; i < patterns->count; i++) {
		const char *why;

		found->place = (struct tls_place){ directive, i };
		why = tls_pattern_each(patterns->items[i], read_file, found);
		if (why != NULL)
			refuse(found, patterns->items[i], why);
	}
}

static void
find_key(struct found *found, struct tls_pair *pair)
{
	for (size_t k = 0; k < found->key_count; k++) {
		if (X509_check_private_key(pair->leaf, found->keys[k].key) != 1)
			continue;
		found->keys[k].is_used = true;
		if (pair->key == NULL && EVP_PKEY_up_ref(found->keys[k].key))
			pair->key = found->keys[k].key;
	}
	ERR_clear_error();
	found->place = pair->place;
	if (pair->key == NULL)
		refuse(found, pair->file, "no key fits this certificate");
}

static void
pair_all(struct found *found)
{
	for (size_t i = 0; i < found->pairs->count; i++)
		find_key(found, &found->pairs->all[i]);
	for (const struct found_key *key = found->keys; key < found->keys + found->key_count; key++) {
		found->place = key->place;
		if (!key->is_used)
			refuse(found, key->file, "the key fits no certificate");
	}
}

bool
tls_pairs_load(const struct tls_settings *settings, struct tls_pairs *pairs, struct conf_problems *problems)
{
	struct found found = { .pairs = pairs, .settings = settings, .problems = problems };

	*pairs = (struct tls_pairs){ 0 };
	read_password(&found, settings->key_password_file);
	read_list(&found, "certificate", &settings->certificate);
	found.keys_only = true;
	read_list(&found, "key", &settings->key);
	/* what could not be read would be missed again */
	if (!found.is_bad)
		pair_all(&found);
	if (!found.is_bad && pairs->count == 0) {
		found.place = (struct tls_place){ "certificate", 0 };
		refuse(&found, "certificate", "no certificate found");
	}
	for (size_t k = 0; k < found.key_count; k++) {
		EVP_PKEY_free(found.keys[k].key);
		xfree(found.keys[k].file);
	}
	xfree(found.keys);
	secret_wipe(found.password, sizeof(found.password));
	if (found.is_bad)
		tls_pairs_free(pairs);
	return !found.is_bad;
}

void
tls_pairs_free(struct tls_pairs *pairs)
{
	for (size_t i = 0; i < pairs->count; i++) {
		X509_free(pairs->all[i].leaf);
		sk_X509_pop_free(pairs->all[i].chain, X509_free);
		EVP_PKEY_free(pairs->all[i].key);
		xfree(pairs->all[i].file);
	}
	xfree(pairs->all);
	*pairs = (struct tls_pairs){ 0 };
}

static void
tell_name(const ASN1_STRING *string, void (*each)(const char *name, void *arg), void *arg)
{
	int len = ASN1_STRING_length(string);
	char name[TLS_NAME_MAX];

	if (len <= 0 || len >= TLS_NAME_MAX)
		return;
	memcpy(name, ASN1_STRING_get0_data(string), (size_t)len);
	name[len] = '\0';
	for (int i = 0; i < len; i++)
		name[i] = (char)tolower((unsigned char)name[i]);
	if (strlen(name) == (size_t)len)
		each(name, arg);
}

void
tls_names_each(X509 *leaf, void (*each)(const char *name, void *arg), void *arg)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(leaf, NID_subject_alt_name, NULL, NULL);
	X509_NAME *subject = X509_get_subject_name(leaf);
	int common = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);

	if (names == NULL && common >= 0)
		tell_name(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, common)), each, arg);
	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

		if (name->type == GEN_DNS)
			tell_name(name->d.dNSName, each, arg);
	}
	GENERAL_NAMES_free(names);
	ERR_clear_error();
}
