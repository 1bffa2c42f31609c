/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stream.c: what raw and TLS streams have in common: the states, what is
 * watched in each, what is kept for a slow peer and how much memory that is.
 * A callback may close the stream: behind each one, only what the state then
 * allows is done.
 */
#include "net/stream.h"

#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/xalloc.h"
#include "net/connect.h"

enum state {
	STATE_CLOSED,		/* a zeroed stream too */
	STATE_CONNECTING,
	STATE_HANDSHAKING,
	STATE_OPEN,
	STATE_FAILING,		/* STREAM_FAILED is due in the next turn */
	STATE_FAILED
};

enum {
	HUNGRY_MS = 50,		/* how soon memory given back by another thread is noticed */
	COMPLAIN_MS = 60 * 1000,
	SHORT_READ = 4096	/* while memory is short; a writable socket takes it as a whole */
};

/* Of the whole process: the limit is one for all threads. */
static _Atomic int64_t memory_used;
static _Atomic int64_t memory_limit = INT64_MAX;

void
stream_set_memory_limit(int64_t bytes)
{
	atomic_store_explicit(&memory_limit, bytes, memory_order_relaxed);
}

int64_t
stream_memory_used(void)
{
	return atomic_load_explicit(&memory_used, memory_order_relaxed);
}

static bool
is_memory_short(void)
{
	return stream_memory_used() > atomic_load_explicit(&memory_limit, memory_order_relaxed);
}

static bool
can_read(const struct stream *stream)
{
	return stream->state == STATE_OPEN && stream->is_reading && !stream->is_starved && !stream->is_ended;
}

static void
update_watch(struct stream *stream)
{
	bool has_kept = stream_kept(stream) > 0;
	int events = 0;

	if (stream->state == STATE_CONNECTING)
		events = LOOP_READ | LOOP_WRITE;	/* only a failure or early data make both ready */
	else if (stream->state == STATE_HANDSHAKING && has_kept)
		events = LOOP_WRITE;
	else if (stream->state == STATE_HANDSHAKING)
		events = (stream->tls_wants_read ? LOOP_READ : 0) |
		    (stream->tls_wants_write ? LOOP_WRITE : 0);
	else if (stream->state == STATE_OPEN)
		events = (has_kept || (stream->tls_wants_write && can_read(stream)) ? LOOP_WRITE : 0) |
		    (can_read(stream) ? LOOP_READ : 0);
	loop_io_watch(stream->loop, &stream->io, events);
}

/* Reads again where reading was stopped. */
static void
wake_reader(struct stream *stream)
{
	update_watch(stream);
	if (can_read(stream) && stream->ops->has_pending(stream))
		loop_io_again(stream->loop, &stream->io, LOOP_READ);
}

/* Would a small block that is read now be gone at once? */
static bool
is_sink_free(const struct stream *stream)
{
	const struct stream *sink = stream->sink != NULL ? stream->sink : stream;
	struct pollfd pfd = { .fd = sink->fd, .events = POLLOUT };

	return sink->state == STATE_OPEN && stream_kept(sink) == 0 && poll(&pfd, 1, 0) > 0;
}

static void
feed_hungry(struct loop_hungry *hungry)
{
	bool is_short = is_memory_short();

	list_each(node, &hungry->streams) {
		struct stream *stream = list_entry(node, struct stream, hungry);

		if (is_short && !is_sink_free(stream))
			continue;
		list_remove(node);
		stream->is_starved = false;
		wake_reader(stream);
	}
}

static void
on_hungry(struct loop_timer *timer)
{
	struct loop_hungry *hungry = loop_owner(timer, struct loop_hungry, timer);
	struct loop *loop;

	feed_hungry(hungry);
	if (list_is_empty(&hungry->streams))
		return;
	loop = list_entry(hungry->streams.next, struct stream, hungry)->loop;
	loop_timer_set(loop, timer, loop_now(loop) + HUNGRY_MS);
}

