/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * listener.c: opens listening sockets and accepts from them.  A turn accepts
 * as many clients as the turns before found waiting, so that a lone client
 * does not cost a second accept that finds nobody.
 */
#include "net/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "net/connect.h"

enum {
	BATCH_MAX = 64,			/* a turn's accepts, so that sessions are not kept waiting */
	PAUSE_MIN_MS = 100, PAUSE_MAX_MS = 1000,
	UNIX_MODE = 0666		/* whom its folder lets in may connect */
};

static bool
set_option(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value)) == 0;
}

/* The options that bind looks at. */
static bool
prepare(int fd, const struct listen_spec *spec, int family, bool is_shared)
{
	const char *interface = spec->interface;

	if (family == AF_UNIX)
		return true;
	if (!set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1))
		return false;
	if (is_shared && !set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1))
		return false;
	if (family == AF_INET6 && !set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, !spec->dual_stack))
		return false;
	if (spec->freebind && !set_option(fd, IPPROTO_IP, IP_FREEBIND, 1))
		return false;
	return interface == NULL ||
	    setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, interface, (socklen_t)strlen(interface)) == 0;
}

/* A socket bound to addr, or -1 and errno. */
static int
open_bound(const struct listen_spec *spec, const struct addr *addr, bool is_shared)
{
	struct sockaddr_storage sa;
	socklen_t len = addr_to_sockaddr(addr, &sa);
	int family = addr->sa.sa_family, error, fd;

	if (len == 0) {
		errno = EINVAL;
		return -1;
	}
	fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	if (prepare(fd, spec, family, is_shared) && bind(fd, (struct sockaddr *)&sa, len) == 0)
		return fd;
	error = errno;
	close(fd);
	errno = error;
	return -1;
}

/* Removes the file of a socket that nobody listens on any more. */
static void
remove_stale(const struct addr *addr)
{
	int error, fd = connect_open(addr, NULL, NULL, &error);

	if (fd >= 0)
		close(fd);
	else if (error == ECONNREFUSED)
		(void)unlink(addr->path);
}

/*
 * Sockets that share a port would take each other's clients in silence:
 * another process's is found by one that does not want to share.
 */
static bool
is_free(const struct listen_spec *spec, const struct addr *addr)
{
	int fd;

	if (addr->sa.sa_family == AF_UNIX || addr_port(addr) == 0 || spec->has_port)
		return true;
	fd = open_bound(spec, addr, false);
	if (fd < 0)
		return false;
	close(fd);
	return true;
}

/* The address to bind: for "*" the IPv6 one, or the IPv4 one where the machine has no IPv6. */
static struct addr
choose_addr(const struct listen_spec *spec)
{
	struct addr addr = spec->addr;
	int fd;

	if (!spec->dual_stack)
		return addr;
	addr = (struct addr){ .in6 = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_ANY_INIT } };
	fd = open_bound(spec, &addr, true);
	if (fd >= 0)
		close(fd);
	else
		addr = (struct addr){ .in = { .sin_family = AF_INET } };
	addr_set_port(&addr, addr_port(&spec->addr));
	return addr;
}

static bool
let_in(const struct listen_spec *spec, const char *path)
{
	if (spec->has_group && chown(path, (uid_t)-1, spec->group) != 0)
		return false;
	return chmod(path, spec->mode != 0 ? (mode_t)spec->mode : UNIX_MODE) == 0;
}

/* Port 0: the kernel chose one, and the others share it. */
static void
take_port(struct addr *addr, int fd)
{
	struct sockaddr_storage sa;
	socklen_t len = sizeof(sa);

	if (addr->sa.sa_family != AF_UNIX && addr_port(addr) == 0 &&
	    getsockname(fd, (struct sockaddr *)&sa, &len) == 0)
		*addr = addr_from_sockaddr((struct sockaddr *)&sa, len);
}

static bool
open_next(const struct listen_spec *spec, const struct addr *addr, const struct tcp_settings *tcp, int *fds,
    int i)
{
	if (addr->sa.sa_family == AF_UNIX && i > 0) {
		fds[i] = fcntl(fds[0], F_DUPFD_CLOEXEC, 0);
		return fds[i] >= 0;
	}
	fds[i] = open_bound(spec, addr, true);
	if (fds[i] < 0)
		return false;
	if (addr->sa.sa_family != AF_UNIX)
		connect_set_options(fds[i], tcp);
	return true;
}

