/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * load.c: the load generator and the mock servers of t/bench/run, which says
 * how they work together.
 *
 *   load list                            the scenarios: name, service, kind, clients
 *   load serve HOST [--cert=PEM] ROLE=PORT...
 *   load run SCENARIO HOST PORT CLIENTS WARMUP SECONDS
 *
 * `run` warms up, says "warm", waits for a line, works, tells its result in a
 * line and keeps its connections until its input ends.
 */
#include <arpa/inet.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "backend.h"
#include "client.h"
#include "wire.h"

static void usage(void) __attribute__((noreturn));

static void
usage(void)
{
	fputs("usage: load list\n"
	    "       load serve HOST [--cert=PEM] ROLE=PORT...\n"
	    "       load run SCENARIO HOST PORT CLIENTS WARMUP SECONDS\n", stderr);
	exit(2);
}

static struct sockaddr_in
read_host(const char *text)
{
	struct sockaddr_in host = { .sin_family = AF_INET };

	if (inet_pton(AF_INET, text, &host.sin_addr) != 1)
		usage();
	return host;
}

static unsigned
read_number(const char *text, unsigned max)
{
	uint64_t number;

	if (!slice_to_number(slice_of(text), max, &number))
		usage();
	return (unsigned)number;
}

static double
read_seconds(const char *text)
{
	char *end;
	double seconds = strtod(text, &end);

	if (end == text || *end != 0)
		usage();
	return seconds;
}

static void
raise_open_files(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static int
list(void)
{
	for (const struct scenario *s = scenarios; s->name != NULL; s++)
		printf("%s %s %s %u\n", s->name, s->service, kind_name(s->kind), s->clients);
	return 0;
}

static int
serve(int count, char **words)
{
	struct sockaddr_in host;
	SSL_CTX *ctx = NULL;
	int i = 1;

	if (count < 2)
		usage();
	host = read_host(words[0]);
	if (strncmp(words[i], "--cert=", 7) == 0) {
		ctx = wire_server_ctx(words[i] + 7);
		if (ctx == NULL) {
			fprintf(stderr, "%s: no certificate and key\n", words[i] + 7);
			return 2;
		}
		i++;
	}
	backend_init(ctx);
	for (; i < count; i++) {
		if (!backend_listen(words[i], &host))
			return 2;
	}
	while (true)
		wire_turn(-1);
}

/* False at the end of the input: nobody is there any more. */
static bool
wait_for_line(void)
{
	char line[64];

	fflush(stdout);
	return fgets(line, sizeof(line), stdin) != NULL;
}

static int
run(int count, char **words)
{
	const struct scenario *scenario = count == 6 ? scenario_find(words[0]) : NULL;
	struct run_result result;
	struct sockaddr_in to;
	bool is_timed;

	if (scenario == NULL)
		usage();
	is_timed = scenario->kind != KIND_MEMORY;	/* those who idle stay so until the end */
	to = read_host(words[1]);
	to.sin_port = htons((uint16_t)read_number(words[2], UINT16_MAX));
	clients_init(scenario, &to, read_number(words[3], UINT16_MAX));
	clients_run(is_timed ? read_seconds(words[4]) : 0, &result);
	puts("warm");
	if (!wait_for_line())
		return 1;
	clients_run(is_timed ? read_seconds(words[5]) : 0, &result);
	printf("units %" PRIu64 " bytes %" PRIu64, result.units, result.bytes);
	printf(" p50_ns %" PRIu64 " p99_ns %" PRIu64 "\n", result.p50_ns, result.p99_ns);
	wait_for_line();
	return 0;
}

int
main(int argc, char **argv)
{
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	raise_open_files();
	wire_init_all();
	if (argc == 2 && strcmp(argv[1], "list") == 0)
		return list();
	if (argc > 2 && strcmp(argv[1], "serve") == 0)
		return serve(argc - 2, argv + 2);
	if (argc > 2 && strcmp(argv[1], "run") == 0)
		return run(argc - 2, argv + 2);
	usage();
}
