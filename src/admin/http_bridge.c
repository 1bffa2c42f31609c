/* SPDX-License-Identifier: BSD-2-Clause */
/* http_bridge.c: two streams and a pipe in each direction. */
#include "admin/http_bridge.h"

#include <sys/socket.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "net/pipe.h"
#include "net/stream.h"

enum { FAREWELL_MS = 5 * 1000 };	/* for a client to read the last answer, once the server has left */

struct http_bridge {
	struct list node;
	struct loop *loop;
	struct stream front, back;	/* the client's, the server's */
	struct pipe up, down;
	struct loop_timer timer;
	struct tls_front tls;
	bool is_open;			/* the handshake is over */
	bool is_closed;
};

static void
close_bridge(struct http_bridge *bridge)
{
	if (bridge->is_closed)
		return;
	bridge->is_closed = true;
	loop_timer_stop(bridge->loop, &bridge->timer);
	stream_close(&bridge->front);
	stream_close(&bridge->back);
	list_remove(&bridge->node);
	loop_defer(bridge->loop, xfree, bridge);
}

static void
open_bridge(struct http_bridge *bridge)
{
	bridge->is_open = true;
	pipe_open(&bridge->up, &bridge->front, &bridge->back);
	pipe_open(&bridge->down, &bridge->back, &bridge->front);
}

/* The server has left: the client may read on for a while, what it says is not heard. */
static void
bid_farewell(struct http_bridge *bridge)
{
	if (!bridge->is_open || bridge->up.is_closed) {
		close_bridge(bridge);
		return;
	}
	pipe_closed(&bridge->down);
	pipe_shut(&bridge->down);
	loop_timer_set(bridge->loop, &bridge->timer, loop_now(bridge->loop) + FAREWELL_MS);
}

static size_t
on_front(struct stream *stream, enum stream_event event, struct slice data, void *owner)
{
	struct http_bridge *bridge = owner;

	(void)stream;
	switch (event) {
	case STREAM_TLS_READY:
		open_bridge(bridge);
		break;
	case STREAM_DATA:
		if (!bridge->down.is_closed)
			pipe_data(&bridge->up, data);
		return data.len;
	case STREAM_DRAINED:
		pipe_drained(&bridge->down);
		break;
	case STREAM_CLOSED:
		if (!bridge->is_open || bridge->down.is_closed) {
			close_bridge(bridge);
			break;
		}
		pipe_closed(&bridge->up);
		pipe_shut(&bridge->up);
		break;
	case STREAM_FAILED:
		close_bridge(bridge);
		break;
	default:
		break;
	}
	return 0;
}

static size_t
on_back(struct stream *stream, enum stream_event event, struct slice data, void *owner)
{
	struct http_bridge *bridge = owner;

	(void)stream;
	switch (event) {
	case STREAM_DATA:
		if (!bridge->is_open)
			return 0;
		pipe_data(&bridge->down, data);
		return data.len;
	case STREAM_DRAINED:
		pipe_drained(&bridge->up);
		break;
	case STREAM_CLOSED:
		bid_farewell(bridge);
		break;
	case STREAM_FAILED:
		close_bridge(bridge);
		break;
	default:
		break;
	}
	return 0;
}

static void
on_time(struct loop_timer *timer)
{
	close_bridge(loop_owner(timer, struct http_bridge, timer));
}

int
http_bridge_open(struct list *bridges, struct loop *loop, int fd, struct tls_context *context)
{
	struct http_bridge *bridge;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) != 0) {
		close(fd);
		return -1;
	}
	bridge = xcalloc(1, sizeof(*bridge));
	bridge->loop = loop;
	bridge->tls.context = context;
	list_append(bridges, &bridge->node);
	loop_timer_init(&bridge->timer, on_time);
	stream_open(&bridge->back, loop, pair[0], on_back, bridge);
	stream_open(&bridge->front, loop, fd, on_front, bridge);
	stream_accept_tls(&bridge->front, &bridge->tls);
	return pair[1];
}

void
http_bridges_drop_handshakes(struct list *bridges)
{
	list_each(node, bridges) {
		struct http_bridge *bridge = list_entry(node, struct http_bridge, node);

		if (!bridge->is_open)
			close_bridge(bridge);
	}
}

void
http_bridges_close(struct list *bridges)
{
	list_each(node, bridges)
		close_bridge(list_entry(node, struct http_bridge, node));
}
