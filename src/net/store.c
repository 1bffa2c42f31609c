/* SPDX-License-Identifier: BSD-2-Clause */
/* store.c: the buffers of streams, one count of all their bytes, and who waits for memory. */
#include "net/store.h"

#include <stdatomic.h>

#include "base/log.h"
#include "base/xalloc.h"
#include "net/stream.h"
#include "net/stream_memory.h"

enum { HUNGRY_MS = 50 };	/* how soon memory given back by another thread is noticed */

/* What the streams of a loop have in common. */
struct common {
	struct loop *loop;
	struct list hungry;
	struct loop_timer timer;	/* while somebody is hungry */
	struct kernel_pipes pipes;
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

bool
store_is_short(void)
{
	return stream_memory_used() > atomic_load_explicit(&memory_limit, memory_order_relaxed);
}

static void
feed_hungry(struct common *common)
{
	bool is_short = store_is_short();

	list_each(node, &common->hungry) {
		struct stream *stream = list_entry(node, struct store, hungry)->stream;

		if (stream_is_fed(stream, is_short)) {
			store_stop_starving(stream);
			stream_feed(stream);
		}
	}
}

static void
on_hungry(struct loop_timer *timer)
{
	struct common *common = loop_owner(timer, struct common, timer);

	feed_hungry(common);
	if (!list_is_empty(&common->hungry))
		loop_timer_set(common->loop, timer, loop_now(common->loop) + HUNGRY_MS);
}

static void
free_common(void *data)
{
	struct common *common = data;

	kernel_pipes_clear(&common->pipes);
	xfree(common);
}

static struct common *
common_of(struct loop *loop)
{
	struct loop_slot *slot = loop_slot(loop, LOOP_SLOT_STORE);
	struct common *common = slot->data;

	if (common == NULL) {
		common = xcalloc(1, sizeof(*common));
		common->loop = loop;
		list_init(&common->hungry);
		loop_timer_init(&common->timer, on_hungry);
		*slot = (struct loop_slot){ .data = common, .release = free_common };
	}
	return common;
}

struct kernel_pipes *
store_pipes(struct loop *loop)
{
	return &common_of(loop)->pipes;
}

static struct store *
store_of(struct stream *stream)
{
	if (stream->store == NULL) {
		stream->store = xcalloc(1, sizeof(*stream->store));
		stream->store->stream = stream;
	}
	return stream->store;
}

static void
count(size_t before, size_t after)
{
	int64_t difference = (int64_t)after - (int64_t)before;

	if (difference != 0)
		atomic_fetch_add_explicit(&memory_used, difference, memory_order_relaxed);
}

static void
free_if_empty(struct stream *stream)
{
	const struct store *store = stream->store;

	if (store == NULL || store->out.data != NULL || store->moved != NULL || store->in.data != NULL ||
	    !list_is_empty(&store->hungry))
		return;
	xfree(stream->store);
	stream->store = NULL;
}

/* Something was given back. */
static void
settle(struct stream *stream)
{
	struct common *common = common_of(stream->loop);

	free_if_empty(stream);
	if (!list_is_empty(&common->hungry) && !store_is_short())
		feed_hungry(common);
}

static void
add(struct buf *buf, struct slice data)
{
	size_t before = buf->size;

	buf_append_tight(buf, data);
	count(before, buf->size);
}

void
store_add_out(struct stream *stream, struct slice data)
{
	add(&store_of(stream)->out, data);
}

void
store_set_moved(struct stream *stream, struct kernel_pipe *pipe)
{
	store_of(stream)->moved = pipe;
	count(0, KERNEL_PIPE_SIZE);
}

static void
clear(struct buf *buf)
{
	size_t before = buf->size;

	buf_wipe(buf);
	count(before, 0);
}

static void
clear_out(struct stream *stream)
{
	struct store *store = stream->store;

	if (store->moved != NULL) {
		kernel_pipe_put(store_pipes(stream->loop), &store->moved);
		count(KERNEL_PIPE_SIZE, 0);
	}
	clear(&store->out);
}

void
store_clear_out(struct stream *stream)
{
	if (stream->store == NULL)
		return;
	clear_out(stream);
	settle(stream);
}

void
store_add_in(struct stream *stream, struct slice data)
{
	add(&store_of(stream)->in, data);
}

struct buf
store_take_in(struct stream *stream)
{
	struct buf in = stream->store->in;

	stream->store->in = (struct buf){ 0 };
	return in;
}

void
store_put_in(struct stream *stream, struct buf *in)
{
	size_t len = buf_len(in);

	if (len == 0) {
		clear(in);
		settle(stream);
		return;
	}
	store_of(stream)->in = *in;
	if (len > in->size / 4)
		return;
	/* a little of much was left */
	stream->store->in = (struct buf){ 0 };
	store_add_in(stream, buf_slice(in));
	clear(in);
}

void
store_clear(struct stream *stream)
{
	if (stream->store == NULL)
		return;
	list_remove(&stream->store->hungry);
	clear_out(stream);
	clear(&stream->store->in);
	settle(stream);
}

void
store_starve(struct stream *stream)
{
	static _Atomic int64_t silent_until;	/* all threads run short together */
	struct common *common = common_of(stream->loop);
	int64_t now = loop_now(stream->loop);

	if (!loop_timer_is_set(&common->timer))
		loop_timer_set(stream->loop, &common->timer, now + HUNGRY_MS);
	list_append(&common->hungry, &store_of(stream)->hungry);
	if (log_is_due(&silent_until))
		log_write(LOG_WARNING,
		    "relay_memory is used up by peers that wait or do not read: others are slow");
}

void
store_stop_starving(struct stream *stream)
{
	if (stream->store == NULL)
		return;
	list_remove(&stream->store->hungry);
	free_if_empty(stream);
}
