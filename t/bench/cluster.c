/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cluster.c: runs the scripts that the proxies of a cluster run, as so many
 * of them with so many bound users would, against a Redis of its own; prints
 * what each costs that Redis in CPU time, what a user takes of its memory,
 * and what that comes to while all are logged in.  Built by
 * `make build/bench/cluster`, in a build without sanitizers.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../unit/net/redis_server.h"
#include "base/digest.h"
#include "base/random.h"
#include "state/affinity_scripts.h"
#include "state/board.h"
#include "state/counter_redis.h"
#include "state/limiter_state.h"

enum {
	USERS = 1000 * 1000, PROXIES = 50, SERVERS = 200,
	RENEW_S = 30, SESSION_S = 1800,	/* how often a lease is renewed; how long a session lasts */
	LEASE_MS = 90 * 1000,
	WINDOW = 32, TIMEOUT_MS = 60 * 1000,	/* questions of a proxy under way; how long they may take */
	BATCH = 100, BATCHES = 5000, BOARDS = 2000,
	KEY_SIZE = 96, HASH_HEX = 32
};

struct phase;

struct op {				/* one of a proxy's questions under way */
	struct cluster_call call;
	struct phase *phase;
	struct cluster *cluster;
	int proxy;
	char keys[3][KEY_SIZE], user[32], server[16];
	struct buf text;
};

struct phase {
	const char *name;
	/* The words of question `number` into op->call's place; how many. */
	int (*ask)(struct op *op, unsigned long number, struct slice *words);
	const struct cluster_script *script;
	unsigned long count;		/* questions */
	int items;			/* names, in each of them */
	int shift;			/* by so many proxies: who asks is not who has the user */
	double us;			/* of Redis' CPU for an item, as measured */
	unsigned long done, failed;
};

struct bench {
	struct loop *loop;
	struct redis_server redis;
	int proxies;
	unsigned long users;
	struct cluster **clusters;
	unsigned long *begun;		/* of each proxy's questions */
	struct op *ops;
};

static struct bench bench;		/* of the program: phases are functions of numbers alone */

static void
hex_of(const char *text, char out[HASH_HEX + 1])
{
	uint8_t digest[DIGEST_SHA256_SIZE];

	digest_sha256(text, strlen(text), digest);
	for (size_t i = 0; i < HASH_HEX / 2; i++)
		snprintf(out + 2 * i, 3, "%02x", digest[i]);
}

static void
name_user(struct op *op, unsigned long number)
{
	char hex[HASH_HEX + 1];
	const char *prefix = cluster_prefix(op->cluster);

	snprintf(op->user, sizeof(op->user), "user%lu@example.com", number);
	snprintf(op->server, sizeof(op->server), "d%lu", number % SERVERS);
	hex_of(op->user, hex);
	snprintf(op->keys[0], KEY_SIZE, "%s:{dovecot:%s}:b", prefix, hex);
	snprintf(op->keys[1], KEY_SIZE, "%s:{dovecot:%s}:l", prefix, hex);
}

static int
ask_open(struct op *op, unsigned long number, struct slice *words)
{
	int n = 0;

	name_user(op, number);
	words[n++] = slice_of(op->keys[0]);
	words[n++] = slice_of(op->keys[1]);
	words[n++] = slice_of(cluster_incarnation(op->cluster));
	words[n++] = slice_of(op->server);
	words[n++] = slice_of("0");
	words[n++] = slice_of("90000");
	words[n++] = slice_of("900000");
	words[n++] = slice_of(op->user);
	words[n++] = slice_of("1");
	words[n++] = slice_of("1");
	words[n++] = slice_of(cluster_channel(op->cluster));
	words[n++] = slice_of("dovecot");
	return n;
}

/* The generation is not known here: one that is too old, for which the script does the same. */
static int
ask_renew(struct op *op, unsigned long number, struct slice *words)
{
	int n = ask_open(op, number, words);

	words[4] = slice_of("1");
	words[8] = slice_of("2");
	return n;
}

