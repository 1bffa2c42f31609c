/* SPDX-License-Identifier: BSD-2-Clause */
/* threads.h: the threads that the workers' loops run on. */
#ifndef DAEMON_THREADS_H
#define DAEMON_THREADS_H

#include "base/error.h"
#include "session/worker.h"

struct threads;

/*
 * A thread for each worker, named "gatepost/N", with all signals blocked.
 * NULL and an error: those that began have ended.
 */
struct threads *threads_start(struct worker **workers, int count, struct error *error);
void threads_join(struct threads **threads);	/* after worker_stop of all */

#endif
