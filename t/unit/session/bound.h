/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bound.h: rigs whose users are bound to servers: what a test needs to see of
 * bindings, sessions elsewhere that hold them, and user files.
 */
#ifndef UNIT_SESSION_BOUND_H
#define UNIT_SESSION_BOUND_H

#include "../balance/pick.h"
#include "../state/affinity_now.h"
#include "client.h"

#include <time.h>

#include "balance/balance.h"
#include "base/base64.h"

enum { RETENTION_MS = 15 * 60 * 1000 };

static const struct slice bob = SLICE_LITERAL("bob");
static const char unavailable[] = "a NO [UNAVAILABLE] Account is temporarily unavailable.\r\n";
static char users_path[] = "/tmp/gatepost-users.XXXXXX";

/* The server judges the passwords. */
static inline void
bound_open(struct rig *rig, const char *pool)
{
	rig_open_doors(rig, 2);
	rig_open_text(rig, &(struct rig_text){ .protocol = "imap", .farm = "affinity 15m", .pool = pool });
}

/* Appends the line; for PORT1 and PORT2 come the servers' ports, for SOON a time that comes in 100 s. */
static inline void
fill_line(const struct rig *rig, const char *line, struct buf *out)
{
	const struct {
		const char *name;
		long long value;
	} words[] = {
		{ "PORT1", addr_port(&rig->doors[0].addr) },
		{ "PORT2", addr_port(&rig->doors[1].addr) },
		{ "SOON", (long long)time(NULL) + 100 },
	};
	enum { COUNT = sizeof(words) / sizeof(words[0]) };

	while (*line != '\0') {
		size_t i = 0;

		while (i < COUNT && strncmp(line, words[i].name, strlen(words[i].name)) != 0)
			i++;
		if (i == COUNT) {
			buf_append(out, line++, 1);
			continue;
		}
		buf_printf(out, "%lld", words[i].value);
		line += strlen(words[i].name);
	}
}

/*
 * A file of users decides, with this line for bob, see fill_line.  Where `top` has no farm, the servers are
 * the pool's own.
 */
static inline void
decided_open(struct rig *rig, const char *line, const struct rig_text *text)
{
	struct rig_text whole = *text;
	struct buf file = { 0 };
	char top[1024];
	int fd;

	rig_open_doors(rig, 2);
	snprintf(users_path, sizeof(users_path), "/tmp/gatepost-users.XXXXXX");
	fd = mkstemp(users_path);
	assert_true(fd >= 0);
	fill_line(rig, line, &file);
	assert_int_equal(write(fd, buf_data(&file), buf_len(&file)), buf_len(&file));
	close(fd);
	buf_clear(&file);
	snprintf(top, sizeof(top), "auth staff { source file; path %s; mechanisms %s }\n%s", users_path,
	    text->mechanisms != NULL ? text->mechanisms : "PLAIN LOGIN", text_or_none(text->top));
	whole.protocol = "imap";
	whole.top = top;
	whole.listener = text->listener != NULL ? text->listener : "auth staff";
	rig_open_text(rig, &whole);
	unlink(users_path);
}

/* Where bob is bound; "": nowhere. */
static inline const char *
server_of_bob(const struct rig *rig, int64_t at)
{
	static struct affinity_binding binding;

	return affinity_peek_now(rig->bindings, bob, at, &binding) ? binding.server : "";
}

static inline void
expect_bound(const struct rig *rig, size_t server)
{
	assert_string_equal(server_of_bob(rig, loop_now(rig->loop)), endpoint_at(rig, server)->server);
}

static inline void
expect_unbound(const struct rig *rig)
{
	assert_string_equal(server_of_bob(rig, loop_now(rig->loop)), "");
	assert_int_equal(affinity_count(rig->bindings), 0);
}

/* Nobody holds a binding of bob's: it ends by itself. */
static inline void
expect_nobody_holds(const struct rig *rig)
{
	assert_string_equal(server_of_bob(rig, loop_now(rig->loop) + RETENTION_MS + 1000), "");
}