static int
ask_peek(struct op *op, unsigned long number, struct slice *words)
{
	name_user(op, number);
	words[0] = slice_of(op->keys[0]);
	words[1] = slice_of(op->keys[1]);
	return 2;
}

static int
ask_close(struct op *op, unsigned long number, struct slice *words)
{
	name_user(op, number);
	words[0] = slice_of(op->keys[0]);
	words[1] = slice_of(op->keys[1]);
	words[2] = slice_of(cluster_incarnation(op->cluster));
	words[3] = slice_of("3");
	words[4] = slice_of("900000");
	return 5;
}

/* A hundred names of one shard, each with what stands behind it. */
static void
write_names(struct op *op, unsigned long number, const char *rest)
{
	char name[32], hex[HASH_HEX + 1];

	buf_truncate(&op->text, 0);
	for (unsigned long i = 0; i < BATCH; i++) {
		snprintf(name, sizeof(name), "name%lu", (number * BATCH + i) % bench.users);
		hex_of(name, hex);
		buf_printf(&op->text, "%s %s;", hex, rest);
	}
}

static int
ask_rates(struct op *op, unsigned long number, struct slice *words)
{
	write_names(op, number, "1000000 2 60000000");
	snprintf(op->keys[0], KEY_SIZE, "%s:{rate:%lu}", cluster_prefix(op->cluster), number % 16);
	words[0] = slice_of(op->keys[0]);
	words[1] = buf_slice(&op->text);
	words[2] = slice_of("65536");
	return 3;
}

static int
ask_present(struct op *op, unsigned long number, struct slice *words)
{
	write_names(op, number, "2");
	snprintf(op->keys[0], KEY_SIZE, "%s:{here:%lu}:c", cluster_prefix(op->cluster), number % 16);
	snprintf(op->keys[1], KEY_SIZE, "%s:{here:%lu}:t", cluster_prefix(op->cluster), number % 16);
	words[0] = slice_of(op->keys[0]);
	words[1] = slice_of(op->keys[1]);
	words[2] = slice_of(cluster_incarnation(op->cluster));
	words[3] = slice_of("60000");
	words[4] = buf_slice(&op->text);
	return 5;
}

static int
ask_count(struct op *op, unsigned long number, struct slice *words)
{
	write_names(op, number, "0 0 1 600000 0");
	snprintf(op->keys[0], KEY_SIZE, "%s:{count:penalty:0}:v", cluster_prefix(op->cluster));
	snprintf(op->keys[1], KEY_SIZE, "%s:{count:penalty:0}:t", cluster_prefix(op->cluster));
	words[0] = slice_of(op->keys[0]);
	words[1] = slice_of(op->keys[1]);
	words[2] = slice_of(cluster_incarnation(op->cluster));
	words[3] = slice_of(cluster_channel(op->cluster));
	words[4] = slice_of("penalty");
	words[5] = slice_of("0");
	words[6] = slice_of("262144");
	words[7] = buf_slice(&op->text);
	return 8;
}

/* All sheets change all the time, and each proxy reads all others'. */
static int
ask_board(struct op *op, unsigned long number, struct slice *words)
{
	static char stamp[32];
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	/* what the other proxies have said since this one asked a second ago */
	snprintf(stamp, sizeof(stamp), "%lld000000", (long long)now.tv_sec - 1);
	buf_truncate(&op->text, 0);
	buf_append_text(&op->text, "lb\n");
	for (unsigned long i = 0; i < SERVERS; i++)
		buf_printf(&op->text, "imap/d%lu %lu 1 \n", i, (number + i) % 1000);
	for (int i = 0; i < 3; i++)
		snprintf(op->keys[i], KEY_SIZE, "%s:{board:servers}:%c", cluster_prefix(op->cluster),
		    "slc"[i]);
	for (int i = 0; i < 3; i++)
		words[i] = slice_of(op->keys[i]);
	words[3] = slice_of(cluster_incarnation(op->cluster));
	words[4] = slice_of("5000");
	words[5] = slice_of(stamp);
	words[6] = buf_slice(&op->text);
	return 7;
}

