/* SPDX-License-Identifier: BSD-2-Clause */
/* connection.c: connects, and tells why it could not. */
#include "ctl/connection.h"

#include <errno.h>
#include <grp.h>
#include <netdb.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/xalloc.h"

enum { READ_BYTES = 64 * 1024, NAME_MAX_BYTES = 64 };

static void
name_group(gid_t gid, char name[NAME_MAX_BYTES])
{
	const struct group *group = getgrgid(gid);

	if (group != NULL)
		snprintf(name, NAME_MAX_BYTES, "%s", group->gr_name);
	else
		snprintf(name, NAME_MAX_BYTES, "%u", (unsigned)gid);
}

static void
name_user(uid_t uid, char name[NAME_MAX_BYTES])
{
	const struct passwd *user = getpwuid(uid);

	if (user != NULL)
		snprintf(name, NAME_MAX_BYTES, "%s", user->pw_name);
	else
		snprintf(name, NAME_MAX_BYTES, "%u", (unsigned)uid);
}

static bool
explain_denied(const char *path, struct error *error)
{
	char user[NAME_MAX_BYTES], group[NAME_MAX_BYTES];
	struct stat status;

	if (stat(path, &status) != 0)
		return error_set(error,
		    "not allowed to look for %s: its folder is closed to you; ask as root, or have your user "
		    "join the group of that folder", path);
	name_user(status.st_uid, user);
	name_group(status.st_gid, group);
	if ((status.st_mode & S_IWGRP) != 0)
		return error_set(error,
		    "not allowed to connect to %s: it is for the user %s and the group %s; `usermod -aG %s "
		    "YOU` lets a user in, from the next login on", path, user, group, group);
	return error_set(error,
	    "not allowed to connect to %s: it is for the user %s alone; `mode 0660` and `group` of that "
	    "socket in gatepost.conf let a group in", path, user);
}

static bool
explain(const char *place, int number, struct error *error)
{
	switch (number) {
	case EACCES:
	case EPERM:
		return explain_denied(place, error);
	case ENOENT:
	case ENOTDIR:
		return error_set(error,
		    "there is no socket %s: gatepost does not run (`systemctl status gatepost`), or its "
		    "block `admin` names another (-s SOCKET, GATEPOST_SOCKET)", place);
	case ECONNREFUSED:
		return error_set(error,
		    "nobody listens at %s: gatepost does not run (`systemctl status gatepost`, `gatepost "
		    "-t`)", place);
	default:
		return error_set(error, "cannot connect to %s: %s", place, strerror(number));
	}
}

static int
dial_unix(const char *path, const struct timeval *patience)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd;

	if (strlen(path) >= sizeof(address.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(address.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, patience, sizeof(*patience));
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	close(fd);
	return -1;
}

/* The first that answers. */
static int
dial_first(const struct addrinfo *list, const struct timeval *patience)
{
	int number = ECONNREFUSED;

	for (; list != NULL; list = list->ai_next) {
		int fd = socket(list->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

		if (fd == -1)
			continue;
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, patience, sizeof(*patience));
		if (connect(fd, list->ai_addr, list->ai_addrlen) == 0)
			return fd;
		number = errno == EINPROGRESS ? ETIMEDOUT : errno;
		close(fd);
	}
	errno = number;
	return -1;
}

static int
dial_tcp(const char *place, const struct timeval *patience, struct error *error)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	const char *colon = strrchr(place, ':');
	struct slice host = slice_make(place, colon != NULL ? (size_t)(colon - place) : 0);
	struct addrinfo *list;
	char *name;
	int fd, status;

	if (host.len == 0) {
		errno = 0;
		return error_set(error, "%s is neither a socket's path, from / on, nor HOST:PORT", place), -1;
	}
	if (host.data[0] == '[' && host.data[host.len - 1] == ']')
		host = slice_make(host.data + 1, host.len - 2);
	name = xstrndup(host.data, host.len);
	status = getaddrinfo(name, colon + 1, &hints, &list);
	xfree(name);
	if (status != 0) {
		errno = 0;
		return error_set(error, "%s: %s", place, gai_strerror(status)), -1;
	}
	fd = dial_first(list, patience);
	freeaddrinfo(list);
	return fd;
}

int
connection_dial(const char *place, int seconds, struct error *error)
{
	const struct timeval patience = { .tv_sec = seconds };
	bool is_path = strchr(place, '/') != NULL;
	int fd = is_path ? dial_unix(place, &patience) : dial_tcp(place, &patience, error);

	if (fd == -1 && errno != 0)
		explain(place, errno, error);
	return fd;
}

bool
connection_open(struct connection *connection, const char *place, struct error *error)
{
	enum { PATIENCE_S = 10 };
	struct ucred peer;
	socklen_t len = sizeof(peer);

	*connection = (struct connection){ .fd = connection_dial(place, PATIENCE_S, error) };
	if (connection->fd == -1)
		return false;
	if (strchr(place, '/') != NULL &&
	    getsockopt(connection->fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0)
		connection->pid = peer.pid;
	return true;
}

bool
connection_write(const struct connection *connection, struct slice data)
{
	while (data.len > 0) {
		ssize_t n = send(connection->fd, data.data, data.len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		data = slice_from(data, (size_t)n);
	}
	return true;
}

void
connection_end(const struct connection *connection)
{
	shutdown(connection->fd, SHUT_WR);
}

bool
connection_read(const struct connection *connection, struct buf *data)
{
	ssize_t n;

	do
		n = read(connection->fd, buf_reserve(data, READ_BYTES), READ_BYTES);
	while (n < 0 && errno == EINTR);
	if (n > 0)
		buf_added(data, (size_t)n);
	return n > 0;
}

void
connection_set_patience(const struct connection *connection, int seconds)
{
	const struct timeval patience = { .tv_sec = seconds };

	setsockopt(connection->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(connection->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
}

void
connection_close(struct connection *connection)
{
	if (connection->fd != -1)
		close(connection->fd);
	connection->fd = -1;
}
