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
	struct listen_spec spec;	/* what it was opened with; its address is that of `path` */
	bool is_claimed, is_new;
	bool differs;			/* was claimed with other options than it was opened with */
	bool is_inherited;		/* listens as an older process had it */
	bool is_file_ours;		/* a unix socket's, to be removed with it */
	int count;			/* one a worker, or more where an older process had more */
	int *fds;
	bool *are_taken;		/* they are the workers' */
};

/* Of an older process; nobody has claimed it yet. */
struct heirloom {
	struct list node;
	char *key;
	int *fds;
	int count;
};

struct socket_table {
	struct list places;
	struct list heirlooms;
	int threads;
	int next_number;
};

struct socket_table *
socket_table_new(int threads)
{
	struct socket_table *table = xcalloc(1, sizeof(*table));

	list_init(&table->places);
	list_init(&table->heirlooms);
	table->threads = threads;
	return table;
}

static void
place_free(struct place *place)
{
	list_remove(&place->node);
	xfree(place->path);
	xfree(place->key);
	xfree(place->fds);
	xfree(place->are_taken);
	xfree(place);
}

static void
forget(struct place *place)
{
	for (int i = 0; i < place->count; i++)
		if (!place->are_taken[i])
			close(place->fds[i]);
	if (place->path != NULL && place->is_file_ours)
		(void)unlink(place->path);
	place_free(place);
}

static void
heirloom_free(struct heirloom *heirloom)
{
	list_remove(&heirloom->node);
	xfree(heirloom->key);
	xfree(heirloom->fds);
	xfree(heirloom);
}

static void
drop_heirlooms(struct socket_table *table)
{
	list_each(node, &table->heirlooms) {
		struct heirloom *heirloom = list_entry(node, struct heirloom, node);

		for (int i = 0; i < heirloom->count; i++)
			close(heirloom->fds[i]);
		heirloom_free(heirloom);
	}
}