/* A proxy's users are those whose number, by the number of proxies, leaves its own. */
static void
ask_next(struct op *op)
{
	struct phase *phase = op->phase;
	struct slice words[CLUSTER_WORDS_MAX];
	unsigned long proxies = (unsigned long)bench.proxies;
	unsigned long own = (unsigned long)(op->proxy + phase->shift) % proxies;
	unsigned long number = bench.begun[op->proxy]++ * proxies + own;
	int count;

	if (number >= phase->count)
		return;
	count = phase->ask(op, number, words);
	if (!cluster_run(op->cluster, bench.loop, &op->call, phase->script, words, count)) {
		fputs("Redis is not there\n", stderr);
		exit(1);
	}
}

static void
on_reply(struct cluster_call *call, const struct redis_reply *reply)
{
	struct op *op = list_entry(call, struct op, call);
	struct phase *phase = op->phase;

	phase->failed += reply == NULL;
	phase->done++;
	ask_next(op);
	if (phase->done == phase->count)
		loop_stop(bench.loop);
}

/* A number of INFO's answer. */
static double
info(const char *field)
{
	char command[200], line[64] = "";
	FILE *answer;

	snprintf(command, sizeof(command), "redis-cli -s %s info | sed -n 's/^%s://p'", bench.redis.path,
	    field);
	answer = popen(command, "r");
	if (answer == NULL || fgets(line, sizeof(line), answer) == NULL)
		exit(1);
	pclose(answer);
	return strtod(line, NULL);
}

static double
redis_cpu(void)
{
	return info("used_cpu_user") + info("used_cpu_sys");
}

