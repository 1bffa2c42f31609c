/* SPDX-License-Identifier: BSD-2-Clause */
/* commands_geo.c: what the databases of `geoip` are and say, and where clients came from. */
#include "access/country_tally.h"
#include "access/geo.h"
#include "admin/cockpit.h"
#include "admin/command_tables.h"
#include "admin/report.h"

static void
tell_database(const struct geo_database *database, void *arg)
{
	struct report *report = arg;

	report_word(report, database->directive);
	report_word(report, database->path);
	report_word(report, database->type);
	report_time(report, database->built_at);
	report_number(report, database->age_s / (24 * 3600));
}

static void
tell_place(struct admin_call *call, const struct addr *addr)
{
	static const struct report_column columns[] = {
		{ "country", false }, { "continent", false }, { "asn", true },
	};
	const struct location place = geo_look_up(cockpit_root(call->cockpit)->geo, addr);
	struct report report;

	report_begin(&report, call, REPORT_RECORD, columns, REPORT_COUNT(columns));
	report_word(&report, place.country[0] != '\0' ? place.country : NULL);
	report_word(&report, place.continent[0] != '\0' ? place.continent : NULL);
	if (place.asn != 0)
		report_number(&report, place.asn);
	else
		report_none(&report);
	report_end(&report);
	call_done(call);
}

static void
run_show_geoip(struct admin_call *call)
{
	static const struct report_column columns[] = {
		{ "database", false }, { "path", false }, { "type", false }, { "built", false },
		{ "days_old", true },
	};
	struct report report;
	struct addr addr;

	if (call->count > 0 && !addr_parse(slice_of(call->words[0]), 0, &addr)) {
		call_fail(call, "'%s' is no address.", call->words[0]);
		return;
	}
	if (call->count > 0) {
		tell_place(call, &addr);
		return;
	}
	report_begin(&report, call, REPORT_TABLE, columns, REPORT_COUNT(columns));
	geo_each(cockpit_root(call->cockpit)->geo, tell_database, &report);
	report_end(&report);
	call_done(call);
}

static void
run_show_countries(struct admin_call *call)
{
	static const struct report_column columns[] = {
		{ "country", false }, { "sessions", true }, { "failed_logins", true },
	};
	struct country_row rows[COUNTRY_ROWS];
	size_t count = country_tally_read(call->cockpit->control->assets.countries, rows);
	struct report report;

	report_begin(&report, call, REPORT_TABLE, columns, REPORT_COUNT(columns));
	for (size_t i = 0; i < count; i++) {
		report_word(&report, rows[i].name);
		report_number(&report, (int64_t)rows[i].counts[COUNTRY_SESSIONS]);
		report_number(&report, (int64_t)rows[i].counts[COUNTRY_FAILED_LOGINS]);
	}
	report_end(&report);
	call_done(call);
}

const struct admin_command geo_commands[] = {
	{
		.name = "show geoip", .arguments = "[ADDRESS]", .has_json = true, .run = run_show_geoip,
		.help = "The databases of the block geoip, and when they were built; or what they know of "
		    "an address.",
	},
	{
		.name = "show countries", .has_json = true, .run = run_show_countries,
		.help = "Where clients came from since the start, and how many logins from there failed, "
		    "most clients first. Of peers that tell of their clients these count. There are rows "
		    "for the first 62 countries that were seen; the others are counted as one.",
	},
	{ 0 }
};
