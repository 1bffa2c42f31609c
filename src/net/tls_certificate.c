/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tls_certificate.c: finds certificates and keys in PEM files, in any number
 * and order of files, and pairs them by public key.
 */
#include "net/tls.h"

#include <ctype.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/digest.h"
#include "base/xalloc.h"

enum { PASSWORD_MAX = 256 };

struct found_key {
	char *file;
	EVP_PKEY *key;
	bool is_used;
};

/* What has been read so far. */
struct found {
	struct tls_pairs *pairs;
	struct found_key *keys;
	size_t key_count;
	char password[PASSWORD_MAX];	/* of encrypted keys; "" where there is none */
	bool keys_only;			/* a `key` file */
	struct error *error;
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

static bool
each_of_pattern(const char *pattern, bool (*each)(const char *path, void *arg), void *arg,
    struct error *error)
{
	glob_t matches;
	bool ok = true;
	int result = glob(pattern, GLOB_ERR, NULL, &matches);

	if (result != 0) {
		if (result == GLOB_NOMATCH && strpbrk(pattern, "*?[") == NULL)
			return each(pattern, arg);	/* its opening says why it cannot be read */
		return error_set(error, "%s: %s", pattern,
		    result == GLOB_NOMATCH ? "no such file" : "cannot be read");
	}
	for (size_t i = 0; i < matches.gl_pathc && ok; i++)
		ok = each(matches.gl_pathv[i], arg);
	globfree(&matches);
	return ok;
}

static bool
each_of_list(const struct string_list *patterns, bool (*each)(const char *path, void *arg), void *arg,
    struct error *error)
{
	for (size_t i = 0; i < patterns->count; i++)
		if (!each_of_pattern(patterns->items[i], each, arg, error))
			return false;
	return true;
}

bool
tls_files_each(const struct tls_settings *settings, bool (*each)(const char *path, void *arg), void *arg,
    struct error *error)
{
	return each_of_list(&settings->certificate, each, arg, error) &&
	    each_of_list(&settings->key, each, arg, error) &&
	    (settings->key_password_file == NULL || each(settings->key_password_file, arg));
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
	**leaf = (struct tls_pair){ .file = xstrdup(path), .leaf = certificate, .chain = sk_X509_new_null(),
		.expires = time(NULL) + seconds_until(X509_get0_notAfter(certificate)) };
	if ((*leaf)->chain == NULL)
		abort();
}

static void
add_key(struct found *found, EVP_PKEY *key, const char *path)
{
	found->keys = xrealloc(found->keys, (found->key_count + 1) * sizeof(found->keys[0]));
	found->keys[found->key_count++] = (struct found_key){ .file = xstrdup(path), .key = key };
}

/* A block of a PEM file. */
struct pem {
	char *name, *header;
	unsigned char *data;
	long len;
};

static bool
add_pem_certificate(struct found *found, const struct pem *pem, const char *path, struct tls_pair **leaf)
{
	const unsigned char *at = pem->data;
	X509 *certificate = d2i_X509_AUX(NULL, &at, pem->len);
	char text[STREAM_REASON_MAX];

	if (certificate == NULL)
		return error_set(found->error, "%s: %s", path, tls_error_text(text));
	add_certificate(found, certificate, path, leaf);
	return true;
}

static bool
add_pem_key(struct found *found, const struct pem *pem, const char *path)
{
	BIO *alone = BIO_new(BIO_s_secmem());
	char text[STREAM_REASON_MAX];
	EVP_PKEY *key;

	/* a key's block stands alone here: in a file of several, OpenSSL cannot tell a bad one from none */
	if (alone == NULL || !PEM_write_bio(alone, pem->name, pem->header, pem->data, pem->len))
		abort();
	key = PEM_read_bio_PrivateKey(alone, NULL, on_password, found);
	BIO_free(alone);
	if (key == NULL)
		return error_set(found->error, "%s: the key cannot be read: %s", path, tls_error_text(text));
	add_key(found, key, path);
	return true;
}

static bool
add_pem(struct found *found, const struct pem *pem, const char *path, struct tls_pair **leaf)
{
	struct slice name = slice_of(pem->name), key = slice_of(PEM_STRING_PKCS8INF);

	if (strcmp(pem->name, PEM_STRING_X509) == 0 || strcmp(pem->name, PEM_STRING_X509_TRUSTED) == 0 ||
	    strcmp(pem->name, PEM_STRING_X509_OLD) == 0)
		return found->keys_only || add_pem_certificate(found, pem, path, leaf);
	if (name.len >= key.len && slice_equals(slice_from(name, name.len - key.len), key.data))
		return add_pem_key(found, pem, path);
	return true;		/* "EC PARAMETERS" and the like */
}

static bool
read_file(const char *path, void *arg)
{
	struct found *found = arg;
	size_t keys_before = found->key_count;
	char text[STREAM_REASON_MAX];
	struct tls_pair *leaf = NULL;
	BIO *file = BIO_new_file(path, "r");
	struct pem pem;
	bool ok = true;

	if (file == NULL)
		return error_set(found->error, "%s: %s", path, tls_error_text(text));
	while (ok && PEM_read_bio(file, &pem.name, &pem.header, &pem.data, &pem.len)) {
		ok = add_pem(found, &pem, path, &leaf);
		OPENSSL_free(pem.name);
		OPENSSL_free(pem.header);
		OPENSSL_clear_free(pem.data, (size_t)pem.len);
	}
	BIO_free(file);
	if (ok && ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
		return error_set(found->error, "%s: %s", path, tls_error_text(text));
	ERR_clear_error();
	if (ok && leaf == NULL && found->key_count == keys_before)
		return error_set(found->error, "%s: no %s found", path,
		    found->keys_only ? "key" : "certificate");
	return ok;
}

static bool
read_password(struct found *found, const char *path)
{
	FILE *file;
	bool ok;

	if (path == NULL)
		return true;
	file = fopen(path, "re");
	if (file == NULL)
		return error_set(found->error, "%s: %m", path);
	ok = fgets(found->password, sizeof(found->password), file) != NULL;
	fclose(file);
	found->password[strcspn(found->password, "\r\n")] = '\0';
	if (!ok || found->password[0] == '\0')
		return error_set(found->error, "%s: no password found", path);
	return true;
}

static bool
pair_all(struct found *found)
{
	for (size_t i = 0; i < found->pairs->count; i++) {
		struct tls_pair *pair = &found->pairs->all[i];

		for (size_t k = 0; k < found->key_count; k++) {
			if (X509_check_private_key(pair->leaf, found->keys[k].key) != 1)
				continue;
			found->keys[k].is_used = true;
			if (pair->key == NULL && EVP_PKEY_up_ref(found->keys[k].key))
				pair->key = found->keys[k].key;
		}
		ERR_clear_error();
		if (pair->key == NULL)
			return error_set(found->error, "%s: no key fits this certificate", pair->file);
	}
	for (const struct found_key *key = found->keys; key < found->keys + found->key_count; key++)
		if (!key->is_used)
			return error_set(found->error, "%s: the key fits no certificate", key->file);
	return found->pairs->count > 0 || error_set(found->error, "no certificate found");
}

bool
tls_pairs_load(const struct tls_settings *settings, struct tls_pairs *pairs, struct error *error)
{
	struct found found = { .pairs = pairs, .error = error };
	bool ok;

	*pairs = (struct tls_pairs){ 0 };
	ok = read_password(&found, settings->key_password_file) &&
	    each_of_list(&settings->certificate, read_file, &found, error);
	found.keys_only = true;
	ok = ok && each_of_list(&settings->key, read_file, &found, error) && pair_all(&found);
	for (size_t k = 0; k < found.key_count; k++) {
		EVP_PKEY_free(found.keys[k].key);
		xfree(found.keys[k].file);
	}
	xfree(found.keys);
	secret_wipe(found.password, sizeof(found.password));
	if (!ok)
		tls_pairs_free(pairs);
	return ok;
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
