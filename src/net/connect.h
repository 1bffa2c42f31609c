/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * connect.h: sockets with gatepost's options: non-blocking, close-on-exec,
 * TCP_NODELAY, keepalive, TCP_USER_TIMEOUT.
 */
#ifndef NET_CONNECT_H
#define NET_CONNECT_H

#include "base/addr.h"

/* TCP settings of both sides; 0 leaves the kernel's. */
struct tcp_settings {
	int keepalive_idle_s, keepalive_interval_s, keepalive_count;
	int user_timeout_ms;
};

/* Starts to connect; the descriptor, with *error 0 or EINPROGRESS; or -1 with *error set. */
int connect_open(const struct addr *to, const struct addr *source, const struct tcp_settings *tcp,
    int *error);

/* On a listening socket, whose clients' sockets inherit it; no-op on unix sockets. */
void connect_set_options(int fd, const struct tcp_settings *tcp);
/* On one of connect_open's, later, which has TCP_NODELAY; fine on unix sockets. */
void connect_set_patience(int fd, const struct tcp_settings *tcp);

#endif
