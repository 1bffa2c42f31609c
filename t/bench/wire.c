/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wire.c: sockets, lines and the loop.  A wire ends within an event of its
 * own only, so no event of a batch can be for one that is gone.
 */
#include "wire.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	EVENTS_MAX = 128,
	LINE_MAX_LEN = 8192,
	READS_MAX = 16,			/* of one event: others get their turn */
	WRITES_MAX = 16,
	TLS_RECORD = 16 * 1024,		/* of data, when it is full: more may follow */
	PATTERN_LINE = 78
};

char pattern[PATTERN_SIZE];
static char scratch[PATTERN_SIZE];
static int epoll_fd = -1;

void
wire_init_all(void)
{
	for (size_t i = 0; i < PATTERN_SIZE; i++) {
		size_t column = i % PATTERN_LINE;

		if (column >= PATTERN_LINE - 2)
			pattern[i] = column == PATTERN_LINE - 2 ? '\r' : '\n';
		else
			pattern[i] = (char)('0' + (i / PATTERN_LINE + column) % 64);
	}
	signal(SIGPIPE, SIG_IGN);
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (epoll_fd < 0) {
		perror("epoll_create1");
		exit(2);
	}
}

uint64_t
wire_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000U + (uint64_t)t.tv_nsec;
}

void
wire_turn(int timeout_ms)
{
	struct epoll_event events[EVENTS_MAX];
	int count = epoll_wait(epoll_fd, events, EVENTS_MAX, timeout_ms);

	for (int i = 0; i < count; i++) {
		struct watch *watch = events[i].data.ptr;

		watch->on_event(watch, events[i].events);
	}
}

void
wire_watch(struct watch *watch, uint32_t interest)
{
	struct epoll_event event = { .events = interest, .data.ptr = watch };

	if (interest == watch->interest)
		return;
	epoll_ctl(epoll_fd, watch->interest == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, watch->fd, &event);
	watch->interest = interest;
}

void
wire_fail(struct wire *wire, const char *why)
{
	if (wire->is_over)
		return;
	wire->is_over = true;
	wire->why = why;
}

void
wire_close(struct wire *wire)
{
	wire->is_closing = true;
}

static void
finish(struct wire *wire)
{
	struct wire old = *wire;

	if (wire->ssl != NULL)
		wire_end_tls(wire);
	close(wire->watch.fd);
	buf_clear(&wire->in);
	buf_clear(&wire->out);
	*wire = (struct wire){ .events = old.events, .session = wire->session, .ctx = old.ctx };
	wire->events->ended(wire, old.why);
}

void
wire_expect_bulk(struct wire *wire, uint64_t n)
{
	wire->bulk_left = n;
	wire->bulk_pos = 0;
}

static struct slice
take_bulk(struct wire *wire, struct slice in)
{
	size_t offset = (size_t)(wire->bulk_pos % PATTERN_SIZE);
	size_t n = in.len < PATTERN_SIZE - offset ? in.len : PATTERN_SIZE - offset;

	if (n > wire->bulk_left)
		n = (size_t)wire->bulk_left;
	if (memcmp(in.data, pattern + offset, n) != 0)
		wire_fail(wire, "other bytes than were sent");
	wire->bulk_left -= n;
	wire->bulk_pos += n;
	return slice_from(in, n);
}

static struct slice
take_line(struct wire *wire, struct slice in)
{
	const char *newline = memchr(in.data, '\n', in.len);
	size_t n = newline != NULL ? (size_t)(newline - in.data) + 1 : in.len;
	struct slice line = slice_make(in.data, n);

	if (buf_len(&wire->in) > 0 || newline == NULL) {
		buf_append(&wire->in, in.data, n);
		line = buf_slice(&wire->in);
	}
	if (line.len > LINE_MAX_LEN) {
		wire_fail(wire, "a line without an end");
	} else if (newline != NULL) {
		line.len--;
		if (line.len > 0 && line.data[line.len - 1] == '\r')
			line.len--;
		wire->events->line(wire, line);
		buf_clear(&wire->in);
	}
	return slice_from(in, n);
}

static void
take_input(struct wire *wire, struct slice in)
{
	while (in.len > 0 && !wire->is_over) {
		if (wire->state != WIRE_OPEN)
			wire_fail(wire, "plaintext before the handshake");
		else
			in = wire->bulk_left > 0 ? take_bulk(wire, in) : take_line(wire, in);
	}
}

