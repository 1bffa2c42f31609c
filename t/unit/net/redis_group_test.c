/* SPDX-License-Identifier: BSD-2-Clause */
/* redis_group_test.c: commands find the server that has their data: one, the sentinels' master, a cluster. */
#include "tape.h"

#include <arpa/inet.h>

#include "base/arena.h"
#include "net/redis_group.h"
#include "redis_server.h"

#ifdef HAVE_HIREDIS
enum { PATIENCE_MS = 15000, SERVERS_MAX = 4, BYTES_MAX = 64 * 1024, PARTS_MAX = 100 };

struct farm {
	char folder[64];
	pid_t pids[SERVERS_MAX];
	int ports[SERVERS_MAX];
	int count;
};

struct asked {
	struct redis_errand errand;
	struct loop *loop;
	int answers;
	bool has_failed;
	char text[256];			/* the reply's, or why there is none */
};

static int
free_port(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
	close(fd);
	return ntohs(at.sin_port);
}

static void
run(const char *format, ...)
{
	char command[512];
	va_list args;

	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	assert_int_equal(system(command), 0);
}

/* Until the shell's command succeeds. */
static void
await_shell(const char *format, ...)
{
	char command[512];
	va_list args;

	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	for (int i = 0; i < 400; i++) {
		if (system(command) == 0)
			return;
		usleep(50 * 1000);
	}
	fail_msg("%s", command);
}

/* `more`: words for the configuration. */
static int
start(struct farm *farm, const char *role, const char *more)
{
	int i = farm->count++;
	char path[96];
	FILE *file;

	farm->ports[i] = free_port();
	snprintf(path, sizeof(path), "%s/%d.conf", farm->folder, i);
	file = fopen(path, "w");
	assert_non_null(file);
	fprintf(file, "port %d\nbind 127.0.0.1\ndir %s\nlogfile %s/%d.log\n%s\n", farm->ports[i],
	    farm->folder, farm->folder, i, more);
	fclose(file);
	farm->pids[i] = fork();
	if (farm->pids[i] == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execlp("redis-server", "redis-server", path, role, (char *)NULL);
		_exit(127);
	}
	await_shell("redis-cli -p %d ping 2>/dev/null | grep -q PONG", farm->ports[i]);
	return farm->ports[i];
}

static void
stop(struct farm *farm, int i)
{
	if (farm->pids[i] == 0)
		return;
	kill(farm->pids[i], SIGKILL);
	waitpid(farm->pids[i], NULL, 0);
	farm->pids[i] = 0;
}

static void
farm_init(struct farm *farm)
{
	*farm = (struct farm){ .folder = "/tmp/redis_group_test.XXXXXX" };
	assert_non_null(mkdtemp(farm->folder));
}

static void
farm_clear(struct farm *farm)
{
	char command[128];

	for (int i = 0; i < farm->count; i++)
		stop(farm, i);
	snprintf(command, sizeof(command), "rm -r %s", farm->folder);
	assert_int_equal(system(command), 0);
}

static void
on_reply(struct redis_errand *errand, const struct redis_reply *reply, const char *failure)
{
	struct asked *asked = (struct asked *)errand;

	asked->answers++;
	asked->has_failed = failure != NULL;
	snprintf(asked->text, sizeof(asked->text), "%.*s", failure != NULL ? 250 : (int)reply->text.len,
	    failure != NULL ? failure : reply->text.data != NULL ? reply->text.data : "");
	loop_stop(asked->loop);
}

static void
ask(struct redis_group *group, struct loop *loop, struct asked *asked, const struct slice words[3])
{
	*asked = (struct asked){ .errand.on_reply = on_reply, .loop = loop };
	redis_group_send(group, &asked->errand, redis_slot(words[1]), words, words[2].data != NULL ? 3 : 2,
	    PATIENCE_MS);
	await(loop, &asked->answers, 1);
}

static struct redis_group *
open_group(struct loop *loop, const char *text)
{
	struct redis_group_settings settings = {
		.redis = { .timeout_ms = PATIENCE_MS, .bytes_max = BYTES_MAX, .parts_max = PARTS_MAX },
	};
	struct arena *arena = arena_new();
	const char *words[] = { text };
	struct conf_words given = { .words = words, .count = 1, .arena = arena };
	struct redis_group *group;
	struct error error;

	assert_true(redis_group_url_set(&given, &settings.url, &error));
	group = redis_group_new(loop, &settings);
	arena_free(&arena);
	return group;
}

