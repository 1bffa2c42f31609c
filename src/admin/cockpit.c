/* SPDX-License-Identifier: BSD-2-Clause */
/* cockpit.c: opens the sockets that the block `admin` names, and keeps those that are kept. */
#include "admin/cockpit.h"

#include <string.h>
#include <unistd.h>

#include "admin/changes.h"
#include "admin/commands_check.h"
#include "admin/commands_trace.h"
#include "admin/console.h"
#include "admin/gate_round.h"
#include "admin/http_door.h"
#include "admin/legacy.h"
#include "admin/sampler.h"
#include "admin/survey.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "daemon/sockets.h"
#include "daemon/takeover.h"

static const char *const sockets_names[] = { "admin", HTTP_SOCKETS, NULL };
static const struct conf_list no_sockets = { 0 };

static const struct admin_settings *
settings_of(const struct root *root)
{
	return ((const struct admin_root *)(const void *)root)->admin;
}

static const struct conf_list *
sockets_of(const struct root *root)
{
	const struct admin_settings *admin = settings_of(root);

	return admin != NULL ? &admin->sockets : &no_sockets;
}

const struct root *
cockpit_root(const struct cockpit *cockpit)
{
	return cockpit->control->current->root;
}

const struct conf_list *
cockpit_sockets(const struct cockpit *cockpit)
{
	return sockets_of(cockpit_root(cockpit));
}

static void
on_operator(struct acceptor *acceptor, int fd, const struct addr *peer)
{
	console_open(acceptor->owner, fd, peer);
}

static struct door *
find_door(struct cockpit *cockpit, int number)
{
	list_each(node, &cockpit->doors) {
		struct door *door = list_entry(node, struct door, node);

		if (door->number == number && door->own_path == NULL)
			return door;
	}
	return NULL;
}

static void
close_door(struct door *door)
{
	acceptor_close(&door->acceptor);
	list_remove(&door->node);
	if (door->own_path != NULL)
		(void)unlink(door->own_path);
	xfree(door->own_path);
	door->own_path = NULL;
	loop_defer(door->cockpit->control->loop, xfree, door);
}

static bool
claim(struct socket_table *sockets, const struct admin_socket *settings, struct conf_problems *problems,
    int *number)
{
	static const struct tcp_settings tcp = { 0 };
	struct listen_spec spec;
	struct error error;

	if (admin_socket_spec(settings, &spec, &error)) {
		*number = socket_claim(sockets, &spec, &tcp, &error);
		if (*number >= 0)
			return true;
	}
	conf_error_at(problems, &settings->conf, NULL, "%s", error.text);
	return false;
}

static void
check(const struct root *root, struct conf_problems *problems)
{
	const struct conf_list *list = sockets_of(root);

	changes_check(root, problems);
	for (size_t i = 0; i < list->count; i++) {
		const struct admin_socket *settings = list->items[i];
		struct listen_spec spec;
		struct error error;

		if (!settings->conf.broken &&
		    (!admin_socket_spec(settings, &spec, &error) || !socket_check(&spec, &error)))
			conf_error_at(problems, &settings->conf, NULL, "%s", error.text);
	}
	http_doors_check(settings_of(root), problems);
}

static void
undo(struct control *control)
{
	struct cockpit *cockpit = control->extended;

	sockets_undo(cockpit->sockets);
	http_doors_undo(cockpit);
}

static bool
prepare(struct control *control, const struct root *root, struct conf_problems *problems)
{
	const struct conf_list *list = sockets_of(root);
	struct cockpit *cockpit = control->extended;
	bool ok = changes_check(root, problems);
	int number;

	if (cockpit == NULL) {
		cockpit = control->extended = xcalloc(1, sizeof(*cockpit));
		cockpit->control = control;
		cockpit->started_at = clock_ms();
		cockpit->sockets = socket_table_new(1);
		takeover_give_sockets(control, sockets_names[0], cockpit->sockets);
		list_init(&cockpit->doors);
		list_init(&cockpit->consoles);
		list_init(&cockpit->gate_rounds);
		list_init(&cockpit->checks);
		list_init(&cockpit->traces);
		list_init(&cockpit->surveys);
		list_init(&cockpit->rebalances);
		list_init(&cockpit->legacies);
		cockpit->changes = changes_new(cockpit);
	}
	for (size_t i = 0; i < list->count; i++)
		ok &= claim(cockpit->sockets, list->items[i], problems, &number);
	ok &= http_doors_prepare(cockpit, settings_of(root), problems);
	if (!ok)
		undo(control);
	return ok;
}

