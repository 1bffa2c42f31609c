/* SPDX-License-Identifier: BSD-2-Clause */
/* dovecot_sockets.c: the sockets of a block, outside its configuration. */
#include "auth/dovecot_sockets.h"

#include <string.h>

#include "base/xalloc.h"

struct dovecot_sockets *
dovecot_sockets_new(const char *title, const struct address_list *addresses)
{
	struct dovecot_sockets *sockets = xcalloc(1,
	    sizeof(*sockets) + addresses->count * sizeof(sockets->items[0]));

	atomic_init(&sockets->references, 1);
	sockets->title = xstrdup(title);
	sockets->count = addresses->count;
	for (size_t i = 0; i < addresses->count; i++) {
		const struct address *address = &addresses->items[i];
		struct dovecot_socket *socket = &sockets->items[i];

		socket->text = xstrdup(address->text);
		socket->port = address->port;
		if (address->addr.sa.sa_family == AF_UNIX)
			socket->path = xstrdup(address->addr.path);
		else
			socket->host = xstrdup(address->host);
	}
	return sockets;
}

struct dovecot_sockets *
dovecot_sockets_get(struct dovecot_sockets *sockets)
{
	atomic_fetch_add(&sockets->references, 1);
	return sockets;
}

void
dovecot_sockets_put(struct dovecot_sockets **sockets)
{
	struct dovecot_sockets *gone = *sockets;

	*sockets = NULL;
	if (gone == NULL || atomic_fetch_sub(&gone->references, 1) > 1)
		return;
	for (size_t i = 0; i < gone->count; i++) {
		xfree(gone->items[i].text);
		xfree(gone->items[i].host);
		xfree(gone->items[i].path);
	}
	xfree(gone->title);
	xfree(gone);
}

bool
dovecot_sockets_are(const struct dovecot_sockets *sockets, const char *title,
    const struct address_list *addresses)
{
	if (strcmp(sockets->title, title) != 0 || sockets->count != addresses->count)
		return false;
	for (size_t i = 0; i < addresses->count; i++)
		if (strcmp(sockets->items[i].text, addresses->items[i].text) != 0)
			return false;
	return true;
}

unsigned
dovecot_sockets_mechanisms(const struct dovecot_sockets *sockets)
{
	unsigned all = ~0U;
	bool is_known = false;

	for (size_t i = 0; i < sockets->count; i++) {
		unsigned own = atomic_load_explicit(&sockets->items[i].mechanisms, memory_order_relaxed);

		if (own == 0)
			continue;
		is_known = true;
		all &= own;
	}
	return is_known ? all : 0;
}

bool
dovecot_sockets_are_away(const struct dovecot_sockets *sockets)
{
	for (size_t i = 0; i < sockets->count; i++)
		if (!atomic_load_explicit(&sockets->items[i].is_away, memory_order_relaxed))
			return false;
	return true;
}
