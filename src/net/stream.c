/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stream.c: what raw and TLS streams have in common: the states, what is
 * watched in each, what is kept for a slow peer or owner and told again, how
 * large reads are.  A callback may close the stream: behind each one, only
 * what the state then allows is done.
 */
#include "net/stream.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/digest.h"
#include "net/connect.h"
#include "net/store.h"
#include "net/stream_state.h"
#include "net/tap.h"
#include "net/transport.h"

enum { SHORT_READ = 4096 };	/* while memory is short; a writable socket takes it as a whole */

static bool
can_read(const struct stream *stream)
{
	return stream->state == STATE_OPEN && stream->stops == 0;
}

/* May its owner be told of input?  A failure comes behind it. */
static bool
can_tell(const struct stream *stream)
{
	return (stream->state == STATE_OPEN || stream->state == STATE_FAILING) && !stream->is_held &&
	    (stream->stops & STOP_PAUSED) == 0;
}

static bool
is_over(const struct stream *stream)
{
	return stream->state == STATE_CLOSED || stream->state == STATE_FAILED;
}

void
stream_update_watch(struct stream *stream)
{
	bool has_kept = stream_kept(stream) > 0;
	/* who is told of input again reads on behind that */
	bool reads = stream->state == STATE_OPEN && (stream->stops & ~STOP_DUE) == 0;
	int events = 0;

	if (stream->state == STATE_CONNECTING)
		events = LOOP_READ | LOOP_WRITE;	/* only a failure or early data make both ready */
	else if (stream->state == STATE_HANDSHAKING && has_kept)
		events = LOOP_WRITE;
	else if (stream->state == STATE_HANDSHAKING)
		events = (stream->tls_wants_read ? LOOP_READ : 0) |
		    (stream->tls_wants_write ? LOOP_WRITE : 0);
	else if (stream->state == STATE_OPEN)
		events = (has_kept || (stream->tls_wants_write && reads) ? LOOP_WRITE : 0) |
		    (reads ? LOOP_READ : 0);
	loop_io_watch(stream->loop, &stream->io, events);
}

