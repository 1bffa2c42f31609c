/* SPDX-License-Identifier: BSD-2-Clause */
/* value_net.c: addresses with their ports, and networks, as directives write them. */
#include "conf/load.h"

#include <string.h>
#include <sys/un.h>

#define INET_PREFIX "inet:"

enum { PORT_MAX = 65535 };

/* Splits "host", "host:port", "[v6]", "[v6]:port" or a bare IPv6 address; *port is empty without one. */
static bool
split_port(struct slice text, struct slice *host, struct slice *port, struct error *error)
{
	const char *end = text.data + text.len, *colon;

	*port = slice_make(end, 0);
	if (text.len != 0 && *text.data == '[') {
		const char *bracket = memchr(text.data, ']', text.len);

		if (bracket == NULL || (bracket + 1 != end && bracket[1] != ':'))
			return error_set(error, "%.*s is not an address like [2001:db8::1]:143",
			    SLICE_ARGS(text));
		*host = slice_make(text.data + 1, (size_t)(bracket - text.data) - 1);
		colon = bracket + 1 == end ? NULL : bracket + 1;
	} else {
		colon = memchr(text.data, ':', text.len);
		if (colon != NULL && memchr(colon + 1, ':', (size_t)(end - colon) - 1) != NULL)
			colon = NULL;
		*host = slice_make(text.data, colon != NULL ? (size_t)(colon - text.data) : text.len);
	}
	if (colon == NULL)
		return true;
	*port = slice_make(colon + 1, (size_t)(end - colon) - 1);
	if (port->len == 0)
		return error_set(error, "%.*s has a colon without a port", SLICE_ARGS(text));
	return true;
}

static bool
set_unix(unsigned flags, struct conf_words *words, size_t i, struct address *address, struct error *error)
{
	static const char prefix[] = "unix:";
	const char *text = words->words[i] + sizeof(prefix) - 1;
	const char *path = text;

	if (!(flags & CONF_UNIX))
		return error_set(error, "a unix socket is not possible here");
	if (*text == '\0')
		return error_set(error, "unix: needs a path");
	if (*text != '/' && words->folder != NULL)
		path = arena_printf(words->arena, "%s/%s", words->folder, text);
	if (strlen(path) >= sizeof(((struct sockaddr_un *)0)->sun_path))
		return error_set(error, "the path %s is too long for a socket", path);
	address->addr.sa.sa_family = AF_UNIX;
	address->addr.path = path;
	words->words[i] = arena_printf(words->arena, "unix:%s", path);
	address->text = words->words[i];
	return true;
}

static bool
check_host(unsigned flags, struct slice host, const struct address *address, struct error *error)
{
	if (slice_equals(host, "*"))
		return (flags & CONF_ANY) || error_set(error, "* is not possible here");
	if (address->addr.sa.sa_family != AF_UNSPEC)
		return true;
	if (!addr_is_name(host) || (flags & CONF_NUMERIC))
		return error_set(error, "%.*s is not an address%s", SLICE_ARGS(host),
		    flags & CONF_NUMERIC ? "" : " or a host name");
	return true;
}

/* "inet:auth.example.com:12345"; a host may be called inet. */
static bool
takes_inet(unsigned flags, struct slice text)
{
	return (flags & CONF_UNIX) != 0 && (flags & CONF_NUMERIC) == 0 &&
	    slice_has_prefix(text, INET_PREFIX) &&
	    memchr(text.data + strlen(INET_PREFIX), ':', text.len - strlen(INET_PREFIX)) != NULL;
}

static bool
read_address(unsigned flags, struct conf_words *words, size_t i, struct address *address, struct error *error)
{
	struct slice text = slice_of(words->words[i]), host, port_text;
	uint64_t port = 0;

	if (strncmp(words->words[i], "unix:", 5) == 0)
		return set_unix(flags, words, i, address, error);
	if (takes_inet(flags, text))
		text = slice_from(text, strlen(INET_PREFIX));
	if (!split_port(text, &host, &port_text, error))
		return false;
	if (port_text.len != 0 && (!slice_to_number(port_text, PORT_MAX, &port) || port == 0))
		return error_set(error, "%.*s is not a port, 1 to %d", SLICE_ARGS(port_text), PORT_MAX);
	if ((flags & CONF_NEEDS_PORT) && port_text.len == 0)
		return error_set(error, "%.*s lacks a port, as in %s:143", SLICE_ARGS(text),
		    flags & CONF_ANY ? "*" : "192.0.2.1");
	if ((flags & CONF_NO_PORT) && port_text.len != 0)
		return error_set(error, "%.*s has a port, which cannot be told here", SLICE_ARGS(text));
	if (!addr_parse(host, (uint16_t)port, &address->addr))
		address->addr = (struct addr){ .sa.sa_family = AF_UNSPEC };
	if (!check_host(flags, host, address, error))
		return false;
	address->text = words->words[i];
	address->host = arena_strndup(words->arena, host.data, host.len);
	address->port = (uint16_t)port;
	return true;
}

bool
value_set_address(const struct directive *directive, struct conf_words *words, void *field,
    struct error *error)
{
	struct address_list *list = field;

	if (!directive->list)
		return value_one_word(words, error) && read_address(directive->flags, words, 0, field, error);
	for (size_t i = 0; i < words->count; i++) {
		words->bad = i;
		list->items = value_grow(words->arena, list->items, list->count, sizeof(list->items[0]));
		if (!read_address(directive->flags, words, i, &list->items[list->count], error))
			return false;
		list->count++;
	}
	return true;
}

bool
value_set_network(const struct directive *directive, struct conf_words *words, void *field,
    struct error *error)
{
	struct network_list *list = field;

	(void)directive;
	for (size_t i = 0; i < words->count; i++) {
		words->bad = i;
		list->items = value_grow(words->arena, list->items, list->count, sizeof(list->items[0]));
		if (!network_parse(slice_of(words->words[i]), &list->items[list->count]))
			return error_set(error,
			    "%s is not a network like 10.0.0.0/8 or 2001:db8::/32 (the bits behind the "
			    "prefix must be 0)", words->words[i]);
		list->count++;
	}
	return true;
}
