/* SPDX-License-Identifier: BSD-2-Clause */
/* http_block.c: rows of the block `http`. */
#include "admin/http_block.h"

#include <string.h>

#include "admin/http_server.h"
#include "conf/conf.h"

enum { BACKLOG = 128 };

static const struct choice levels[] = {
	{ "user", ADMIN_LEVEL_USER }, { "operator", ADMIN_LEVEL_OPERATOR }, { "admin", ADMIN_LEVEL_ADMIN },
	{ 0 }
};

static const struct directive directives[] = {
	CONF_ADDRESS(struct admin_http, place, NULL, CONF_REQUIRED | CONF_NUMERIC | CONF_NEEDS_PORT,
	    "Where HTTP is answered."),
	CONF_NETWORKS(struct admin_http, allow, NULL, 0,
	    "Who may connect; others are hung up on. Only a loopback address can do without it: then whoever "
	    "has a shell or a proxy on this machine may ask."),
	CONF_STRINGS(struct admin_http, names, NULL, 0,
	    "Names that this machine is called by, besides its addresses, `localhost` and its host name. "
	    "Without a `password_file`, those who ask for another one are refused: it would be a page of "
	    "somebody else's, in the browser of one who may connect."),
	CONF_CHOICE(struct admin_http, level, "user", levels, 0,
	    "What may be asked there: `user` sees states and figures, `operator` sessions and users "
	    "too, `admin` changes things, which takes a `password_file`."),
	CONF_REFERENCE(struct admin_http, tls, NULL, &tls_block, 0,
	    "Certificates: HTTPS is spoken then, and nothing else."),
	CONF_PATH(struct admin_http, password_file, NULL, 0,
	    "Users and their passwords, as the source `file` of an `auth` block has them. They are asked for "
	    "by basic authentication, at all but `/healthz` and `/readyz`. A change of the file is seen "
	    "within seconds. Without one nothing can be changed over HTTP."),
	{ 0 }
};

static bool
is_name(const char *text)
{
	return conf_is_host(text) && strpbrk(text, ":[]") == NULL;
}

static void
check(struct conf_context *context, void *object)
{
	const struct admin_http *http = object;

	if (!http_server_is_there())
		conf_error_at(context->problems, &http->conf, NULL,
		    "this gatepost was built without libmicrohttpd, and has no HTTP");
	if (!addr_is_loopback(&http->place.addr) && http->allow.count == 0)
		conf_error_at(context->problems, &http->conf, NULL,
		    "%s is not an address of this machine alone: say who may connect, with `allow`",
		    http->place.text);
	for (size_t i = 0; i < http->names.count; i++)
		if (!is_name(http->names.items[i]))
			conf_error_at_value(context->problems, &http->conf, "names", i,
			    "%s is not a host's name without a port", http->names.items[i]);
	if (http->level == ADMIN_LEVEL_ADMIN && http->password_file == NULL)
		conf_error_at(context->problems, &http->conf, "level",
		    "level admin needs a password_file: nobody may change things without saying who he is");
}

const struct block admin_http_block = {
	.name = "http", .directives = directives, .size = BLOCK_SIZE(struct admin_http),
	.title = TITLE_VALUE, .check = check,
	.help = "An address where gatepost is watched, and perhaps operated, over HTTP: a live page at `/`, "
		"`/metrics` for Prometheus, `/stats;csv` as HAProxy has it, commands with their answers in "
		"JSON below `/api/v1/`, as in `/api/v1/show/servers`, and `/healthz` and `/readyz` for those "
		"who decide whether clients are sent here. What changes something is asked by POST with a "
		"header `X-Gatepost`.",
};

struct listen_spec
admin_http_spec(const struct admin_http *http)
{
	return (struct listen_spec){ .addr = http->place.addr, .backlog = BACKLOG };
}

bool
admin_http_allows(const struct admin_http *http, const struct addr *peer)
{
	for (size_t i = 0; i < http->allow.count; i++)
		if (network_has(&http->allow.items[i], peer))
			return true;
	return http->allow.count == 0;
}
