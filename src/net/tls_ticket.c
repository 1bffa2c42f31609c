/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tls_ticket.c: the keys that seal session tickets.  One pair of keys serves
 * all listeners (a ticket says itself where it is good, see tls_select.c).
 * The forward secrecy of TLS 1.2 tickets is that old keys are gone.
 */
#include "net/tls.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/ssl.h>

#include "base/digest.h"
#include "base/random.h"

enum { KEY_NAME_SIZE = 16, SECRET_SIZE = 32, IV_SIZE = 16, OWN_KEYS = 2 };

struct ticket_key {
	uint8_t name[KEY_NAME_SIZE], cipher_key[SECRET_SIZE], mac_key[SECRET_SIZE];
};
_Static_assert(sizeof(struct ticket_key) == TLS_TICKET_KEY_SIZE, "the bytes of a key");

/* Of the process: a ticket of one worker is good at all.  The current key and those before. */
static struct ticket_key keys[TLS_TICKET_KEYS];
static int key_count;
static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;

/* Looked up once: by name it would cost a search for each ticket. */
static EVP_CIPHER *cipher;
static pthread_once_t cipher_once = PTHREAD_ONCE_INIT;

static void
fetch_cipher(void)
{
	cipher = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL);
	if (cipher == NULL)
		abort();
}

/* Under the write lock. */
static void
add_key(void)
{
	struct ticket_key before = keys[0];

	secret_wipe(keys, sizeof(keys));
	keys[1] = before;
	secret_wipe(&before, sizeof(before));
	random_bytes(&keys[0], sizeof(keys[0]));
	if (key_count < OWN_KEYS)
		key_count++;
	else
		key_count = OWN_KEYS;
}

void
tls_tickets_set(const uint8_t (*shared)[TLS_TICKET_KEY_SIZE], int count)
{
	pthread_rwlock_wrlock(&lock);
	secret_wipe(keys, sizeof(keys));
	memcpy(keys, shared, (size_t)count * TLS_TICKET_KEY_SIZE);
	key_count = count;
	pthread_rwlock_unlock(&lock);
}

void
tls_tickets_rotate(void)
{
	pthread_rwlock_wrlock(&lock);
	add_key();
	pthread_rwlock_unlock(&lock);
}

/* The number of the key to use, copied into *key; -1: unknown.  name NULL: the current one. */
static int
find_key(const unsigned char *name, struct ticket_key *key)
{
	int found = -1;

	pthread_rwlock_rdlock(&lock);
	for (int i = 0; i < key_count && found < 0; i++)
		if (name == NULL || memcmp(keys[i].name, name, KEY_NAME_SIZE) == 0)
			found = i;
	if (found >= 0)
		*key = keys[found];
	pthread_rwlock_unlock(&lock);
	return found;
}

static bool
set_up(EVP_CIPHER_CTX *cipher_ctx, EVP_MAC_CTX *mac_ctx, struct ticket_key *key, const unsigned char *iv,
    int enc)
{
	char digest[] = "SHA256";
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key->mac_key, sizeof(key->mac_key)),
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_end(),
	};

	return EVP_MAC_CTX_set_params(mac_ctx, params) == 1 &&
	    EVP_CipherInit_ex2(cipher_ctx, cipher, key->cipher_key, iv, enc, NULL) == 1;
}

/* -1 error, 0 no such key, 1 good, 2 good but make a new ticket. */
static int	/* NOLINTNEXTLINE(readability-function-size): the shape is OpenSSL's */
on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher_ctx, EVP_MAC_CTX *mac_ctx,
    int enc)
{
	struct ticket_key key;
	int found = find_key(enc ? NULL : name, &key);
	bool ok;

	if (found < 0)
		return enc ? -1 : 0;
	if (enc) {
		memcpy(name, key.name, KEY_NAME_SIZE);
		random_bytes(iv, IV_SIZE);
	}
	ok = set_up(cipher_ctx, mac_ctx, &key, iv, enc);
	secret_wipe(&key, sizeof(key));
	if (!ok)
		return -1;
	/* TLS 1.3's are used once, so that who resumes wants another (RFC 8446 appendix C.4) */
	return found == 0 && SSL_version(ssl) != TLS1_3_VERSION ? 1 : 2;
}

void
tls_ticket_install(SSL_CTX *ctx)
{
	pthread_once(&cipher_once, fetch_cipher);
	pthread_rwlock_wrlock(&lock);
	if (key_count == 0)
		add_key();
	pthread_rwlock_unlock(&lock);
	SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, on_ticket);
}