/* Reads again where reading was stopped. */
static void
wake_reader(struct stream *stream)
{
	stream_update_watch(stream);
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

bool
stream_is_fed(const struct stream *stream, bool is_short)
{
	return !is_short || (is_sink_free(stream) && stream_unread(stream) < STREAM_READ_MIN);
}

void
stream_feed(struct stream *stream)
{
	stream->stops &= (uint8_t)~STOP_STARVED;
	wake_reader(stream);
}

static void
raise_event(struct stream *stream, enum stream_event event)
{
	if (stream->tap != NULL && event != STREAM_DRAINED)
		stream->tap->on_event(stream->tap, event);
	(void)stream->on_event(stream, event, slice_make(NULL, 0), stream->owner);
}

void
stream_fail(struct stream *stream)
{
	stream->state = STATE_FAILED;
	stream_update_watch(stream);
	store_clear(stream);
	raise_event(stream, STREAM_FAILED);
}

void
stream_fail_later(struct stream *stream)
{
	stream->state = STATE_FAILING;
	stream_update_watch(stream);
	loop_io_again(stream->loop, &stream->io, LOOP_WRITE);
}

/* Returns how much of it was consumed. */
static size_t
tell(struct stream *stream, struct slice data)
{
	size_t used;

	stream->is_telling = true;
	used = stream->on_event(stream, STREAM_DATA, data, stream->owner);
	stream->is_telling = false;
	assert(used <= data.len);
	return used;
}

/* Tells of input until the owner wants to hear no more of it; what is left then. */
static struct slice
tell_while_due(struct stream *stream, struct slice data)
{
	while (data.len > 0 && (stream->stops & STOP_DUE) != 0 && can_tell(stream)) {
		stream->stops &= (uint8_t)~STOP_DUE;
		data = slice_from(data, tell(stream, data));
	}
	return data;
}

/* The callback may close the stream: what it is told of lives on. */
static void
tell_kept(struct stream *stream)
{
	struct buf in = store_take_in(stream);
	struct slice rest;

	stream->stops |= STOP_DUE;
	rest = tell_while_due(stream, buf_slice(&in));
	buf_consume(&in, is_over(stream) ? buf_len(&in) : buf_len(&in) - rest.len);
	store_put_in(stream, &in);
}

static void
note_fullness(struct stream *stream)
{
	size_t max = stream->is_held ? STREAM_HELD_MAX : STREAM_INPUT_MAX;

	stream->stops &= (uint8_t)~STOP_FULL;
	if (stream_unread(stream) >= max)
		stream->stops |= STOP_FULL;
}

/* Input was told; some of it was left, or had been. */
static void
settle(struct stream *stream)
{
	bool has_left = stream_unread(stream) > 0;

	stream->stops &= (uint8_t)~STOP_DUE;
	note_fullness(stream);
	if (is_over(stream))
		return;
	stream_update_watch(stream);
	if (stream->state == STATE_HANDSHAKING && has_left)
		loop_io_again(stream->loop, &stream->io, LOOP_READ);	/* the socket may have no more */
}

static void
leave(struct stream *stream, struct slice rest)
{
	rest = tell_while_due(stream, rest);
	if (rest.len > 0 && !is_over(stream))
		store_add_in(stream, rest);
}

/* n bytes were read into the scratch buffer. */
static void
take_input(struct stream *stream, char *scratch, size_t n)
{
	bool is_secret = stream->is_secret;
	size_t used = 0;

	if (stream->tap != NULL)
		stream->tap->on_bytes(stream->tap, false, slice_make(scratch, n));
	if (stream->is_held || stream_unread(stream) > 0) {
		store_add_in(stream, slice_make(scratch, n));
		if (!stream->is_held)
			tell_kept(stream);
	} else {
		used = tell(stream, slice_make(scratch, n));
		if (used < n)
			leave(stream, slice_make(scratch + used, n - used));
	}
	if (is_secret)
		secret_wipe(scratch, n);
	if (used < n || (stream->stops & STOP_DUE) != 0)
		settle(stream);
}

/* What is kept, and the end. */
static void
tell_again(struct stream *stream)
{
	if (stream_unread(stream) > 0)
		tell_kept(stream);
	settle(stream);
	if (can_tell(stream) && (stream->stops & STOP_ENDED) != 0)
		raise_event(stream, STREAM_CLOSED);
	else if (stream->state == STATE_OPEN)
		wake_reader(stream);
}

static void
set_due(struct stream *stream)
{
	bool is_kept = stream_unread(stream) > 0 || (stream->stops & STOP_ENDED) != 0;

	if (!can_tell(stream) || (!is_kept && !stream->is_telling))
		return;
	stream->stops |= STOP_DUE;
	if (is_kept)
		loop_io_again(stream->loop, &stream->io, LOOP_READ);
}

/* False: there was none. */
static bool
tell_more(struct stream *stream)
{
	char *scratch = loop_scratch(stream->loop);
	size_t n = 0;

	if ((stream->stops & STOP_DUE) != 0) {
		tell_again(stream);
		return true;
	}
	if (stream->fd < 0 || stream->tls != NULL ||
	    (stream->stops & (STOP_PAUSED | STOP_ENDED | STOP_FULL)) != 0 ||
	    stream->ops->read(stream, scratch, stream->read_size, &n) != STREAM_IO_OK)
		return false;
	take_input(stream, scratch, n);
	return true;
}

/* A peer that says why and closes resets what we write meanwhile: its words come first. */
static void
fail_behind_input(struct stream *stream)
{
	int error = stream->error;

	if (tell_more(stream)) {
		if (stream->state == STATE_FAILING)
			loop_io_again(stream->loop, &stream->io, LOOP_WRITE);
		return;
	}
	stream->error = error;
	stream_fail(stream);
}

/*
 * Large blocks are read only while the sink takes whole ones, since large reads to a slow one are only kept.
 * Where the largest are not enough, what nobody looks at is moved unread.
 */
static void
fit_reads(struct stream *stream, size_t n)
{
	if (stream_kept(stream->sink) > 0) {
		stream->read_size = STREAM_READ_MIN;
		stream->is_moving = false;
	} else if (n >= stream->read_size) {
		if (stream->read_size < LOOP_SCRATCH_SIZE)
			stream->read_size *= 2;
		else
			stream->is_moving = stream->may_move;
	}
}

static void
read_once(struct stream *stream)
{
	bool is_short = store_is_short();
	char *scratch = loop_scratch(stream->loop);
	size_t n = 0, size = is_short ? SHORT_READ : stream->read_size;

	if (is_short && !stream_is_fed(stream, true)) {
		stream->stops |= STOP_STARVED;
		store_starve(stream);
		stream_update_watch(stream);
		return;
	}
	if (!is_short && stream->is_moving && stream->tap == NULL && stream_move(stream))
		return;
	switch (stream->ops->read(stream, scratch, size, &n)) {
	case STREAM_IO_OK:
		take_input(stream, scratch, n);
		if (stream->sink != NULL && stream->state == STATE_OPEN)
			fit_reads(stream, n);
		if (stream->tls != NULL && can_read(stream) && stream->ops->has_pending(stream))
			loop_io_again(stream->loop, &stream->io, LOOP_READ);
		break;
	case STREAM_IO_AGAIN:
		stream_update_watch(stream);
		break;
	case STREAM_IO_CLOSED:
		/* still watched until it shows again: mostly the stream is closed before that */
		stream->stops |= STOP_ENDED;
		raise_event(stream, STREAM_CLOSED);
		break;
	case STREAM_IO_FAILED:
		stream_fail(stream);
		break;
	}
}

static enum stream_io
write_kept(struct stream *stream)
{
	/* during a handshake it is the go-ahead, which the peer expects in the clear */
	const struct stream_ops *ops = stream->state == STATE_HANDSHAKING ? &stream_raw : stream->ops;
	struct store *store = stream->store;
	enum stream_io io;
	size_t done = 0;

	if (store->moved != NULL && store->moved->len > 0)
		return stream_raw_empty(stream, store->moved);
	io = ops->write(stream, buf_data(&store->out), buf_len(&store->out), &done);
	if (io == STREAM_IO_OK)
		buf_consume(&store->out, done);
	return io;
}

/* Writes what is kept; true when nothing is left. */
static bool
flush(struct stream *stream)
{
	enum stream_io io = write_kept(stream);

	if (io != STREAM_IO_OK && io != STREAM_IO_AGAIN) {
		stream_fail_later(stream);
		return false;
	}
	if (stream_kept(stream) > 0)
		return false;
	store_clear_out(stream);
	return true;
}

static void
on_writable(struct stream *stream)
{
	if (!flush(stream))
		return;
	stream_update_watch(stream);
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
		stream_fail(stream);
		return;
	}
	stream->state = STATE_OPEN;
	stream_update_watch(stream);
	if (stream->shut_asked && stream_kept(stream) == 0)
		stream->ops->shut(stream);
	raise_event(stream, STREAM_CONNECTED);
	if ((events & LOOP_READ) != 0 && can_read(stream))
		read_once(stream);
}