static void
set_and_get(struct redis_group *group, struct loop *loop, int from, int to)
{
	struct asked asked;

	for (int i = from; i < to; i++) {
		char key[32], value[32];

		snprintf(key, sizeof(key), "k%d:{u:%d}", i, i);
		snprintf(value, sizeof(value), "v%d", i);
		ask(group, loop, &asked,
		    (const struct slice[]){ slice_of("SET"), slice_of(key), slice_of(value) });
		assert_string_equal(asked.text, "OK");
		ask(group, loop, &asked, (const struct slice[]){ slice_of("GET"), slice_of(key), { 0 } });
		assert_string_equal(asked.text, value);
	}
}

static void
slots_are_those_of_redis(void **state)
{
	(void)state;
	assert_int_equal(redis_slot(slice_of("123456789")), 0x31C3 % REDIS_SLOTS);
	assert_int_equal(redis_slot(slice_of("foo{hash_tag}")), 2515);
	assert_int_equal(redis_slot(slice_of("hash_tag")), 2515);
	assert_int_equal(redis_slot(slice_of("foo{}{bar}")), redis_slot(slice_of("foo{}{bar}")));
	assert_int_not_equal(redis_slot(slice_of("foo{}{bar}")), redis_slot(slice_of("bar")));
}

static void
one_server_has_all(void **state)
{
	struct loop *loop = loop_new(0);
	struct farm farm;
	struct redis_group *group;
	char url[128];

	(void)state;
	farm_init(&farm);
	snprintf(url, sizeof(url), "redis://127.0.0.1:%d/3", start(&farm, NULL, "save \"\""));
	group = open_group(loop, url);
	set_and_get(group, loop, 0, 20);
	redis_group_free(&group);
	loop_free(&loop);
	farm_clear(&farm);
}

/* Gives each of three servers a third of the slots, and lets them meet. */
static void
join(const struct farm *farm)
{
	run("redis-cli --cluster create 127.0.0.1:%d 127.0.0.1:%d 127.0.0.1:%d --cluster-yes >/dev/null 2>&1",
	    farm->ports[0], farm->ports[1], farm->ports[2]);
}

/* The slot is on its way from the first of these servers to the second, as while a resharding goes on. */
static void
begin_move(const struct farm *farm, unsigned slot, int from, int to)
{
	run("a=$(redis-cli -p %d cluster myid) && redis-cli -p %d cluster setslot %u importing $a >/dev/null",
	    farm->ports[from], farm->ports[to], slot);
	run("b=$(redis-cli -p %d cluster myid) && redis-cli -p %d cluster setslot %u migrating $b >/dev/null",
	    farm->ports[to], farm->ports[from], slot);
}

static void
end_move(const struct farm *farm, unsigned slot, int from, int to)
{
	run("for k in $(redis-cli -p %d cluster getkeysinslot %u 100); do "
	    "redis-cli -p %d migrate 127.0.0.1 %d $k 0 5000 >/dev/null; done",
	    farm->ports[from], slot, farm->ports[from], farm->ports[to]);
	for (int i = 0; i < 2; i++)
		run("b=$(redis-cli -p %d cluster myid) && "
		    "redis-cli -p %d cluster setslot %u node $b >/dev/null",
		    farm->ports[to], farm->ports[i == 0 ? to : from], slot);
}

static int
owner_of(const struct farm *farm, unsigned slot)
{
	char command[256];

	for (int i = 0; i < 3; i++) {
		snprintf(command, sizeof(command),
		    "redis-cli -p %d cluster countkeysinslot %u | grep -qv '^0'", farm->ports[i], slot);
		if (system(command) == 0)
			return i;
	}
	fail();
	return -1;
}

