/* SPDX-License-Identifier: BSD-2-Clause */
/* peers.c: a sheet has a line for each endpoint of a pool: its name, connections, health, and why. */
#include "balance/peers.h"

#include "balance/endpoint_room.h"
#include "base/xalloc.h"
#include "state/board.h"

struct peers {
	struct endpoint_table *table;
	struct board *board;
	bool is_settled;		/* it is known who the others are */
};

struct writer {
	struct buf *sheet;
	bool is_any_new;		/* an endpoint that the others' words were not added up for */
};

static void
write_line(struct endpoint *e, void *arg)
{
	struct writer *writer = arg;
	struct endpoint_facts facts;

	endpoint_read(e, &facts);
	writer->is_any_new |= !e->sum.is_read;
	buf_printf(writer->sheet, "%s %d %d %s\n", e->name,
	    atomic_load_explicit(&e->connections, memory_order_relaxed), facts.health.state,
	    facts.health.why);
}

static bool
read_line(struct slice line, struct peer_word *word)
{
	uint64_t connections, health;

	word->endpoint = slice_take(&line, ' ');
	if (!slice_to_number(slice_take(&line, ' '), INT32_MAX / 1024, &connections) ||
	    !slice_to_number(slice_take(&line, ' '), INT32_MAX, &health))
		return false;
	word->connections = (int)connections;
	/* a state that a newer release has */
	word->health = health < HEALTH_STATE_COUNT ? (enum health_state)health : HEALTH_UNKNOWN;
	word->why = slice_is_printable(line) ? line : slice_of(NULL);
	return true;
}

struct visitor {
	peers_visit *visit;
	void *arg;
};

/*
 * A process that has ended is heard for BOARD_LEASE_MS more, one that was taken over for as long as its
 * sessions stay.  What one with our own name finds down is no other proxy's word; that it finds a server up
 * may be that of a proxy with a name that is not its own, and moves nobody by mistake.
 */
static bool
has_voice(const struct board_sheet *sheet, enum health_state health)
{
	return sheet->is_own ? health == HEALTH_UP : sheet->is_latest;
}

static void
visit_sheet(const struct board_sheet *sheet, void *arg)
{
	const struct visitor *visitor = arg;
	struct peer_word word = { .proxy = sheet->proxy };
	struct slice rest = sheet->text;

	while (rest.len > 0)
		if (read_line(slice_take(&rest, '\n'), &word)) {
			word.has_voice = has_voice(sheet, word.health);
			visitor->visit(&word, visitor->arg);
		}
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
	e->sum = (struct endpoint_others){ .is_read = true };
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
	if (!word->has_voice)
		return;
	e->sum.up += word->health == HEALTH_UP;
	e->sum.down += word->health == HEALTH_DOWN || word->health == HEALTH_UNRESOLVED;
}

/* Users who wait for a server that is down here may be bound to another one now. */
static void
end_sum(struct endpoint *e, void *arg)
{
	int before = atomic_exchange_explicit(&e->others, e->sum.connections, memory_order_relaxed);
	int up = atomic_exchange_explicit(&e->others_up, e->sum.up, memory_order_relaxed);
	int down = atomic_exchange_explicit(&e->others_down, e->sum.down, memory_order_relaxed);
	bool was_awaited = atomic_exchange(&e->awaits_others, false);

	(void)arg;
	if (e->sum.connections < before)
		endpoint_let_in(e);
	if (endpoint_is_down(e) && (was_awaited || up != e->sum.up || down != e->sum.down)) {
		service_changed(e->service);
		service_wake(e->service);
	}
}

static void
on_read(void *owner)
{
	struct peers *peers = owner;

	peers->is_settled = true;
	endpoint_table_each(peers->table, begin_sum, NULL);
	peers_each(peers, add_word, peers);
	endpoint_table_each(peers->table, end_sum, NULL);
}

static void
write_sheet(void *owner, struct buf *sheet)
{
	struct peers *peers = owner;
	struct writer writer = { .sheet = sheet };

	endpoint_table_each(peers->table, write_line, &writer);
	if (writer.is_any_new && peers->is_settled)
		on_read(peers);
}

struct peers *
peers_new(struct cluster *cluster, struct endpoint_table *table)
{
	struct peers *peers = xcalloc(1, sizeof(*peers));

	peers->table = table;
	endpoint_table_share(table, true);
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
	endpoint_table_share(gone->table, false);
	endpoint_table_each(gone->table, begin_sum, NULL);
	endpoint_table_each(gone->table, end_sum, NULL);
	xfree(gone);
}

size_t
peers_count(const struct peers *peers)
{
	return board_count(peers->board);
}