/* The servers hang up, and the sessions end. */
static inline void
all_leave(struct rig *rig)
{
	for (int i = 0; i < rig->server_count; i++)
		for (int k = 0; k < rig->doors[i].count; k++)
			peer_close(&rig->doors[i].peers[k]);
	expect_all_gone(rig);
}

static inline void
bound_close(struct rig *rig)
{
	all_leave(rig);
	if (rig->bindings != NULL)
		expect_nobody_holds(rig);
	rig_close(rig);
}

/* Where the hash sends bob. */
static inline size_t
home_of_bob(const struct rig *rig)
{
	struct balance_key key = { .user = bob };

	return pick_of(rig->pool, 0, &key) == endpoint_at(rig, 0) ? 0 : 1;
}

/* A session of bob's on another worker, say, that does as it is told. */
struct guest {
	struct affinity_request request;
	struct affinity_lease *lease;
	int answers, kicks;
};

static inline void
on_guest(struct affinity_request *request, enum affinity_answer answer)
{
	struct guest *guest = request->owner;

	assert_int_equal(answer, AFFINITY_HERE);
	guest->lease = request->lease;
	guest->answers++;
}

static inline void
on_guest_kicked(void *owner)
{
	struct guest *guest = owner;

	guest->kicks++;
	loop_stop(guest->request.loop);
}

/* Bob is not bound, or there. */
static inline void
guest_come(struct guest *guest, const struct rig *rig, const char *server)
{
	*guest = (struct guest){ 0 };
	guest->request = (struct affinity_request){
		.loop = rig->loop,
		.user = bob,
		.wanted = server,
		.deadline = loop_now(rig->loop) + TAPE_PATIENCE_MS,
		.on_answer = on_guest,
		.on_kick = on_guest_kicked,
		.owner = guest,
	};
	affinity_open(rig->bindings, &guest->request);
	assert_int_equal(guest->answers, 1);
}

static inline const char *
name_of(const struct rig *rig, size_t server)
{
	return endpoint_at(rig, server)->server;
}

/* What a server must be told by SASL PLAIN. */
static inline void
expect_login(struct peer *server, const char *authzid, const char *user, const char *password)
{
	struct buf plain = { 0 }, line = { 0 };

	buf_printf(&plain, "%s%c%s%c%s", authzid, 0, user, 0, password);
	buf_append_text(&line, "L AUTHENTICATE PLAIN ");
	base64_encode(buf_slice(&plain), &line);
	buf_append(&line, "\r\n", 3);
	peer_expect(server, buf_slice(&line).data);
	buf_clear(&plain);
	buf_clear(&line);
}

/* Who comes to the server is dialled as far as the login, which is bob's own. */
static inline struct peer *
serve(struct rig *rig, size_t server)
{
	struct peer *peer = door_accept(&rig->doors[server]);

	peer_say(peer, server_greeting);
	peer_expect(peer, login_line);
	return peer;
}

static inline void
agree(struct peer *server, struct peer *client)
{
	peer_say(server, "L OK [CAPABILITY IMAP4rev1] done\r\n");
	peer_expect(client, "a OK [CAPABILITY IMAP4rev1] done\r\n");
}

/* A client that has said who it is. */
static inline struct session *
ask_in_as(struct rig *rig, struct peer *client, const char *user)
{
	struct session *s = rig_client(rig, client);
	const struct buf *heard = &client->heard;
	char line[64];

	peer_expect(client, "* OK ");
	while (buf_len(heard) == 0 || buf_slice(heard).data[buf_len(heard) - 1] != '\n')
		loop_run(rig->loop);
	buf_clear(&client->heard);
	snprintf(line, sizeof(line), "a LOGIN %s secret\r\n", user);
	peer_say(client, line);
	return s;
}

static inline struct session *
ask_in(struct rig *rig, struct peer *client)
{
	return ask_in_as(rig, client, "bob");
}

#endif
