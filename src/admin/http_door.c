/* SPDX-License-Identifier: BSD-2-Clause */
/* http_door.c: opens what the blocks `http` name, keeps what is kept, and lets in whom they allow. */
#include "admin/http_door.h"

#include <string.h>
#include <unistd.h>

#include "admin/http_bridge.h"
#include "admin/http_server.h"
#include "admin/http_site.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "conf/conf.h"
#include "daemon/sockets.h"
#include "daemon/takeover.h"

enum { LOOK_MS = 5 * 1000 };

static const struct conf_list no_blocks = { 0 };

static const struct conf_list *
blocks_of(const struct admin_settings *admin)
{
	return admin != NULL ? &admin->https : &no_blocks;
}

/* Each line of the complaints is a problem of its own. */
static struct user_file *
open_users(const struct admin_http *settings, struct conf_problems *problems)
{
	struct buf complaints = { 0 };
	struct user_file *users = user_file_open(settings->password_file, &complaints);
	struct slice rest = buf_slice(&complaints);

	while (rest.len > 0) {
		struct slice line = slice_take(&rest, '\n');

		conf_error_at_value(problems, &settings->conf, "password_file", 0, "%.*s", SLICE_ARGS(line));
	}
	buf_clear(&complaints);
	return users;
}

void
http_doors_check(const struct admin_settings *admin, struct conf_problems *problems)
{
	const struct conf_list *list = blocks_of(admin);

	for (size_t i = 0; i < list->count; i++) {
		const struct admin_http *settings = list->items[i];
		struct user_file *users;

		if (settings->conf.broken || settings->password_file == NULL)
			continue;
		users = open_users(settings, problems);
		user_file_put(&users);
	}
}

static int
claim(struct cockpit *cockpit, const struct admin_http *settings, struct conf_problems *problems)
{
	static const struct tcp_settings tcp = { 0 };
	struct listen_spec spec = admin_http_spec(settings);
	struct error error;
	int number = socket_claim(cockpit->http->sockets, &spec, &tcp, &error);

	if (number < 0)
		conf_error_at(problems, &settings->conf, NULL, "%s", error.text);
	return number;
}

static struct http_door *
find_door(struct cockpit *cockpit, int number)
{
	list_each(node, &cockpit->http->doors) {
		struct http_door *door = list_entry(node, struct http_door, node);

		if (door->number == number)
			return door;
	}
	return NULL;
}

static struct http_door *
get_door(struct cockpit *cockpit, int number)
{
	struct http_door *door = find_door(cockpit, number);

	if (door != NULL)
		return door;
	door = xcalloc(1, sizeof(*door));
	door->cockpit = cockpit;
	door->number = number;
	list_init(&door->bridges);
	list_append(&cockpit->http->doors, &door->node);
	return door;
}

static void
forget(struct http_door *door)
{
	if (door->users != NULL)
		user_file_put(&door->users);
	list_remove(&door->node);
}

static bool
prepare(struct cockpit *cockpit, const struct admin_http *settings, struct conf_problems *problems)
{
	int number = claim(cockpit, settings, problems);
	struct http_door *door;

	if (number < 0)
		return false;
	door = get_door(cockpit, number);
	if (door->is_next) {
		conf_error_at(problems, &settings->conf, NULL, "%s is another block's already",
		    settings->place.text);
		return false;
	}
	door->is_next = true;
	if (settings->password_file != NULL)
		door->next_users = open_users(settings, problems);
	return settings->password_file == NULL || door->next_users != NULL;
}

static void
look_at_users(struct http_door *door)
{
	struct buf complaints = { 0 };
	struct slice rest;
	bool changed = false;

	if (door->users == NULL)
		return;
	if (user_file_refresh(door->users, false, &changed, &complaints) && changed)
		log_write(LOG_NOTICE, "http %s: users reloaded", door->settings->place.text);
	rest = buf_slice(&complaints);
	while (rest.len > 0) {
		struct slice line = slice_take(&rest, '\n');

		log_write(LOG_ERR, "http %s: the old users stay in use: %.*s", door->settings->place.text,
		    SLICE_ARGS(line));
	}
	buf_clear(&complaints);
}

static void
on_look(struct loop_timer *timer)
{
	struct http_doors *http = loop_owner(timer, struct http_doors, look);
	struct loop *loop = NULL;

	list_each(node, &http->doors) {
		struct http_door *door = list_entry(node, struct http_door, node);

		loop = door->cockpit->control->loop;
		look_at_users(door);
	}
	if (loop != NULL)
		loop_timer_set(loop, timer, loop_now(loop) + LOOK_MS);
}

bool
http_doors_prepare(struct cockpit *cockpit, const struct admin_settings *admin,
    struct conf_problems *problems)
{
	const struct conf_list *list = blocks_of(admin);
	bool ok = true;

