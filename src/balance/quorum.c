/* SPDX-License-Identifier: BSD-2-Clause */
/* quorum.c: this proxy's verdict, and those of the others as peers.c has added them up. */
#include "balance/quorum.h"

void
quorum_read(const struct endpoint *e, int64_t wanted, struct quorum *out)
{
	int up = atomic_load_explicit(&e->others_up, memory_order_relaxed);
	int down = atomic_load_explicit(&e->others_down, memory_order_relaxed);

	*out = (struct quorum){ .asked = 1 + up + down, .down = 1 + down };
	out->is_awaited = atomic_load_explicit(&e->awaits_others, memory_order_relaxed);
	out->needed = wanted == QUORUM_MAJORITY ? out->asked / 2 + 1 : (int)wanted;
	/* more than there are cannot agree */
	if (out->needed > out->asked)
		out->needed = out->asked;
}

static bool
is_down_by_word(const struct endpoint *e)
{
	struct machine_facts facts;

	if (endpoint_is_in_maintenance(e))
		return true;
	machine_read(e->machine, &facts);
	return facts.agent_down.state != 0;
}

bool
quorum_agrees(const struct endpoint *e, int64_t wanted)
{
	struct quorum quorum;

	if (wanted == QUORUM_NONE || is_down_by_word(e))
		return true;
	quorum_read(e, wanted, &quorum);
	return !quorum.is_awaited && quorum.down >= quorum.needed;
}