void
stream_shake(struct stream *stream)
{
	switch (stream_tls_handshake(stream)) {
	case STREAM_IO_OK:
		stream->state = STATE_OPEN;
		stream_update_watch(stream);
		raise_event(stream, STREAM_TLS_READY);
		if (can_read(stream) && stream->ops->has_pending(stream))
			read_once(stream);
		break;
	case STREAM_IO_AGAIN:
		stream_update_watch(stream);
		break;
	default:
		stream_fail(stream);
		break;
	}
}

static void
advance_handshake(struct stream *stream)
{
	if (stream_kept(stream) > 0 && !flush(stream))
		return;
	if (stream_tls_has_turn(stream))
		stream_shake(stream);
	else
		stream_update_watch(stream);
}

/* Readable though nothing is read: something else is due, or it is to stop. */
static void
read_nothing(struct stream *stream)
{
	if (can_tell(stream) && (stream->stops & STOP_DUE) != 0)
		tell_again(stream);
	else if (stream->state == STATE_OPEN)
		stream_update_watch(stream);
}

static void
on_ready(struct loop_io *io, int events)
{
	struct stream *stream = loop_owner(io, struct stream, io);

	/* mostly */
	if (events == LOOP_READ && can_read(stream)) {
		read_once(stream);
		return;
	}
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
			read_nothing(stream);
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
		.state = (uint8_t)state };
	loop_io_init(&stream->io, fd, on_ready);
}

void
stream_open(struct stream *stream, struct loop *loop, int fd, stream_callback *on_event, void *owner)
{
	init(stream, loop, fd, STATE_OPEN);
	stream_set_owner(stream, on_event, owner);
	stream_update_watch(stream);
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
		stream_fail_later(stream);
	} else if (error == 0) {
		loop_io_again(loop, &stream->io, LOOP_WRITE);	/* no need to ask the kernel */
	} else {
		stream_update_watch(stream);
	}
}

void
stream_set_owner(struct stream *stream, stream_callback *on_event, void *owner)
{
	stream->on_event = on_event;
	stream->owner = owner;
	set_due(stream);
}

void
stream_tell_again(struct stream *stream)
{
	set_due(stream);
}

size_t
stream_unread(const struct stream *stream)
{
	return stream->store != NULL ? buf_len(&stream->store->in) : 0;
}

size_t
stream_take_unread(struct stream *stream, char *data, size_t n)
{
	struct buf in;

	if (stream_unread(stream) == 0)
		return 0;
	in = store_take_in(stream);
	n = n < buf_len(&in) ? n : buf_len(&in);
	memcpy(data, buf_data(&in), n);
	buf_consume(&in, n);
	store_put_in(stream, &in);
	return n;
}

bool
stream_has_ended(const struct stream *stream)
{
	return (stream->stops & STOP_ENDED) != 0;
}

