/* SPDX-License-Identifier: BSD-2-Clause */
/* listener_test.c: opening listening sockets, and accepting, also when descriptors run out. */
#include "tape.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "net/connect.h"
#include "net/listener.h"

enum { CLIENTS = 100 };

struct host {
	struct acceptor acceptor;
	struct loop *loop;
	int clients, gone;
	int last_fd;
	struct addr last_peer;
	bool keeps_last;
};

static void
on_client(struct acceptor *acceptor, int fd, const struct addr *peer)
{
	struct host *host = acceptor->owner;

	host->clients++;
	host->last_peer = *peer;
	if (host->keeps_last)
		host->last_fd = fd;
	else
		close(fd);
	loop_stop(host->loop);
}

static void
on_gone(struct acceptor *acceptor)
{
	struct host *host = acceptor->owner;

	host->gone++;
	loop_stop(host->loop);
}

static void
start(struct host *host, int fd)
{
	*host = (struct host){ .loop = loop_new(0), .last_fd = -1 };
	host->acceptor.owner = host;
	host->acceptor.on_client = on_client;
	host->acceptor.on_gone = on_gone;
	acceptor_start(&host->acceptor, host->loop, fd);
}

static void
stop(struct host *host)
{
	acceptor_close(&host->acceptor);
	acceptor_close(&host->acceptor);
	loop_free(&host->loop);
}

static struct listen_spec
local(void)
{
	struct listen_spec spec = { .backlog = CLIENTS };

	assert_true(addr_parse(slice_of("127.0.0.1"), 0, &spec.addr));
	return spec;
}

static struct addr
address_of(int fd)
{
	struct sockaddr_storage sa;
	socklen_t len = sizeof(sa);

	assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
	return addr_from_sockaddr((struct sockaddr *)&sa, len);
}

static int
call(const struct addr *to)
{
	int error, fd = connect_open(to, NULL, NULL, &error);

	assert_true(fd >= 0);
	return fd;
}

static int
option_of(int fd, int level, int name)
{
	int value = -1;
	socklen_t len = sizeof(value);

	getsockopt(fd, level, name, &value, &len);
	return value;
}