static bool
start_listening(const struct listen_spec *spec, int fd)
{
	/* before it listens: until then nobody can connect, whatever the umask made of its mode */
	return (spec->addr.sa.sa_family != AF_UNIX || let_in(spec, spec->addr.path)) &&
	    listen(fd, spec->backlog) == 0;
}

/* Closes those from `first` on, for the cause in errno. */
static bool
give_up(const struct listen_spec *spec, int *fds, int first, int count, struct error *error)
{
	char text[ADDR_TEXT_MAX];
	int cause = errno;

	for (int i = first; i < count; i++) {
		if (fds[i] >= 0)
			close(fds[i]);
		fds[i] = -1;
	}
	return error_set(error, "cannot listen at %s: %s", addr_format(&spec->addr, text), strerror(cause));
}

bool
listener_open(const struct listen_spec *spec, const struct tcp_settings *tcp, int count, int *fds,
    struct error *error)
{
	struct addr addr = choose_addr(spec);
	int done = 0;

	memset(fds, -1, (size_t)count * sizeof(*fds));
	if (addr.sa.sa_family == AF_UNIX)
		remove_stale(&addr);
	if (is_free(spec, &addr)) {
		while (done < count && open_next(spec, &addr, tcp, fds, done) &&
		    start_listening(spec, fds[done]))
			take_port(&addr, fds[done++]);
	}
	return done == count || give_up(spec, fds, 0, count, error);
}

bool
listener_extend(const struct listen_spec *spec, const struct tcp_settings *tcp, int count, int *fds,
    struct error *error)
{
	struct addr addr = choose_addr(spec);
	int have = 1, done;

	while (have < count && fds[have] >= 0)
		have++;
	done = have;
	take_port(&addr, fds[0]);
	while (done < count && open_next(spec, &addr, tcp, fds, done))
		done++;
	return done == count || give_up(spec, fds, have, count, error);
}

bool
listener_listen(const struct listen_spec *spec, int fd, struct error *error)
{
	char text[ADDR_TEXT_MAX];

	return start_listening(spec, fd) || error_set(error, "cannot listen at %s: %s",
	    addr_format(&spec->addr, text), strerror(errno));
}

static void
update_watch(struct acceptor *acceptor)
{
	bool is_waiting = acceptor->is_paused || acceptor->is_refusing ||
	    loop_timer_is_set(&acceptor->pause);

	if (acceptor->fd >= 0)
		loop_io_watch(acceptor->loop, &acceptor->io, is_waiting ? 0 : LOOP_READ);
}

static void
complain(void)
{
	/* all workers run out together */
	static _Atomic int64_t silent_until;

	if (log_is_due(&silent_until))
		log_write(LOG_ERR, "out of file descriptors: clients wait");
}

