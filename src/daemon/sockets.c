/* SPDX-License-Identifier: BSD-2-Clause */
/* sockets.c: which bound addresses there are, and the sockets on their way to the workers. */
#include "daemon/sockets.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/list.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "daemon/folder.h"

struct place {				/* a bound address */
	struct list node;
	char *key;
	char *path;			/* of a unix socket; NULL: none */
	int number;
	uint16_t port;			/* 0: of a unix socket */
	int backlog;
	bool freebind;
	bool is_claimed, is_new;
	bool differs;			/* was claimed with other options than it was opened with */
	int fds[];			/* one a worker; -1: taken */
};

struct socket_table {
	struct list places;
	int threads;
	int next_number;
};

struct socket_table *
socket_table_new(int threads)
{
	struct socket_table *table = xcalloc(1, sizeof(*table));

	list_init(&table->places);
	table->threads = threads;
	return table;
}

static void
forget(struct socket_table *table, struct place *place)
{
	for (int i = 0; i < table->threads; i++)
		if (place->fds[i] >= 0)
			close(place->fds[i]);
	if (place->path != NULL)
		(void)unlink(place->path);
	list_remove(&place->node);
	xfree(place->path);
	xfree(place->key);
	xfree(place);
}

void
socket_table_free(struct socket_table **table)
{
	struct socket_table *t = *table;

	*table = NULL;
	if (t == NULL)
		return;
	list_each(node, &t->places)
		forget(t, list_entry(node, struct place, node));
	xfree(t);
}

/* Address and interface: what else changes at a bind does not make it another place. */
static char *
make_key(const struct listen_spec *spec)
{
	char addr[ADDR_TEXT_MAX];

	return xasprintf("%s%s %s", spec->dual_stack ? "*" : "", addr_format(&spec->addr, addr),
	    spec->interface != NULL ? spec->interface : "");
}

static struct place *
find_place(struct socket_table *table, const char *key)
{
	list_each(node, &table->places) {
		struct place *place = list_entry(node, struct place, node);

		if (strcmp(place->key, key) == 0)
			return place;
	}
	return NULL;
}

static bool
has_port(const struct socket_table *table, uint16_t port)
{
	list_each(node, &table->places)
		if (list_entry(node, struct place, node)->port == port)
			return true;
	return false;
}

static bool
open_place(struct socket_table *table, struct place *place, const struct listen_spec *wanted,
    const struct tcp_settings *tcp, struct error *error)
{
	struct listen_spec spec = *wanted;

	place->port = addr_port(&spec.addr);
	spec.has_port = place->port != 0 && has_port(table, place->port);
	return listener_open(&spec, tcp, table->threads, place->fds, error);
}

int
socket_claim(struct socket_table *table, const struct listen_spec *spec, const struct tcp_settings *tcp,
    struct error *error)
{
	char *key = make_key(spec);
	struct place *place = find_place(table, key);

	if (place != NULL) {
		xfree(key);
		place->is_claimed = true;
		place->differs = place->backlog != spec->backlog || place->freebind != spec->freebind;
		return place->number;
	}
	place = xcalloc(1, sizeof(*place) + (size_t)table->threads * sizeof(place->fds[0]));
	if (!open_place(table, place, spec, tcp, error)) {
		xfree(place);
		xfree(key);
		return -1;
	}
	place->key = key;
	place->path = spec->addr.sa.sa_family == AF_UNIX ? xstrdup(spec->addr.path) : NULL;
	place->backlog = spec->backlog;
	place->freebind = spec->freebind;
	place->number = table->next_number++;
	place->is_claimed = place->is_new = true;
	list_append(&table->places, &place->node);
	return place->number;
}

bool
socket_check(const struct listen_spec *spec, struct error *error)
{
	char text[ADDR_TEXT_MAX];

	if (spec->addr.sa.sa_family != AF_UNIX || folder_takes(spec->addr.path))
		return true;
	return error_set(error, "cannot listen at %s: %s", addr_format(&spec->addr, text), strerror(errno));
}

int
socket_take(struct socket_table *table, int number, int worker)
{
	list_each(node, &table->places) {
		struct place *place = list_entry(node, struct place, node);
		int fd = place->fds[worker];

		if (place->number != number)
			continue;
		place->fds[worker] = -1;
		return fd;
	}
	return -1;
}

void
sockets_commit(struct socket_table *table)
{
	list_each(node, &table->places) {
		struct place *place = list_entry(node, struct place, node);

		if (!place->is_claimed) {
			forget(table, place);
			continue;
		}
		if (place->differs)
			log_write(LOG_WARNING, "%s is open: backlog and freebind change with a restart only",
			    place->key);
		place->is_claimed = place->is_new = place->differs = false;
	}
}

void
sockets_undo(struct socket_table *table)
{
	list_each(node, &table->places) {
		struct place *place = list_entry(node, struct place, node);

		if (place->is_new)
			forget(table, place);
		else
			place->is_claimed = place->differs = false;
	}
}
