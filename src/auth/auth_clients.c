/* SPDX-License-Identifier: BSD-2-Clause */
/* auth_clients.c: the clients of one worker, by kind and key. */
#include "auth/auth_clients.h"

#include <string.h>

#include "base/xalloc.h"

struct auth_clients {
	struct loop *loop;
	int worker;
	struct resolver *resolver;
	struct list all;
	unsigned round;
};

struct auth_clients *
auth_clients_new(struct loop *loop, int worker)
{
	struct auth_clients *clients = xcalloc(1, sizeof(*clients));

	clients->loop = loop;
	clients->worker = worker;
	list_init(&clients->all);
	return clients;
}

static void
close_client(struct auth_client *client)
{
	list_remove(&client->node);
	xfree(client->key);
	client->kind->close(client);
}

void
auth_clients_free(struct auth_clients **clients)
{
	struct auth_clients *gone = *clients;

	*clients = NULL;
	if (gone == NULL)
		return;
	list_each(node, &gone->all)
		close_client(list_entry(node, struct auth_client, node));
	xfree(gone);
}

struct loop *
auth_clients_loop(const struct auth_clients *clients)
{
	return clients->loop;
}

int
auth_clients_worker(const struct auth_clients *clients)
{
	return clients->worker;
}

struct resolver *
auth_clients_resolver(const struct auth_clients *clients)
{
	return clients->resolver;
}

void
auth_clients_use_resolver(struct auth_clients *clients, struct resolver *resolver)
{
	clients->resolver = resolver;
}

struct auth_client *
auth_client_get(struct auth_clients *clients, const struct auth_client_kind *kind, const char *key,
    const void *settings)
{
	struct auth_client *client;

	list_each(node, &clients->all) {
		client = list_entry(node, struct auth_client, node);
		if (client->kind == kind && strcmp(client->key, key) == 0) {
			client->round = clients->round;
			return client;
		}
	}
	client = kind->open(clients, key, settings);
	client->kind = kind;
	client->key = xstrdup(key);
	client->round = clients->round;
	list_append(&clients->all, &client->node);
	return client;
}

void
auth_clients_begin(struct auth_clients *clients)
{
	clients->round++;
}

void
auth_clients_end(struct auth_clients *clients)
{
	list_each(node, &clients->all) {
		struct auth_client *client = list_entry(node, struct auth_client, node);

		if (client->round != clients->round && client->kind->is_idle(client))
			close_client(client);
	}
}