static int
open_reserve(void)
{
	return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* The one who is first in the backlog is turned away, so that it does not wait for nothing. */
static void
turn_away(struct acceptor *acceptor)
{
	int fd;

	if (acceptor->reserve >= 0) {
		close(acceptor->reserve);
		fd = accept4(acceptor->fd, NULL, NULL, SOCK_CLOEXEC);
		if (fd >= 0)
			close(fd);
	}
	acceptor->reserve = open_reserve();
}

static void
on_pause_over(struct loop_timer *timer)
{
	struct acceptor *acceptor = loop_owner(timer, struct acceptor, pause);

	if (acceptor->reserve < 0)
		acceptor->reserve = open_reserve();
	update_watch(acceptor);
	if (acceptor->is_dropped)
		loop_io_again(acceptor->loop, &acceptor->io, LOOP_READ);
}

static void
pause_awhile(struct acceptor *acceptor)
{
	loop_timer_set(acceptor->loop, &acceptor->pause, loop_now(acceptor->loop) + acceptor->pause_ms);
	acceptor->pause_ms = acceptor->pause_ms * 2 < PAUSE_MAX_MS ? acceptor->pause_ms * 2 : PAUSE_MAX_MS;
	update_watch(acceptor);
}

/* False: no more this turn. */
static bool
accept_one(struct acceptor *acceptor)
{
	struct sockaddr_storage sa;
	socklen_t len = sizeof(sa);
	int fd = accept4(acceptor->fd, (struct sockaddr *)&sa, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct addr peer;

	if (fd >= 0) {
		acceptor->pause_ms = PAUSE_MIN_MS;
		peer = addr_from_sockaddr((struct sockaddr *)&sa, len);
		acceptor->on_client(acceptor, fd, &peer);
		return acceptor->fd >= 0 && !acceptor->is_paused;
	}
	switch (errno) {
	case EAGAIN:
	case EINVAL:		/* it does not listen */
		if (acceptor->is_dropped) {
			acceptor_close(acceptor);
			acceptor->on_gone(acceptor);
		}
		return false;
	case EMFILE:
	case ENFILE:
		complain();
		turn_away(acceptor);
		pause_awhile(acceptor);
		return false;
	case ENOBUFS:
	case ENOMEM:
		pause_awhile(acceptor);
		return false;
	default:
		return true;	/* the client's own trouble: it is gone */
	}
}

static void
on_ready(struct loop_io *io, int events)
{
	struct acceptor *acceptor = loop_owner(io, struct acceptor, io);
	uint64_t turn = loop_turn(acceptor->loop);
	int batch, done = 0;

	(void)events;
	if (acceptor->is_dropped)
		acceptor->batch = BATCH_MAX;
	else if (turn != acceptor->turn + 1)
		acceptor->batch = 1;
	acceptor->turn = turn;
	batch = acceptor->batch;
	while (done < batch && accept_one(acceptor))
		done++;
	if (done < batch)
		acceptor->batch = done > 0 ? done : 1;
	else
		acceptor->batch = batch * 2 < BATCH_MAX ? batch * 2 : BATCH_MAX;
	if (done == batch && acceptor->is_dropped)
		loop_io_again(acceptor->loop, &acceptor->io, LOOP_READ);
}

void
acceptor_start(struct acceptor *acceptor, struct loop *loop, int fd)
{
	acceptor->loop = loop;
	acceptor->fd = fd;
	acceptor->reserve = open_reserve();
	acceptor->batch = 1;
	acceptor->pause_ms = PAUSE_MIN_MS;
	loop_io_init(&acceptor->io, fd, on_ready);
	loop_timer_init(&acceptor->pause, on_pause_over);
	update_watch(acceptor);
}

void
acceptor_drop(struct acceptor *acceptor)
{
	acceptor->is_dropped = true;
	acceptor->is_paused = acceptor->is_refusing = false;
	update_watch(acceptor);
	loop_io_again(acceptor->loop, &acceptor->io, LOOP_READ);
}

void
acceptor_close(struct acceptor *acceptor)
{
	if (acceptor->loop == NULL || acceptor->fd < 0)
		return;
	loop_io_stop(acceptor->loop, &acceptor->io);
	loop_timer_stop(acceptor->loop, &acceptor->pause);
	close(acceptor->fd);
	if (acceptor->reserve >= 0)
		close(acceptor->reserve);
	acceptor->fd = acceptor->reserve = -1;
}

void
acceptor_pause(struct acceptor *acceptor)
{
	acceptor->is_paused = !acceptor->is_dropped;
	update_watch(acceptor);
}

void
acceptor_resume(struct acceptor *acceptor)
{
	acceptor->is_paused = false;
	update_watch(acceptor);
}

static bool
is_unix(int fd)
{
	int family = AF_UNIX;
	socklen_t len = sizeof(family);

	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &len) != 0 || family == AF_UNIX;
}

void
acceptor_refuse(struct acceptor *acceptor)
{
	if (acceptor->is_dropped || acceptor->is_refusing)
		return;
	acceptor->is_refusing = true;
	update_watch(acceptor);
	if (!is_unix(acceptor->fd))
		shutdown(acceptor->fd, SHUT_RD);
}

bool
acceptor_listen(struct acceptor *acceptor, int backlog)
{
	if (!acceptor->is_refusing)
		return true;
	if (!is_unix(acceptor->fd) && listen(acceptor->fd, backlog) != 0)
		return false;
	acceptor->is_refusing = acceptor->is_paused = false;
	update_watch(acceptor);
	return true;
}
