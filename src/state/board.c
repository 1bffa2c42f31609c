/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * board.c: one script that leaves the own sheet and gives the others' that have changed since the stamp of
 * the last time.  Three keys of one slot:
 *   P:{board:NAME}:s  a hash: INC, the proxy's name and its sheet
 *   P:{board:NAME}:l  a sorted set: INC, until when (ms) it holds
 *   P:{board:NAME}:c  a sorted set: INC, when (us) its sheet was changed
 */
#include "state/board.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/map.h"
#include "base/xalloc.h"

enum { KEYS = 3, FIRST_SHEET = 2 };

/* What is to live for longer than a lease was left before Redis' clock was set back. */
#define BOARD \
	"local S, L, C, inc = KEYS[1], KEYS[2], KEYS[3], ARGV[1]\n" \
	"local t = redis.call('TIME')\n" \
	"local stamp = t[1] * 1000000 + t[2]\n" \
	"local now, lease = math.floor(stamp / 1000), tonumber(ARGV[2])\n" \
	"local function drop(from, to)\n" \
	"  for _, m in ipairs(redis.call('ZRANGEBYSCORE', L, from, to)) do\n" \
	"    redis.call('HDEL', S, m)\n" \
	"    redis.call('ZREM', L, m)\n" \
	"    redis.call('ZREM', C, m)\n" \
	"  end\n" \
	"end\n" \
	"drop('-inf', now)\n" \
	"drop(now + 2 * lease, '+inf')\n" \
	"if redis.call('HGET', S, inc) ~= ARGV[4] then\n" \
	"  redis.call('HSET', S, inc, ARGV[4])\n" \
	"  redis.call('ZADD', C, stamp, inc)\n" \
	"end\n" \
	"redis.call('ZADD', L, now + lease, inc)\n" \
	"for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, 2 * lease) end\n" \
	"local known = tonumber(ARGV[3])\n" \
	"if known > stamp then known = 0 end\n" \
	"local out, size, last = { '', redis.call('ZRANGE', L, 0, -1) }, 0, stamp\n" \
	"for _, m in ipairs(redis.call('ZRANGEBYSCORE', C, known, '+inf')) do\n" \
	"  if m ~= inc then\n" \
	"    local sheet = redis.call('HGET', S, m) or ''\n" \
	"    size = size + #sheet\n" \
	"    if size > 500000 then break end\n" \
	"    last = redis.call('ZSCORE', C, m)\n" \
	"    out[#out + 1] = m\n" \
	"    out[#out + 1] = sheet\n" \
	"  end\n" \
	"end\n" \
	"if size <= 500000 then last = stamp end\n" \
	"out[1] = string.format('%.0f', last)\n" \
	"return out\n"

const struct cluster_script board_script = { "board", BOARD, KEYS, false };

struct peer {
	char *incarnation, *proxy;
	struct buf sheet;
	unsigned round;			/* when it was seen last */
	uint64_t told;			/* which of all sheets that were read it is */
};

struct board {
	struct board_settings settings;
	char *keys[KEYS];
	struct cluster_call call;
	struct loop_timer timer;
	struct buf sheet;		/* as sent */
	char lease[24], stamp[24];
	struct map *peers;		/* struct peer, by incarnation */
	int64_t heard_at;
	unsigned round;
	uint64_t told;
	bool is_too_long, is_busy, is_settled;
};

static void
peer_free(struct peer *peer)
{
	buf_clear(&peer->sheet);
	xfree(peer->incarnation);
	xfree(peer->proxy);
	xfree(peer);
}

/* Those that were not seen in this round. */
struct leaving {
	const struct board *board;
	struct peer *peer;		/* one of them */
};

static void
find_leaving(const char *name, void *value, void *arg)
{
	struct leaving *leaving = arg;
	struct peer *peer = value;

	(void)name;
	if (peer->round != leaving->board->round)
		leaving->peer = peer;
}

static bool
drop_unseen(struct board *board)
{
	struct leaving leaving = { .board = board };
	bool any = false;

	for (;; any = true) {
		leaving.peer = NULL;
		map_each(board->peers, find_leaving, &leaving);
		if (leaving.peer == NULL)
			return any;
		map_remove(board->peers, slice_of(leaving.peer->incarnation));
		peer_free(leaving.peer);
	}
}

static void
note_sheet(struct board *board, struct slice incarnation, struct slice text)
{
	struct peer *peer = map_get(board->peers, incarnation);
	struct slice proxy = slice_take(&text, '\n');

	if (peer == NULL) {
		peer = xcalloc(1, sizeof(*peer));
		peer->incarnation = xstrndup(incarnation.data, incarnation.len);
		peer->proxy = xstrndup(proxy.data, proxy.len);
		map_set(board->peers, incarnation, peer);
	}
	buf_clear(&peer->sheet);
	buf_append_slice(&peer->sheet, text);
	peer->round = board->round;
	peer->told = ++board->told;
}

/* True: something is new. */
static bool
read_reply(struct board *board, const struct redis_reply *reply)
{
	const struct redis_reply *living = &reply->elements[1];
	bool is_new = false;

	board->round++;
	snprintf(board->stamp, sizeof(board->stamp), "%.*s", SLICE_ARGS(reply->elements[0].text));
	for (size_t i = FIRST_SHEET; i + 1 < reply->count; i += 2) {
		note_sheet(board, reply->elements[i].text, reply->elements[i + 1].text);
		is_new = true;
	}
	for (size_t i = 0; i < living->count; i++) {
		struct peer *peer = map_get(board->peers, living->elements[i].text);

		if (peer != NULL)
			peer->round = board->round;
	}
	return drop_unseen(board) || is_new;
}

