/* SPDX-License-Identifier: BSD-2-Clause */
/* notify_test.c: datagrams as a service manager sees them, by path and by abstract name. */
#include "daemon/notify.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

/* A socket that receives; its name, as NOTIFY_SOCKET has it, is put into the environment. */
static int
listen_at(const char *name)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	size_t len = strlen(name);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	memcpy(sun.sun_path, name, len);
	if (name[0] == '@')
		sun.sun_path[0] = '\0';
	len += offsetof(struct sockaddr_un, sun_path);
	assert_int_equal(bind(fd, (struct sockaddr *)&sun, (socklen_t)len), 0);
	assert_int_equal(setenv("NOTIFY_SOCKET", name, 1), 0);
	return fd;
}

static void
must_receive(int fd, const char *wanted)
{
	char text[256];
	ssize_t n = recv(fd, text, sizeof(text) - 1, 0);

	assert_true(n > 0);
	text[n] = '\0';
	assert_string_equal(text, wanted);
}

static void
tells_by_path(void **state)
{
	char folder[] = "/tmp/notify-test.XXXXXX", path[64], text[128];
	long long microseconds;
	ssize_t n;
	int fd;

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/socket", folder);
	fd = listen_at(path);
	notify_ready("2 threads");
	must_receive(fd, "READY=1\nSTATUS=2 threads");
	notify_reloading();
	n = recv(fd, text, sizeof(text) - 1, 0);
	assert_true(n > 0);
	text[n] = '\0';
	assert_int_equal(sscanf(text, "RELOADING=1\nMONOTONIC_USEC=%lld", &microseconds), 1);
	assert_true(microseconds > 0);
	notify_stopping("draining");
	must_receive(fd, "STOPPING=1\nSTATUS=draining");
	close(fd);
	unlink(path);
	rmdir(folder);
}

static void
tells_by_abstract_name(void **state)
{
	char name[64];
	int fd;

	(void)state;
	snprintf(name, sizeof(name), "@gatepost-notify-test-%ld", (long)getpid());
	fd = listen_at(name);
	notify_ready("abstract");
	must_receive(fd, "READY=1\nSTATUS=abstract");
	close(fd);
}

static void
is_silent_without_manager(void **state)
{
	(void)state;
	unsetenv("NOTIFY_SOCKET");
	notify_ready("nobody");
	setenv("NOTIFY_SOCKET", "neither a path nor abstract", 1);
	notify_ready("nobody");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tells_by_path),
		cmocka_unit_test(tells_by_abstract_name),
		cmocka_unit_test(is_silent_without_manager),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
