/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * control.h: the main thread: owns everything but the sessions, from the
 * start of the process to its end.
 */
#ifndef DAEMON_CONTROL_H
#define DAEMON_CONTROL_H

#include "balance/endpoint_state.h"
#include "daemon/extension.h"
#include "daemon/generation.h"
#include "daemon/program.h"
#include "daemon/signals.h"
#include "daemon/threads.h"
#include "health/observe.h"

enum drain_phase {
	DRAIN_NONE,
	DRAIN_STAY,		/* another process accepts clients; sessions go on */
	DRAIN_DELAY,		/* shutdown_delay: as if nothing were */
	DRAIN_WAIT,		/* no client is accepted; sessions go on */
	DRAIN_FINISH,		/* sessions were told to go */
	DRAIN_STOP		/* the loops end */
};

/* What is known of the configurations so far. */
struct control_history {
	unsigned generation;		/* of the one in force, from 1 on */
	int64_t loaded_at, tried_at;	/* in force since; the last reload, or 0: seconds since 1970 */
	char hash[CONF_HASH_TEXT_MAX];	/* of its files, see conf_hash */
	bool has_failed;		/* the last reload */
	char *result;			/* what there was to say of that; NULL: there was none */
};

struct takeover;
struct upgrade;

struct control {
	const char *config_path;
	const struct program *program;
	void *extended;				/* the extension's own */
	struct loop *loop;
	struct assets assets;
	struct generation *current;
	struct control_history history;
	struct worker **workers;		/* assets.threads of them */
	struct threads *threads;
	struct observe *observe;		/* what sessions tell of the servers */
	struct away_observer away;		/* has the workers look who is to leave */
	struct signals signals;
	struct loop_timer upkeep;		/* files are looked at, ticket keys rotate */
	int64_t tickets_at;			/* when their keys are to rotate, as loop_now */
	int64_t certificates_at;		/* when they are to be looked at */
	struct loop_timer drain;		/* the phase is over */
	enum drain_phase phase;
	int empty_workers;			/* of those that drain */
	bool is_starting;			/* the first round of checks is under way */
	bool wants_reload;			/* asked for meanwhile */
	int pid_fd;
	char *executable;			/* that replaces this process when it is upgraded */
	struct upgrade *upgrade;		/* under way, or over; see upgrade.h */
	struct takeover *takeover;		/* this process replaces another one; see takeover.h */
};

/* Runs until a signal ends it; the exit status.  Errors of the start are on standard error. */
int control_run(const char *config_path, const struct program *program, bool in_background);

/* The generation and what the extension opens for it: as generation_prepare. */
struct generation *control_prepare(struct control *control, struct conf *conf,
    struct conf_problems *problems);

/* A configuration is in force from now on: for whoever asks. */
void control_note_loaded(struct control *control);

/* For all of a configuration's problems, as lines of the log. */
void control_log_problems(const struct conf_problems *problems);

/* "2 threads, 3 listeners", for the log and the service manager; returns out. */
enum { CONTROL_STATUS_MAX = 80 };
const char *control_status(const struct control *control, char out[CONTROL_STATUS_MAX]);

#endif
