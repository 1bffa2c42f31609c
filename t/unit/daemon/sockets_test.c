/* SPDX-License-Identifier: BSD-2-Clause */
/* sockets_test.c: addresses keep their number and their sockets over reloads, also over failed ones. */
#include "daemon/sockets.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/random.h"
#include "base/slice.h"

enum { THREADS = 2 };

static const struct tcp_settings tcp;

/* A port that is free at all addresses, below those that the kernel gives to whoever connects meanwhile. */
static uint16_t
free_port(void)
{
	enum { LOW = 2000, COUNT = 8000 };
	struct sockaddr_in in = { .sin_family = AF_INET };
	int tries = 0, fd;

	do {
		fd = socket(AF_INET, SOCK_STREAM, 0);
		in.sin_port = htons((uint16_t)(LOW + random_number() % COUNT));
		if (bind(fd, (struct sockaddr *)&in, sizeof(in)) == 0)
			break;
		close(fd);
	} while (++tries < COUNT);
	assert_true(tries < COUNT);
	close(fd);
	return ntohs(in.sin_port);
}

static struct listen_spec
spec_of(const char *host, uint16_t port)
{
	struct listen_spec spec = { .backlog = 5 };

	assert_true(addr_parse(slice_of(host), port, &spec.addr));
	return spec;
}

static bool
can_connect(const struct listen_spec *spec)
{
	struct sockaddr_storage sa;
	socklen_t len = addr_to_sockaddr(&spec->addr, &sa);
	int fd = socket(sa.ss_family, SOCK_STREAM, 0);
	bool ok = connect(fd, (struct sockaddr *)&sa, len) == 0;

	close(fd);
	return ok;
}

static void
numbers_outlive_reloads(void **state)
{
	struct socket_table *table = socket_table_new(THREADS);
	struct listen_spec a = spec_of("127.0.0.1", free_port()), b = spec_of("127.0.0.2", free_port());
	struct error error;
	int number, other, fds[THREADS];

	(void)state;
	number = socket_claim(table, &a, &tcp, &error);
	assert_true(number >= 0);
	for (int i = 0; i < THREADS; i++) {
		fds[i] = socket_take(table, number, i);
		assert_true(fds[i] >= 0);
		assert_int_equal(socket_take(table, number, i), -1);
	}
	sockets_commit(table);

	/* kept, and one more that is undone */
	assert_int_equal(socket_claim(table, &a, &tcp, &error), number);
	other = socket_claim(table, &b, &tcp, &error);
	assert_true(other >= 0 && other != number);
	assert_true(can_connect(&b));
	sockets_undo(table);
	assert_false(can_connect(&b));
	assert_true(can_connect(&a));

	/* kept again: there is nothing to take */
	assert_int_equal(socket_claim(table, &a, &tcp, &error), number);
	assert_int_equal(socket_take(table, number, 0), -1);
	sockets_commit(table);

	/* dropped: the sockets are their workers', only the number is gone */
	sockets_commit(table);
	for (int i = 0; i < THREADS; i++)
		close(fds[i]);
	other = socket_claim(table, &a, &tcp, &error);
	assert_true(other >= 0 && other != number);
	socket_table_free(&table);
	assert_false(can_connect(&a));
}

static void
one_address_and_all_share_a_port(void **state)
{
	struct socket_table *table = socket_table_new(THREADS);
	uint16_t port = free_port();
	struct listen_spec one = spec_of("127.0.0.1", port), all = spec_of("0.0.0.0", port);
	struct error error;
	int number;

	(void)state;
	number = socket_claim(table, &one, &tcp, &error);
	assert_true(number >= 0);
	sockets_commit(table);
	assert_int_not_equal(socket_claim(table, &all, &tcp, &error), -1);
	sockets_commit(table);
	socket_table_free(&table);
}

static void
takes_no_port_of_another(void **state)
{
	struct socket_table *table = socket_table_new(THREADS), *other = socket_table_new(THREADS);
	struct listen_spec spec = spec_of("127.0.0.1", free_port());
	struct error error;

	(void)state;
	assert_true(socket_claim(other, &spec, &tcp, &error) >= 0);
	assert_int_equal(socket_claim(table, &spec, &tcp, &error), -1);
	assert_non_null(strstr(error.text, "Address already in use"));
	socket_table_free(&other);
	socket_table_free(&table);
}

static void
says_what_cannot_be_bound(void **state)
{
	struct socket_table *table = socket_table_new(THREADS);
	struct listen_spec foreign = spec_of("192.0.2.1", 25);
	struct error error;

	(void)state;
	assert_int_equal(socket_claim(table, &foreign, &tcp, &error), -1);
	assert_non_null(strstr(error.text, "192.0.2.1:25"));
	sockets_undo(table);
	socket_table_free(&table);
}

