/* SPDX-License-Identifier: BSD-2-Clause */
/* peers.c: a sheet has a line for each endpoint of a pool: its name, connections, health, and why. */
#include "balance/peers.h"

#include "balance/endpoint_room.h"
#include "base/xalloc.h"
#include "state/board.h"

struct peers {
	struct endpoint_table *table;
	struct board *board;
};

static void
write_line(struct endpoint *e, void *arg)
{
	struct endpoint_facts facts;

	endpoint_read(e, &facts);
	buf_printf(arg, "%s %d %d %s\n", e->name,
	    atomic_load_explicit(&e->connections, memory_order_relaxed), facts.health.state,
	    facts.health.why);
}

static void
write_sheet(void *owner, struct buf *sheet)
{
	const struct peers *peers = owner;

	endpoint_table_each(peers->table, write_line, sheet);
}

static bool
read_line(struct slice line, struct peer_word *word)
{
	uint64_t connections, health;

	word->endpoint = slice_take(&line, ' ');
	if (!slice_to_number(slice_take(&line, ' '), INT32_MAX / 1024, &connections) ||
	    !slice_to_number(slice_take(&line, ' '), HEALTH_STATE_COUNT - 1, &health))
		return false;
	word->connections = (int)connections;
	word->health = (enum health_state)health;
	word->why = line;
	return slice_is_printable(line);
}

struct visitor {
	peers_visit *visit;
	void *arg;
};

static void
visit_sheet(const char *proxy, struct slice sheet, void *arg)
{
	const struct visitor *visitor = arg;
	struct peer_word word = { .proxy = proxy };

	while (sheet.len > 0)
		if (read_line(slice_take(&sheet, '\n'), &word))
			visitor->visit(&word, visitor->arg);
}

void
peers_each(const struct peers *peers, peers_visit *visit, void *arg)
{
	struct visitor visitor = { visit, arg };

	board_each(peers->board, visit_sheet, &visitor);
}

static void
begin_sum(struct endpoint *e, void *arg)
{
	(void)arg;
	e->sum = (struct endpoint_others){ 0 };
}

static void
add_word(const struct peer_word *word, void *arg)
{
	const struct peers *peers = arg;
	struct endpoint *e = endpoint_table_find(peers->table, word->endpoint);

	if (e == NULL)
		return;
	if (e->sum.connections < INT32_MAX / 2)
		e->sum.connections += word->connections;
	e->sum.up += word->health == HEALTH_UP;
	e->sum.down += word->health == HEALTH_DOWN;
}

static void
end_sum(struct endpoint *e, void *arg)
{
	int before = atomic_exchange_explicit(&e->others, e->sum.connections, memory_order_relaxed);

	(void)arg;
	atomic_store_explicit(&e->others_up, e->sum.up, memory_order_relaxed);
	atomic_store_explicit(&e->others_down, e->sum.down, memory_order_relaxed);
	if (e->sum.connections < before)
		endpoint_let_in(e);
}

static void
on_read(void *owner)
{
	struct peers *peers = owner;

	endpoint_table_each(peers->table, begin_sum, NULL);
	peers_each(peers, add_word, peers);
	endpoint_table_each(peers->table, end_sum, NULL);
}

struct peers *
peers_new(struct cluster *cluster, struct endpoint_table *table)
{
	struct peers *peers = xcalloc(1, sizeof(*peers));

	peers->table = table;
	peers->board = board_new(&(struct board_settings){ .cluster = cluster, .name = "servers",
		.write = write_sheet, .on_read = on_read, .owner = peers });
	return peers;
}

void
peers_free(struct peers **peers)
{
	struct peers *gone = *peers;

	*peers = NULL;
	if (gone == NULL)
		return;
	board_free(&gone->board);
	endpoint_table_each(gone->table, begin_sum, NULL);
	endpoint_table_each(gone->table, end_sum, NULL);
	xfree(gone);
}

size_t
peers_count(const struct peers *peers)
{
	return board_count(peers->board);
}
