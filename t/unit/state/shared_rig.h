/* SPDX-License-Identifier: BSD-2-Clause */
/* shared_rig.h: two proxies on one loop, and a real Redis between them. */
#ifndef UNIT_STATE_SHARED_RIG_H
#define UNIT_STATE_SHARED_RIG_H

#include "../net/tape.h"

#include "../net/redis_server.h"
#include "base/log.h"
#include "base/log_sink.h"
#include "state/cluster.h"

enum { PROXIES = 2, TIMEOUT = 2000, LEASE = 90000, TICK = 20, PATIENCE = 20000 };

struct rig {
	struct loop *loop;
	struct redis_server server;
	struct cluster *clusters[PROXIES];
	struct loop_timer tick;
};

static inline void
run_cli(const struct rig *rig, const char *words)
{
	char command[512];

	snprintf(command, sizeof(command), "redis-cli -s %s %s >/dev/null 2>&1", rig->server.path, words);
	assert_int_equal(system(command), 0);
}

static inline void
log_file_of(const struct rig *rig, char path[96])
{
	snprintf(path, 96, "%s/log", rig->server.folder);
}

/* The log is a file from now on, until end_logging. */
static inline void
begin_logging(const struct rig *rig)
{
	char path[96];
	const struct log_settings settings = { .target = LOG_TARGET_FILE, .path = path, .level = LOG_DEBUG };
	struct error error;

	log_file_of(rig, path);
	log_use(LOG_STREAM_MAIN, &settings, log_sink_open(&settings, &error));
	log_start();
}

/* How many lines have the text, all being written. */
static inline int
end_logging(const struct rig *rig, const char *text)
{
	char path[96], line[1024];
	int count = 0;
	FILE *file;

	log_stop();
	log_file_of(rig, path);
	file = fopen(path, "r");
	assert_non_null(file);
	while (fgets(line, sizeof(line), file) != NULL)
		count += strstr(line, text) != NULL;
	fclose(file);
	unlink(path);
	return count;
}

static inline long
count_keys(const struct rig *rig)
{
	char command[256], line[64] = "";
	FILE *answer;

	snprintf(command, sizeof(command), "redis-cli -s %s dbsize", rig->server.path);
	answer = popen(command, "r");
	assert_non_null(answer);
	assert_non_null(fgets(line, sizeof(line), answer));
	pclose(answer);
	return strtol(line, NULL, 10);
}

static inline void
await_server(const struct rig *rig)
{
	char command[256];
	int tries = 0;

	snprintf(command, sizeof(command), "redis-cli -s %s ping 2>/dev/null | grep -q PONG",
	    rig->server.path);
	while (system(command) != 0) {
		assert_true(tries++ < 400);
		usleep(20 * 1000);
	}
}

static inline void
on_tick(struct loop_timer *timer)
{
	loop_stop(loop_owner(timer, struct rig, tick)->loop);
}

/* Runs the loop until it is so. */
static inline void
await_that(struct rig *rig, bool (*is_so)(void *arg), void *arg)
{
	int64_t until = loop_now(rig->loop) + PATIENCE;

	while (!is_so(arg)) {
		assert_true(loop_now(rig->loop) < until);
		loop_timer_set(rig->loop, &rig->tick, loop_now(rig->loop) + TICK);
		loop_run(rig->loop);
	}
}

static inline struct cluster *
join_as(struct rig *rig, const char *name)
{
	struct cluster_settings settings = {
		.group.url.url.path = rig->server.path, .prefix = "gp", .name = name,
		.timeout_ms = TIMEOUT, .lease_ms = LEASE, .secret = "a secret of all",
	};
	struct cluster *cluster = cluster_new(&settings, 1);

	cluster_join(cluster, rig->loop);
	return cluster;
}

/* A proxy that starts anew is another incarnation. */
static inline void
start_proxy(struct rig *rig, int i)
{
	rig->clusters[i] = join_as(rig, i == 0 ? "lb1" : "lb2");
}

static inline void
end_proxy(struct rig *rig, int i)
{
	cluster_leave(rig->clusters[i], rig->loop);
	cluster_free(&rig->clusters[i]);
}

static inline int
open_rig(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));

	*state = rig;
	rig->loop = loop_new(LOOP_CONTROL);
	loop_timer_init(&rig->tick, on_tick);
	assert_int_equal(redis_server_init(&rig->server), 0);
	redis_server_start(&rig->server, "");
	await_server(rig);
	for (int i = 0; i < PROXIES; i++)
		start_proxy(rig, i);
	return 0;
}

static inline int
close_rig(void **state)
{
	struct rig *rig = *state;

	for (int i = 0; i < PROXIES; i++)
		if (rig->clusters[i] != NULL)
			end_proxy(rig, i);
	redis_server_clear(&rig->server);
	loop_free(&rig->loop);
	free(rig);
	return 0;
}

#define REDIS_TEST(name) cmocka_unit_test_setup_teardown(name, open_rig, close_rig)

#endif
