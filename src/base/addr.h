/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * addr.h: a network address, IPv4, IPv6 or the path of a unix socket, small
 * enough to be passed by value, and the texts of it.
 */
#ifndef BASE_ADDR_H
#define BASE_ADDR_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/slice.h"

enum { ADDR_TEXT_MAX = 128 };		/* room for any addr_format, with its NUL */

struct addr {
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	};
	const char *path;		/* AF_UNIX only; owned by whoever filled the addr in */
};

struct network {			/* an address and the number of its leading bits that count */
	struct addr addr;
	int bits;
};

/* "192.0.2.1", "2001:db8::1" or "[2001:db8::1]", without a port.  false: not an address. */
bool addr_parse(struct slice text, uint16_t port, struct addr *addr);
bool addr_is_name(struct slice text);	/* a host's, as far as one can see; "10.0.0.300" is a mistake */
bool network_parse(struct slice text, struct network *network);	/* "10.0.0.0/8", "::1"; host bits must be 0 */
/* ::ffff:a.b.c.d counts as IPv4, here and in what follows. */
bool network_has(const struct network *network, const struct addr *addr);

struct addr addr_from_sockaddr(const struct sockaddr *sa, socklen_t len);
/* The length of what was filled in; 0: no address, or a path too long for a socket. */
socklen_t addr_to_sockaddr(const struct addr *addr, struct sockaddr_storage *out);
bool addr_equals(const struct addr *a, const struct addr *b);		/* address and port */
/* Like memcmp, without the ports: IPv4 before IPv6, then the lower first. */
int addr_compare(const struct addr *a, const struct addr *b);
bool addr_is_any(const struct addr *addr);				/* 0.0.0.0 or :: */
bool addr_is_loopback(const struct addr *addr);				/* 127.0.0.0/8 or ::1 */
uint16_t addr_port(const struct addr *addr);				/* 0 for a unix socket */
void addr_set_port(struct addr *addr, uint16_t port);

/* The host alone, without brackets: "192.0.2.1", "2001:db8::1", "unix"; returns out. */
const char *addr_host(const struct addr *addr, char out[ADDR_TEXT_MAX]);
/* "192.0.2.1:143", "[2001:db8::1]:143", "unix:/run/x"; returns out. */
const char *addr_format(const struct addr *addr, char out[ADDR_TEXT_MAX]);

#endif
