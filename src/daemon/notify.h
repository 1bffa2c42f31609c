/* SPDX-License-Identifier: BSD-2-Clause */
/* notify.h: tells the service manager what state gatepost is in (the protocol of sd_notify(3)). */
#ifndef DAEMON_NOTIFY_H
#define DAEMON_NOTIFY_H

#include <sys/types.h>

/* All of them do nothing where no service manager listens. */
void notify_ready(const char *status);		/* also ends notify_reloading */
void notify_reloading(void);
void notify_stopping(const char *status);
/* The service is process `pid` from now on: who tells, too, if that is another one than this. */
void notify_main(pid_t pid);

#endif
