/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tls.h: what stream_tls.c and the tls_*.c files share.  Nobody else includes
 * it: OpenSSL's types (SSL, SSL_CTX, X509, EVP_PKEY) go no further.
 */
#ifndef NET_TLS_H
#define NET_TLS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "base/digest.h"
#include "base/error.h"
#include "base/map.h"
#include "net/transport.h"
#include "net/tls_context.h"

struct evp_pkey_st;
struct ssl_ctx_st;
struct ssl_method_st;
struct ssl_st;
struct stack_st_X509;
struct turn;
struct x509_st;

enum { TLS_NAME_MAX = 256, TLS_BINDING_SIZE = 16 };

/* The TLS part of a stream. */
struct tls {
	struct ssl_st *ssl;
	struct stream *stream;
	struct turn *turn;		/* of a client's handshake; NULL once that is done */
	const struct tls_front *front;	/* NULL: as a client, or the handshake is done */
	const char *alpn;		/* front's */
	struct tls_client *client;	/* one reference, where sessions are resumed; or NULL */
	uint64_t server;
	unsigned long error;		/* OpenSSL's code of the failure, or 0 */
	uint8_t binding[TLS_BINDING_SIZE];	/* what a ticket must have been made for */
	size_t fruitless;		/* bytes read from the socket since there last was data */
	uint32_t waited_ms;		/* for its turns, once it is done */
	enum stream_io end;		/* what comes behind the data already delivered, or STREAM_IO_OK */
	bool is_done;			/* the handshake */
	bool is_empty;			/* the last read of the socket was a short one */
	bool has_ended;			/* the socket said FIN */
	bool has_more;			/* the last read stopped before bytes that OpenSSL holds */
	bool more_follows;		/* another record is written right behind this one */
};

struct tls *tls_of(const struct ssl_st *ssl);	/* only while its stream is open */

/* A certificate in use. */
struct tls_leaf {
	char *file;
	struct x509_st *leaf;		/* one reference */
};

/* One set of certificates as loaded: constant, counted. */
struct tls_server {
	atomic_int references;
	struct ssl_ctx_st *first;	/* of the first certificate: for clients that name nobody */
	struct ssl_ctx_st **contexts;
	size_t count;
	struct map *names;		/* lower case, also "*.example.com", to a context */
	bool refuses_unknown;
	uint8_t authorities[DIGEST_SHA256_SIZE];	/* of clients: what they are */
	time_t expires;			/* the first certificate to do so */
	char *expires_file;
	struct tls_leaf *leaves;	/* in the order of the files */
	size_t leaf_count;
};

struct tls_server *tls_server_load(const struct tls_settings *settings, struct conf_problems *problems);
struct tls_server *tls_server_get(struct tls_context *context);	/* the one in use; one reference more */
void tls_server_put(struct tls_server *server);
/* DIGEST_SHA256_SIZE bytes, of its settings. */
const uint8_t *tls_context_identity(const struct tls_context *context);

struct tls_place {
	const char *directive;
	size_t value;			/* of several, which */
};

/* A certificate, its chain and its key, as found in files. */
struct tls_pair {
	char *file;
	struct tls_place place;		/* that names the file */
	struct x509_st *leaf;
	struct stack_st_X509 *chain;
	struct evp_pkey_st *key;
	time_t expires;
};

struct tls_pairs {
	struct tls_pair *all;
	size_t count;
};

/* Reads all files of the settings and pairs certificates with keys; false: the problems tell. */
bool tls_pairs_load(const struct tls_settings *settings, struct tls_pairs *pairs,
    struct conf_problems *problems);
void tls_pairs_free(struct tls_pairs *pairs);
void tls_files_each(const struct tls_settings *settings, void (*each)(const char *path, void *arg),
    void *arg);
/* Calls each(path, arg) for the files of a path or glob; NULL, or why there are none. */
const char *tls_pattern_each(const char *pattern, void (*each)(const char *path, void *arg), void *arg);
/* Calls each(name, arg) for all DNS names of a certificate, in lower case. */
void tls_names_each(struct x509_st *leaf, void (*each)(const char *name, void *arg), void *arg);

/* The peer's; NULL: none was shown. */
struct x509_st *tls_shown_certificate(const struct ssl_st *ssl);

/* What all SSL_CTX have in common, and then those of servers; NULL and an error. */
struct ssl_ctx_st *tls_new_ctx(const struct ssl_method_st *method, int min_version, struct error *error);
struct ssl_ctx_st *tls_new_server_ctx(const struct tls_settings *settings, struct error *error);
struct ssl_ctx_st *tls_client_ctx(const struct tls_client *client);
struct tls_client *tls_client_get(struct tls_client *client);	/* tls_client_free puts it back */
/* Before the handshake: offers the session of an earlier one with this server, where there is one. */
void tls_client_resume(struct tls_client *client, struct ssl_st *ssl, uint64_t server);
const char *tls_verify_text(long result);	/* why a peer is not believed */

/* Chooses certificates by SNI and the protocol by ALPN, and binds tickets to listener, name and block. */
void tls_select_install(struct ssl_ctx_st *ctx);
/* Tickets are sealed with the process's keys. */
void tls_ticket_install(struct ssl_ctx_st *ctx);

/* "certificate has expired": the first of the thread's errors; empties the queue. */
const char *tls_error_text(char out[STREAM_REASON_MAX]);

#endif
