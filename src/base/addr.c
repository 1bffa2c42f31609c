/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * addr.c: reading, comparing and writing addresses.  IPv4 written as
 * ::ffff:a.b.c.d becomes IPv4 on the way in.
 */
#include "base/addr.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

enum { IPV4_BITS = 32, IPV6_BITS = 128, MAPPED_BITS = IPV6_BITS - IPV4_BITS, NAME_OCTETS_MAX = 253 };

static struct addr
unmap(struct addr addr)
{
	struct addr out = { .in = { .sin_family = AF_INET, .sin_port = addr.in6.sin6_port } };

	if (addr.sa.sa_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&addr.in6.sin6_addr))
		return addr;
	memcpy(&out.in.sin_addr, &addr.in6.sin6_addr.s6_addr[12], sizeof(out.in.sin_addr));
	return out;
}

/* The bytes of an IP address, and how many bits they are; 0 bits for another kind. */
static int
address_bits(const struct addr *addr, const uint8_t **bytes)
{
	*bytes = NULL;
	if (addr->sa.sa_family == AF_INET) {
		*bytes = (const uint8_t *)&addr->in.sin_addr;
		return IPV4_BITS;
	}
	if (addr->sa.sa_family == AF_INET6) {
		*bytes = addr->in6.sin6_addr.s6_addr;
		return IPV6_BITS;
	}
	return 0;
}

bool
addr_parse(struct slice text, uint16_t port, struct addr *addr)
{
	char copy[INET6_ADDRSTRLEN];
	struct addr found = { 0 };
	bool bracketed = text.len > 1 && text.data[0] == '[' && text.data[text.len - 1] == ']';

	if (bracketed)
		text = slice_make(text.data + 1, text.len - 2);
	if (text.len == 0 || text.len >= sizeof(copy) || memchr(text.data, '\0', text.len) != NULL)
		return false;
	memcpy(copy, text.data, text.len);
	copy[text.len] = '\0';

	if (!bracketed && inet_pton(AF_INET, copy, &found.in.sin_addr) == 1) {
		found.in.sin_family = AF_INET;
	} else if (inet_pton(AF_INET6, copy, &found.in6.sin6_addr) == 1) {
		found.in6.sin6_family = AF_INET6;
		found = unmap(found);
	} else {
		return false;
	}
	addr_set_port(&found, port);
	*addr = found;
	return true;
}

static bool
are_host_bits_zero(const struct network *network)
{
	const uint8_t *bytes;
	int all = address_bits(&network->addr, &bytes);

	for (int bit = network->bits; bit < all; bit++)
		if ((bytes[bit / 8] & 0x80 >> bit % 8) != 0)
			return false;
	return true;
}

bool
network_parse(struct slice text, struct network *network)
{
	const char *slash = text.len > 0 ? memchr(text.data, '/', text.len) : NULL;
	struct slice host = slash != NULL ? slice_make(text.data, (size_t)(slash - text.data)) : text;
	bool is_ipv6 = host.len > 0 && memchr(host.data, ':', host.len) != NULL;
	uint64_t all = is_ipv6 ? IPV6_BITS : IPV4_BITS, bits = all;
	struct network found = { 0 };

	if (!addr_parse(host, 0, &found.addr))
		return false;
	if (slash != NULL && !slice_to_number(slice_from(text, host.len + 1), all, &bits))
		return false;
	if (is_ipv6 && found.addr.sa.sa_family == AF_INET) {
		if (bits < MAPPED_BITS)
			return false;
		bits -= MAPPED_BITS;
	}
	found.bits = (int)bits;
	if (!are_host_bits_zero(&found))
		return false;
	*network = found;
	return true;
}

bool
network_has(const struct network *network, const struct addr *addr)
{
	struct addr plain = unmap(*addr);
	const uint8_t *ours, *theirs;
	int whole = network->bits / 8, rest = network->bits % 8;

	if (address_bits(&network->addr, &ours) == 0 || address_bits(&plain, &theirs) == 0 ||
	    network->addr.sa.sa_family != plain.sa.sa_family)
		return false;
	if (memcmp(ours, theirs, (size_t)whole) != 0)
		return false;
	return rest == 0 || ((ours[whole] ^ theirs[whole]) >> (8 - rest)) == 0;
}

struct addr
addr_from_sockaddr(const struct sockaddr *sa, socklen_t len)
{
	struct addr addr = { 0 };

	if (len >= sizeof(addr.in) && sa->sa_family == AF_INET)
		memcpy(&addr.in, sa, sizeof(addr.in));
	else if (len >= sizeof(addr.in6) && sa->sa_family == AF_INET6)
		memcpy(&addr.in6, sa, sizeof(addr.in6));
	else if (len >= sizeof(sa->sa_family))
		addr.sa.sa_family = sa->sa_family == AF_UNIX ? AF_UNIX : AF_UNSPEC;
	return unmap(addr);
}

static socklen_t
fill_unix(const char *path, struct sockaddr_un *un)
{
	size_t n = path != NULL ? strlen(path) : 0;

	if (n == 0 || n >= sizeof(un->sun_path))
		return 0;
	un->sun_family = AF_UNIX;
	memcpy(un->sun_path, path, n + 1);
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + 1);
}

