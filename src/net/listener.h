/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * listener.h: listening sockets: opening them (one a worker, SO_REUSEPORT)
 * and accepting from them so that running out of descriptors is survived.
 */
#ifndef NET_LISTENER_H
#define NET_LISTENER_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/addr.h"
#include "base/error.h"
#include "net/loop.h"
#include "net/connect.h"

/* An address to listen at. */
struct listen_spec {
	struct addr addr;		/* IPv4, IPv6 or unix: path */
	bool dual_stack;		/* "*": takes IPv6 and IPv4, or IPv4 alone where there is no IPv6 */
	bool freebind;			/* the address need not exist (IP_FREEBIND) */
	int backlog;
	const char *interface;		/* SO_BINDTODEVICE, or NULL */
	bool has_port;			/* this process listens at the port already, at another address */
	int mode;			/* of a unix socket; 0: whom its folder lets in may connect */
	bool has_group;
	gid_t group;			/* that a unix socket belongs to */
};

/*
 * Opens `count` sockets that share the address (a unix socket is opened once and duplicated) into fds; all or
 * none.  A stale unix socket file is replaced only if nobody answers on it; an address that another socket
 * of any process listens at is an error, though the sockets could share it.
 */
bool listener_open(const struct listen_spec *spec, const struct tcp_settings *tcp, int count, int *fds,
    struct error *error);

/*
 * The same where the first one or more are there already, listening: those behind them, -1, are opened, but
 * listen only with listener_listen: who waits at a socket that closes again would be reset.
 */
bool listener_extend(const struct listen_spec *spec, const struct tcp_settings *tcp, int count, int *fds,
    struct error *error);
/* Listens, or goes on with the backlog, and a unix socket's mode and group, of this spec. */
bool listener_listen(const struct listen_spec *spec, int fd, struct error *error);

/* One worker's end of a listener.  Zero before acceptor_start. */
struct acceptor {
	struct loop_io io;
	struct loop_timer pause;
	struct loop *loop;
	int fd;
	int reserve;		/* a descriptor given up to turn a client away when none is left; -1: gone */
	int batch;		/* accepts to try in a turn: grows while clients keep waiting */
	int pause_ms;		/* how long the next lack of descriptors or memory pauses */
	uint64_t turn;		/* of the loop, when clients were accepted last */
	bool is_paused;		/* by acceptor_pause */
	bool is_refusing;	/* by acceptor_refuse */
	bool is_dropped;	/* closes once accept says EAGAIN */
	/* A client; the callee owns fd.  peer is the client's address, ::ffff: mapped away. */
	void (*on_client)(struct acceptor *acceptor, int fd, const struct addr *peer);
	void (*on_gone)(struct acceptor *acceptor);	/* after acceptor_drop, when the socket is closed */
	void *owner;
};

/* Accepts on fd (owned from now on); at most a bounded number of clients a turn. */
void acceptor_start(struct acceptor *acceptor, struct loop *loop, int fd);
void acceptor_drop(struct acceptor *acceptor);	/* accepts what waits, then closes, then on_gone */
void acceptor_close(struct acceptor *acceptor);	/* at once */
void acceptor_pause(struct acceptor *acceptor);	/* max_connections reached: clients wait in the backlog */
void acceptor_resume(struct acceptor *acceptor);
/*
 * Clients are refused, and those who wait are disconnected, as nobody listens; the address stays ours.  At a
 * unix socket they wait, since that could not listen again.  Not where the kernel has chosen the port.
 */
void acceptor_refuse(struct acceptor *acceptor);
/* Listens again; false: somebody else does, and clients are refused as before. */
bool acceptor_listen(struct acceptor *acceptor, int backlog);

#endif