static void
complain(const struct loop *loop)
{
	/* of the whole process: all threads run short together, and one line says it */
	static _Atomic int64_t silent_until;
	int64_t now = loop_now(loop), until = atomic_load(&silent_until);

	if (now >= until && atomic_compare_exchange_strong(&silent_until, &until, now + COMPLAIN_MS))
		log_write(LOG_WARNING, "relay_memory is used up by peers that do not read: others are slow");
}

static void
starve(struct stream *stream)
{
	struct loop_hungry *hungry = loop_hungry(stream->loop);

	if (hungry->timer.on_time == NULL)
		loop_timer_init(&hungry->timer, on_hungry);
	if (!loop_timer_is_set(&hungry->timer))
		loop_timer_set(stream->loop, &hungry->timer, loop_now(stream->loop) + HUNGRY_MS);
	stream->is_starved = true;
	list_append(&hungry->streams, &stream->hungry);
	update_watch(stream);
}

static void
count_memory(size_t before, size_t after)
{
	int64_t difference = (int64_t)after - (int64_t)before;

	if (difference != 0)
		atomic_fetch_add_explicit(&memory_used, difference, memory_order_relaxed);
}

static void
keep(struct stream *stream, struct slice data)
{
	size_t before = stream->out.size;

	buf_append_tight(&stream->out, data);
	count_memory(before, stream->out.size);
}

static void
free_kept(struct stream *stream)
{
	size_t before = stream->out.size + (stream->moved != NULL ? KERNEL_PIPE_SIZE : 0);

	if (before == 0)
		return;
	if (stream->moved != NULL)
		kernel_pipe_put(loop_kernel_pipes(stream->loop), &stream->moved);
	buf_wipe(&stream->out);
	count_memory(before, 0);
	if (!list_is_empty(&loop_hungry(stream->loop)->streams) && !is_memory_short())
		feed_hungry(loop_hungry(stream->loop));
}

static void
raise_event(struct stream *stream, enum stream_event event)
{
	stream->on_event(stream, event, slice_make(NULL, 0), stream->owner);
}

static void
stop_starving(struct stream *stream)
{
	list_remove(&stream->hungry);
	stream->is_starved = false;
}

static void
fail(struct stream *stream)
{
	stream->state = STATE_FAILED;
	update_watch(stream);
	stop_starving(stream);
	free_kept(stream);
	raise_event(stream, STREAM_FAILED);
}

static void
fail_later(struct stream *stream)
{
	stream->state = STATE_FAILING;
	update_watch(stream);
	loop_io_again(stream->loop, &stream->io, LOOP_WRITE);
}

static void
raise_data(struct stream *stream, size_t n)
{
	stream->on_event(stream, STREAM_DATA, slice_make(loop_scratch(stream->loop), n), stream->owner);
}

/* A peer that says why and closes resets what we write meanwhile: its words come first. */
static void
fail_behind_input(struct stream *stream)
{
	int error = stream->error;
	size_t n = 0;

	if (stream->fd >= 0 && stream->tls == NULL && stream->is_reading && !stream->is_ended &&
	    stream->ops->read(stream, loop_scratch(stream->loop), stream->read_size, &n) == STREAM_IO_OK) {
		raise_data(stream, n);
		if (stream->state == STATE_FAILING)
			loop_io_again(stream->loop, &stream->io, LOOP_WRITE);
		return;
	}
	stream->error = error;
	fail(stream);
}

static bool
can_move(const struct stream *stream)
{
	const struct stream *sink = stream->sink;

	return stream->is_moving && stream->ops == &stream_raw && sink != NULL && sink->ops == &stream_raw &&
	    sink->state == STATE_OPEN && !sink->shut_asked && stream_kept(sink) == 0;
}

/* False: the kernel does not give back what it took. */
static bool
keep_copy(struct stream *stream, struct kernel_pipe *pipe)
{
	char *scratch = loop_scratch(stream->loop);

	while (pipe->len > 0) {
		ssize_t n = read(pipe->out, scratch, LOOP_SCRATCH_SIZE);

		if (n <= 0) {
			stream->error = n < 0 ? errno : EPIPE;
			return false;
		}
		keep(stream, slice_make(scratch, (size_t)n));
		pipe->len -= (size_t)n;
	}
	return true;
}

