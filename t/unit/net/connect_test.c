/* SPDX-License-Identifier: BSD-2-Clause */
/* connect_test.c: the options and the source address of outgoing sockets. */
#include "tape.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include "net/connect.h"

static int
option_of(int fd, int level, int name)
{
	int value = -1;
	socklen_t len = sizeof(value);

	getsockopt(fd, level, name, &value, &len);
	return value;
}

static int
listen_local(struct addr *addr)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(in);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&in, len), 0);
	assert_int_equal(listen(fd, 8), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &len), 0);
	*addr = addr_from_sockaddr((struct sockaddr *)&in, len);
	return fd;
}

static void
sockets_have_the_options_and_the_source(void **state)
{
	const struct tcp_settings tcp = { .keepalive_idle_s = 77, .user_timeout_ms = 4321 };
	struct sockaddr_in in;
	socklen_t len = sizeof(in);
	struct addr to, source;
	int error, fd, listening = listen_local(&to);

	(void)state;
	assert_true(addr_parse(slice_of("127.0.0.3"), 0, &source));
	fd = connect_open(&to, &source, &tcp, &error);
	assert_true(fd >= 0);
	assert_true(error == 0 || error == EINPROGRESS);
	assert_int_equal(option_of(fd, IPPROTO_TCP, TCP_NODELAY), 1);
	assert_int_equal(option_of(fd, SOL_SOCKET, SO_KEEPALIVE), 1);
	assert_int_equal(option_of(fd, IPPROTO_TCP, TCP_KEEPIDLE), 77);
	assert_int_equal(option_of(fd, IPPROTO_TCP, TCP_USER_TIMEOUT), 4321);
	assert_int_equal(fcntl(fd, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &len), 0);
	assert_int_equal(in.sin_addr.s_addr, source.in.sin_addr.s_addr);
	close(fd);
	close(listening);
}

static void
impossible_ones_say_why(void **state)
{
	struct addr none = { 0 }, foreign, to;
	int error, listening = listen_local(&to);

	(void)state;
	assert_int_equal(connect_open(&none, NULL, NULL, &error), -1);
	assert_int_not_equal(error, 0);
	assert_true(addr_parse(slice_of("192.0.2.1"), 0, &foreign));
	assert_int_equal(connect_open(&to, &foreign, NULL, &error), -1);
	assert_int_equal(error, EADDRNOTAVAIL);
	close(listening);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sockets_have_the_options_and_the_source),
		cmocka_unit_test(impossible_ones_say_why),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
