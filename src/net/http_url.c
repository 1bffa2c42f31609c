/* SPDX-License-Identifier: BSD-2-Clause */
/* http_url.c: taking URLs apart. */
#include "net/http_url.h"

#include <string.h>
#include <sys/un.h>

#include "base/addr.h"
#include "base/slice.h"
#include "base/xalloc.h"
#include "net/dns_answer.h"

enum { URL_MAX = 2000, PORT_HTTP = 80, PORT_HTTPS = 443 };

static bool
check_text(const char *text, struct error *error)
{
	size_t len = strlen(text);

	if (len > URL_MAX)
		return error_set(error, "a URL has at most %d characters", URL_MAX);
	for (const char *c = text; *c != '\0'; c++)
		if (*c <= ' ' || *c > '~' || *c == '#')
			return error_set(error, "a URL has no blanks and no #; others are written %%XX");
	return true;
}

/* "/path:/uri" */
static bool
parse_unix(struct slice rest, struct http_url *url, struct error *error)
{
	struct slice path = slice_take(&rest, ':');

	if (path.len == 0 || path.data[0] != '/' ||
	    path.len >= sizeof(((struct sockaddr_un *)0)->sun_path))
		return error_set(error, "unix: is followed by the path of a socket, from the root on");
	if (rest.len > 0 && rest.data[0] != '/')
		return error_set(error, "behind the socket's path and a colon comes another path");
	url->unix_path = xstrndup(path.data, path.len);
	url->host = xstrdup("localhost");
	url->plain = xasprintf("http://localhost%s%.*s", rest.len > 0 ? "" : "/", SLICE_ARGS(rest));
	return true;
}

static bool
take_port(struct slice text, struct http_url *url, struct error *error)
{
	uint64_t port;

	if (!slice_to_number(text, UINT16_MAX, &port) || port == 0)
		return error_set(error, "a port is a number from 1 to 65535");
	url->port = (uint16_t)port;
	return true;
}

static bool
take_host(struct slice host, struct http_url *url, struct error *error)
{
	struct addr addr;
	bool is_address = addr_parse(host, 0, &addr);
	bool is_bracketed = host.len > 0 && host.data[0] == '[';

	if (is_address && (addr.sa.sa_family == AF_INET6) != is_bracketed)
		return error_set(error, "an IPv6 address stands in brackets");
	if (is_address && is_bracketed)
		host = slice_make(host.data + 1, host.len - 2);
	url->host = xstrndup(host.data, host.len);
	url->has_name = !is_address;
	if (!is_address && !dns_is_name(url->host))
		return error_set(error, "there is no host");
	return true;
}

/* Where the port begins, with its colon; host.len where there is none. */
static size_t
find_port(struct slice authority)
{
	size_t from = 0;
	const char *colon;

	if (authority.len > 0 && authority.data[0] == '[') {
		const char *bracket = memchr(authority.data, ']', authority.len);

		from = bracket != NULL ? (size_t)(bracket - authority.data) : 0;
	}
	colon = memchr(authority.data + from, ':', authority.len - from);
	return colon != NULL ? (size_t)(colon - authority.data) : authority.len;
}

static bool
parse_authority(struct slice rest, bool is_tls, struct http_url *url, struct error *error)
{
	size_t len = 0, colon;
	struct slice authority;

	while (len < rest.len && rest.data[len] != '/' && rest.data[len] != '?')
		len++;
	authority = slice_make(rest.data, len);
	rest = slice_from(rest, len);
	if (memchr(authority.data, '@', authority.len) != NULL)
		return error_set(error, "who asks is said by a `header Authorization`: URLs are logged");
	colon = find_port(authority);
	if (!take_host(slice_make(authority.data, colon), url, error))
		return false;
	url->port = is_tls ? PORT_HTTPS : PORT_HTTP;
	if (colon < authority.len && !take_port(slice_from(authority, colon + 1), url, error))
		return false;
	url->plain = xasprintf("http%s://%.*s%s%.*s", is_tls ? "s" : "", SLICE_ARGS(authority),
	    rest.len > 0 && rest.data[0] == '/' ? "" : "/", SLICE_ARGS(rest));
	return true;
}

static bool
parse(struct slice rest, struct http_url *url, struct error *error)
{
	bool is_plain = slice_has_prefix_nocase(rest, "http://");
	bool is_tls = slice_has_prefix_nocase(rest, "https://");

	rest = slice_from(rest, is_tls ? strlen("https://") : is_plain ? strlen("http://") : 0);
	if (!is_tls && slice_has_prefix_nocase(rest, "unix:"))
		return parse_unix(slice_from(rest, strlen("unix:")), url, error);
	if (!is_tls && !is_plain)
		return error_set(error, "a URL begins with http://, https:// or unix:");
	return parse_authority(rest, is_tls, url, error);
}

bool
http_url_parse(const char *text, struct http_url *url, struct error *error)
{
	*url = (struct http_url){ 0 };
	url->text = xstrdup(text);
	if (check_text(text, error) && parse(slice_of(text), url, error))
		return true;
	http_url_clear(url);
	return false;
}

void
http_url_clear(struct http_url *url)
{
	xfree(url->text);
	xfree(url->plain);
	xfree(url->host);
	xfree(url->unix_path);
	*url = (struct http_url){ 0 };
}