	if (cockpit->http == NULL) {
		cockpit->http = xcalloc(1, sizeof(*cockpit->http));
		cockpit->http->memory = http_memory_new();
		cockpit->http->sockets = socket_table_new(1);
		takeover_give_sockets(cockpit->control, HTTP_SOCKETS, cockpit->http->sockets);
		list_init(&cockpit->http->doors);
		loop_timer_init(&cockpit->http->look, on_look);
	}
	for (size_t i = 0; i < list->count; i++)
		ok &= prepare(cockpit, list->items[i], problems);
	if (!ok)
		http_doors_undo(cockpit);
	return ok;
}

void
http_doors_undo(struct cockpit *cockpit)
{
	sockets_undo(cockpit->http->sockets);
	list_each(node, &cockpit->http->doors) {
		struct http_door *door = list_entry(node, struct http_door, node);

		door->is_next = false;
		if (door->next_users != NULL)
			user_file_put(&door->next_users);
		if (door->server == NULL) {
			forget(door);
			xfree(door);
		}
	}
}

static void
on_client(struct acceptor *acceptor, int fd, const struct addr *peer)
{
	struct http_door *door = acceptor->owner;
	const struct admin_http *settings = door->settings;

	if (!admin_http_allows(settings, peer)) {
		close(fd);
		return;
	}
	if (settings->tls != NULL)
		fd = http_bridge_open(&door->bridges, door->cockpit->control->loop, fd,
		    settings->tls->context);
	if (fd >= 0)
		http_server_add(door->server, fd, peer);
}

/* Passwords would be told to whoever listens on the way. */
static void
warn(const struct admin_http *settings)
{
	if (settings->password_file != NULL && settings->tls == NULL &&
	    !addr_is_loopback(&settings->place.addr))
		log_write(LOG_WARNING, "http %s: passwords are taken without TLS", settings->place.text);
}

static void
open_door(struct http_door *door)
{
	struct loop *loop = door->cockpit->control->loop;

	door->server = http_server_new(loop, &http_site, door);
	door->acceptor.on_client = on_client;
	door->acceptor.owner = door;
	acceptor_start(&door->acceptor, loop, socket_take(door->cockpit->http->sockets, door->number, 0));
	warn(door->settings);
}

static void
commit(struct http_door *door, const struct admin_http *settings)
{
	door->settings = settings;
	if (door->users != NULL)
		user_file_put(&door->users);
	door->users = door->next_users;
	door->next_users = NULL;
	http_bridges_drop_handshakes(&door->bridges);
	if (door->server == NULL)
		open_door(door);
}

static void
free_door(void *object)
{
	struct http_door *door = object;

	http_server_free(&door->server);
	http_bridges_close(&door->bridges);
	forget(door);
	xfree(door);
}

/* It may be a visit there that has the configuration reloaded: the server ends when this turn is over. */
static void
drop(struct http_door *door)
{
	acceptor_close(&door->acceptor);
	door->settings = NULL;
	list_remove(&door->node);
	loop_defer(door->cockpit->control->loop, free_door, door);
}

void
http_doors_commit(struct cockpit *cockpit, const struct admin_settings *admin)
{
	const struct conf_list *list = blocks_of(admin);
	struct loop *loop = cockpit->control->loop;
	struct conf_problems none = { 0 };

	for (size_t i = 0; i < list->count; i++) {
		/* what prepare has claimed is there */
		struct http_door *door = find_door(cockpit, claim(cockpit, list->items[i], &none));

		if (door != NULL)
			commit(door, list->items[i]);
	}
	sockets_commit(cockpit->http->sockets);
	list_each(node, &cockpit->http->doors) {
		struct http_door *door = list_entry(node, struct http_door, node);

		if (!door->is_next)
			drop(door);
		door->is_next = false;
	}
	loop_timer_set(loop, &cockpit->http->look, loop_now(loop) + LOOK_MS);
}

static void
part(struct cockpit *cockpit, bool is_parting)
{
	list_each(node, &cockpit->http->doors) {
		struct http_door *door = list_entry(node, struct http_door, node);

		if (is_parting)
			acceptor_pause(&door->acceptor);
		else
			acceptor_resume(&door->acceptor);
		http_server_part(door->server, is_parting);
	}
}

void
http_doors_yield(struct cockpit *cockpit)
{
	part(cockpit, true);
}

void
http_doors_resume(struct cockpit *cockpit)
{
	part(cockpit, false);
}

void
http_doors_release(struct cockpit *cockpit)
{
	list_each(node, &cockpit->http->doors)
		acceptor_close(&list_entry(node, struct http_door, node)->acceptor);
}

void
http_doors_close(struct cockpit *cockpit)
{
	struct http_doors *http = cockpit->http;

	if (http == NULL)
		return;
	loop_timer_stop(cockpit->control->loop, &http->look);
	list_each(node, &http->doors) {
		struct http_door *door = list_entry(node, struct http_door, node);

		acceptor_close(&door->acceptor);
		free_door(door);
	}
	socket_table_free(&http->sockets);
	http_memory_free(&http->memory);
	xfree(http);
	cockpit->http = NULL;
}
