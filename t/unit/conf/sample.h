/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sample.h: a small configuration language with a directive of each kind, for the tests of this folder.
 */
#ifndef SAMPLE_H
#define SAMPLE_H

#include <string.h>

#include "conf/conf.h"

struct settings { struct duration connect_timeout; int64_t retries; int login; };
struct sample_tls {
	struct conf_block conf;
	struct string_list certificate;
	const char *key;
	const char *password;
};
struct server { struct conf_block conf; struct address address; int64_t weight; };
struct server_tls { struct conf_block conf; int mode; bool verify; };
struct farm {
	struct conf_block conf;
	struct duration affinity;
	struct settings settings;
	struct conf_list server;
};
struct pool {
	struct conf_block conf;
	int protocol;
	struct farm *farm;
	struct conf_list server;
	struct settings settings;
	struct server_tls *server_tls;
	struct address_list source;
};
struct bind { struct conf_block conf; struct address address; bool freebind; };
struct rule { struct conf_block conf; const char *words; int64_t count; };
struct keepalive { struct duration idle; int64_t probes; };
struct listener {
	struct conf_block conf;
	struct conf_list bind;
	struct network_list trusted;
	struct sample_tls *tls;
	struct pool *pool;
	struct conf_list auth;
	struct conf_list rules;
	struct duration login_timeout, idle_timeout;
	struct keepalive tcp_keepalive;
	unsigned mechanisms;
	const char *banner;
};
struct auth { struct conf_block conf; };
struct log { struct conf_block conf; int64_t level; };
struct users { struct conf_block conf; const char *delimiter; };
struct root {
	struct conf_block conf;
	int64_t threads;
	struct size relay_memory;
	const char *hostname, *pid_file;
	struct conf_list logs, tls, auths, farms, pools, listeners;
	struct users *users;
	int checks;
};

enum { PROTOCOL_UNSET, PROTOCOL_IMAP, PROTOCOL_POP3, PROTOCOL_LMTP };

static const struct choice auto_word[] = { { "auto", 0 }, { 0 } };
static const struct choice login_words[] = { { "none", 0 }, { "password", 1 }, { "master", 2 }, { 0 } };
static const struct choice protocol_words[] = {
	{ "imap", PROTOCOL_IMAP }, { "pop3", PROTOCOL_POP3 }, { "lmtp", PROTOCOL_LMTP }, { 0 }
};
static const struct choice mechanism_words[] = { { "auto", 0 }, { "PLAIN", 1 }, { "LOGIN", 2 }, { 0 } };
static const struct choice tls_words[] = { { "off", 0 }, { "starttls", 1 }, { "implicit", 2 }, { 0 } };

static bool
set_keepalive(struct conf_words *words, void *field, struct error *error)
{
	struct keepalive *keepalive = field;

	if (words->count > 2)
		return error_set(error, "a duration and a number are wanted");
	return conf_words_duration(words, 0, &keepalive->idle, error) &&
	    conf_words_number(words, 1, &keepalive->probes, error);
}

static bool
set_words(struct conf_words *words, void *field, struct error *error)
{
	(void)error;
	*(const char **)field = words->count != 0 ? words->words[words->count - 1] : NULL;
	return true;
}

static const struct directive setting_rows[] = {
	CONF_DURATION(struct settings, connect_timeout, "5s", "100ms", "1m", 0, "Time for a connect."),
	CONF_NUMBER(struct settings, retries, "3", "0", "20", 0, "How often it is tried again."),
	CONF_CHOICE(struct settings, login, "password", login_words, 0, "How the proxy logs in."),
	{ 0 }
};

static const struct directive server_rows[] = {
	CONF_ADDRESS(struct server, address, NULL, CONF_REQUIRED | CONF_NO_PORT, "Where it is."),
	CONF_NUMBER(struct server, weight, "1", "0", "1000", 0, "Its share."),
	{ 0 }
};
static const struct block server_block = { .name = "server", .directives = server_rows,
	.size = BLOCK_SIZE(struct server), .title = TITLE_NAME, .help = "A machine." };

static const struct directive farm_rows[] = {
	CONF_DURATION(struct farm, affinity, "0", NULL, NULL, 0, "How long a user stays."),
	CONF_GROUP(struct farm, settings, setting_rows),
	CONF_BLOCKS(struct farm, server, &server_block, CONF_OWN),
	{ 0 }
};
static const struct block farm_block = { .name = "farm", .directives = farm_rows,
	.size = BLOCK_SIZE(struct farm), .title = TITLE_NAME, .help = "Machines." };

