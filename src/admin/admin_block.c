/* SPDX-License-Identifier: BSD-2-Clause */
/* admin_block.c: rows of the block `admin`. */
#include "admin/admin_block.h"

#include <grp.h>
#include <pwd.h>
#include <string.h>

#include "admin/http_block.h"
#include "base/arena.h"
#include "conf/conf.h"

enum { OCTAL_DIGITS_MAX = 4, BACKLOG = 128, OWNERS_MODE = 0600 };

static const struct choice levels[] = {
	{ "user", ADMIN_LEVEL_USER }, { "operator", ADMIN_LEVEL_OPERATOR }, { "admin", ADMIN_LEVEL_ADMIN },
	{ 0 }
};

const char *
admin_level_text(enum admin_level level)
{
	return levels[level].word;
}

/* A path is a unix socket, all else an address of this machine alone with its port. */
static bool
set_place(struct conf_words *words, void *field, struct error *error)
{
	struct address *place = field;
	struct slice text = slice_of(words->words[0]), host;
	const char *colon = strrchr(words->words[0], ':');
	uint64_t port;

	if (words->count != 1)
		return error_set(error, "takes one value: a path, or an address with its port");
	if (text.data[0] == '/') {
		place->text = conf_words_path(words, 0);
		place->addr = (struct addr){ .sa.sa_family = AF_UNIX, .path = place->text };
		return true;
	}
	host = slice_make(text.data, colon != NULL ? (size_t)(colon - text.data) : 0);
	if (colon == NULL || !slice_to_number(slice_of(colon + 1), UINT16_MAX, &port) || port == 0 ||
	    !addr_parse(host, (uint16_t)port, &place->addr))
		return error_set(error, "%s is not a path from / on, nor an address with its port",
		    words->words[0]);
	if (!addr_is_loopback(&place->addr))
		return error_set(error,
		    "%s is not an address of this machine alone: whoever could connect would be let in",
		    words->words[0]);
	place->text = words->words[0];
	place->port = (uint16_t)port;
	return true;
}

static bool
set_mode(struct conf_words *words, void *field, struct error *error)
{
	const char *digits = words->words[0];
	int mode = 0;

	if (words->count == 1 && digits[0] == '0' && strspn(digits, "01234567") == strlen(digits) &&
	    strlen(digits) <= OCTAL_DIGITS_MAX) {
		for (const char *c = digits; *c != '\0'; c++)
			mode = mode * 8 + (*c - '0');
		if ((mode & ~0777) == 0 && mode != 0) {
			*(int *)field = mode;
			return true;
		}
	}
	return error_set(error, "takes a file's mode in octal digits, such as 0660");
}

static bool
find_user(const char *name, unsigned *id)
{
	const struct passwd *user = getpwnam(name);

	if (user != NULL)
		*id = user->pw_uid;
	return user != NULL;
}

static bool
find_group(const char *name, unsigned *id)
{
	const struct group *group = getgrnam(name);

	if (group != NULL)
		*id = group->gr_gid;
	return group != NULL;
}

/* Names, or numbers of those that this machine has no names for. */
static bool
set_ids(struct conf_words *words, struct id_list *ids, bool (*find)(const char *name, unsigned *id),
    struct error *error)
{
	uint64_t number;

	if (words->count == 0)
		return error_set(error, "takes at least one name");
	ids->items = arena_alloc(words->arena, words->count * sizeof(ids->items[0]));
	for (size_t i = 0; i < words->count; i++) {
		unsigned *id = &ids->items[ids->count++];

		words->bad = i;
		/* the largest number is nobody's */
		if (slice_to_number(slice_of(words->words[i]), UINT32_MAX - 1, &number))
			*id = (unsigned)number;
		else if (!find(words->words[i], id))
			return error_set(error, "there is no %s %s", find == find_user ? "user" : "group",
			    words->words[i]);
	}
	return true;
}

static bool
set_users(struct conf_words *words, void *field, struct error *error)
{
	return set_ids(words, field, find_user, error);
}

static bool
set_groups(struct conf_words *words, void *field, struct error *error)
{
	return set_ids(words, field, find_group, error);
}

