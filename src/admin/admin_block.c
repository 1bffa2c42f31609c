/* SPDX-License-Identifier: BSD-2-Clause */
/* admin_block.c: rows of the block `admin`. */
#include "admin/admin_block.h"

#include <grp.h>
#include <string.h>

#include "admin/http_block.h"

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
	{ 0 }
};

static const struct block socket_block = {
	.name = "socket", .directives = socket_directives, .size = BLOCK_SIZE(struct admin_socket),
	.title = TITLE_VALUE,
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
