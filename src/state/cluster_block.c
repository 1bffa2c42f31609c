/* SPDX-License-Identifier: BSD-2-Clause */
/* cluster_block.c: rows of the block `cluster`, and the files that it names. */
#include "state/cluster_block.h"

#include <string.h>

#include "base/digest.h"
#include "base/secret.h"

enum { SECRET_MIN = 16, PREFIX_MAX = 60, NAME_MAX_OCTETS = 64 };

static const struct choice redis_downs[] = {
	{ "keep", REDIS_DOWN_KEEP }, { "strict", REDIS_DOWN_STRICT }, { 0 }
};

static const struct directive cluster_directives[] = {
	CONF_CUSTOM(struct cluster_block, redis, NULL, redis_group_url_set, "url",
	    CONF_REQUIRED | CONF_SECRET | CONF_RESTART,
	    "The Redis that the proxies share: redis://host:port/database or unix:/path; "
	    "redis+sentinel://host:port,host:port/name/database, where sentinels know the server of that "
	    "name; redis+cluster://host:port,host:port, some servers of a Redis Cluster.  user:password@ may "
	    "stand before the first host.  Redis 6 or later.  No TLS."),
	CONF_STRING(struct cluster_block, user, NULL, CONF_RESTART,
	    "Whom Redis' ACL knows us as.  Default: the user of the URL, or Redis' default user."),
	CONF_PATH(struct cluster_block, password_file, NULL, CONF_RESTART,
	    "A file whose first line is the password for Redis; read at the start."),
	CONF_PATH(struct cluster_block, sentinel_password_file, NULL, CONF_RESTART,
	    "The same for the sentinels."),
	CONF_STRING(struct cluster_block, prefix, "gatepost", CONF_RESTART,
	    "What all keys and channels begin with: proxies that share their state have the same."),
	CONF_STRING(struct cluster_block, name, NULL, CONF_RESTART,
	    "What this proxy is called, unlike all others of the cluster.  Default: the `hostname`."),
	CONF_PATH(struct cluster_block, secret_file, NULL, CONF_RESTART,
	    "A file whose first line, of 16 octets or more, is the same on all proxies and nowhere else: "
	    "what must not be read in Redis is sealed with it."),
	CONF_DURATION(struct cluster_block, timeout, "200ms", "10ms", "10s", CONF_RESTART,
	    "How long Redis may take for an answer.  After three of a thread's questions in a row without "
	    "one it is asked no more, but tried once a second."),
	CONF_DURATION(struct cluster_block, lease, "90s", "5s", "10m", CONF_RESTART,
	    "How long a proxy that has died is in the way: its users stay bound to their servers, and their "
	    "sessions, which are gone, still count.  Renewals come three times in that time, one for each "
	    "user who has sessions: short leases cost Redis as much more.  All proxies should have the same, "
	    "or a binding ends by the shorter one."),
	CONF_CHOICE(struct cluster_block, redis_down, "keep", redis_downs, CONF_RESTART,
	    "What becomes of bound users while Redis gives no answer.  `keep`: sessions go on; who is known "
	    "here stays bound, others go by their hash, which is the same on all proxies; where proxies see "
	    "the servers differently a user may come to two of them until Redis is back, and then the older "
	    "sessions end.  `strict`: nobody is let in, and sessions end when five sixths of the `lease` are "
	    "over, before another proxy could have the user somewhere else."),
	{ 0 }
};

static bool
is_plain(const char *text, size_t max)
{
	for (const char *c = text; *c != '\0'; c++)
		if (*c <= ' ' || *c == 0x7f || strchr("{}*?[]\\", *c) != NULL)
			return false;
	return *text != '\0' && strlen(text) <= max;
}

static void
check_cluster(struct conf_context *context, void *object)
{
	const struct cluster_block *block = object;

	if (block->prefix != NULL && !is_plain(block->prefix, PREFIX_MAX))
		conf_error_at(context->problems, &block->conf, "prefix",
		    "prefix: 1 to %d octets without blanks, braces, brackets, *, ? and \\", PREFIX_MAX);
	if (block->name != NULL && !is_plain(block->name, NAME_MAX_OCTETS))
		conf_error_at(context->problems, &block->conf, "name",
		    "name: 1 to %d octets without blanks, braces, brackets, *, ? and \\", NAME_MAX_OCTETS);
	if (block->sentinel_password_file != NULL && block->redis.kind != REDIS_SENTINEL)
		conf_error_at(context->problems, &block->conf, "sentinel_password_file",
		    "sentinel_password_file has no meaning without redis+sentinel://");
	if (block->user != NULL && block->password_file == NULL && block->redis.url.password == NULL)
		conf_error_at(context->problems, &block->conf, "user",
		    "a user needs a password: password_file, or one in the URL");
}

const struct block cluster_block = {
	.name = "cluster", .directives = cluster_directives, .size = BLOCK_SIZE(struct cluster_block),
	.check = check_cluster,
	.help = "Proxies that share their state: a user is on one server whichever proxy and protocol they "
		"come through.  All of them need the same farms, servers and weights.",
};

static const char *
read_file(const struct cluster_block *block, const char *directive, const char *path,
    struct conf_problems *problems)
{
	struct error error;
	const char *secret = NULL;

	if (path == NULL)
		return NULL;
	secret = secret_read(path, &error);
	if (secret == NULL)
		conf_error_at_value(problems, &block->conf, directive, 0, "%s", error.text);
	return secret;
}

bool
cluster_block_read(const struct cluster_block *block, struct cluster_settings *settings,
    struct conf_problems *problems)
{
	size_t before = problems->count;

	*settings = (struct cluster_settings){
		.group.url = block->redis, .prefix = block->prefix, .name = block->name,
		.timeout_ms = block->timeout.ms, .lease_ms = block->lease.ms,
		.is_strict = block->redis_down == REDIS_DOWN_STRICT,
	};
	if (!redis_is_there())
		conf_error_at_value(problems, &block->conf, "redis", 0,
		    "this gatepost was built without hiredis: it knows no cluster");
	settings->group.redis.user = block->user;
	settings->group.redis.password = read_file(block, "password_file", block->password_file, problems);
	settings->group.sentinel_password =
	    read_file(block, "sentinel_password_file", block->sentinel_password_file, problems);
	settings->secret = read_file(block, "secret_file", block->secret_file, problems);
	if (settings->secret != NULL && strlen(settings->secret) < SECRET_MIN)
		conf_error_at_value(problems, &block->conf, "secret_file", 0,
		    "%s: its first line has fewer than %d octets", block->secret_file, SECRET_MIN);
	return problems->count == before;
}

void
cluster_settings_clear(struct cluster_settings *settings)
{
	secret_free((char **)&settings->group.redis.password);
	secret_free((char **)&settings->group.sentinel_password);
	secret_free((char **)&settings->secret);
}
