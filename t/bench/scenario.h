/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scenario.h: what the clients of a run say and what they must hear.  A new
 * scenario is a table of steps and a row.
 */
#ifndef BENCH_SCENARIO_H
#define BENCH_SCENARIO_H

#include <stdbool.h>
#include <stddef.h>

enum step_flags {
	STEP_TLS = 1,			/* a handshake follows the reply */
	STEP_UNIT = 2			/* after the last step it goes on here, on the same connection */
};

struct step {
	const char *send;		/* $u: the user's name, $p: SASL PLAIN; NULL: the other side begins */
	const char *more;		/* how the lines before the last begin; NULL: there are none */
	const char *last;		/* how the last line begins; NULL: the other side closes */
	unsigned flags;
};

/* What is measured, as the driver knows it. */
enum kind { KIND_CPU, KIND_BULK, KIND_LATENCY, KIND_MEMORY };

struct scenario {
	const char *name, *service;	/* service: whose port it goes to */
	enum kind kind;
	bool is_tls, resumes;		/* TLS from the first byte; with the session of the time before */
	unsigned clients;
	const struct step *steps;
	size_t count;
};

extern const struct scenario scenarios[];	/* up to one without a name */
const char *kind_name(enum kind kind);
const struct scenario *scenario_find(const char *name);	/* NULL: there is none */

#endif