static const struct directive socket_directives[] = {
	CONF_CUSTOM(struct admin_socket, place, NULL, set_place, "path|address:port", CONF_REQUIRED,
	    "Where commands are taken: a unix socket's path, or a loopback address with its port. An address "
	    "knows no users: whoever has a shell on this machine may use it."),
	CONF_CUSTOM(struct admin_socket, mode, "0600", set_mode, "octal", CONF_RESTART,
	    "Of the socket's file: who may connect."),
	CONF_STRING(struct admin_socket, group, NULL, CONF_RESTART,
	    "The group that the file belongs to; the process must be a member of it."),
	CONF_CHOICE(struct admin_socket, level, "operator", levels, 0,
	    "What may be asked there: `user` sees states and figures, `operator` sessions and users "
	    "too, `admin` changes things."),
	CONF_CUSTOM(struct admin_socket, operator_users, NULL, set_users, "user ...", 0,
	    "Users of this machine, by name or number, who have the level `operator` at this socket where "
	    "others have less: as the kernel knew them when they connected. `mode` has to let them in."),
	CONF_CUSTOM(struct admin_socket, operator_groups, NULL, set_groups, "group ...", 0,
	    "The same for all members of these groups."),
	CONF_CUSTOM(struct admin_socket, admin_users, NULL, set_users, "user ...", 0,
	    "Users who have the level `admin` at this socket."),
	CONF_CUSTOM(struct admin_socket, admin_groups, NULL, set_groups, "group ...", 0,
	    "The same for all members of these groups."),
	{ 0 }
};

/* What gives nobody more than he has would be taken for a restriction. */
static void
check_socket(struct conf_context *context, void *object)
{
	const struct admin_socket *socket = object;
	const struct { const char *row; const struct id_list *ids; enum admin_level level; } rows[] = {
		{ "operator_users", &socket->operator_users, ADMIN_LEVEL_OPERATOR },
		{ "operator_groups", &socket->operator_groups, ADMIN_LEVEL_OPERATOR },
		{ "admin_users", &socket->admin_users, ADMIN_LEVEL_ADMIN },
		{ "admin_groups", &socket->admin_groups, ADMIN_LEVEL_ADMIN },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].ids->count == 0 || socket->place.text == NULL)
			continue;
		if (socket->place.addr.sa.sa_family != AF_UNIX)
			conf_error_at(context->problems, &socket->conf, rows[i].row,
			    "%s: an address knows no users: only a unix socket does", rows[i].row);
		else if ((enum admin_level)socket->level >= rows[i].level)
			conf_error_at(context->problems, &socket->conf, rows[i].row,
			    "%s: all have the level %s at this socket already", rows[i].row,
			    admin_level_text((enum admin_level)socket->level));
	}
}

static const struct block socket_block = {
	.name = "socket", .directives = socket_directives, .size = BLOCK_SIZE(struct admin_socket),
	.title = TITLE_VALUE, .check = check_socket,
	.help = "A socket for commands. It speaks as HAProxy's does, so that tools made for that can use it."
};

static const struct directive admin_directives[] = {
	CONF_BLOCKS(struct admin_settings, sockets, &socket_block, 0),
	CONF_BLOCKS(struct admin_settings, https, &admin_http_block, 0),
	{ 0 }
};

static const struct block admin_block = {
	.name = "admin", .directives = admin_directives, .size = BLOCK_SIZE(struct admin_settings),
	.help = "How gatepost is watched and operated."
};

const struct directive admin_root_directives[] = {
	ROOT_ROWS(struct admin_root),
	CONF_BLOCK(struct admin_root, admin, &admin_block, NULL, 0),
	{ 0 }
};

const struct block admin_root_block = ROOT_BLOCK(struct admin_root, admin_root_directives);

bool
admin_socket_spec(const struct admin_socket *socket, struct listen_spec *spec, struct error *error)
{
	const struct group *group = NULL;

	*spec = (struct listen_spec){
		.addr = socket->place.addr, .backlog = BACKLOG,
		.mode = socket->mode != 0 ? socket->mode : OWNERS_MODE,
	};
	if (socket->group == NULL)
		return true;
	group = getgrnam(socket->group);
	if (group == NULL)
		return error_set(error, "there is no group %s", socket->group);
	spec->has_group = true;
	spec->group = group->gr_gid;
	return true;
}
