/* SPDX-License-Identifier: BSD-2-Clause */
/* signals.c: the signals that are read from a descriptor. */
#include "daemon/signals.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

static sigset_t
our_signals(void)
{
	static const int numbers[] = { SIGHUP, SIGTERM, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2 };
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		sigaddset(&set, numbers[i]);
	return set;
}

void
signals_block(void)
{
	sigset_t set = our_signals();

	pthread_sigmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static void
on_ready(struct loop_io *io, int events)
{
	struct signals *signals = loop_owner(io, struct signals, io);
	struct signalfd_siginfo info;

	(void)events;
	if (read(signals->fd, &info, sizeof(info)) == sizeof(info))
		signals->on_signal(signals, (int)info.ssi_signo);
}

bool
signals_open(struct signals *signals, struct loop *loop,
    void (*on_signal)(struct signals *signals, int number), struct error *error)
{
	sigset_t set = our_signals();

	signals->loop = loop;
	signals->on_signal = on_signal;
	signals->fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (signals->fd < 0)
		return error_set(error, "cannot receive signals: %s", strerror(errno));
	loop_io_init(&signals->io, signals->fd, on_ready);
	loop_io_watch(loop, &signals->io, LOOP_READ);
	return true;
}

void
signals_close(struct signals *signals)
{
	if (signals->loop == NULL || signals->fd < 0)
		return;
	loop_io_stop(signals->loop, &signals->io);
	close(signals->fd);
	signals->loop = NULL;
}