void
socket_table_free(struct socket_table **table)
{
	struct socket_table *t = *table;

	*table = NULL;
	if (t == NULL)
		return;
	list_each(node, &t->places)
		forget(list_entry(node, struct place, node));
	drop_heirlooms(t);
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
find_place(const struct socket_table *table, const char *key)
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

static struct heirloom *
find_heirloom(const struct socket_table *table, const char *key)
{
	list_each(node, &table->heirlooms) {
		struct heirloom *heirloom = list_entry(node, struct heirloom, node);

		if (strcmp(heirloom->key, key) == 0)
			return heirloom;
	}
	return NULL;
}

static struct place *
place_new(const struct listen_spec *spec, int count)
{
	struct place *place = xcalloc(1, sizeof(*place));

	place->path = spec->addr.sa.sa_family == AF_UNIX ? xstrdup(spec->addr.path) : NULL;
	place->port = addr_port(&spec->addr);
	place->spec = *spec;
	place->spec.interface = NULL;
	if (place->path != NULL)
		place->spec.addr.path = place->path;
	place->count = count;
	place->fds = xcalloc((size_t)count, sizeof(place->fds[0]));
	place->are_taken = xcalloc((size_t)count, sizeof(place->are_taken[0]));
	return place;
}

/* With the sockets that are inherited, and those that are missing for the workers there are now. */
static struct place *
inherit(struct socket_table *table, struct heirloom *heirloom, const struct listen_spec *spec,
    const struct tcp_settings *tcp, struct error *error)
{
	int have = heirloom->count, count = have > table->threads ? have : table->threads;
	struct place *place = place_new(spec, count);

	memcpy(place->fds, heirloom->fds, (size_t)have * sizeof(place->fds[0]));
	for (int i = have; i < count; i++)
		place->fds[i] = -1;
	if (!listener_extend(spec, tcp, count, place->fds, error)) {
		place_free(place);
		return NULL;
	}
	place->is_inherited = true;
	heirloom_free(heirloom);
	return place;
}

static struct place *
open_place(struct socket_table *table, const struct listen_spec *wanted, const struct tcp_settings *tcp,
    struct error *error)
{
	struct listen_spec spec = *wanted;
	struct place *place = place_new(wanted, table->threads);

	place->is_file_ours = true;
	spec.has_port = place->port != 0 && has_port(table, place->port);
	if (listener_open(&spec, tcp, table->threads, place->fds, error))
		return place;
	place_free(place);
	return NULL;
}

int
socket_claim(struct socket_table *table, const struct listen_spec *spec, const struct tcp_settings *tcp,
    struct error *error)
{
	char *key = make_key(spec);
	struct place *place = find_place(table, key);
	struct heirloom *heirloom = find_heirloom(table, key);

	if (place != NULL) {
		xfree(key);
		place->is_claimed = true;
		place->differs =
		    place->spec.backlog != spec->backlog || place->spec.freebind != spec->freebind;
		return place->number;
	}
	place = heirloom != NULL ? inherit(table, heirloom, spec, tcp, error) :
	    open_place(table, spec, tcp, error);
	if (place == NULL) {
		xfree(key);
		return -1;
	}
	place->key = key;
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

/* All is bound: this does not fail but for lack of memory in the kernel. */
static void
listen_as_wanted(struct place *place, int fd)
{
	struct error error;

	if (place->is_inherited && !listener_listen(&place->spec, fd, &error))
		log_write(LOG_ERR, "%s", error.text);
}

static int
take_from(struct place *place, int worker, int threads)
{
	for (int i = worker; i < place->count; i += threads) {
		if (place->are_taken[i])
			continue;
		listen_as_wanted(place, place->fds[i]);
		place->are_taken[i] = true;
		return place->fds[i];
	}
	return -1;
}

int
socket_take(struct socket_table *table, int number, int worker)
{
	list_each(node, &table->places) {
		struct place *place = list_entry(node, struct place, node);

		if (place->number == number)
			return take_from(place, worker, table->threads);
	}
	return -1;
}

void
sockets_inherit(struct socket_table *table, const char *key, const int *fds, int count)
{
	struct heirloom *heirloom = find_heirloom(table, key);

	if (heirloom == NULL) {
		heirloom = xcalloc(1, sizeof(*heirloom));
		heirloom->key = xstrdup(key);
		list_append(&table->heirlooms, &heirloom->node);
	}
	heirloom->fds = xrealloc(heirloom->fds, (size_t)(heirloom->count + count) * sizeof(fds[0]));
	memcpy(heirloom->fds + heirloom->count, fds, (size_t)count * sizeof(fds[0]));
	heirloom->count += count;
}

void
sockets_each_left(const struct socket_table *table, void (*each)(void *owner, const char *key), void *owner)
{
	list_each(node, &table->heirlooms)
		each(owner, list_entry(node, struct heirloom, node)->key);
}

void
sockets_each(const struct socket_table *table,
    void (*each)(void *owner, const char *key, const int *fds, int count), void *owner)
{
	list_each(node, &table->places) {
		const struct place *place = list_entry(node, struct place, node);

		each(owner, place->key, place->fds, place->count);
	}
}

int
sockets_find(const struct socket_table *table, const char *key)
{
	const struct place *place = find_place(table, key);

	return place != NULL ? place->number : -1;
}

void
sockets_give(struct socket_table *table, const char *key, bool is_given)
{
	struct place *place = find_place(table, key);

	if (place != NULL)
		place->is_file_ours = !is_given;
}

void
sockets_commit(struct socket_table *table)
{
	list_each(node, &table->places) {
		struct place *place = list_entry(node, struct place, node);

		if (!place->is_claimed) {
			forget(place);
			continue;
		}
		if (place->differs)
			log_write(LOG_WARNING, "%s is open: backlog and freebind change with a restart only",
			    place->key);
		place->is_claimed = place->is_new = place->differs = false;
		place->is_file_ours |= place->is_inherited;
		place->is_inherited = false;
	}
	drop_heirlooms(table);
}

void
sockets_undo(struct socket_table *table)
{
	list_each(node, &table->places) {
		struct place *place = list_entry(node, struct place, node);

		if (place->is_new)
			forget(place);
		else
			place->is_claimed = place->differs = false;
	}
}
