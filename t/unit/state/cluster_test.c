/* SPDX-License-Identifier: BSD-2-Clause */
/* cluster_test.c: what Redis refuses is told once, and a proxy hears where others are heard. */
#include "shared_rig.h"

#include <poll.h>
#include <sys/un.h>

#include "state/cluster.h"

#ifdef HAVE_HIREDIS
static const struct cluster_script writes = {
	"writes", "return redis.call('SET', KEYS[1], 'x', 'PX', 60000)", 1, false
};

struct run {
	struct cluster_call call;
	int answers, failures;
};

static void
on_reply(struct cluster_call *call, const struct redis_reply *reply)
{
	struct run *run = list_entry(call, struct run, call);

	run->answers++;
	run->failures += reply == NULL;
}

/* A proxy of a user with these rights. */
static struct cluster *
join_as_user(struct rig *rig, const char *rights)
{
	struct cluster_settings settings = {
		.group = { .url.url.path = rig->server.path, .redis = { .user = "gp", .password = "pw" } },
		.prefix = "gp", .name = "lb3", .timeout_ms = TIMEOUT,
	};
	struct cluster *cluster;
	char words[256];

	snprintf(words, sizeof(words), "acl setuser gp on '>pw' '~gp:1:*' %s", rights);
	run_cli(rig, words);
	cluster = cluster_new(&settings, 1);
	cluster_join(cluster, rig->loop);
	return cluster;
}

static bool
is_deaf(void *arg)
{
	return cluster_is_deaf(arg);
}

static bool
hears(void *arg)
{
	return cluster_misses(arg) > 0;
}

static bool
hears_again(void *arg)
{
	return cluster_misses(arg) > 1;
}

static bool
is_refused_twice(void *arg)
{
	const struct rig *rig = arg;
	char command[256];

	snprintf(command, sizeof(command),
	    "redis-cli -s %s info commandstats | grep -q '^cmdstat_subscribe:.*rejected_calls=[2-9]'",
	    rig->server.path);
	return system(command) == 0;
}

static void
a_refused_subscription_is_told_once(void **state)
{
	struct rig *rig = *state;
	struct cluster *cluster;

	begin_logging(rig);
	cluster = join_as_user(rig, "resetchannels +@all");
	await_that(rig, is_deaf, cluster);
	await_that(rig, is_refused_twice, rig);
	assert_int_equal(cluster_misses(cluster), 0);
	run_cli(rig, "acl setuser gp '&gp:1:*'");
	await_that(rig, hears, cluster);
	assert_false(cluster_is_deaf(cluster));
	cluster_leave(cluster, rig->loop);
	cluster_free(&cluster);
	assert_int_equal(end_logging(rig, "does not let us subscribe to gp:1:said"), 1);
}

static bool
is_down(void *arg)
{
	const struct rig *rig = arg;

	return !cluster_is_up(rig->clusters[0], rig->loop);
}

static bool
is_up(void *arg)
{
	return !is_down(arg);
}

static bool
is_answered(void *arg)
{
	return ((const struct run *)arg)->answers > 0;
}

/* However long it lasts: each connection tells once that it is lost. */
static void
a_redis_that_is_away_is_told_of_once(void **state)
{
	enum { LONG_MS = 8000, LINES = 3 };	/* of a link and a subscription, and one that is made anew */
	struct rig *rig = *state;

	for (int i = 0; i < PROXIES; i++)
		await_that(rig, hears, rig->clusters[i]);
	begin_logging(rig);
	redis_server_stop(&rig->server);
	wait_ms(rig->loop, LONG_MS);
	assert_in_range(end_logging(rig, "redis unix:"), 1, LINES * PROXIES);
	redis_server_start(&rig->server, "");
	await_server(rig);
	for (int i = 0; i < PROXIES; i++)
		await_that(rig, hears_again, rig->clusters[i]);
}

static bool
run_writes(struct rig *rig, struct cluster *cluster)
{
	struct run run = { .call.on_reply = on_reply };
	struct slice key = slice_of("gp:1:{x}");

	if (!cluster_run(cluster, rig->loop, &run.call, &writes, &key, 1))
		return false;
	await_that(rig, is_answered, &run);
	return run.failures == 0;
}

static bool
is_probed_in_vain(void *arg)
{
	const struct rig *rig = arg;
	char command[256];

	snprintf(command, sizeof(command),
	    "redis-cli -s %s info errorstats | grep -qE '^errorstat_OOM:count=([1-9][0-9]|[5-9])'",
	    rig->server.path);
	return system(command) == 0;
}

static void
who_cannot_write_is_not_there_and_told_of_once(void **state)
{
	struct rig *rig = *state;

	begin_logging(rig);
	assert_true(run_writes(rig, rig->clusters[0]));
	run_cli(rig, "config set maxmemory 1");
	for (int i = 0; i < 3; i++)
		assert_false(run_writes(rig, rig->clusters[0]));
	assert_true(is_down(rig));
	/* a probe that is answered by an error is no answer */
	await_that(rig, is_probed_in_vain, rig);
	assert_true(is_down(rig));
	run_cli(rig, "config set maxmemory 0");
	await_that(rig, is_up, rig);
	assert_true(run_writes(rig, rig->clusters[0]));
	assert_int_equal(end_logging(rig, "maxmemory is used up"), 1);
}