static void
a_cluster_is_followed_where_slots_move(void **state)
{
	struct loop *loop = loop_new(0);
	struct farm farm;
	struct redis_group *group;
	struct asked asked;
	unsigned slot = redis_slot(slice_of("u:7"));
	const struct slice get[] = { slice_of("GET"), slice_of("k7:{u:7}"), { 0 } };
	const struct slice fresh[] = { slice_of("SET"), slice_of("new:{u:7}"), slice_of("here") };
	char url[128];
	int from, to;

	(void)state;
	farm_init(&farm);
	for (int i = 0; i < 3; i++) {
		char more[128];

		snprintf(more, sizeof(more),
		    "save \"\"\ncluster-enabled yes\ncluster-config-file n%d\ncluster-port %d", i,
		    free_port());
		(void)start(&farm, NULL, more);
	}
	join(&farm);
	snprintf(url, sizeof(url), "redis+cluster://127.0.0.1:1,127.0.0.1:%d", farm.ports[1]);
	group = open_group(loop, url);
	set_and_get(group, loop, 0, 60);
	from = owner_of(&farm, slot);
	to = (from + 1) % 3;
	begin_move(&farm, slot, from, to);
	ask(group, loop, &asked, get);			/* is there still */
	assert_string_equal(asked.text, "v7");
	ask(group, loop, &asked, fresh);		/* is not there any more: ASK */
	assert_string_equal(asked.text, "OK");
	end_move(&farm, slot, from, to);
	ask(group, loop, &asked, get);			/* MOVED */
	assert_string_equal(asked.text, "v7");
	set_and_get(group, loop, 0, 20);
	stop(&farm, from);
	set_and_get(group, loop, 7, 8);			/* the others go on */
	redis_group_free(&group);
	loop_free(&loop);
	farm_clear(&farm);
}

static void
after_a_failover_sentinels_tell_who_is_master(void **state)
{
	struct loop *loop = loop_new(0);
	struct farm farm;
	struct redis_group *group;
	struct asked asked;
	const struct slice set[] = { slice_of("SET"), slice_of("a"), slice_of("2") };
	char more[256], url[128];
	struct redis_settings any;
	int master, replica, sentinel;

	(void)state;
	farm_init(&farm);
	master = start(&farm, NULL, "save \"\"");
	snprintf(more, sizeof(more), "save \"\"\nreplicaof 127.0.0.1 %d\nrepl-diskless-sync-delay 0", master);
	replica = start(&farm, NULL, more);
	snprintf(more, sizeof(more), "sentinel monitor mail 127.0.0.1 %d 1\n"
				     "sentinel down-after-milliseconds mail 300\n"
				     "sentinel failover-timeout mail 2000", master);
	sentinel = start(&farm, "--sentinel", more);
	snprintf(url, sizeof(url), "redis+sentinel://127.0.0.1:1,127.0.0.1:%d/mail/0", sentinel);
	group = open_group(loop, url);
	set_and_get(group, loop, 0, 5);
	await_shell("redis-cli -p %d sentinel replicas mail | grep -q '^%d$'", sentinel, replica);
	run("redis-cli -p %d wait 1 5000 >/dev/null", master);
	stop(&farm, 0);
	await_shell("redis-cli -p %d role | grep -q '^master$'", replica);
	/* until it is found, commands fail, and say why */
	do {
		ask(group, loop, &asked, set);
	} while (asked.has_failed);
	assert_string_equal(asked.text, "OK");
	set_and_get(group, loop, 0, 5);
	/* who subscribes goes there, too */
	assert_false(redis_group_has(group, &(struct redis_place){ "127.0.0.1", (uint16_t)master }));
	for (unsigned turn = 0; turn < 3; turn++) {
		assert_true(redis_group_any(group, turn, &any));
		assert_int_equal(any.url.port, replica);
	}
	assert_true(redis_group_has(group, &(struct redis_place){ any.url.host, any.url.port }));
	redis_group_free(&group);
	loop_free(&loop);
	farm_clear(&farm);
}

static void
nobody_there_is_told_in_time(void **state)
{
	struct loop *loop = loop_new(0);
	struct redis_group *group = open_group(loop, "redis+sentinel://127.0.0.1:1/mail");
	struct asked asked = { .errand.on_reply = on_reply, .loop = loop };
	const struct slice words[] = { SLICE_LITERAL("PING") };

	(void)state;
	redis_group_send(group, &asked.errand, 0, words, 1, 2000);
	await(loop, &asked.answers, 1);
	assert_true(asked.has_failed);
	assert_non_null(strstr(asked.text, "redis 127.0.0.1:1: "));
	redis_group_send(group, &asked.errand, 0, words, 1, 200);
	redis_errand_cancel(&asked.errand);
	redis_group_free(&group);
	loop_free(&loop);
}

#endif

int
main(void)
{
#ifdef HAVE_HIREDIS
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(slots_are_those_of_redis),
		cmocka_unit_test(one_server_has_all),
		cmocka_unit_test(a_cluster_is_followed_where_slots_move),
		cmocka_unit_test(after_a_failover_sentinels_tell_who_is_master),
		cmocka_unit_test(nobody_there_is_told_in_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
#else
	puts("1..0 # SKIP built without hiredis");
	return 0;
#endif
}
