/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tls_context.c: the rows of the `tls` block, the settings of every SSL_CTX,
 * and the context: the certificates in use and the files they came from.
 */
#include "net/tls_context.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "conf/conf.h"
#include "net/tls.h"

enum { DAY_S = 24 * 60 * 60, WARN_BEFORE_S = 14 * DAY_S };

/* Mozilla's intermediate profile: forward secrecy by elliptic curves only. */
#define DEFAULT_CIPHERS \
	"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:" \
	"ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
#define GROUPS "X25519:P-256:P-384"

static const struct choice unknown_name_choices[] = {
	{ "default", TLS_UNKNOWN_DEFAULT },
	{ "refuse", TLS_UNKNOWN_REFUSE },
	{ 0 }
};

static const struct choice version_choices[] = {
	{ "TLSv1.2", TLS1_2_VERSION },
	{ "TLSv1.3", TLS1_3_VERSION },
	{ 0 }
};

static const struct choice verify_client_choices[] = {
	{ "off", TLS_VERIFY_OFF },
	{ "optional", TLS_VERIFY_OPTIONAL },
	{ "any", TLS_VERIFY_ANY },
	{ "required", TLS_VERIFY_REQUIRED },
	{ 0 }
};

static const struct directive tls_directives[] = {
	/*           field                                     default          flags */
	CONF_PATHS(struct tls_settings, certificate,           NULL,            CONF_REQUIRED,
	    "PEM files with certificates, each followed by its chain, or patterns of such files. Keys may "
	    "lie in the same files. Certificates are chosen by the name that a client asks for; the first "
	    "one is for clients that ask for none. Certificates of one name may have keys of different "
	    "kinds."),
	CONF_PATHS(struct tls_settings, key,                   NULL,            0,
	    "PEM files with private keys, or patterns of such files; a key belongs to the certificate with "
	    "its public key."),
	CONF_PATH(struct tls_settings, key_password_file,      NULL,            0,
	    "File whose first line is the password of encrypted keys."),
	CONF_CHOICE(struct tls_settings, unknown_name,         "default",       unknown_name_choices, 0,
	    "What a client gets that asks for a name no certificate bears: the first certificate or a "
	    "refusal."),
	CONF_CHOICE(struct tls_settings, min_version,          "TLSv1.2",       version_choices, 0,
	    "The oldest version of TLS that is spoken."),
	CONF_STRING(struct tls_settings, ciphers,              DEFAULT_CIPHERS, 0,
	    "The ciphers of TLS 1.2, as OpenSSL names them. Those of TLS 1.3 are all good."),
	CONF_PATHS(struct tls_settings, client_ca,             NULL,            0,
	    "PEM files with the certificates of those who vouch for clients' certificates, or patterns of "
	    "such files. Revocation lists are not looked at."),
	CONF_CHOICE(struct tls_settings, verify_client,        "off",           verify_client_choices, 0,
	    "Whether clients are asked for a certificate. With `optional` they need not show one, with "
	    "`required` they must, and one that `client_ca` does not vouch for ends the handshake. With "
	    "`any` every certificate is taken: it says who a client is where `client_ca` vouches for it, and "
	    "nothing otherwise."),
	CONF_BOOL(struct tls_settings, session_tickets,        "yes",           0,
	    "Lets clients resume sessions, which saves most of a handshake's work."),
	{ 0 }
};

static void
check_tls(struct conf_context *context, void *object)
{
	const struct tls_settings *settings = object;
	bool is_needed = settings->verify_client == TLS_VERIFY_OPTIONAL ||
	    settings->verify_client == TLS_VERIFY_REQUIRED;

	if (is_needed && settings->client_ca.count == 0)
		conf_error_at(context->problems, &settings->conf, "verify_client",
		    "verify_client %s needs client_ca", verify_client_choices[settings->verify_client].word);
}

const struct block tls_block = {
	.name = "tls",
	.directives = tls_directives,
	.size = BLOCK_SIZE(struct tls_settings),
	.title = TITLE_NAME,
	.check = check_tls,
	.help = "Certificates and how TLS is spoken with clients.",
};

struct tls_context {
	pthread_mutex_t lock;		/* of server, for a few instructions */
	struct tls_server *server;
	const struct tls_settings *settings;
	uint8_t identity[DIGEST_SHA256_SIZE];
	uint64_t stamp;			/* of the files, when last looked at */
	time_t warned;			/* of a near expiry, the last time */
};

SSL_CTX *
tls_new_ctx(const SSL_METHOD *method, int min_version, struct error *error)
{
	SSL_CTX *ctx = SSL_CTX_new(method);
	char text[STREAM_REASON_MAX];

	if (ctx == NULL || !SSL_CTX_set_min_proto_version(ctx, min_version) ||
	    !SSL_CTX_set1_groups_list(ctx, GROUPS)) {
		SSL_CTX_free(ctx);
		error_set(error, "%s", tls_error_text(text));
		return NULL;
	}
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
	    SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
	    SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_read_ahead(ctx, 1);
	return ctx;
}

