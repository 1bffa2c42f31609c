/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tls_context.h: the `tls` block: certificates found, paired with their keys
 * and chosen by SNI; protocol versions, ciphers, tickets, ALPN.  A context is
 * a resource: it is swapped alone when its files change, and sessions that
 * began with the old pair keep it.
 */
#ifndef NET_TLS_CONTEXT_H
#define NET_TLS_CONTEXT_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "conf/directive.h"

struct tls_settings {			/* one `tls NAME { … }` block, rows in tls_context.c */
	struct conf_block conf;
	struct string_list certificate, key;	/* paths or globs */
	const char *key_password_file;
	int unknown_name;		/* enum tls_unknown_name */
	int min_version;		/* TLS1_2_VERSION or TLS1_3_VERSION */
	const char *ciphers;
	struct string_list client_ca;	/* paths or globs */
	int verify_client;		/* enum tls_verify_client */
	bool session_tickets;

	struct tls_context *context;	/* of what it names, once that is loaded */
};
extern const struct block tls_block;

enum tls_unknown_name { TLS_UNKNOWN_DEFAULT, TLS_UNKNOWN_REFUSE };
enum tls_verify_client { TLS_VERIFY_OFF, TLS_VERIFY_OPTIONAL, TLS_VERIFY_ANY, TLS_VERIFY_REQUIRED };
enum { TLS_USER_MAX = 257 };		/* 256 octets and a NUL */

struct conf_problems;
struct tls_context;

/* Reads all files.  NULL: the problems name those that are bad.  The settings outlive the context. */
struct tls_context *tls_context_load(const struct tls_settings *settings, struct conf_problems *problems);
void tls_context_free(struct tls_context **context);	/* no handshake uses it any more */
/*
 * Looks at the files' names, times and sizes; where any changed, loads them all and, if good, uses them for
 * new handshakes.  false and problems: they changed but are bad, and the old ones serve on (said once a
 * change).  Warns as below.  Control's thread, each minute.
 */
bool tls_context_refresh(struct tls_context *context, bool *changed, struct conf_problems *problems);

/* Warns in the log, once a day, of certificates that expire within 14 days. */
void tls_context_warn(struct tls_context *context);
int64_t tls_context_seconds_left(const struct tls_context *context);	/* of the first one to expire */

/* What a listener wants of a handshake.  Constant; outlives every handshake that uses it, not the streams. */
struct tls_front {
	struct tls_context *context;
	const char *alpn;		/* the protocol's ALPN name, the program's; NULL: ALPN is ignored */
	uint64_t ticket_tag;		/* of the listener: a ticket of one listener is no good at another */
};

/* What a pool wants of a handshake with its servers. */
struct tls_back {
	struct tls_client *client;	/* made once per pool */
	const char *name;		/* name or address that the certificate must bear; a name is SNI */
	const char *alpn;
	uint64_t server;		/* sessions are resumed with the same one only; 0: none are */
};

struct tls_client;
/* A context for connecting: verification against `ca` (NULL: the system's). */
struct tls_client *tls_client_load(bool verify, const char *ca, struct error *error);
/*
 * Before the first handshake: what servers that ask for a certificate get, a PEM file with chain and key that
 * the block's `certificate` names.  false: the problems tell.
 */
bool tls_client_show(struct tls_client *client, const char *path, const struct conf_block *block,
    struct conf_problems *problems);
/*
 * Likewise: besides what `verify` asks for, a server's public key must have this SHA-256, in base64, or that
 * of another call.  false: the text is none.
 */
bool tls_client_pin(struct tls_client *client, const char *sha256);
void tls_client_free(struct tls_client **client);

/* Facts of a finished handshake, for logs and identity. */
struct tls_facts {
	int64_t waited_ms;		/* a client's, for its turn (handshakes.h); also while it is begun */
	const char *version;		/* "TLSv1.3", OpenSSL's own constant; NULL without TLS */
	const char *cipher;
	const char *sni, *alpn;		/* what a client asked for and got; last as long as the stream */
	bool resumed;
	/* Of a client, by the handshake or by the one that it resumes: */
	bool has_certificate;		/* it showed one */
	bool is_verified;		/* and an authority of client_ca vouches for it */
};
struct stream;
/*
 * Whole days until the peer's certificate expires, negative behind that, whether or not the handshake is done
 * or went well; TLS_NO_CERTIFICATE where none was shown.
 */
enum { TLS_NO_CERTIFICATE = INT_MIN };
int tls_days_left(const struct stream *stream);
void tls_facts_read(const struct stream *stream, struct tls_facts *facts);
/*
 * The user that a client's verified certificate names: the last commonName of its subject or, where there is
 * none, the first rfc822Name of its subjectAltName, as it is written there.  false: no such certificate, or
 * it names nobody, or the name is longer than 256 octets, holds control characters or is no UTF-8.
 */
bool tls_facts_user(const struct stream *stream, char out[TLS_USER_MAX]);

/* What a client's certificate says, for those who judge it by themselves. */
struct tls_peer {
	bool is_shown;
	const char *problem;		/* why nobody vouches for it; NULL: somebody does, or none is shown */
	struct buf subject, issuer;	/* as RFC 2253 writes them, in printable ASCII */
	struct buf serial, fingerprint;	/* in hex: capitals, and SHA-1 in small letters */
	struct buf pem;
};
/* false: no certificate was asked for; tls_peer_clear is fine all the same. */
bool tls_peer_read(const struct stream *stream, bool with_pem, struct tls_peer *peer);
void tls_peer_clear(struct tls_peer *peer);
/*
 * Appends who a peer's certificate is for, by all its names, and who vouches for it, as for tls_days_left; in
 * printable ASCII.  Nothing where none was shown.
 */
void tls_certificate_text(const struct stream *stream, struct buf *out);

/* A new key for tickets; the one before still decrypts.  Control's, each 12 hours; not for the first key. */
void tls_tickets_rotate(void);

#endif