static void
a_missing_right_is_told_once_with_its_remedy(void **state)
{
	struct rig *rig = *state;
	struct cluster *cluster = join_as_user(rig, "'&gp:1:*' +@all -set");

	await_that(rig, hears, cluster);
	begin_logging(rig);
	for (int i = 0; i < 6; i++)
		(void)run_writes(rig, cluster);
	cluster_leave(cluster, rig->loop);
	cluster_free(&cluster);
	assert_int_equal(end_logging(rig, "ACL SETUSER NAME ~PREFIX:*"), 1);
}

static void
the_rights_that_are_advised_are_enough(void **state)
{
	struct rig *rig = *state;
	struct cluster *cluster = join_as_user(rig,
	    "'&gp:1:*' +@read +@write +@pubsub +@scripting +@connection +time +role +cluster");

	await_that(rig, hears, cluster);
	assert_true(run_writes(rig, cluster));
	cluster_leave(cluster, rig->loop);
	cluster_free(&cluster);
}

/* Takes what is published, and tells nobody.  A byte to `told` for each subscription. */
static void
be_deaf(int listening, int told)
{
	enum { CLIENTS = 16 };
	struct pollfd fds[CLIENTS] = { { .fd = listening, .events = POLLIN } };
	int count = 1;

	while (poll(fds, (nfds_t)count, -1) > 0) {
		if (fds[0].revents != 0 && count < CLIENTS)
			fds[count++] = (struct pollfd){ accept(listening, NULL, NULL), POLLIN, 0 };
		for (int i = 1; i < count; i++) {
			char bytes[4096];
			const char *answer = "+PONG\r\n";
			ssize_t n = fds[i].revents != 0 ? recv(fds[i].fd, bytes, sizeof(bytes) - 1, 0) : -1;

			fds[i].fd = n == 0 ? -1 : fds[i].fd;
			if (n <= 0)
				continue;
			bytes[n] = '\0';
			if (strstr(bytes, "SUBSCRIBE") != NULL) {
				answer = "*3\r\n$9\r\nsubscribe\r\n$9\r\ngp:1:said\r\n:1\r\n";
				if (write(told, "s", 1) != 1)
					_exit(1);
			} else if (strstr(bytes, "PUBLISH") != NULL) {
				answer = ":1\r\n";
			}
			(void)send(fds[i].fd, answer, strlen(answer), MSG_NOSIGNAL);
		}
	}
}

struct deaf_server {
	struct redis_server server;
	int told[2], subscriptions;
};

static void
start_deaf(struct deaf_server *deaf)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	assert_int_equal(redis_server_init(&deaf->server), 0);
	snprintf(at.sun_path, sizeof(at.sun_path), "%s", deaf->server.path);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(fd, 10), 0);
	assert_int_equal(pipe(deaf->told), 0);
	deaf->server.pid = fork();
	if (deaf->server.pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		be_deaf(fd, deaf->told[1]);
		_exit(0);
	}
	close(fd);
}

static bool
is_subscribed_anew(void *arg)
{
	struct deaf_server *deaf = arg;
	struct pollfd fd = { .fd = deaf->told[0], .events = POLLIN };
	char byte;

	if (poll(&fd, 1, 0) > 0 && read(deaf->told[0], &byte, 1) == 1)
		deaf->subscriptions++;
	return deaf->subscriptions > 1;
}

static void
who_does_not_hear_itself_goes_elsewhere(void **state)
{
	struct rig *rig = *state;
	struct deaf_server deaf = { .subscriptions = 0 };
	struct cluster_settings settings = {
		.group.url.url.path = deaf.server.path, .prefix = "gp", .name = "lb3", .timeout_ms = 500,
	};
	struct cluster *cluster;

	start_deaf(&deaf);
	cluster = cluster_new(&settings, 1);
	cluster_join(cluster, rig->loop);
	await_that(rig, is_subscribed_anew, &deaf);
	cluster_leave(cluster, rig->loop);
	cluster_free(&cluster);
	redis_server_clear(&deaf.server);
	close(deaf.told[0]);
	close(deaf.told[1]);
}
#endif

int
main(void)
{
#ifdef HAVE_HIREDIS
	const struct CMUnitTest tests[] = {
		REDIS_TEST(a_refused_subscription_is_told_once),
		REDIS_TEST(who_cannot_write_is_not_there_and_told_of_once),
		REDIS_TEST(a_missing_right_is_told_once_with_its_remedy),
		REDIS_TEST(the_rights_that_are_advised_are_enough),
		REDIS_TEST(a_redis_that_is_away_is_told_of_once),
		REDIS_TEST(who_does_not_hear_itself_goes_elsewhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
#else
	puts("1..0 # SKIP built without hiredis");
	return 0;
#endif
}
