/* SPDX-License-Identifier: BSD-2-Clause */
/* cluster_health.c: a row for each server and proxy. */
#include "admin/cluster_health.h"

#include "admin/cockpit.h"
#include "admin/report.h"
#include "balance/peers.h"
#include "daemon/sharing.h"

static const struct report_column columns[] = {
	{ .name = "proxy" }, { .name = "server" }, { .name = "health" },
	{ .name = "connections", .is_number = true }, { .name = "why" },
};

static void
tell(const struct peer_word *word, void *arg)
{
	struct report *report = arg;

	report_text(report, slice_of(word->proxy));
	report_text(report, word->endpoint);
	report_word(report, health_state_text(word->health));
	report_number(report, word->connections);
	if (word->why.len > 0)
		report_text(report, word->why);
	else
		report_none(report);
}

void
show_cluster_health(struct admin_call *call)
{
	struct report report;

	report_begin(&report, call, REPORT_TABLE, columns, REPORT_COUNT(columns));
	peers_each(sharing_peers(call->cockpit->control->assets.sharing), tell, &report);
	report_end(&report);
	call_done(call);
}
