/* SPDX-License-Identifier: BSD-2-Clause */
/* checks_process.c: the process that runs, its configuration, and its limits. */
#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "base/xalloc.h"
#include "ctl/diagnosis.h"
#include "ctl/json.h"
#include "ctl/settings.h"
#include "ctl/stats.h"

enum { FULL_PERCENT = 80, PER_SESSION = 2, PATH_LONGEST = 64 };

static void
check_running(struct diagnosis *d)
{
	if (d->is_running && d->pid > 0)
		diagnosis_say(d, GRADE_FINE, "runs, pid %d", (int)d->pid);
	else if (d->is_running)
		diagnosis_say(d, GRADE_FINE, "runs");
	else
		diagnosis_say(d, GRADE_WRONG, "does not answer: %s", d->why.text);
	if (!d->is_running)
		diagnosis_advise(d, "tells why it does not run", "systemctl status gatepost");
}

static void
check_configuration(struct diagnosis *d)
{
	struct slice rest = buf_slice(&d->config_errors), first = slice_take(&rest, '\n');

	if (d->settings != NULL && first.len == 0) {
		diagnosis_say(d, GRADE_FINE, "%s is good", d->config_path);
		return;
	}
	diagnosis_say(d, GRADE_WRONG, "%.*s", SLICE_ARGS(first));
	diagnosis_advise(d, "tells all of it; a restart would fail", "gatepost -t -c %s", d->config_path);
}

/* The soft limit of open files of the process; false: not known. */
static bool
read_limit(const struct diagnosis *d, double *limit)
{
	char path[PATH_LONGEST];

	snprintf(path, sizeof(path), "/proc/%d/limits", (int)d->pid);
	return d->pid > 0 && diagnosis_read_field(d, path, "Max open files", limit);
}

static void
check_open_files(struct diagnosis *d)
{
	double limit, sessions = setting_number(d->settings, "max_connections");
	double need = sessions * PER_SESSION;

	if (!diagnosis_has_settings(d))
		return;
	if (!read_limit(d, &limit)) {
		diagnosis_say(d, GRADE_UNKNOWN, "not without the process");
	} else if (limit >= need) {
		diagnosis_say(d, GRADE_FINE, "%.0f may be open, max_connections needs %.0f", limit, need);
	} else {
		diagnosis_say(d, GRADE_WRONG,
		    "%.0f may be open: %.0f sessions instead of the %.0f of max_connections", limit,
		    limit / PER_SESSION, sessions);
		diagnosis_advise(d, "in [Service] of `systemctl edit gatepost`; then restart",
		    "LimitNOFILE=%.0f", need * 2);
	}
}

/* How many are in use; -1: nobody may look. */
static int
count_files(const struct diagnosis *d)
{
	char *path = xasprintf("%s/proc/%d/fd", d->root, (int)d->pid);
	DIR *folder = d->pid > 0 ? opendir(path) : NULL;
	const struct dirent *entry;
	int count = 0;

	xfree(path);
	if (folder == NULL)
		return -1;
	while ((entry = readdir(folder)) != NULL)
		count += entry->d_name[0] != '.';
	closedir(folder);
	return count;
}

static void
check_files_in_use(struct diagnosis *d)
{
	int count = count_files(d);
	double limit;

	if (count == -1 || !read_limit(d, &limit)) {
		diagnosis_say(d, GRADE_UNKNOWN, "%s",
		    d->pid > 0 ? "only root may look" : "not without the process");
		return;
	}
	diagnosis_say(d, count * 100.0 > limit * FULL_PERCENT ? GRADE_WRONG : GRADE_FINE,
	    "%d of %.0f are in use", count, limit);
	if (d->findings[d->count - 1].grade == GRADE_WRONG)
		diagnosis_advise(d, "in [Service] of `systemctl edit gatepost`; then restart",
		    "LimitNOFILE=%.0f", limit * 2);
}

static void
check_swapped(struct diagnosis *d)
{
	char path[PATH_LONGEST];
	double swapped;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)d->pid);
	if (d->pid == 0 || !diagnosis_read_field(d, path, "VmSwap:", &swapped)) {
		diagnosis_say(d, GRADE_UNKNOWN, "not without the process");
	} else if (swapped > 0) {
		diagnosis_say(d, GRADE_NOTE, "%.0f kB of gatepost are swapped out", swapped);
		diagnosis_advise(d, "in [Service] of `systemctl edit gatepost`: keeps it in memory",
		    "MemorySwapMax=0");
	} else {
		diagnosis_say(d, GRADE_FINE, "nothing of gatepost is swapped out");
	}
}

static void
check_sessions(struct diagnosis *d)
{
	const struct json_t *info = stats_object(d->info, 0);
	double now = stats_amount(info, "CurrConns"), max = stats_amount(info, "Maxconn");

	if (info == NULL || max == 0) {
		diagnosis_say(d, GRADE_UNKNOWN, "gatepost does not tell");
		return;
	}
	diagnosis_say(d, now * 100 > max * FULL_PERCENT ? GRADE_WRONG : GRADE_FINE,
	    "%.0f of max_connections %.0f are open", now, max);
	if (d->findings[d->count - 1].grade == GRADE_WRONG)
		diagnosis_advise(d, "in gatepost.conf; more clients would wait unaccepted",
		    "max_connections %.0f", max * 2);
}

const struct check process_checks[] = {
	{ "gatepost",       check_running },
	{ "configuration",  check_configuration },
	{ "open files",     check_open_files },
	{ "files in use",   check_files_in_use },
	{ "swapped out",    check_swapped },
	{ "sessions",       check_sessions },
	{ 0 }
};