static void
open_door(struct cockpit *cockpit, const struct admin_socket *settings)
{
	struct conf_problems none = { 0 };
	struct door *door;
	int number;

	/* what prepare has claimed is there */
	if (!claim(cockpit->sockets, settings, &none, &number))
		return;
	door = find_door(cockpit, number);
	if (door == NULL) {
		door = xcalloc(1, sizeof(*door));
		door->cockpit = cockpit;
		door->number = number;
		door->acceptor.on_client = on_operator;
		door->acceptor.owner = door;
		list_append(&cockpit->doors, &door->node);
		acceptor_start(&door->acceptor, cockpit->control->loop,
		    socket_take(cockpit->sockets, number, 0));
	}
	door->settings = settings;
	door->is_kept = true;
}

static void
commit(struct control *control)
{
	struct cockpit *cockpit = control->extended;
	const struct conf_list *list = sockets_of(cockpit_root(cockpit));

	checks_end(cockpit);
	if (cockpit->sampler == NULL)
		cockpit->sampler = sampler_new(cockpit);
	for (size_t i = 0; i < list->count; i++)
		open_door(cockpit, list->items[i]);
	sockets_commit(cockpit->sockets);
	http_doors_commit(cockpit, settings_of(cockpit_root(cockpit)));
	kicks_listen(cockpit, true);
	changes_commit(cockpit->changes);
	legacy_commit(cockpit);
	list_each(node, &cockpit->doors) {
		struct door *door = list_entry(node, struct door, node);

		if (!door->is_kept)
			close_door(door);
		door->is_kept = false;
	}
}

static void
follow(struct control *control)
{
	struct cockpit *cockpit = control->extended;

	changes_follow(cockpit->changes);
}

static void
close_all(struct control *control)
{
	struct cockpit *cockpit = control->extended;

	if (cockpit == NULL)
		return;
	kicks_listen(cockpit, false);
	consoles_close(cockpit);
	sampler_free(&cockpit->sampler);
	gate_rounds_close(cockpit);
	http_doors_close(cockpit);
	rebalances_close(cockpit);
	changes_free(&cockpit->changes);
	surveys_close(cockpit);
	traces_free(cockpit);
	legacies_free(cockpit);
	list_each(node, &cockpit->doors)
		close_door(list_entry(node, struct door, node));
	socket_table_free(&cockpit->sockets);
	xfree(cockpit);
	control->extended = NULL;
}

static struct socket_table *
sockets(struct control *control, const char *name)
{
	const struct cockpit *cockpit = control->extended;

	return strcmp(name, HTTP_SOCKETS) == 0 ? cockpit->http->sockets : cockpit->sockets;
}

/* Beside a unix socket that another process has now: with the number of this one behind its name. */
static void
open_own_door(struct cockpit *cockpit, const struct admin_socket *settings)
{
	static const struct tcp_settings tcp = { 0 };
	struct door *door = xcalloc(1, sizeof(*door));
	struct listen_spec spec;
	struct error error;
	int fd = -1;

	door->own_path = xasprintf("%s.%ld", settings->place.addr.path, (long)getpid());
	door->cockpit = cockpit;
	door->number = -1;
	door->settings = settings;
	door->acceptor.on_client = on_operator;
	door->acceptor.owner = door;
	if (admin_socket_spec(settings, &spec, &error)) {
		spec.addr.path = door->own_path;
		(void)listener_open(&spec, &tcp, 1, &fd, &error);
	}
	list_append(&cockpit->doors, &door->node);
	if (fd >= 0) {
		acceptor_start(&door->acceptor, cockpit->control->loop, fd);
		return;
	}
	log_write(LOG_WARNING, "%s: %s", door->own_path, error.text);
	close_door(door);
}

static void
yield(struct control *control)
{
	struct cockpit *cockpit = control->extended;

	list_each(node, &cockpit->doors) {
		struct door *door = list_entry(node, struct door, node);

		if (door->own_path != NULL)
			continue;
		acceptor_pause(&door->acceptor);
		if (door->settings->place.addr.sa.sa_family == AF_UNIX)
			open_own_door(cockpit, door->settings);
	}
	http_doors_yield(cockpit);
}

static void
close_doors(struct cockpit *cockpit, bool are_own)
{
	list_each(node, &cockpit->doors) {
		struct door *door = list_entry(node, struct door, node);

		if ((door->own_path != NULL) == are_own)
			close_door(door);
	}
}

static void
resume(struct control *control)
{
	struct cockpit *cockpit = control->extended;

	close_doors(cockpit, true);
	list_each(node, &cockpit->doors)
		acceptor_resume(&list_entry(node, struct door, node)->acceptor);
	http_doors_resume(cockpit);
	changes_resume(cockpit->changes);
}

static void
release(struct control *control)
{
	close_doors(control->extended, false);
	http_doors_release(control->extended);
}

const struct extension cockpit_extension = {
	.check = check, .prepare = prepare, .undo = undo, .commit = commit, .follow = follow,
	.close = close_all,
	.sockets_names = sockets_names, .sockets = sockets, .tell = legacy_tell, .hear = legacy_hear,
	.yield = yield, .resume = resume, .release = release,
};
