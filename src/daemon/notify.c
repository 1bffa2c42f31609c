/* SPDX-License-Identifier: BSD-2-Clause */
/* notify.c: one datagram for each message, to the socket that NOTIFY_SOCKET names. */
#include "daemon/notify.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/xalloc.h"

/* Another process is the service, and tells.  The process's, as NOTIFY_SOCKET is. */
static bool is_silent;

/* The address, and its length: an abstract name has no NUL at its end.  0: there is none. */
static socklen_t
find_socket(struct sockaddr_un *sun)
{
	const char *name = getenv("NOTIFY_SOCKET");
	size_t len = name != NULL ? strlen(name) : 0;

	if (len < 2 || len >= sizeof(sun->sun_path) || (name[0] != '/' && name[0] != '@'))
		return 0;
	*sun = (struct sockaddr_un){ .sun_family = AF_UNIX };
	memcpy(sun->sun_path, name, len);
	if (name[0] == '@')
		sun->sun_path[0] = '\0';
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + (name[0] == '/' ? 1 : 0));
}

static void __attribute__((format(printf, 1, 2)))
notify(const char *format, ...)
{
	struct sockaddr_un sun;
	socklen_t len = find_socket(&sun);
	char *text;
	va_list args;
	int fd;

	if (len == 0 || is_silent)
		return;
	va_start(args, format);
	text = xvasprintf(format, args);
	va_end(args);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || sendto(fd, text, strlen(text), MSG_NOSIGNAL, (struct sockaddr *)&sun, len) < 0)
		log_write(LOG_WARNING, "cannot notify the service manager: %m");
	if (fd >= 0)
		close(fd);
	xfree(text);
}

void
notify_ready(const char *status)
{
	notify("READY=1\nSTATUS=%s", status);
}

void
notify_reloading(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	notify("RELOADING=1\nMONOTONIC_USEC=%lld", (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
}

void
notify_stopping(const char *status)
{
	notify("STOPPING=1\nSTATUS=%s", status);
}

void
notify_main(pid_t pid)
{
	is_silent = false;
	notify("MAINPID=%ld", (long)pid);
	is_silent = pid != getpid();
}
