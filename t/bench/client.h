/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * client.h: the clients of a run: a closed loop of those who play a
 * scenario's script, each beginning anew when it is through.  What is not
 * as it should be ends the program: a run with an error measures nothing.
 */
#ifndef BENCH_CLIENT_H
#define BENCH_CLIENT_H

#include <netinet/in.h>
#include <stdint.h>

#include "scenario.h"

struct run_result {
	uint64_t units, bytes, p50_ns, p99_ns;
};

/* A unit is a whole session, or one round of the steps from STEP_UNIT on. */
void clients_init(const struct scenario *scenario, const struct sockaddr_in *to, unsigned count);

/*
 * Lets the clients work for so long, then until each is through with what it
 * had begun.  Afterwards nothing is under way; open connections stay open.
 */
void clients_run(double seconds, struct run_result *result);

void load_fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

#endif