static const struct directive server_tls_rows[] = {
	CONF_CHOICE(struct server_tls, mode, "off", tls_words, 0, "How TLS starts."),
	CONF_BOOL(struct server_tls, verify, "yes", 0, "Is the certificate verified?"),
	{ 0 }
};
static const struct block server_tls_block = { .name = "server_tls", .directives = server_tls_rows,
	.size = BLOCK_SIZE(struct server_tls), .title = TITLE_VALUE, .help = "TLS to the servers." };

static const struct directive pool_rows[] = {
	CONF_CHOICE(struct pool, protocol, "the title where that is one", protocol_words,
	    CONF_COMPUTED | CONF_REQUIRED, "What is spoken."),
	CONF_REFERENCE(struct pool, farm, NULL, &farm_block, 0, "Whose servers."),
	CONF_BLOCKS(struct pool, server, &server_block, CONF_OWN),
	CONF_GROUP(struct pool, settings, setting_rows),
	CONF_BLOCK(struct pool, server_tls, &server_tls_block, "off", 0),
	CONF_ADDRESSES(struct pool, source, NULL, CONF_NO_PORT | CONF_NUMERIC, "Own addresses."),
	{ 0 }
};

static void
prepare_pool(struct conf_context *context, void *object)
{
	struct pool *pool = object;

	for (const struct choice *c = protocol_words; c->word != NULL; c++)
		if (pool->conf.title != NULL && strcmp(c->word, pool->conf.title) == 0)
			conf_set_default(context, &pool->conf, "protocol", c->word);
}

static const struct conf_block *
inherit_farm(const void *object)
{
	const struct pool *pool = object;

	return pool->farm != NULL ? &pool->farm->conf : NULL;
}

static const struct block pool_block = { .name = "pool", .directives = pool_rows,
	.size = BLOCK_SIZE(struct pool), .title = TITLE_NAME, .flags = BLOCK_HAS_DEFAULT,
	.prepare = prepare_pool, .inherits = inherit_farm, .help = "A service of servers." };

static const struct directive bind_rows[] = {
	CONF_ADDRESS(struct bind, address, NULL, CONF_REQUIRED | CONF_NEEDS_PORT | CONF_ANY | CONF_UNIX,
	    "Where."),
	CONF_BOOL(struct bind, freebind, "no", 0, "May the address be absent?"),
	{ 0 }
};
static const struct block bind_block = { .name = "bind", .directives = bind_rows,
	.size = BLOCK_SIZE(struct bind), .title = TITLE_VALUE, .help = "Where it listens." };

static const struct directive rule_rows[] = {
	CONF_CUSTOM(struct rule, words, NULL, set_words, "condition", 0, "When."),
	CONF_NUMBER(struct rule, count, NULL, NULL, NULL, 0, "A number."),
	{ 0 }
};
static const struct block allow_block = { .name = "allow", .directives = rule_rows,
	.size = BLOCK_SIZE(struct rule), .title = TITLE_VALUE, .help = "Lets in." };
static const struct block deny_block = { .name = "deny", .directives = rule_rows,
	.size = BLOCK_SIZE(struct rule), .title = TITLE_VALUE, .help = "Keeps out." };

static const struct directive tls_rows[] = {
	CONF_PATHS(struct sample_tls, certificate, NULL, CONF_REQUIRED, "Chain and key."),
	CONF_PATH(struct sample_tls, key, NULL, 0, "The key."),
	CONF_STRING(struct sample_tls, password, NULL, CONF_SECRET, "The key's password."),
	{ 0 }
};
static void
check_tls(struct conf_context *context, void *object)
{
	const struct sample_tls *tls = object;

	if (tls->password != NULL && strcmp(tls->password, "wrong") == 0) {
		conf_error_at(context->problems, &tls->conf, "password", "not this one");
		conf_error_at_value(context->problems, &tls->conf, "password", 0, "nor this value");
	}
}

static const struct block tls_block = { .name = "tls", .directives = tls_rows, .check = check_tls,
	.size = BLOCK_SIZE(struct sample_tls), .title = TITLE_NAME, .help = "Certificates." };

static const struct directive no_rows[] = { { 0 } };
static const struct block auth_block = { .name = "auth", .directives = no_rows,
	.size = BLOCK_SIZE(struct auth), .title = TITLE_NAME, .help = "Who judges passwords." };

