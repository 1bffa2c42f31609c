/* SPDX-License-Identifier: BSD-2-Clause */
/* control.c: the order of start and end, and what signals do in between. */
#include "daemon/control.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "balance/discovery.h"
#include "base/log.h"
#include "base/random.h"
#include "base/spare.h"
#include "base/thread_pool.h"
#include "base/xalloc.h"
#include "daemon/background.h"
#include "daemon/descriptors.h"
#include "daemon/drain.h"
#include "daemon/handover.h"
#include "daemon/log_block.h"
#include "daemon/notify.h"
#include "daemon/overload.h"
#include "daemon/pid_file.h"
#include "daemon/privileges.h"
#include "daemon/reload.h"
#include "daemon/takeover.h"
#include "daemon/upgrade.h"
#include "daemon/upkeep.h"

static void
log_problem_line(char *line)
{
	/* as carets are indented as their lines are, they stay below what they point to */
	for (char *c = line; *c != '\0'; c++)
		if (*c == '\t')
			*c = ' ';
	if (*line != '\0')
		log_write(LOG_ERR, "%s", line);
}

void
control_log_problems(const struct conf_problems *problems)
{
	for (size_t i = 0; i < problems->count; i++) {
		char *text = xstrdup(conf_problems_text(problems, i)), *rest = text, *line;

		while ((line = strsep(&rest, "\n")) != NULL)
			log_problem_line(line);
		xfree(text);
	}
}

const char *
control_status(const struct control *control, char out[CONTROL_STATUS_MAX])
{
	int threads = control->assets.threads;
	size_t listeners = control->current->root->listeners.count;

	snprintf(out, CONTROL_STATUS_MAX, "%d thread%s, %zu listener%s", threads, threads == 1 ? "" : "s",
	    listeners, listeners == 1 ? "" : "s");
	return out;
}

void
control_note_loaded(struct control *control)
{
	struct control_history *history = &control->history;

	history->generation++;
	history->loaded_at = (int64_t)time(NULL);
	conf_hash(control->current->snapshot.conf, history->hash);
}

static void
on_signal(struct signals *signals, int number)
{
	struct control *control = loop_owner(signals, struct control, signals);
	struct error error;

	switch (number) {
	case SIGHUP:
		if (control->is_starting)
			control->wants_reload = true;
		else
			reload_run(control);
		break;
	case SIGTERM:
		drain_begin(control);
		break;
	case SIGUSR1:
		log_reopen();
		log_write(LOG_NOTICE, "logs are opened anew");
		break;
	case SIGUSR2:
		if (!upgrade_begin(control, NULL, &error))
			log_write(LOG_ERR, "upgrade failed, nothing changed: %s", error.text);
		break;
	default:
		drain_stop(control);
	}
}

static void
on_discovered(void *owner)
{
	struct control *control = owner;

	generation_follow(control->current);
	if (control->program->extension != NULL && control->program->extension->follow != NULL)
		control->program->extension->follow(control);
}

struct generation *
control_prepare(struct control *control, struct conf *conf, struct conf_problems *problems)
{
	const struct extension *extension = control->program->extension;
	const struct root *root = conf_root(conf);
	struct generation *next = generation_prepare(&control->assets, conf, control->current, problems);

	if (next != NULL && extension != NULL && !extension->prepare(control, root, problems))
		generation_undo(&next);
	return next;
}

/* Of the first configuration. */
static void
undo(struct control *control)
{
	if (control->current != NULL && control->program->extension != NULL)
		control->program->extension->undo(control);
	generation_undo(&control->current);
}

/* Everything that may fail at the place of a directive, up to the bound sockets; the problems tell. */
static bool
open_first(struct control *control, bool in_background, struct conf_problems *problems)
{
	struct conf *conf = conf_load(control->config_path, control->program->root, problems);
	const struct root *root;
	struct error error;
	bool has_pid_file;

	if (conf == NULL)
		return false;
	root = conf_root(conf);
	/* here already, since root may raise more than the service user */
	descriptors_reserve(root->max_connections, root_threads(root), root_binds(root));
	privileges_hide_memory();
	if (!root_become_user(root, control->config_path, problems)) {
		conf_free(&conf);
		return false;
	}
	privileges_hide_memory();
	control->loop = loop_new(LOOP_CONTROL);
	assets_init(&control->assets, root_threads(root));
	control->assets.control = control->loop;
	control->assets.health = health_new(control->loop);
	control->assets.started = conf;
	control->assets.sockets = socket_table_new(control->assets.threads);
	control->assets.in_background = in_background;
	takeover_give_sockets(control, HANDOVER_LISTENERS, control->assets.sockets);
	control->current = control_prepare(control, conf, problems);
	if (control->current != NULL)
		has_pid_file = takeover_pid_file(control, root->pid_file, &error);
	else
		has_pid_file = pid_file_check(root->pid_file, &error);
	if (!has_pid_file) {
		conf_error_at_value(problems, &root->conf, "pid_file", 0, "%s", error.text);
		undo(control);
	}
	return control->current != NULL;
}

