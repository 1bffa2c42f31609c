/* SPDX-License-Identifier: BSD-2-Clause */
/* signals.h: signals as calls on control's loop. */
#ifndef DAEMON_SIGNALS_H
#define DAEMON_SIGNALS_H

#include "base/error.h"
#include "net/loop.h"

/* Zero before signals_open. */
struct signals {
	struct loop_io io;
	struct loop *loop;
	int fd;
	void (*on_signal)(struct signals *signals, int number);
};

/* From now on signals wait, for the threads to come too.  SIGPIPE is ignored. */
void signals_block(void);
/* Has on_signal called for each of SIGHUP SIGTERM SIGINT SIGQUIT SIGUSR1 SIGUSR2, those that waited too. */
bool signals_open(struct signals *signals, struct loop *loop,
    void (*on_signal)(struct signals *signals, int number), struct error *error);
void signals_close(struct signals *signals);

#endif
