/* SPDX-License-Identifier: BSD-2-Clause */
/* doctor.c: gathers what there is to know, and has all checks look at it. */
#include "ctl/doctor.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "ctl/ask.h"
#include "ctl/diagnosis.h"
#include "ctl/json.h"
#include "ctl/program_run.h"
#include "ctl/settings.h"
#include "ctl/stats.h"

/* The gatepost of this installation, or one that lies beside gatepostctl. */
static char *
find_program(void)
{
	char path[4096];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
	const char *slash = n > 0 ? memrchr(path, '/', (size_t)n) : NULL;
	char *beside;

	if (slash == NULL)
		return xstrdup(GATEPOST_PROGRAM);
	beside = xasprintf("%.*s/gatepost", (int)(slash - path), path);
	if (access(beside, X_OK) == 0)
		return beside;
	xfree(beside);
	return xstrdup(GATEPOST_PROGRAM);
}

static void
read_configuration(struct diagnosis *d)
{
	char *program = find_program();
	const char *const check[] = { program, "-t", "-c", d->config_path, NULL };
	const char *const print[] = { program, "-T", "-c", d->config_path, NULL };
	const char *const cat[] = { "cat", d->config_path, NULL };
	struct buf text = { 0 };

	if (program_run(check, &d->config_errors))
		buf_clear(&d->config_errors);
	else if (buf_len(&d->config_errors) == 0)
		buf_printf(&d->config_errors, "%s cannot be run", program);
	if (program_run(print, &text))
		d->settings = settings_read(buf_slice(&text));
	buf_wipe(&text);
	if (program_run(cat, &text))
		d->file = settings_read(buf_slice(&text));
	buf_wipe(&text);
	xfree(program);
}

static void
ask_running(struct diagnosis *d, const char *place)
{
	struct error error;
	enum asked how;

	d->pid = ask_pid(place, &how, &d->why);
	d->is_running = how == ASKED_WELL;
	if (!d->is_running)
		return;
	d->info = ask_json(place, "show info", &how, &error);
	d->stat = ask_json(place, "show stat", &how, &error);
	d->who = ask_json(place, "who server", &how, &error);
	if (d->pid == 0)
		d->pid = (pid_t)stats_amount(stats_object(d->info, 0), "Pid");
}

int
doctor_run(const struct ctl_options *options)
{
	struct diagnosis d = { .root = "", .config_path = options->config_path };
	struct buf out = { 0 };
	bool is_bad;

	ask_running(&d, options->place);
	read_configuration(&d);
	diagnosis_run(&d, process_checks);
	diagnosis_run(&d, server_checks);
	diagnosis_run(&d, farm_checks);
	diagnosis_run(&d, machine_checks);
	is_bad = diagnosis_is_bad(&d);
	if (options->wants_json)
		diagnosis_write(&d, &out);
	else
		diagnosis_print(&d, options->look.has_colour, &out);
	fwrite(buf_slice(&out).data, 1, buf_len(&out), stdout);
	buf_clear(&out);
	diagnosis_clear(&d);
	return is_bad ? CTL_FAILED : CTL_FINE;
}