/* What the peer does not take stays in the pipe, but not in the last one: its sink may never read again. */
static void
take_pipe(struct stream *stream, struct kernel_pipe *pipe)
{
	struct kernel_pipes *pipes = loop_kernel_pipes(stream->loop);
	bool has_failed = stream_raw_empty(stream, pipe) == STREAM_IO_FAILED;

	if (!has_failed && pipe->len > 0 && kernel_pipes_have_spare(pipes, loop_now(stream->loop))) {
		stream->moved = pipe;
		count_memory(0, KERNEL_PIPE_SIZE);
		update_watch(stream);
		return;
	}
	has_failed = has_failed || !keep_copy(stream, pipe);
	kernel_pipe_put(pipes, &pipe);
	if (has_failed)
		fail_later(stream);
	else
		update_watch(stream);
}

/* False: it is for a read to do, and to tell what there is. */
static bool
move_once(struct stream *stream)
{
	struct kernel_pipes *pipes = loop_kernel_pipes(stream->loop);
	struct kernel_pipe *pipe = can_move(stream) ? kernel_pipe_get(pipes, loop_now(stream->loop)) : NULL;
	enum stream_io io;
	size_t n;

	if (pipe == NULL)
		return false;
	io = stream_raw_fill(stream, pipe);
	n = pipe->len;
	if (io == STREAM_IO_OK)
		take_pipe(stream->sink, pipe);
	else
		kernel_pipe_put(pipes, &pipe);
	if (io == STREAM_IO_OK)
		stream->on_event(stream, STREAM_MOVED, slice_make(NULL, n), stream->owner);
	else if (io == STREAM_IO_FAILED)
		fail(stream);
	return io != STREAM_IO_AGAIN;
}

static void
read_once(struct stream *stream)
{
	bool is_short = is_memory_short();
	size_t n = 0, size = is_short ? SHORT_READ : stream->read_size;

	if (is_short)
		complain(stream->loop);
	if (is_short && !is_sink_free(stream)) {
		starve(stream);
		return;
	}
	if (!is_short && move_once(stream))
		return;
	switch (stream->ops->read(stream, loop_scratch(stream->loop), size, &n)) {
	case STREAM_IO_OK:
		raise_data(stream, n);
		if (can_read(stream) && stream->ops->has_pending(stream))
			loop_io_again(stream->loop, &stream->io, LOOP_READ);
		break;
	case STREAM_IO_AGAIN:
		update_watch(stream);
		break;
	case STREAM_IO_CLOSED:
		/* still watched until it shows again: mostly the stream is closed before that */
		stream->is_ended = true;
		raise_event(stream, STREAM_CLOSED);
		break;
	case STREAM_IO_FAILED:
		fail(stream);
		break;
	}
}

static enum stream_io
write_kept(struct stream *stream)
{
	/* during a handshake it is the go-ahead, which the peer expects in the clear */
	const struct stream_ops *ops = stream->state == STATE_HANDSHAKING ? &stream_raw : stream->ops;
	enum stream_io io;
	size_t done = 0;

	if (stream->moved != NULL && stream->moved->len > 0)
		return stream_raw_empty(stream, stream->moved);
	io = ops->write(stream, buf_data(&stream->out), buf_len(&stream->out), &done);
	if (io == STREAM_IO_OK)
		buf_consume(&stream->out, done);
	return io;
}

/* Writes what is kept; true when nothing is left. */
static bool
flush(struct stream *stream)
{
	enum stream_io io = write_kept(stream);

	if (io != STREAM_IO_OK && io != STREAM_IO_AGAIN) {
		fail_later(stream);
		return false;
	}
	if (stream_kept(stream) > 0)
		return false;
	free_kept(stream);
	return true;
}

