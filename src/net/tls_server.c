/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tls_server.c: SSL_CTXs from certificates.  Each name has a set of at most
 * one certificate of each kind of key, the first that bears it; names with
 * the same set share an SSL_CTX, in which OpenSSL picks the kind.
 */
#include "net/tls.h"

#include <string.h>

#include <openssl/ssl.h>

#include "base/xalloc.h"
#include "conf/conf.h"
#include "net/tls_authorities.h"

enum { KINDS = 3, NONE = -1 };

struct set {
	char *name;			/* "" in the set of the first certificate */
	int pairs[KINDS];		/* indices, or NONE */
	SSL_CTX *ctx;
};

/* While a tls_server is made. */
struct build {
	const struct tls_settings *settings;
	const struct tls_pairs *pairs;
	const struct tls_authorities *authorities;
	struct tls_server *server;
	struct map *by_name;		/* to the index in sets, plus one */
	struct set *sets;
	size_t count;
	int pair;			/* the one whose names are told */
	struct conf_problems *problems;
};

static int
kind_of(const EVP_PKEY *key)
{
	switch (EVP_PKEY_get_base_id(key)) {
	case EVP_PKEY_RSA:
		return 0;
	case EVP_PKEY_EC:
		return 1;
	default:
		return 2;
	}
}

static void
add_name(const char *name, void *arg)
{
	struct build *build = arg;
	size_t at = (size_t)(uintptr_t)map_get(build->by_name, slice_of(name));
	int kind = kind_of(build->pairs->all[build->pair].key);

	if (at == 0) {
		build->sets = xrealloc(build->sets, (build->count + 1) * sizeof(build->sets[0]));
		build->sets[build->count] = (struct set){ .name = xstrdup(name),
			.pairs = { NONE, NONE, NONE } };
		at = ++build->count;
		map_set(build->by_name, slice_of(name), (void *)(uintptr_t)at);
	}
	if (build->sets[at - 1].pairs[kind] == NONE)
		build->sets[at - 1].pairs[kind] = build->pair;
}

static bool
use_pair(const struct build *build, SSL_CTX *ctx, const struct tls_pair *pair)
{
	char text[STREAM_REASON_MAX];

	if (SSL_CTX_use_cert_and_key(ctx, pair->leaf, pair->key, pair->chain, 1) == 1)
		return true;
	conf_error_at_value(build->problems, &build->settings->conf, pair->place.directive,
	    pair->place.value, "%s: %s", pair->file, tls_error_text(text));
	return false;
}

/* NULL: the problems tell. */
static SSL_CTX *
new_ctx(const struct tls_settings *settings, struct conf_problems *problems)
{
	struct error error;
	SSL_CTX *ctx = tls_new_server_ctx(settings, &error);

	if (ctx == NULL)
		conf_error_at_value(problems, &settings->conf, "ciphers", 0, "%s", error.text);
	return ctx;
}

static bool
make_ctx(struct build *build, struct set *set)
{
	struct tls_server *server = build->server;

	for (size_t i = 0; i < build->count && build->sets[i].ctx != NULL; i++) {
		if (memcmp(build->sets[i].pairs, set->pairs, sizeof(set->pairs)) == 0) {
			set->ctx = build->sets[i].ctx;
			return true;
		}
	}
	set->ctx = new_ctx(build->settings, build->problems);
	if (set->ctx == NULL)
		return false;
	tls_authorities_install(build->authorities, build->settings->verify_client, set->ctx);
	server->contexts = xrealloc(server->contexts, (server->count + 1) * sizeof(SSL_CTX *));
	server->contexts[server->count++] = set->ctx;
	for (int kind = 0; kind < KINDS; kind++)
		if (set->pairs[kind] != NONE &&
		    !use_pair(build, set->ctx, &build->pairs->all[set->pairs[kind]]))
			return false;
	return true;
}

static bool
make_all(struct build *build)
{
	for (size_t i = 0; i < build->pairs->count; i++) {
		build->pair = (int)i;
		tls_names_each(build->pairs->all[i].leaf, add_name, build);
		if (i == 0 && build->count == 0)
			add_name("", build);
	}
	for (size_t i = 0; i < build->count; i++) {
		if (!make_ctx(build, &build->sets[i]))
			return false;
		map_set(build->server->names, slice_of(build->sets[i].name), build->sets[i].ctx);
	}
	build->server->first = build->server->contexts[0];
	return true;
}

static void
note_expiry(struct tls_server *server, const struct tls_pairs *pairs)
{
	const struct tls_pair *first = &pairs->all[0];

	for (size_t i = 1; i < pairs->count; i++)
		if (pairs->all[i].expires < first->expires)
			first = &pairs->all[i];
	server->expires = first->expires;
	server->expires_file = xstrdup(first->file);
}

/* For tls_describe.h. */
static void
keep_leaves(struct tls_server *server, const struct tls_pairs *pairs)
{
	server->leaves = xcalloc(pairs->count, sizeof(server->leaves[0]));
	server->leaf_count = pairs->count;
	for (size_t i = 0; i < pairs->count; i++) {
		X509_up_ref(pairs->all[i].leaf);
		server->leaves[i] = (struct tls_leaf){ xstrdup(pairs->all[i].file), pairs->all[i].leaf };
	}
}

static struct tls_server *
make_server(const struct tls_settings *settings, const struct tls_pairs *pairs,
    const struct tls_authorities *authorities, struct conf_problems *problems)
{
	struct tls_server *server = xcalloc(1, sizeof(*server));
	struct build build = { .settings = settings, .pairs = pairs, .authorities = authorities,
		.server = server, .by_name = map_new(), .problems = problems };
	bool ok;

	atomic_init(&server->references, 1);
	server->names = map_new();
	server->refuses_unknown = settings->unknown_name == TLS_UNKNOWN_REFUSE;
	memcpy(server->authorities, authorities->digest, sizeof(server->authorities));
	ok = make_all(&build);
	if (ok)
		note_expiry(server, pairs);
	keep_leaves(server, pairs);
	for (size_t i = 0; i < build.count; i++)
		xfree(build.sets[i].name);
	xfree(build.sets);
	map_free(&build.by_name);
	if (ok)
		return server;
	tls_server_put(server);
	return NULL;
}

struct tls_server *
tls_server_load(const struct tls_settings *settings, struct conf_problems *problems)
{
	/* without a certificate, for what is wrong whatever the files are */
	SSL_CTX *ctx = new_ctx(settings, problems);
	struct tls_server *server = NULL;
	struct tls_authorities authorities;
	struct tls_pairs pairs;
	bool has_pairs = tls_pairs_load(settings, &pairs, problems);
	bool has_authorities = tls_authorities_load(settings, &authorities, problems);

	if (ctx != NULL && has_pairs && has_authorities)
		server = make_server(settings, &pairs, &authorities, problems);
	tls_pairs_free(&pairs);
	tls_authorities_free(&authorities);
	SSL_CTX_free(ctx);
	return server;
}

void
tls_server_put(struct tls_server *server)
{
	if (atomic_fetch_sub(&server->references, 1) != 1)
		return;
	for (size_t i = 0; i < server->count; i++)
		SSL_CTX_free(server->contexts[i]);
	xfree(server->contexts);
	for (size_t i = 0; i < server->leaf_count; i++) {
		X509_free(server->leaves[i].leaf);
		xfree(server->leaves[i].file);
	}
	xfree(server->leaves);
	map_free(&server->names);
	xfree(server->expires_file);
	xfree(server);
}