static void
unix_sockets_leave_no_file(void **state)
{
	char folder[] = "/tmp/sockets-test.XXXXXX", path[64];
	struct socket_table *table = socket_table_new(THREADS);
	struct listen_spec spec = { .addr = { .sa = { .sa_family = AF_UNIX }, .path = path }, .backlog = 5 };
	struct error error;

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/socket", folder);
	assert_true(socket_claim(table, &spec, &tcp, &error) >= 0);
	assert_int_equal(access(path, F_OK), 0);
	sockets_commit(table);
	sockets_commit(table);
	assert_int_equal(access(path, F_OK), -1);
	socket_table_free(&table);
	assert_int_equal(rmdir(folder), 0);
}

static void
keep_copies(void *owner, const char *key, const int *fds, int count)
{
	int copies[2 * THREADS];

	assert_true(count <= 2 * THREADS);
	for (int i = 0; i < count; i++)
		copies[i] = dup(fds[i]);
	sockets_inherit(owner, key, copies, count);
}

static void
count_left(void *owner, const char *key)
{
	assert_non_null(key);
	++*(int *)owner;
}

/* Another table, as of another process with so many threads, that has what the first one has. */
static struct socket_table *
heir_of(const struct socket_table *table, int threads)
{
	struct socket_table *heir = socket_table_new(threads);

	sockets_each(table, keep_copies, heir);
	return heir;
}

static int
accept_all(int fd)
{
	int count = 0, client;

	while ((client = accept(fd, NULL, NULL)) >= 0) {
		close(client);
		count++;
	}
	return count;
}

/* All sockets that clients may wait at are somebody's, whatever the number of threads was and is. */
static void
every_inherited_socket_is_served(void **state)
{
	enum { CLIENTS = 32 };
	static const int threads[] = { 1, 2, 3, 4 };
	struct listen_spec spec = spec_of("127.0.0.1", free_port());
	struct error error;

	(void)state;
	spec.backlog = CLIENTS;
	for (size_t i = 0; i < sizeof(threads) / sizeof(threads[0]); i++) {
		struct socket_table *table = socket_table_new(THREADS), *heir;
		int number, fd, sockets = 0, accepted = 0;

		assert_true(socket_claim(table, &spec, &tcp, &error) >= 0);
		heir = heir_of(table, threads[i]);
		number = socket_claim(heir, &spec, &tcp, &error);
		assert_true(number >= 0);
		for (int c = 0; c < CLIENTS; c++)
			assert_true(can_connect(&spec));
		socket_table_free(&table);
		for (int worker = 0; worker < threads[i]; worker++) {
			while ((fd = socket_take(heir, number, worker)) >= 0) {
				sockets++;
				accepted += accept_all(fd);
				close(fd);
			}
		}
		assert_int_equal(sockets, threads[i] > THREADS ? threads[i] : THREADS);
		assert_int_equal(accepted, CLIENTS);
		socket_table_free(&heir);
	}
}

static void
give(void *owner, const char *key, const int *fds, int count)
{
	(void)fds;
	(void)count;
	sockets_give(owner, key, true);
}

static void
files_are_removed_by_whoever_has_the_sockets(void **state)
{
	char folder[] = "/tmp/sockets-test.XXXXXX", path[64];
	struct listen_spec spec = { .addr = { .sa.sa_family = AF_UNIX, .path = path }, .backlog = 1 };
	struct socket_table *table = socket_table_new(THREADS), *heir;
	struct error error;
	int left = 0;

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/socket", folder);
	assert_true(socket_claim(table, &spec, &tcp, &error) >= 0);
	sockets_commit(table);

	/* one that fails, and one that wants no such socket */
	heir = heir_of(table, 1);
	assert_true(socket_claim(heir, &spec, &tcp, &error) >= 0);
	sockets_each_left(heir, count_left, &left);
	assert_int_equal(left, 0);
	sockets_undo(heir);
	socket_table_free(&heir);
	heir = heir_of(table, 1);
	sockets_each_left(heir, count_left, &left);
	assert_int_equal(left, 1);
	sockets_commit(heir);
	socket_table_free(&heir);
	assert_int_equal(access(path, F_OK), 0);

	heir = heir_of(table, 1);
	assert_true(socket_claim(heir, &spec, &tcp, &error) >= 0);
	sockets_commit(heir);
	sockets_each(table, give, table);
	socket_table_free(&table);
	assert_int_equal(access(path, F_OK), 0);
	socket_table_free(&heir);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(rmdir(folder), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_outlive_reloads),
		cmocka_unit_test(one_address_and_all_share_a_port),
		cmocka_unit_test(takes_no_port_of_another),
		cmocka_unit_test(says_what_cannot_be_bound),
		cmocka_unit_test(unix_sockets_leave_no_file),
		cmocka_unit_test(every_inherited_socket_is_served),
		cmocka_unit_test(files_are_removed_by_whoever_has_the_sockets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