static const struct directive listener_rows[] = {
	CONF_BLOCKS(struct listener, bind, &bind_block, CONF_REQUIRED),
	CONF_NETWORKS(struct listener, trusted, NULL, 0, "Believed peers."),
	CONF_REFERENCE(struct listener, tls, NULL, &tls_block, 0, "Certificates."),
	CONF_REFERENCE(struct listener, pool, NULL, &pool_block, CONF_REQUIRED, "Where sessions go."),
	CONF_REFERENCES(struct listener, auth, NULL, &auth_block, 0, "Asked in order."),
	CONF_BLOCKS(struct listener, rules, &allow_block, 0),
	CONF_BLOCKS(struct listener, rules, &deny_block, 0),
	CONF_DURATION(struct listener, login_timeout, "60s", "1s", "30m", 0, "Time for a login."),
	CONF_DURATION(struct listener, idle_timeout, "by protocol", NULL, NULL, CONF_COMPUTED, "Silence."),
	CONF_CUSTOM(struct listener, tcp_keepalive, "30s 4", set_keepalive, "idle probes", 0, "Probes."),
	CONF_CHOICES(struct listener, mechanisms, "auto", mechanism_words, 0, "What is offered."),
	CONF_STRING(struct listener, banner, NULL, 0,
	    "What is said first. .forward is `not read`, \\ is a backslash and this sentence is too long for "
	    "one line. 0 is none."),
	{ 0 }
};

static void
prepare_listener(struct conf_context *context, void *object)
{
	struct listener *listener = object;
	const struct pool *pool = listener->pool;

	if (pool == NULL)
		return;
	conf_set_default(context, &listener->conf, "idle_timeout",
	    pool->protocol == PROTOCOL_POP3 ? "11m" : "35m");
	if (pool->protocol == PROTOCOL_LMTP &&
	    conf_origin(&listener->conf, "auth") == CONF_ORIGIN_DEFAULT_BLOCK)
		conf_unset(context, &listener->conf, "auth");
}

static void
check_listener(struct conf_context *context, void *object)
{
	const struct listener *listener = object;

	if (listener->idle_timeout.ms < listener->login_timeout.ms)
		conf_error_at(context->problems, &listener->conf, "idle_timeout",
		    "idle_timeout is less than login_timeout");
	if (listener->pool->protocol == PROTOCOL_UNSET)
		conf_error_at(context->problems, &listener->conf, "pool", "the pool speaks nothing");
	if (listener->trusted.count > 1 && listener->trusted.items[1].bits == 0)
		conf_error_at_value(context->problems, &listener->conf, "trusted", 1,
		    "the world is not trusted");
}

static const struct block listener_block = { .name = "listener", .directives = listener_rows,
	.size = BLOCK_SIZE(struct listener), .title = TITLE_NAME, .flags = BLOCK_HAS_DEFAULT,
	.prepare = prepare_listener, .check = check_listener, .help = "Accepts clients." };

static const char *const log_titles[] = { "access", NULL };
static const struct directive log_rows[] = {
	CONF_NUMBER(struct log, level, "6", "0", NULL, 0, "How much."),
	{ 0 }
};
static const struct block log_block = { .name = "log", .directives = log_rows,
	.size = BLOCK_SIZE(struct log), .title = TITLE_OPTIONAL, .titles = log_titles,
	.help = "What is logged." };

static const struct directive users_rows[] = {
	CONF_STRING(struct users, delimiter, "+", 0, "Before the detail."),
	{ 0 }
};
static const struct block users_block = { .name = "users", .directives = users_rows,
	.size = BLOCK_SIZE(struct users), .title = TITLE_NONE, .help = "The names of users." };

static const struct directive root_rows[] = {
	CONF_NUMBER_OR(struct root, threads, "auto", auto_word, "1", "256", CONF_RESTART, "Worker threads."),
	CONF_SIZE(struct root, relay_memory, "256m", "1m", NULL, 0, "All buffers together."),
	CONF_STRING(struct root, hostname, NULL, 0, "The name in greetings."),
	CONF_PATH(struct root, pid_file, "/run/gatepost.pid", 0, "Where the process id is written."),
	CONF_BLOCK(struct root, users, &users_block, "", 0),
	CONF_BLOCKS(struct root, logs, &log_block, 0),
	CONF_BLOCKS(struct root, tls, &tls_block, 0),
	CONF_BLOCKS(struct root, auths, &auth_block, 0),
	CONF_BLOCKS(struct root, farms, &farm_block, 0),
	CONF_BLOCKS(struct root, pools, &pool_block, 0),
	CONF_BLOCKS(struct root, listeners, &listener_block, 0),
	{ 0 }
};

static void
check_root(struct conf_context *context, void *object)
{
	(void)context;
	((struct root *)object)->checks++;
}

static const struct block sample_root = { .name = "", .directives = root_rows,
	.size = BLOCK_SIZE(struct root), .check = check_root };

#endif
