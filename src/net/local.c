/* SPDX-License-Identifier: BSD-2-Clause */
/* local.c: asks the kernel for the addresses of all interfaces. */
#include "net/local.h"

#include <arpa/inet.h>
#include <ifaddrs.h>

static bool
is_loopback(const struct addr *addr)
{
	if (addr->sa.sa_family == AF_INET)
		return ntohl(addr->in.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
	return addr->sa.sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&addr->in6.sin6_addr);
}

/* Whatever the ports and scopes. */
static bool
is_same_host(const struct addr *a, const struct addr *b)
{
	const struct network host = { .addr = *a, .bits = a->sa.sa_family == AF_INET ? 32 : 128 };

	return network_has(&host, b);
}

static socklen_t
length_of(const struct sockaddr *sa)
{
	return sa->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
}

bool
local_has(const struct addr *addr)
{
	struct ifaddrs *all;
	bool found = false;

	if (is_loopback(addr) || addr_is_any(addr))
		return true;
	if (getifaddrs(&all) != 0)
		return false;
	for (const struct ifaddrs *one = all; one != NULL && !found; one = one->ifa_next) {
		struct addr own;

		if (one->ifa_addr == NULL)
			continue;
		own = addr_from_sockaddr(one->ifa_addr, length_of(one->ifa_addr));
		found = is_same_host(&own, addr);
	}
	freeifaddrs(all);
	return found;
}