static void
on_writable(struct stream *stream)
{
	if (!flush(stream))
		return;
	update_watch(stream);
	if (stream->shut_asked)
		stream->ops->shut(stream);
	raise_event(stream, STREAM_DRAINED);
}

static void
finish_connect(struct stream *stream, int events)
{
	socklen_t len = sizeof(stream->error);

	/* an error makes a socket readable too: where it is not, there is nothing to ask for */
	if ((events & LOOP_READ) != 0)
		(void)getsockopt(stream->fd, SOL_SOCKET, SO_ERROR, &stream->error, &len);
	if (stream->error != 0) {
		fail(stream);
		return;
	}
	stream->state = STATE_OPEN;
	update_watch(stream);
	if (stream->shut_asked && buf_len(&stream->out) == 0)
		stream->ops->shut(stream);
	raise_event(stream, STREAM_CONNECTED);
	if ((events & LOOP_READ) != 0 && can_read(stream))
		read_once(stream);
}

static void
advance_handshake(struct stream *stream)
{
	if (buf_len(&stream->out) > 0 && !flush(stream))
		return;
	switch (stream_tls_handshake(stream)) {
	case STREAM_IO_OK:
		stream->state = STATE_OPEN;
		update_watch(stream);
		raise_event(stream, STREAM_TLS_READY);
		if (can_read(stream) && stream->ops->has_pending(stream))
			read_once(stream);
		break;
	case STREAM_IO_AGAIN:
		update_watch(stream);
		break;
	default:
		fail(stream);
		break;
	}
}

/* Readable though nobody reads: paused, starved or at its end.  Unless the callback before has closed it. */
static void
stop_reading(struct stream *stream)
{
	if (stream->state == STATE_OPEN)
		update_watch(stream);
}

static void
on_ready(struct loop_io *io, int events)
{
	struct stream *stream = loop_owner(io, struct stream, io);

	switch ((enum state)stream->state) {
	case STATE_CONNECTING:
		finish_connect(stream, events);
		break;
	case STATE_HANDSHAKING:
		advance_handshake(stream);
		break;
	case STATE_OPEN:
		if ((events & LOOP_WRITE) != 0 && stream->tls_wants_write)
			events |= LOOP_READ;
		if ((events & LOOP_WRITE) != 0 && stream_kept(stream) > 0)
			on_writable(stream);
		if ((events & LOOP_READ) != 0 && can_read(stream))
			read_once(stream);
		else if ((events & LOOP_READ) != 0)
			stop_reading(stream);
		break;
	case STATE_FAILING:
		fail_behind_input(stream);
		break;
	case STATE_FAILED:
	case STATE_CLOSED:
		break;
	}
}

static void
init(struct stream *stream, struct loop *loop, int fd, enum state state)
{
	*stream = (struct stream){ .loop = loop, .ops = &stream_raw, .fd = fd, .read_size = STREAM_READ_MIN,
		.state = (uint8_t)state, .is_reading = true };
	loop_io_init(&stream->io, fd, on_ready);
}

void
stream_open(struct stream *stream, struct loop *loop, int fd, stream_callback *on_event, void *owner)
{
	init(stream, loop, fd, STATE_OPEN);
	stream_set_owner(stream, on_event, owner);
	update_watch(stream);
}

void
stream_connect(struct stream *stream, struct loop *loop, const struct stream_target *target,
    stream_callback *on_event, void *owner)
{
	int error, fd = connect_open(target->to, target->source, target->tcp, &error);

	init(stream, loop, fd, STATE_CONNECTING);
	stream_set_owner(stream, on_event, owner);
	if (fd < 0) {
		stream->error = error;
		fail_later(stream);
	} else if (error == 0) {
		loop_io_again(loop, &stream->io, LOOP_WRITE);	/* no need to ask the kernel */
	} else {
		update_watch(stream);
	}
}

void
stream_set_owner(struct stream *stream, stream_callback *on_event, void *owner)
{
	stream->on_event = on_event;
	stream->owner = owner;
}

