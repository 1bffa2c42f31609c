/* SPDX-License-Identifier: BSD-2-Clause */
/* connect.c: outgoing sockets, and the options that both sides' sockets get. */
#include "net/connect.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

static void
set_option(int fd, int level, int name, int value)
{
	/* a refused option costs comfort, not the connection */
	(void)setsockopt(fd, level, name, &value, sizeof(value));
}

void
connect_set_patience(int fd, const struct tcp_settings *tcp)
{
	if (tcp->keepalive_idle_s > 0) {
		set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
		set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, tcp->keepalive_idle_s);
		if (tcp->keepalive_interval_s > 0)
			set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, tcp->keepalive_interval_s);
		if (tcp->keepalive_count > 0)
			set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, tcp->keepalive_count);
	}
	set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, tcp->user_timeout_ms);
}

static void
set_tcp_options(int fd, const struct tcp_settings *tcp)
{
	set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	if (tcp != NULL)
		connect_set_patience(fd, tcp);
}

void
connect_set_options(int fd, const struct tcp_settings *tcp)
{
	struct sockaddr sa = { .sa_family = AF_UNSPEC };
	socklen_t len = sizeof(sa);

	if (getsockname(fd, &sa, &len) == 0 && sa.sa_family != AF_UNIX)
		set_tcp_options(fd, tcp);
}

static bool
bind_source(int fd, const struct addr *source)
{
	struct sockaddr_storage sa;
	socklen_t len = addr_to_sockaddr(source, &sa);

	/* the port is chosen by connect, which knows the other end: far more connections fit */
	if (addr_port(source) == 0)
		set_option(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
	return bind(fd, (struct sockaddr *)&sa, len) == 0;
}

int
connect_open(const struct addr *to, const struct addr *source, const struct tcp_settings *tcp, int *error)
{
	struct sockaddr_storage sa;
	socklen_t len = addr_to_sockaddr(to, &sa);
	int fd = socket(to->sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	*error = 0;
	if (fd < 0) {
		*error = errno;
		return -1;
	}
	if (to->sa.sa_family != AF_UNIX)
		set_tcp_options(fd, tcp);
	if (len == 0)
		*error = EINVAL;
	else if ((source != NULL && !bind_source(fd, source)) ||
	    connect(fd, (struct sockaddr *)&sa, len) != 0)
		*error = errno;
	if (*error == 0 || *error == EINPROGRESS)
		return fd;
	close(fd);
	return -1;
}
