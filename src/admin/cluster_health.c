/* SPDX-License-Identifier: BSD-2-Clause */
/* cluster_health.c: a row for each server and proxy; and who contradicts this one. */
#include "admin/cluster_health.h"

#include <stdlib.h>
#include <string.h>

#include "admin/cockpit.h"
#include "admin/report.h"
#include "balance/peers.h"
#include "balance/quorum.h"
#include "daemon/sharing.h"

static const struct report_column columns[] = {
	{ .name = "proxy" }, { .name = "server" }, { .name = "health" }, { .name = "here" },
	{ .name = "connections", .is_number = true }, { .name = "why" },
};

struct telling {
	const struct endpoint_table *table;
	struct report report;
};

static void
tell(const struct peer_word *word, void *arg)
{
	struct telling *telling = arg;
	struct report *report = &telling->report;
	struct endpoint *here = endpoint_table_find(telling->table, word->endpoint);
	struct endpoint_facts facts;

	report_text(report, slice_of(word->proxy));
	report_text(report, word->endpoint);
	report_word(report, health_state_text(word->health));
	if (here != NULL) {
		endpoint_read(here, &facts);
		report_word(report, health_state_text((enum health_state)facts.health.state));
	} else {
		report_none(report);
	}
	report_number(report, word->connections);
	if (word->why.len > 0)
		report_text(report, word->why);
	else
		report_none(report);
}

void
show_cluster_health(struct admin_call *call)
{
	const struct assets *assets = &call->cockpit->control->assets;
	struct telling telling = { .table = assets->endpoints };

	report_begin(&telling.report, call, REPORT_TABLE, columns, REPORT_COUNT(columns));
	peers_each(sharing_peers(assets->sharing), tell, &telling);
	report_end(&telling.report);
	call_done(call);
}

enum { NAMED_MAX = 16 };		/* proxies; more are counted */

/* Whose checks say the opposite of those here. */
struct dissent {
	const struct endpoint *endpoint;
	bool is_down;
	const char *proxies[NAMED_MAX];
	size_t named, more;
};

static bool
is_down(enum health_state health)
{
	return health == HEALTH_DOWN || health == HEALTH_UNRESOLVED;
}

static void
note_dissent(const struct peer_word *word, void *arg)
{
	struct dissent *dissent = arg;
	bool says_otherwise = dissent->is_down ? word->health == HEALTH_UP : is_down(word->health);

	if (!says_otherwise || !word->has_voice || !slice_equals(word->endpoint, dissent->endpoint->name))
		return;
	if (dissent->named < NAMED_MAX)
		dissent->proxies[dissent->named++] = word->proxy;
	else
		dissent->more++;
}

static int
compare(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static const char *
before_more(const struct buf *out)
{
	return buf_len(out) > 0 ? "; " : "";
}

static void
tell_dissent(struct dissent *dissent, struct buf *out)
{
	if (dissent->named == 0)
		return;
	qsort(dissent->proxies, dissent->named, sizeof(dissent->proxies[0]), compare);
	buf_printf(out, "%s%s here, %s at", before_more(out), dissent->is_down ? "down" : "up",
	    dissent->is_down ? "up" : "down");
	for (size_t i = 0; i < dissent->named; i++)
		buf_printf(out, " %s", dissent->proxies[i]);
	if (dissent->more > 0)
		buf_printf(out, " and %zu more", dissent->more);
}

void
cluster_health_differs(const struct cockpit *cockpit, const struct pool *pool, struct endpoint *e,
    struct buf *out)
{
	const struct assets *assets = &cockpit->control->assets;
	struct dissent dissent = { .endpoint = e };
	struct endpoint_facts facts;
	struct quorum quorum;

	endpoint_read(e, &facts);
	dissent.is_down = is_down((enum health_state)facts.health.state);
	if (assets->cluster == NULL || (!dissent.is_down && facts.health.state != HEALTH_UP))
		return;
	peers_each(sharing_peers(assets->sharing), note_dissent, &dissent);
	tell_dissent(&dissent, out);
	if (dissent.is_down && !quorum_agrees(e, pool->options.check_quorum)) {
		quorum_read(e, pool->options.check_quorum, &quorum);
		buf_printf(out, "%sbound users wait: down for %d of %d proxies, check_quorum needs %d",
		    before_more(out), quorum.down, quorum.asked, quorum.needed);
	}
}