static double
own_cpu(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void
run(struct phase *phase)
{
	int ops = bench.proxies * WINDOW;
	double cpu = redis_cpu(), own = own_cpu(), items = (double)phase->count * phase->items;
	int64_t began = loop_now(bench.loop);

	memset(bench.begun, 0, (size_t)bench.proxies * sizeof(*bench.begun));
	for (int i = 0; i < ops; i++) {
		bench.ops[i].phase = phase;
		bench.ops[i].call.on_reply = on_reply;
		ask_next(&bench.ops[i]);
	}
	while (phase->done < phase->count)
		loop_run(bench.loop);
	cpu = redis_cpu() - cpu;
	own = own_cpu() - own;
	phase->us = cpu * 1e6 / items;
	printf("%-26s %8lu x %3d: %7.2f us of Redis' CPU each, %6.2f us of ours, %8.0f a second as run%s\n",
	    phase->name, phase->count, phase->items, phase->us, own * 1e6 / items,
	    items * 1000 / (double)(loop_now(bench.loop) - began + 1),
	    phase->failed > 0 ? "; SOME FAILED" : "");
	fflush(stdout);
}

static void
start(void)
{
	struct cluster_settings settings = {
		.group.url.url.path = bench.redis.path, .prefix = "gatepost", .timeout_ms = TIMEOUT_MS,
		.lease_ms = LEASE_MS,
	};

	if (redis_server_init(&bench.redis) != 0)
		exit(1);
	redis_server_start(&bench.redis, "");
	for (int tries = 0; access(bench.redis.path, F_OK) != 0 && tries < 1000; tries++)
		usleep(10 * 1000);
	bench.loop = loop_new(LOOP_CONTROL);
	bench.clusters = calloc((size_t)bench.proxies, sizeof(*bench.clusters));
	bench.begun = calloc((size_t)bench.proxies, sizeof(*bench.begun));
	bench.ops = calloc((size_t)bench.proxies * WINDOW, sizeof(*bench.ops));
	if (bench.clusters == NULL || bench.begun == NULL || bench.ops == NULL)
		exit(1);
	for (int i = 0; i < bench.proxies; i++) {
		settings.name = "lb";
		bench.clusters[i] = cluster_new(&settings, 0);
		cluster_join(bench.clusters[i], bench.loop);
		for (int j = 0; j < WINDOW; j++) {
			bench.ops[i * WINDOW + j].cluster = bench.clusters[i];
			bench.ops[i * WINDOW + j].proxy = i;
		}
	}
}

static void
end(void)
{
	for (int i = 0; i < bench.proxies * WINDOW; i++)
		buf_clear(&bench.ops[i].text);
	for (int i = 0; i < bench.proxies; i++) {
		cluster_leave(bench.clusters[i], bench.loop);
		cluster_free(&bench.clusters[i]);
	}
	loop_free(&bench.loop);
	redis_server_clear(&bench.redis);
	free(bench.begun);
	free(bench.ops);
	free(bench.clusters);
}

/* What all users who are logged in, and come anew as often as sessions last, make of it. */
static void
tell_load(const struct phase *open, const struct phase *renew, const struct phase *close, double bytes)
{
	double users = (double)bench.users, logins = users / SESSION_S;
	double busy = (users / RENEW_S * renew->us + logins * (open->us + close->us)) / 1e6;

	printf("%.0f octets a bound user; %lu users, leases renewed every %d s, sessions of %d s: "
	    "%.0f logins a second, %.2f of a core\n",
	    bytes, bench.users, RENEW_S, SESSION_S, logins, busy);
	printf("logins and logouts alone: %.0f a second for each core\n", 1e6 / (open->us + close->us));
}

enum { WARM, BIND, RENEW, FOLLOW, PEEK, CLOSE, RATES, PRESENT, COUNTS, BOARD, PHASES };

static struct phase phases[PHASES] = {
	[WARM] = { .name = "a peek at nobody", .ask = ask_peek, .script = &affinity_script_peek },
	[BIND] = { .name = "a login that binds", .ask = ask_open, .script = &affinity_script_open },
	[RENEW] = { .name = "a renewal", .ask = ask_renew, .script = &affinity_script_renew },
	[FOLLOW] = { .name = "a login at another proxy", .ask = ask_open, .script = &affinity_script_open,
		.shift = 1 },
	[PEEK] = { .name = "a peek", .ask = ask_peek, .script = &affinity_script_peek, .shift = 1 },
	[CLOSE] = { .name = "a logout", .ask = ask_close, .script = &affinity_script_close, .shift = 1 },
	[RATES] = { .name = "a name's rate", .ask = ask_rates, .script = &limiter_script_rates,
		.items = BATCH },
	[PRESENT] = { .name = "a name's presence", .ask = ask_present, .script = &limiter_script_present,
		.items = BATCH },
	[COUNTS] = { .name = "a failed login's counter", .ask = ask_count, .script = &counter_script_tell,
		.items = BATCH },
	[BOARD] = { .name = "a board of 200 endpoints", .ask = ask_board, .script = &board_script },
};

int
main(int argc, char **argv)
{
	double before = 0, bytes = 0;

	bench.users = argc > 1 ? strtoul(argv[1], NULL, 10) : USERS;
	bench.proxies = argc > 2 ? atoi(argv[2]) : PROXIES;
	if (bench.users == 0 || bench.proxies < 1) {
		fputs("usage: cluster [users [proxies]]\n", stderr);
		return 2;
	}
	start();
	for (int i = 0; i < PHASES; i++) {
		phases[i].count = i >= FOLLOW ? bench.users / 4 + 1 : bench.users;
		if (i >= RATES)
			phases[i].count = BATCHES;
		if (i == WARM || i == BOARD)
			phases[i].count = BOARDS;
		if (phases[i].items == 0)
			phases[i].items = 1;
		if (i == BIND)
			before = info("used_memory");
		run(&phases[i]);
		if (i == BIND)
			bytes = (info("used_memory") - before) / (double)bench.users;
	}
	tell_load(&phases[FOLLOW], &phases[RENEW], &phases[CLOSE], bytes);
	end();
	return 0;
}