void
stream_set_sink(struct stream *stream, struct stream *sink)
{
	stream->sink = sink;
	stream->read_size = STREAM_READ_MIN;
	stream->is_moving = false;
}

void
stream_let_move(struct stream *stream, bool may_move)
{
	stream->may_move = may_move;
	stream->is_moving = stream->is_moving && may_move;
}

void
stream_set_secret(struct stream *stream, bool is_secret)
{
	stream->is_secret = is_secret;
	if (stream->tls != NULL)
		stream_tls_set_secret(stream);
}

static void
begin_tls(struct stream *stream)
{
	stream->state = STATE_HANDSHAKING;
	stream->ops = &stream_tls;
	stream->stops &= STOP_PAUSED | STOP_ENDED;
	store_stop_starving(stream);
}

void
stream_accept_tls(struct stream *stream, const struct tls_front *front)
{
	if (stream->state != STATE_OPEN)
		return;
	begin_tls(stream);
	stream_tls_accept(stream, front);
	stream->tls_wants_read = true;
	stream_update_watch(stream);
	if (stream_unread(stream) > 0)
		loop_io_again(stream->loop, &stream->io, LOOP_READ);	/* the socket may have no more */
}

void
stream_connect_tls(struct stream *stream, const struct tls_back *back)
{
	if (stream->state != STATE_OPEN)
		return;
	begin_tls(stream);
	stream_tls_connect(stream, back);
	if (stream_kept(stream) == 0 && stream_tls_handshake(stream) == STREAM_IO_FAILED)
		stream_fail_later(stream);
	else
		stream_update_watch(stream);
}

size_t
stream_write(struct stream *stream, struct slice data)
{
	bool is_taken = stream->state == STATE_CONNECTING ||
	    (stream->state == STATE_OPEN && !stream->shut_asked);
	size_t done = 0;

	if (stream->tap != NULL && is_taken && data.len > 0)
		stream->tap->on_bytes(stream->tap, true, data);
	if (stream->state == STATE_CONNECTING && data.len > 0) {
		store_add_out(stream, data);
		return stream_kept(stream);
	}
	if (!is_taken || data.len == 0)
		return stream_kept(stream);
	if (stream_kept(stream) == 0 &&
	    stream->ops->write(stream, data.data, data.len, &done) == STREAM_IO_FAILED) {
		stream_fail_later(stream);
		return 0;
	}
	if (done < data.len) {
		store_add_out(stream, slice_from(data, done));
		stream_update_watch(stream);
	}
	return stream_kept(stream);
}

size_t
stream_kept(const struct stream *stream)
{
	const struct store *store = stream->store;

	if (store == NULL)
		return 0;
	return buf_len(&store->out) + (store->moved != NULL ? store->moved->len : 0);
}

void
stream_set_patience(struct stream *stream, const struct tcp_settings *tcp)
{
	if (stream->fd >= 0)
		connect_set_patience(stream->fd, tcp);
}

void
stream_pause(struct stream *stream)
{
	if ((stream->stops & STOP_PAUSED) != 0)
		return;
	stream->stops = (uint8_t)((stream->stops & ~STOP_DUE) | STOP_PAUSED);
	if (stream->state == STATE_OPEN)
		stream_update_watch(stream);
}

void
stream_hold(struct stream *stream)
{
	bool is_paused = (stream->stops & STOP_PAUSED) != 0;

	if (stream->is_held && !is_paused)
		return;
	stream->is_held = true;
	stream->read_size = STREAM_READ_MIN;
	stream->stops &= (uint8_t) ~(STOP_PAUSED | STOP_DUE);
	note_fullness(stream);
	if (is_paused && stream->state == STATE_OPEN)
		wake_reader(stream);
}

void
stream_resume(struct stream *stream)
{
	if (!stream->is_held && (stream->stops & STOP_PAUSED) == 0)
		return;
	stream->is_held = false;
	stream->stops &= (uint8_t) ~(STOP_PAUSED | STOP_FULL);
	set_due(stream);
	if (stream->state == STATE_OPEN && (stream->stops & STOP_DUE) == 0)
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
	stream_set_tap(stream, NULL);
	if (stream->sink != NULL && stream->sink->sink == stream)
		stream->sink->sink = NULL;	/* which may live on to say its last words */
	loop_io_stop(stream->loop, &stream->io);
	stream->ops->close(stream, politely);
	stream->tls = NULL;
	if (stream->fd >= 0)
		close(stream->fd);
	stream->fd = -1;
	store_clear(stream);
}

void
stream_set_tap(struct stream *stream, struct tap *tap)
{
	struct tap *before = stream->tap;

	stream->tap = tap;
	if (before != NULL && before != tap)
		before->on_close(before);
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