SSL_CTX *
tls_new_server_ctx(const struct tls_settings *settings, struct error *error)
{
	SSL_CTX *ctx = tls_new_ctx(TLS_server_method(), settings->min_version, error);
	char text[STREAM_REASON_MAX];

	if (ctx == NULL)
		return NULL;
	if (!SSL_CTX_set_cipher_list(ctx, settings->ciphers != NULL ? settings->ciphers : DEFAULT_CIPHERS)) {
		SSL_CTX_free(ctx);
		error_set(error, "ciphers: %s", tls_error_text(text));
		return NULL;
	}
	SSL_CTX_set_session_id_context(ctx, (const unsigned char *)"gatepost", strlen("gatepost"));
	SSL_CTX_set_max_early_data(ctx, 0);
	SSL_CTX_set_mode(ctx, SSL_MODE_NO_AUTO_CHAIN);	/* no search in each handshake: the files say it */
	tls_select_install(ctx);
	if (settings->session_tickets) {
		/* one: a second would cost each handshake, for the few clients that resume twice at once */
		SSL_CTX_set_num_tickets(ctx, 1);
		tls_ticket_install(ctx);
	} else {
		SSL_CTX_set_num_tickets(ctx, 0);
		SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
	}
	return ctx;
}

/* Of the settings: a ticket made under other rules is no good. */
static void
identify(struct tls_context *context)
{
	const struct tls_settings *settings = context->settings;
	struct buf text = { 0 };

	for (size_t i = 0; i < settings->certificate.count; i++)
		buf_printf(&text, "%s\n", settings->certificate.items[i]);
	/* whom the files of client_ca vouch for is the tickets' own matter: see tls_select.c */
	buf_printf(&text, "%d %d %d", settings->unknown_name, settings->min_version, settings->verify_client);
	digest_sha256(buf_data(&text), buf_len(&text), context->identity);
	buf_clear(&text);
}

static void
stamp_file(const char *path, void *arg)
{
	uint64_t *stamp = arg;
	struct stat st;

	*stamp = hash_bytes(path, strlen(path), *stamp);
	if (stat(path, &st) == 0) {
		/* the time of the last change, not of the last write: a file may become readable */
		const int64_t facts[] = { (int64_t)st.st_ino, (int64_t)st.st_size, (int64_t)st.st_ctim.tv_sec,
			(int64_t)st.st_ctim.tv_nsec };

		*stamp = hash_bytes(facts, sizeof(facts), *stamp);
	}
}

static uint64_t
stamp_files(const struct tls_settings *settings)
{
	uint64_t stamp = 0;

	tls_files_each(settings, stamp_file, &stamp);
	return stamp;
}

int64_t
tls_context_seconds_left(const struct tls_context *context)
{
	return (int64_t)context->server->expires - (int64_t)time(NULL);
}

void
tls_context_warn(struct tls_context *context)
{
	const struct tls_server *server = context->server;
	time_t now = time(NULL);
	char date[32] = "";
	struct tm tm;

	if (server->expires - now > WARN_BEFORE_S || now - context->warned < DAY_S)
		return;
	context->warned = now;
	if (gmtime_r(&server->expires, &tm) != NULL)
		strftime(date, sizeof(date), "%Y-%m-%d", &tm);
	log_write(LOG_WARNING, "tls %s: %s: the certificate %s on %s", context->settings->conf.title,
	    server->expires_file, server->expires <= now ? "expired" : "expires", date);
}

struct tls_context *
tls_context_load(const struct tls_settings *settings, struct conf_problems *problems)
{
	struct tls_context *context = xcalloc(1, sizeof(*context));

	pthread_mutex_init(&context->lock, NULL);
	context->settings = settings;
	identify(context);
	/* before reading: a change meanwhile is then seen by the next look */
	context->stamp = stamp_files(settings);
	context->server = tls_server_load(settings, problems);
	if (context->server == NULL)
		tls_context_free(&context);
	return context;
}

void
tls_context_free(struct tls_context **context)
{
	struct tls_context *c = *context;

	*context = NULL;
	if (c == NULL)
		return;
	if (c->server != NULL)
		tls_server_put(c->server);
	pthread_mutex_destroy(&c->lock);
	xfree(c);
}

bool
tls_context_refresh(struct tls_context *context, bool *changed, struct conf_problems *problems)
{
	uint64_t stamp = stamp_files(context->settings);
	struct tls_server *server, *old = context->server;

	*changed = false;
	if (stamp != context->stamp) {
		context->stamp = stamp;
		server = tls_server_load(context->settings, problems);
		if (server == NULL)
			return false;
		pthread_mutex_lock(&context->lock);
		context->server = server;
		pthread_mutex_unlock(&context->lock);
		tls_server_put(old);
		*changed = true;
	}
	tls_context_warn(context);
	return true;
}

struct tls_server *
tls_server_get(struct tls_context *context)
{
	struct tls_server *server;

	pthread_mutex_lock(&context->lock);
	server = context->server;
	atomic_fetch_add_explicit(&server->references, 1, memory_order_relaxed);
	pthread_mutex_unlock(&context->lock);
	return server;
}

const uint8_t *
tls_context_identity(const struct tls_context *context)
{
	return context->identity;
}