static void
on_reply(struct cluster_call *call, const struct redis_reply *reply)
{
	struct board *board = list_entry(call, struct board, call);
	bool is_new = false;

	board->is_busy = false;
	if (reply != NULL && reply->type == REDIS_ARRAY && reply->count >= FIRST_SHEET &&
	    reply->elements[1].type == REDIS_ARRAY) {
		board->heard_at = loop_now(cluster_control(board->settings.cluster));
		is_new = read_reply(board, reply) || !board->is_settled;
		board->is_settled = true;
	}
	if (is_new)
		board->settings.on_read(board->settings.owner);
}

/* Where nobody was heard for so long, nobody is there. */
static void
forget_old(struct board *board, int64_t now)
{
	if (now - board->heard_at < BOARD_LEASE_MS || (board->is_settled && map_count(board->peers) == 0))
		return;
	board->is_settled = true;
	board->round++;
	snprintf(board->stamp, sizeof(board->stamp), "0");
	drop_unseen(board);
	board->settings.on_read(board->settings.owner);
}

static void
write_sheet(struct board *board)
{
	size_t head, size, end = BOARD_SHEET_MAX;

	buf_truncate(&board->sheet, 0);
	buf_printf(&board->sheet, "%s\n", cluster_name(board->settings.cluster));
	head = buf_len(&board->sheet);
	board->settings.write(board->settings.owner, &board->sheet);
	size = buf_len(&board->sheet) - head;
	if (size > BOARD_SHEET_MAX) {
		const char *text = buf_data(&board->sheet) + head;

		while (end > 0 && text[end - 1] != '\n')
			end--;
		buf_truncate(&board->sheet, head + end);
		if (!board->is_too_long)
			log_write(LOG_WARNING,
			    "cluster: other proxies are told %zu octets of %s, and not the %zu behind them",
			    end, board->settings.name, size - end);
	}
	board->is_too_long = size > BOARD_SHEET_MAX;
}

void
board_exchange(struct board *board)
{
	struct cluster *cluster = board->settings.cluster;

	if (board->is_busy)
		return;
	write_sheet(board);
	board->is_busy = cluster_run(cluster, cluster_control(cluster), &board->call, &board_script,
	    (const struct slice[]){ slice_of(board->keys[0]), slice_of(board->keys[1]),
		slice_of(board->keys[2]), slice_of(cluster_incarnation(cluster)), slice_of(board->lease),
		slice_of(board->stamp), buf_slice(&board->sheet) }, KEYS + 4);
}

static void
on_time(struct loop_timer *timer)
{
	struct board *board = loop_owner(timer, struct board, timer);
	struct loop *loop = cluster_control(board->settings.cluster);
	int64_t now = loop_now(loop);

	forget_old(board, now);
	board_exchange(board);
	loop_timer_set(loop, timer, now + BOARD_EXCHANGE_MS);
}

struct board *
board_new(const struct board_settings *settings)
{
	static const char *const parts[KEYS] = { "s", "l", "c" };
	struct board *board = xcalloc(1, sizeof(*board));
	struct loop *loop = cluster_control(settings->cluster);

	board->settings = *settings;
	board->peers = map_new();
	board->heard_at = loop_now(loop);
	board->call.on_reply = on_reply;
	for (int i = 0; i < KEYS; i++)
		board->keys[i] = xasprintf("%s:{board:%s}:%s", cluster_prefix(settings->cluster),
		    settings->name, parts[i]);
	snprintf(board->lease, sizeof(board->lease), "%d", BOARD_LEASE_MS);
	snprintf(board->stamp, sizeof(board->stamp), "0");
	loop_timer_init(&board->timer, on_time);
	loop_timer_set(loop, &board->timer, loop_now(loop));
	return board;
}

void
board_free(struct board **board)
{
	struct board *gone = *board;

	*board = NULL;
	if (gone == NULL)
		return;
	cluster_cancel(&gone->call);
	loop_timer_stop(cluster_control(gone->settings.cluster), &gone->timer);
	gone->round++;
	drop_unseen(gone);
	map_free(&gone->peers);
	buf_clear(&gone->sheet);
	for (int i = 0; i < KEYS; i++)
		xfree(gone->keys[i]);
	xfree(gone);
}

size_t
board_count(const struct board *board)
{
	return map_count(board->peers);
}

struct visitor {
	const struct board *board;
	board_visit *visit;
	void *arg;
	const struct peer *peer;	/* that is visited */
	bool is_latest;
};

static void
compare_told(const char *name, void *value, void *arg)
{
	struct visitor *visitor = arg;
	const struct peer *other = value;

	(void)name;
	if (other->told > visitor->peer->told && strcmp(other->proxy, visitor->peer->proxy) == 0)
		visitor->is_latest = false;
}

static void
visit_peer(const char *name, void *value, void *arg)
{
	struct visitor *visitor = arg;
	const struct peer *peer = value;
	const char *own = cluster_name(visitor->board->settings.cluster);

	(void)name;
	visitor->peer = peer;
	visitor->is_latest = true;
	map_each(visitor->board->peers, compare_told, visitor);
	visitor->visit(&(struct board_sheet){ .proxy = peer->proxy, .text = buf_slice(&peer->sheet),
	    .is_own = strcmp(peer->proxy, own) == 0, .is_latest = visitor->is_latest }, visitor->arg);
}

void
board_each(const struct board *board, board_visit *visit, void *arg)
{
	struct visitor visitor = { .board = board, .visit = visit, .arg = arg };

	map_each(board->peers, visit_peer, &visitor);
}