/* From any thread; the workers are there as long as endpoints are told anything. */
static void
on_away(struct endpoint *e, void *owner)
{
	const struct control *control = owner;

	(void)e;
	for (int i = 0; i < control->assets.threads; i++)
		worker_send_away(control->workers[i]);
}

static void
on_suspicion(struct endpoint *e, void *owner)
{
	struct control *control = owner;

	health_suspect(control->assets.health, e);
}

static bool
start_threads(struct control *control, struct error *error)
{
	int count = control->assets.threads;
	uint64_t log_salt = random_number();

	drain_init(control);
	control->observe = observe_new(control->loop, on_suspicion, control);
	if (!signals_open(&control->signals, control->loop, on_signal, error))
		return false;
	control->workers = xcalloc((size_t)count, sizeof(struct worker *));
	for (int i = 0; i < count; i++) {
		control->workers[i] = worker_new(i, control->loop, log_salt, drain_worker_empty);
		control->workers[i]->on_full = overload_worker_full;
		control->workers[i]->owner = control;
	}
	control->away = (struct away_observer){ .on_away = on_away, .owner = control };
	endpoint_observe_away(&control->away);
	control->threads = threads_start(control->workers, count, error);
	return control->threads != NULL;
}

static void
commit_extension(struct control *control)
{
	if (control->program->extension != NULL)
		control->program->extension->commit(control);
}

/* Clients may come. */
static void
start_serving(struct control *control)
{
	bool is_upgrade = control->takeover != NULL;
	char status[CONTROL_STATUS_MAX];

	if (control->phase != DRAIN_NONE)
		return;
	control->is_starting = false;
	if (is_upgrade)
		commit_extension(control);
	generation_serve(control->current, control->workers);
	control_status(control, status);
	log_write(LOG_NOTICE, "gatepost " GATEPOST_VERSION " started: %s", status);
	takeover_tell_serving(control);
	background_ready();
	notify_ready(status);
	if (control->wants_reload)
		reload_run(control);
}

/* It is known which servers are up. */
static void
on_settled(void *owner)
{
	struct control *control = owner;

	if (control->phase == DRAIN_NONE)
		takeover_await_go(control, start_serving);
}

static void
on_addresses(void *owner)
{
	struct control *control = owner;

	health_settle(control->assets.health, on_settled, control);
}

static void
serve(struct control *control)
{
	struct discovery *discovery = endpoint_table_discovery(control->assets.endpoints);

	takeover_use_stderr(control);
	log_blocks_use(&control->current->root->logs, control->assets.in_background, control->current->sinks);
	log_start();
	upkeep_start(control);
	control->overload = overload_new(control);
	discovery_start(discovery, control->loop, on_discovered, control);
	generation_commit(control->current, NULL);
	control_note_loaded(control);
	/* until it takes over, operators speak with the process that is replaced */
	if (!takeover_is_under_way(control))
		commit_extension(control);
	control->is_starting = true;
	discovery_settle(discovery, on_addresses, control);
	loop_run(control->loop);
	upkeep_stop(control);
	overload_free(&control->overload);
	threads_join(&control->threads);
	log_write(LOG_NOTICE, "gatepost " GATEPOST_VERSION " stopped");
}

static void
close_all(struct control *control)
{
	const struct root *root = control->assets.started != NULL ? conf_root(control->assets.started) : NULL;

	if (root != NULL)
		pid_file_remove(root->pid_file, &control->pid_fd);
	upgrade_end(control);
	takeover_end(control);
	endpoint_observe_away(NULL);
	if (control->program->extension != NULL)
		control->program->extension->close(control);
	/* before the loops that its threads post to */
	thread_pool_free(&control->assets.hashing);
	for (int i = 0; control->workers != NULL && i < control->assets.threads; i++)
		worker_free(&control->workers[i]);
	xfree(control->workers);
	xfree(control->history.result);
	observe_free(&control->observe);
	signals_close(&control->signals);
	if (root != NULL)
		assets_clear(&control->assets);
	loop_free(&control->loop);
	log_stop();
}

static int
fail(const char *text)
{
	fprintf(stderr, "gatepost: %s\n", text);
	return EXIT_FAILURE;
}

/* Tells what is wrong. */
static bool
open_or_tell(struct control *control, bool in_background)
{
	struct conf_problems problems = { 0 };
	bool is_open;

	spare_begin();
	is_open = open_first(control, in_background, &problems);
	conf_problems_print(&problems, stderr);
	conf_problems_clear(&problems);
	spare_end();
	return is_open;
}

int
control_run(const char *config_path, const struct program *program, bool in_background)
{
	struct control control = { .config_path = config_path, .program = program, .pid_fd = -1 };
	struct error error;
	int status = EXIT_FAILURE;

	background_fill_standard();
	signals_block();
	spare_begin();
	upgrade_init(&control);
	spare_end();
	if (!takeover_join(&control, &error) ||
	    (in_background && control.takeover == NULL && !background_enter(&error)))
		fail(error.text);
	else if (open_or_tell(&control, in_background) && !start_threads(&control, &error)) {
		undo(&control);
		fail(error.text);
	} else if (control.current != NULL) {
		serve(&control);
		status = EXIT_SUCCESS;
	}
	close_all(&control);
	return status;
}