void
stream_accept_tls(struct stream *stream, const struct tls_front *front, struct slice early)
{
	if (stream->state != STATE_OPEN)
		return;
	stream->state = STATE_HANDSHAKING;
	stream->ops = &stream_tls;
	stream_tls_accept(stream, front, early);
	stop_starving(stream);
	stream->tls_wants_read = true;
	update_watch(stream);
	if (early.len > 0)
		loop_io_again(stream->loop, &stream->io, LOOP_READ);	/* the socket may have no more */
}

void
stream_connect_tls(struct stream *stream, const struct tls_back *back)
{
	if (stream->state != STATE_OPEN)
		return;
	stream->state = STATE_HANDSHAKING;
	stream->ops = &stream_tls;
	stream_tls_connect(stream, back);
	stop_starving(stream);
	if (buf_len(&stream->out) == 0 && stream_tls_handshake(stream) == STREAM_IO_FAILED)
		fail_later(stream);
	else
		update_watch(stream);
}

size_t
stream_write(struct stream *stream, struct slice data)
{
	size_t done = 0;

	if (stream->state == STATE_CONNECTING && data.len > 0) {
		keep(stream, data);
		return buf_len(&stream->out);
	}
	if (stream->state != STATE_OPEN || stream->shut_asked || data.len == 0)
		return stream_kept(stream);
	if (stream_kept(stream) == 0 &&
	    stream->ops->write(stream, data.data, data.len, &done) == STREAM_IO_FAILED) {
		fail_later(stream);
		return 0;
	}
	if (done < data.len) {
		keep(stream, slice_from(data, done));
		update_watch(stream);
	}
	return stream_kept(stream);
}

size_t
stream_kept(const struct stream *stream)
{
	return buf_len(&stream->out) + (stream->moved != NULL ? stream->moved->len : 0);
}

void
stream_set_options(struct stream *stream, const struct tcp_settings *tcp)
{
	if (stream->fd >= 0)
		connect_set_options(stream->fd, tcp);
}

void
stream_pause(struct stream *stream)
{
	if (!stream->is_reading)
		return;
	stream->is_reading = false;
	if (stream->state == STATE_OPEN)
		update_watch(stream);
}

void
stream_resume(struct stream *stream)
{
	if (stream->is_reading)
		return;
	stream->is_reading = true;
	if (stream->state == STATE_OPEN)
		wake_reader(stream);
}

void
stream_shut(struct stream *stream)
{
	if (stream->shut_asked || (stream->state != STATE_OPEN && stream->state != STATE_CONNECTING))
		return;
	stream->shut_asked = true;
	if (stream->state == STATE_OPEN && stream_kept(stream) == 0)
		stream->ops->shut(stream);
}

void
stream_close(struct stream *stream)
{
	bool politely = stream->state == STATE_OPEN && !stream->shut_asked && stream_kept(stream) == 0;

	if (stream->state == STATE_CLOSED)
		return;
	stream->state = STATE_CLOSED;
	if (stream->sink != NULL && stream->sink->sink == stream)
		stream->sink->sink = NULL;	/* which may live on to say its last words */
	loop_io_stop(stream->loop, &stream->io);
	stream->ops->close(stream, politely);
	stream->tls = NULL;
	if (stream->fd >= 0)
		close(stream->fd);
	stream->fd = -1;
	stop_starving(stream);
	free_kept(stream);
}

bool
stream_has_tls(const struct stream *stream)
{
	return stream->tls != NULL && stream->state != STATE_HANDSHAKING;
}

const char *
stream_reason(const struct stream *stream, char out[STREAM_REASON_MAX])
{
	char text[STREAM_REASON_MAX];

	if (stream->tls != NULL && stream_tls_reason(stream, out))
		return out;
	if (stream->error == 0) {
		snprintf(out, STREAM_REASON_MAX, "connection closed");
		return out;
	}
	snprintf(out, STREAM_REASON_MAX, "%s", strerror_r(stream->error, text, sizeof(text)));
	out[0] = (char)tolower((unsigned char)out[0]);
	return out;
}
