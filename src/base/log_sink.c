/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * log_sink.c: standard error, files, and the datagram sockets of syslog
 * and the journal.
 */
#include "base/log_sink.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/addr.h"
#include "base/clock.h"
#include "base/log_datagram.h"
#include "base/xalloc.h"

#define SYSLOG_PATH "/dev/log"
#define JOURNAL_PATH "/run/systemd/journal/socket"

enum {
	FILE_MODE = 0640,
	POLL_MAX_MS = 1000,
};

struct log_sink {
	enum log_target target;
	enum log_datagram datagram;	/* of a socket */
	char *path;			/* of the file or the socket; NULL for standard error */
	int fd;
	bool torn;			/* the last line was cut short: the next one starts with a newline */
};

static int
open_file(const char *path)
{
	struct stat st;
	int access = O_WRONLY;

	/* a FIFO opened for reading too neither waits for its reader nor breaks when that goes */
	if (stat(path, &st) == 0 && S_ISFIFO(st.st_mode))
		access = O_RDWR;
	return open(path, access | O_CREAT | O_APPEND | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, FILE_MODE);
}

static int
open_socket(const char *path)
{
	struct addr addr = { .sa = { .sa_family = AF_UNIX }, .path = path };
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(&addr, &ss);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd >= 0 && connect(fd, (struct sockaddr *)&ss, len) != 0) {
		int reason = errno;

		close(fd);
		errno = reason;
		fd = -1;
	}
	return fd;
}

static bool
is_socket(const struct log_sink *sink)
{
	return sink->target == LOG_TARGET_SYSLOG || sink->target == LOG_TARGET_JOURNAL;
}

static int
open_target(enum log_target target, const char *path)
{
	switch (target) {
	case LOG_TARGET_SYSLOG:
	case LOG_TARGET_JOURNAL:
		return open_socket(path);
	case LOG_TARGET_FILE:
		return open_file(path);
	case LOG_TARGET_STDERR:
		break;
	}
	return STDERR_FILENO;
}

static const char *
path_of(const struct log_settings *settings)
{
	switch (settings->target) {
	case LOG_TARGET_SYSLOG:
		return settings->path != NULL ? settings->path : SYSLOG_PATH;
	case LOG_TARGET_JOURNAL:
		return settings->path != NULL ? settings->path : JOURNAL_PATH;
	case LOG_TARGET_FILE:
		return settings->path;
	case LOG_TARGET_STDERR:
		break;
	}
	return NULL;
}

struct log_sink *
log_sink_open(const struct log_settings *settings, struct error *error)
{
	const char *path = path_of(settings);
	int fd = open_target(settings->target, path);
	struct log_sink *sink;

	if (fd < 0) {
		error_set(error, "%s: %s", path, strerror(errno));
		return NULL;
	}
	sink = xcalloc(1, sizeof(*sink));
	sink->target = settings->target;
	sink->datagram = settings->target == LOG_TARGET_JOURNAL ? LOG_DATAGRAM_JOURNAL :
	    settings->syslog == LOG_SYSLOG_RFC5424		? LOG_DATAGRAM_RFC5424 :
								  LOG_DATAGRAM_RFC3164;
	sink->path = path != NULL ? xstrdup(path) : NULL;
	sink->fd = fd;
	return sink;
}

void
log_sink_close(struct log_sink **sink)
{
	struct log_sink *s = *sink;

	*sink = NULL;
	if (s == NULL)
		return;
	if (s->fd != STDERR_FILENO)
		close(s->fd);
	xfree(s->path);
	xfree(s);
}

bool
log_sink_reopen(struct log_sink *sink, struct error *error)
{
	int fd;

	if (sink->target == LOG_TARGET_STDERR)
		return true;
	fd = open_target(sink->target, sink->path);
	if (fd < 0)
		return error_set(error, "%s: %s", sink->path, strerror(errno));
	close(sink->fd);
	sink->fd = fd;
	sink->torn = false;
	return true;
}

/* Waits until there may be room; false: not in time. */
static bool
wait_for_room(int fd, int64_t until_ms)
{
	struct pollfd pfd = { .fd = fd, .events = POLLOUT };

	for (;;) {
		int64_t left = until_ms - clock_ms();
		int timeout = left <= 0 ? 0 : left < POLL_MAX_MS ? (int)left : POLL_MAX_MS;

		if (poll(&pfd, 1, timeout) > 0)
			return true;
		if (timeout == 0)
			return false;
	}
}

/* poll may call writable what then has too little room; a moment later that may be better. */
static bool
wait_a_moment(int64_t until_ms)
{
	if (clock_ms() >= until_ms)
		return false;
	poll(NULL, 0, 1);
	return true;
}

/*
 * Standard error is shared with other processes, so it cannot be made
 * non-blocking: a pipe that poll calls writable takes PIPE_BUF bytes.
 */
static bool
write_bytes(struct log_sink *sink, struct slice s, int64_t until_ms)
{
	while (s.len > 0) {
		ssize_t n;

		if (!wait_for_room(sink->fd, until_ms))
			return false;
		n = write(sink->fd, s.data, s.len < PIPE_BUF ? s.len : PIPE_BUF);
		if (n >= 0) {
			s = slice_from(s, (size_t)n);
			sink->torn = s.len > 0;
		} else if (errno == EAGAIN) {
			if (!wait_a_moment(until_ms))
				return false;
		} else if (errno != EINTR) {
			return false;
		}
	}
	return true;
}

static bool
write_stream(struct log_sink *sink, const struct log_line *line, int64_t until_ms)
{
	struct buf out = { 0 };
	bool written;

	if (sink->torn)
		buf_append(&out, "\n", 1);
	log_line_render(line, &out);
	written = write_bytes(sink, buf_slice(&out), until_ms);
	buf_clear(&out);
	return written;
}

static bool
send_datagram(struct log_sink *sink, struct slice s, int64_t until_ms)
{
	bool reconnected = false;

	for (;;) {
		struct error ignored;

		if (send(sink->fd, s.data, s.len, MSG_NOSIGNAL) >= 0)
			return true;
		if (errno == EAGAIN) {
			if (!wait_for_room(sink->fd, until_ms) || !wait_a_moment(until_ms))
				return false;
		} else if (errno == EMSGSIZE && s.len > PIPE_BUF) {
			s.len /= 2;
		} else if (errno != EINTR) {
			/* the daemon behind the socket may have been restarted */
			if (reconnected || !log_sink_reopen(sink, &ignored))
				return false;
			reconnected = true;
		}
	}
}

bool
log_sink_write(struct log_sink *sink, const struct log_line *line, int64_t until_ms)
{
	struct buf out = { 0 };
	bool written;

	if (!is_socket(sink))
		return write_stream(sink, line, until_ms);
	log_datagram_render(sink->datagram, line, &out);
	written = send_datagram(sink, buf_slice(&out), until_ms);
	buf_clear(&out);
	return written;
}