static void
clients_inherit_the_options(void **state)
{
	const struct tcp_settings tcp = { .keepalive_idle_s = 77, .keepalive_interval_s = 7,
		.keepalive_count = 3, .user_timeout_ms = 4321 };
	struct listen_spec spec = local();
	struct error error;
	struct host host;
	struct addr at;
	int fd, caller;

	(void)state;
	assert_true(listener_open(&spec, &tcp, 1, &fd, &error));
	at = address_of(fd);
	start(&host, fd);
	host.keeps_last = true;
	caller = call(&at);
	await(host.loop, &host.clients, 1);
	assert_int_equal(option_of(host.last_fd, IPPROTO_TCP, TCP_NODELAY), 1);
	assert_int_equal(option_of(host.last_fd, SOL_SOCKET, SO_KEEPALIVE), 1);
	assert_int_equal(option_of(host.last_fd, IPPROTO_TCP, TCP_KEEPIDLE), 77);
	assert_int_equal(option_of(host.last_fd, IPPROTO_TCP, TCP_KEEPINTVL), 7);
	assert_int_equal(option_of(host.last_fd, IPPROTO_TCP, TCP_KEEPCNT), 3);
	assert_int_equal(option_of(host.last_fd, IPPROTO_TCP, TCP_USER_TIMEOUT), 4321);
	assert_int_equal(fcntl(host.last_fd, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
	assert_int_equal(fcntl(host.last_fd, F_GETFD), FD_CLOEXEC);
	at = address_of(caller);
	assert_true(addr_equals(&host.last_peer, &at));
	close(host.last_fd);
	close(caller);
	stop(&host);
}

static void
a_burst_is_accepted_whole(void **state)
{
	struct listen_spec spec = local();
	struct error error;
	int fd, callers[CLIENTS];
	struct host host;
	struct addr at;

	(void)state;
	assert_true(listener_open(&spec, NULL, 1, &fd, &error));
	at = address_of(fd);
	start(&host, fd);
	for (int i = 0; i < CLIENTS; i++)
		callers[i] = call(&at);
	await(host.loop, &host.clients, CLIENTS);
	assert_true(loop_turn(host.loop) < CLIENTS / 2);	/* it took several a turn */
	for (int i = 0; i < CLIENTS; i++)
		close(callers[i]);
	stop(&host);
}

static void
sockets_of_one_listener_share_a_port_and_strangers_do_not(void **state)
{
	struct listen_spec spec = local();
	struct error error = { "" };
	int fds[3], other[2];

	(void)state;
	assert_true(listener_open(&spec, NULL, 3, fds, &error));
	spec.addr = address_of(fds[0]);
	for (int i = 1; i < 3; i++)
		assert_int_equal(addr_port(&spec.addr), ntohs(address_of(fds[i]).in.sin_port));
	assert_false(listener_open(&spec, NULL, 2, other, &error));
	assert_non_null(strstr(error.text, "ddress already in use"));
	assert_non_null(strstr(error.text, "127.0.0.1:"));
	assert_int_equal(other[0], -1);
	for (int i = 0; i < 3; i++)
		close(fds[i]);
}

static void
dual_stack_takes_both_families(void **state)
{
	struct listen_spec spec = { .backlog = 8, .dual_stack = true };
	struct addr v4 = { 0 }, v6 = { 0 };
	struct error error;
	struct host host;
	int fd, caller;

	(void)state;
	assert_true(addr_parse(slice_of("::"), 0, &spec.addr));
	assert_true(listener_open(&spec, NULL, 1, &fd, &error));
	assert_true(addr_parse(slice_of("127.0.0.1"), ntohs(address_of(fd).in.sin_port), &v4));
	assert_true(addr_parse(slice_of("::1"), addr_port(&v4), &v6));
	start(&host, fd);
	caller = call(&v4);
	await(host.loop, &host.clients, 1);
	assert_int_equal(host.last_peer.sa.sa_family, AF_INET);		/* and not ::ffff:127.0.0.1 */
	close(caller);
	if (option_of(fd, SOL_SOCKET, SO_DOMAIN) == AF_INET6) {
		caller = call(&v6);
		await(host.loop, &host.clients, 2);
		assert_int_equal(host.last_peer.sa.sa_family, AF_INET6);
		close(caller);
	}
	stop(&host);
}

static void
a_stale_unix_socket_is_replaced_and_a_live_one_is_not(void **state)
{
	char folder[] = "/tmp/gatepost-unit-XXXXXX", path[64];
	struct listen_spec spec = { .backlog = 8 };
	struct error error;
	int fds[2], other[1];

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/socket", folder);
	spec.addr = (struct addr){ .sa.sa_family = AF_UNIX, .path = path };
	assert_true(listener_open(&spec, NULL, 2, fds, &error));
	assert_false(listener_open(&spec, NULL, 1, other, &error));
	assert_non_null(strstr(error.text, path));
	close(fds[0]);
	close(fds[1]);
	assert_true(listener_open(&spec, NULL, 1, other, &error));
	close(other[0]);
	unlink(path);
	rmdir(folder);
}

static void
paused_clients_wait_in_the_backlog(void **state)
{
	struct listen_spec spec = local();
	struct error error;
	struct host host;
	struct addr at;
	int fd, caller;

	(void)state;
	assert_true(listener_open(&spec, NULL, 1, &fd, &error));
	at = address_of(fd);
	start(&host, fd);
	acceptor_pause(&host.acceptor);
	caller = call(&at);
	turn_a_little(host.loop);
	assert_int_equal(host.clients, 0);
	acceptor_resume(&host.acceptor);
	await(host.loop, &host.clients, 1);
	close(caller);
	stop(&host);
}

static void
a_dropped_listener_serves_who_waits_and_then_is_gone(void **state)
{
	struct listen_spec spec = local();
	int fd, error_number, callers[CLIENTS];
	struct error error;
	struct host host;
	struct addr at;

	(void)state;
	assert_true(listener_open(&spec, NULL, 1, &fd, &error));
	at = address_of(fd);
	start(&host, fd);
	acceptor_pause(&host.acceptor);
	for (int i = 0; i < CLIENTS; i++)
		callers[i] = call(&at);
	acceptor_drop(&host.acceptor);
	await(host.loop, &host.gone, 1);
	assert_int_equal(host.clients, CLIENTS);
	for (int i = 0; i < CLIENTS; i++)
		close(callers[i]);
	fd = connect_open(&at, NULL, NULL, &error_number);
	if (fd >= 0) {
		struct pollfd waiting = { .fd = fd, .events = POLLOUT };

		assert_int_equal(poll(&waiting, 1, 5000), 1);
		assert_int_equal(option_of(fd, SOL_SOCKET, SO_ERROR), ECONNREFUSED);
		close(fd);
	}
	stop(&host);
}

/* Opens descriptors until there are none left; the number of them. */
static int
exhaust(int *fds, int most)
{
	int count = 0;

	while (count < most && (fds[count] = open("/dev/null", O_RDONLY)) >= 0)
		count++;
	return count;
}

static void
running_out_of_descriptors_is_survived(void **state)
{
	struct rlimit before, small;
	struct listen_spec spec = local();
	int fd, held[64], count, callers[2], saved, sink;
	struct error error;
	struct host host;
	struct addr at;
	char end;

	(void)state;
	assert_true(listener_open(&spec, NULL, 1, &fd, &error));
	at = address_of(fd);
	start(&host, fd);
	callers[0] = call(&at);
	callers[1] = call(&at);
	saved = dup(STDERR_FILENO);
	sink = open("/dev/null", O_WRONLY);	/* for the complaint */
	dup2(sink, STDERR_FILENO);
	close(sink);
	getrlimit(RLIMIT_NOFILE, &before);
	small = (struct rlimit){ .rlim_cur = 64, .rlim_max = before.rlim_max };
	setrlimit(RLIMIT_NOFILE, &small);
	count = exhaust(held, 64);
	assert_true(count > 0);

	/* the first is turned away, the second waits, and the loop does not spin on it */
	turn_a_little(host.loop);
	assert_int_equal(host.clients, 0);
	assert_true(loop_timer_is_set(&host.acceptor.pause));
	assert_int_equal(recv(callers[0], &end, 1, 0), 0);
	assert_int_equal(recv(callers[1], &end, 1, MSG_DONTWAIT), -1);
	assert_true(host.acceptor.reserve >= 0);

	while (count > 0)
		close(held[--count]);
	setrlimit(RLIMIT_NOFILE, &before);
	await(host.loop, &host.clients, 1);
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(callers[0]);
	close(callers[1]);
	stop(&host);
}

static void
everybody_may_connect_to_a_unix_socket(void **state)
{
	char folder[] = "/tmp/listener-test-XXXXXX", path[64];
	struct listen_spec spec = { .backlog = 5 };
	struct tcp_settings tcp = { 0 };
	struct error error;
	struct stat st;
	mode_t umask_before = umask(077);
	int fd;

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/socket", folder);
	spec.addr = (struct addr){ .sa.sa_family = AF_UNIX, .path = path };
	assert_true(listener_open(&spec, &tcp, 1, &fd, &error));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0666);
	umask(umask_before);
	close(fd);
	unlink(path);
	rmdir(folder);
}

/* Of two sockets at one port, which share its clients; false: nobody listens there. */
static bool
is_reachable(const struct addr *at)
{
	struct sockaddr_storage sa;
	socklen_t len = addr_to_sockaddr(at, &sa);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool is_reachable = connect(fd, (struct sockaddr *)&sa, len) == 0;

	close(fd);
	return is_reachable;
}

static void
a_listener_refuses_and_listens_again(void **state)
{
	struct listen_spec spec = local();
	struct error error;
	struct host hosts[2];
	struct addr at;
	int fds[2];

	(void)state;
	/* a port that the kernel chose is its own again with the end of listening */
	assert_true(listener_open(&spec, NULL, 1, fds, &error));
	at = address_of(fds[0]);
	close(fds[0]);
	spec.addr = at;
	assert_true(listener_open(&spec, NULL, 2, fds, &error));
	for (int turn = 0; turn < 3; turn++) {
		for (int i = 0; i < 2; i++) {
			if (turn == 0)
				start(&hosts[i], fds[i]);
			acceptor_refuse(&hosts[i].acceptor);
			acceptor_refuse(&hosts[i].acceptor);
			assert_int_equal(is_reachable(&at), i == 0);
		}
		assert_true(acceptor_listen(&hosts[turn % 2].acceptor, CLIENTS));
		assert_true(is_reachable(&at));
		await(hosts[turn % 2].loop, &hosts[turn % 2].clients, hosts[turn % 2].clients + 1);
		assert_true(acceptor_listen(&hosts[turn % 2].acceptor, CLIENTS));
		assert_true(acceptor_listen(&hosts[1 - turn % 2].acceptor, CLIENTS));
	}
	acceptor_refuse(&hosts[0].acceptor);
	acceptor_drop(&hosts[0].acceptor);
	await(hosts[0].loop, &hosts[0].gone, 1);
	stop(&hosts[0]);
	stop(&hosts[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clients_inherit_the_options),
		cmocka_unit_test(a_burst_is_accepted_whole),
		cmocka_unit_test(sockets_of_one_listener_share_a_port_and_strangers_do_not),
		cmocka_unit_test(dual_stack_takes_both_families),
		cmocka_unit_test(a_stale_unix_socket_is_replaced_and_a_live_one_is_not),
		cmocka_unit_test(everybody_may_connect_to_a_unix_socket),
		cmocka_unit_test(paused_clients_wait_in_the_backlog),
		cmocka_unit_test(a_dropped_listener_serves_who_waits_and_then_is_gone),
		cmocka_unit_test(a_listener_refuses_and_listens_again),
		cmocka_unit_test(running_out_of_descriptors_is_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