static void
read_some(struct wire *wire)
{
	for (int i = 0; i < READS_MAX && wire->state == WIRE_OPEN && !wire->is_over; i++) {
		ssize_t n = wire->ssl != NULL ? wire_tls_read(wire, scratch, sizeof(scratch)) :
		    recv(wire->watch.fd, scratch, sizeof(scratch), 0);

		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0)
			wire_fail(wire, n == 0 ? NULL : "the connection broke");
		else
			take_input(wire, slice_make(scratch, (size_t)n));
		if (n < (wire->ssl != NULL ? TLS_RECORD : (ssize_t)sizeof(scratch)))
			return;
	}
}

static ssize_t
write_once(struct wire *wire, const char *data, size_t n)
{
	ssize_t written = wire->ssl != NULL ? wire_tls_write(wire, data, n) :
	    send(wire->watch.fd, data, n, MSG_NOSIGNAL);

	if (written <= 0 && errno != EAGAIN)
		wire_fail(wire, "the connection broke");
	return written;
}

static bool
write_out(struct wire *wire)
{
	ssize_t n = write_once(wire, buf_data(&wire->out), buf_len(&wire->out));

	if (n <= 0)
		return false;
	buf_consume(&wire->out, (size_t)n);
	if (buf_len(&wire->out) == 0)
		buf_clear(&wire->out);
	return true;
}

static bool
write_outflow(struct wire *wire)
{
	struct outflow *flow = &wire->outflow;
	size_t offset = (size_t)(flow->pos % flow->size);
	uint64_t left = flow->end - flow->pos;
	ssize_t n = write_once(wire, flow->data + offset,
	    left < flow->size - offset ? (size_t)left : flow->size - offset);

	if (n <= 0)
		return false;
	flow->pos += (uint64_t)n;
	if (flow->pos == flow->end && flow->tail != NULL)
		buf_append_text(&wire->out, flow->tail);
	return true;
}

static bool
has_output(const struct wire *wire)
{
	return buf_len(&wire->out) > 0 || wire->outflow.pos < wire->outflow.end;
}

void
wire_flush(struct wire *wire)
{
	bool goes_on = true;

	for (int i = 0; i < WRITES_MAX && goes_on && has_output(wire); i++)
		goes_on = buf_len(&wire->out) > 0 ? write_out(wire) : write_outflow(wire);
	wire_watch(&wire->watch, EPOLLIN | (has_output(wire) ? (uint32_t)EPOLLOUT : 0));
	if (wire->is_closing && !has_output(wire))
		wire_fail(wire, NULL);
}

void
wire_send(struct wire *wire, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	buf_vprintf(&wire->out, format, args);
	va_end(args);
}

static void
finish_connect(struct wire *wire)
{
	int error = 0;
	socklen_t len = sizeof(error);

	getsockopt(wire->watch.fd, SOL_SOCKET, SO_ERROR, &error, &len);
	if (error != 0) {
		wire_fail(wire, "the connection is refused");
		return;
	}
	wire->state = WIRE_OPEN;
	if (wire->ctx != NULL)
		wire_start_tls(wire, wire->ctx);
	else
		wire->events->ready(wire);
}

static void
on_event(struct watch *watch, uint32_t events)
{
	struct wire *wire = (struct wire *)watch;

	if (wire->state == WIRE_CONNECTING)
		finish_connect(wire);
	else if (wire->state == WIRE_HANDSHAKING)
		wire_shake_hands(wire);
	else if (events & ~(uint32_t)EPOLLOUT)
		read_some(wire);
	if (!wire->is_over && wire->state == WIRE_OPEN)
		wire_flush(wire);
	if (wire->is_over)
		finish(wire);
}

static void
begin(struct wire *wire, int fd, enum wire_state state)
{
	int on = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	wire->watch = (struct watch){ .on_event = on_event, .fd = fd };
	wire->state = state;
	wire_watch(&wire->watch, state == WIRE_CONNECTING ? EPOLLOUT : EPOLLIN);
}

bool
wire_connect(struct wire *wire, const struct sockaddr_in *from, const struct sockaddr_in *to)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;

	if (fd < 0)
		return false;
	/* connect chooses the port then, which knows the other end: far more connections fit */
	setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
	if (bind(fd, (const struct sockaddr *)from, sizeof(*from)) != 0 ||
	    (connect(fd, (const struct sockaddr *)to, sizeof(*to)) != 0 && errno != EINPROGRESS)) {
		close(fd);
		return false;
	}
	begin(wire, fd, WIRE_CONNECTING);
	return true;
}

void
wire_accepted(struct wire *wire, int fd)
{
	begin(wire, fd, WIRE_OPEN);
	if (wire->ctx != NULL)
		wire_start_tls(wire, wire->ctx);
	else
		wire->events->ready(wire);
	wire_flush(wire);
}
