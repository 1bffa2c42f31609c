/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pick.c: prints what a pick costs with each balancer and 10 to 1,000 servers,
 * where all have room and where many are full, and beside the smooth round
 * robin that adds to each server's count at each pick.  Built by
 * `make build/bench/pick`, in a build without sanitizers.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "balance/balance.h"
#include "balance/endpoint_room.h"
#include "base/xalloc.h"

#define BALANCER_POINTER(name) &balance_##name

enum { SERVERS_MAX = 1000, KEYS = 4096, BATCH = 1000, RUN_MS = 200 };

struct scene {
	struct service *service;
	struct endpoint *endpoints[SERVERS_MAX];
	size_t count;
	struct roster *roster;
	int64_t counts[SERVERS_MAX];		/* of the list walk */
	char users[KEYS][32];
	struct addr clients[KEYS];
};

typedef void pick_one(struct scene *scene, int number);

static int64_t
now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);	/* others may be at work here, too */
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void
open_scene(struct scene *scene, const struct balancer *balancer, size_t count)
{
	struct roster_member members[SERVERS_MAX];

	*scene = (struct scene){ .service = service_new("imap"), .count = count };
	for (size_t i = 0; i < count; i++) {
		char name[24];
		struct machine *machine;

		snprintf(name, sizeof(name), "d%03zu", i);
		machine = machine_new("far", name);
		machine_set_weight(machine, 1 + (int)(i % 4));
		scene->endpoints[i] = endpoint_new(scene->service, machine, 1);
		machine_put(&machine);
		members[i] = (struct roster_member){ scene->endpoints[i], 0 };
	}
	scene->roster = roster_new(balancer, members, count, 1);
	for (uint32_t i = 0; i < KEYS; i++) {
		snprintf(scene->users[i], sizeof(scene->users[i]), "user%" PRIu32 "@example.com", i);
		scene->clients[i].in.sin_family = AF_INET;
		scene->clients[i].in.sin_addr.s_addr = i * UINT32_C(2654435761);
	}
}

static void
close_scene(struct scene *scene)
{
	roster_put(&scene->roster);
	for (size_t i = 0; i < scene->count; i++) {
		while (endpoint_load(scene->endpoints[i]).connections > 0)
			endpoint_release(scene->endpoints[i]);
		endpoint_put(&scene->endpoints[i]);
	}
	service_put(&scene->service);
}

static void
pick_and_put(struct scene *scene, int number)
{
	struct balance_key key = { .user = slice_of(scene->users[number % KEYS]),
		.client = &scene->clients[number % KEYS] };
	struct endpoint *e = roster_pick(scene->roster, 0, &key);

	endpoint_put(&e);
}

/* Each server's count grows by its weight, and the largest pays what all have got. */
static void
walk_list(struct scene *scene, int number)
{
	static const struct balance_key any;
	size_t best = SIZE_MAX;
	int64_t total = 0;

	(void)number;
	for (size_t i = 0; i < scene->count; i++) {
		int weight = endpoint_weight(scene->endpoints[i]);

		if (!endpoint_is_usable(scene->endpoints[i], &any))
			continue;
		scene->counts[i] += weight;
		total += weight;
		if (best == SIZE_MAX || scene->counts[i] > scene->counts[best])
			best = i;
	}
	if (best != SIZE_MAX)
		scene->counts[best] -= total;
}

static double
measure(struct scene *scene, pick_one *pick)
{
	int64_t began, took;
	int number = 0;

	for (; number < BATCH; number++)
		pick(scene, number);
	began = now_ns();
	do {
		for (int i = 0; i < BATCH; i++)
			pick(scene, number++);
		took = now_ns() - began;
	} while (took < (int64_t)RUN_MS * 1000000);
	return (double)took / (number - BATCH);
}

/* `full` of a hundred servers take nobody more. */
static double
measure_scene(const struct balancer *balancer, pick_one *pick, size_t count, unsigned full)
{
	struct scene *scene = xmalloc(sizeof(*scene));
	double ns;

	open_scene(scene, balancer, count);
	for (size_t i = 0; i < count; i++) {
		if (i * 37 % 100 >= full)
			continue;
		endpoint_set_max_connections(scene->endpoints[i], 1);
		endpoint_take(scene->endpoints[i]);
	}
	ns = measure(scene, pick);
	close_scene(scene);
	xfree(scene);
	return ns;
}

static double
measure_bounded(size_t count)
{
	struct scene *scene = xmalloc(sizeof(*scene));
	double ns;

	open_scene(scene, &balance_source, count);
	scene->roster->hash_balance_factor = 125;
	for (size_t i = 0; i < 20 * count; i++) {
		struct balance_key key = { .client = &scene->clients[i % KEYS] };
		struct endpoint *e = roster_pick(scene->roster, 0, &key);

		endpoint_take(e);
		endpoint_put(&e);
	}
	ns = measure(scene, pick_and_put);
	close_scene(scene);
	xfree(scene);
	return ns;
}

int
main(void)
{
	static const struct balancer *const balancers[] = { BALANCERS(BALANCER_POINTER) };
	static const size_t counts[] = { 10, 100, 1000 };
	enum { COUNTS = sizeof(counts) / sizeof(counts[0]) };

	printf("%-28s %8s %8s %8s\n", "ns a pick, servers:", "10", "100", "1000");
	for (size_t i = 0; i < sizeof(balancers) / sizeof(balancers[0]); i++) {
		static const unsigned full[] = { 0, 20, 90 };

		for (size_t f = 0; f < sizeof(full) / sizeof(full[0]); f++) {
			printf("%-15s %2u %% full   ", balancers[i]->name, full[f]);
			for (size_t n = 0; n < COUNTS; n++)
				printf(" %8.0f",
				    measure_scene(balancers[i], pick_and_put, counts[n], full[f]));
			printf("\n");
		}
	}
	printf("%-28s", "source, factor 125");
	for (size_t n = 0; n < COUNTS; n++)
		printf(" %8.0f", measure_bounded(counts[n]));
	printf("\n%-28s", "round robin along a list");
	for (size_t n = 0; n < COUNTS; n++)
		printf(" %8.0f", measure_scene(&balance_first, walk_list, counts[n], 0));
	printf("\n");
	return 0;
}