socklen_t
addr_to_sockaddr(const struct addr *addr, struct sockaddr_storage *out)
{
	memset(out, 0, sizeof(*out));
	switch (addr->sa.sa_family) {
	case AF_INET:
		memcpy(out, &addr->in, sizeof(addr->in));
		return sizeof(addr->in);
	case AF_INET6:
		memcpy(out, &addr->in6, sizeof(addr->in6));
		return sizeof(addr->in6);
	case AF_UNIX:
		return fill_unix(addr->path, (struct sockaddr_un *)(void *)out);
	default:
		return 0;
	}
}

bool
addr_equals(const struct addr *a, const struct addr *b)
{
	if (a->sa.sa_family != b->sa.sa_family || addr_port(a) != addr_port(b))
		return false;
	switch (a->sa.sa_family) {
	case AF_INET:
		return a->in.sin_addr.s_addr == b->in.sin_addr.s_addr;
	case AF_INET6:
		return a->in6.sin6_scope_id == b->in6.sin6_scope_id &&
		    IN6_ARE_ADDR_EQUAL(&a->in6.sin6_addr, &b->in6.sin6_addr);
	case AF_UNIX:
		return slice_equals(slice_of(a->path), b->path != NULL ? b->path : "");
	default:
		return true;
	}
}

bool
addr_is_name(struct slice text)
{
	bool has_letter = false;

	if (text.len == 0 || text.len > NAME_OCTETS_MAX || *text.data == '-' || *text.data == '.')
		return false;
	for (size_t i = 0; i < text.len; i++) {
		bool is_digit = isdigit((unsigned char)text.data[i]) || text.data[i] == '.';

		if (!isalnum((unsigned char)text.data[i]) && strchr("-._", text.data[i]) == NULL)
			return false;
		has_letter = has_letter || !is_digit;
	}
	return has_letter;
}

int
addr_compare(const struct addr *a, const struct addr *b)
{
	if (a->sa.sa_family != b->sa.sa_family)
		return a->sa.sa_family == AF_INET ? -1 : 1;
	if (a->sa.sa_family == AF_INET)
		return memcmp(&a->in.sin_addr, &b->in.sin_addr, sizeof(a->in.sin_addr));
	return memcmp(&a->in6.sin6_addr, &b->in6.sin6_addr, sizeof(a->in6.sin6_addr));
}

bool
addr_is_any(const struct addr *addr)
{
	if (addr->sa.sa_family == AF_INET)
		return addr->in.sin_addr.s_addr == INADDR_ANY;
	return addr->sa.sa_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&addr->in6.sin6_addr);
}

bool
addr_is_loopback(const struct addr *addr)
{
	if (addr->sa.sa_family == AF_INET)
		return ntohl(addr->in.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
	return addr->sa.sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&addr->in6.sin6_addr);
}

uint16_t
addr_port(const struct addr *addr)
{
	switch (addr->sa.sa_family) {
	case AF_INET:
		return ntohs(addr->in.sin_port);
	case AF_INET6:
		return ntohs(addr->in6.sin6_port);
	default:
		return 0;
	}
}

void
addr_set_port(struct addr *addr, uint16_t port)
{
	if (addr->sa.sa_family == AF_INET)
		addr->in.sin_port = htons(port);
	else if (addr->sa.sa_family == AF_INET6)
		addr->in6.sin6_port = htons(port);
}

static void
write_ipv4(const uint8_t bytes[4], char out[ADDR_TEXT_MAX])
{
	for (int i = 0; i < 4; i++) {
		unsigned n = bytes[i];

		if (n >= 100)
			*out++ = (char)('0' + n / 100);
		if (n >= 10)
			*out++ = (char)('0' + n / 10 % 10);
		*out++ = (char)('0' + n % 10);
		*out++ = i < 3 ? '.' : '\0';
	}
}

const char *
addr_host(const struct addr *addr, char out[ADDR_TEXT_MAX])
{
	const uint8_t *bytes;

	if (address_bits(addr, &bytes) == 0)
		snprintf(out, ADDR_TEXT_MAX, "%s", addr->sa.sa_family == AF_UNIX ? "unix" : "unknown");
	else if (addr->sa.sa_family == AF_INET)
		write_ipv4(bytes, out);		/* each session's address is written: inet_ntop is slow */
	else
		inet_ntop(addr->sa.sa_family, bytes, out, ADDR_TEXT_MAX);
	return out;
}

const char *
addr_format(const struct addr *addr, char out[ADDR_TEXT_MAX])
{
	char host[ADDR_TEXT_MAX];

	addr_host(addr, host);
	if (addr->sa.sa_family == AF_INET)
		snprintf(out, ADDR_TEXT_MAX, "%.15s:%u", host, addr_port(addr));
	else if (addr->sa.sa_family == AF_INET6)
		snprintf(out, ADDR_TEXT_MAX, "[%.45s]:%u", host, addr_port(addr));
	else if (addr->sa.sa_family == AF_UNIX && addr->path != NULL)
		snprintf(out, ADDR_TEXT_MAX, "unix:%s", addr->path);
	else
		snprintf(out, ADDR_TEXT_MAX, "%s", host);
	return out;
}
