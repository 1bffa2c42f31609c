/* SPDX-License-Identifier: BSD-2-Clause */
/* descriptors.c: the limit of open files, from max_connections. */
#include "daemon/descriptors.h"

#include <sys/resource.h>

#include "net/kernel_pipe.h"

enum {
	PER_SESSION = 2,		/* the client and the server */
	PER_THREAD = 8 + 2 * KERNEL_PIPES_MAX,	/* its loop, its pipes, and what it opens for moments */
	PER_PROCESS = 64,		/* logs, files that are read, signals, control's loop */
	PER_BIND = 2			/* in each thread: the socket and the reserve of its acceptor */
};

static rlim_t
raise_limit(rlim_t wanted)
{
	struct rlimit limit, more;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return wanted;
	more = (struct rlimit){ .rlim_cur = wanted, .rlim_max = limit.rlim_max };
	if (more.rlim_max < wanted)
		more.rlim_max = wanted;
	if (wanted <= limit.rlim_cur || setrlimit(RLIMIT_NOFILE, &more) == 0)
		return wanted;
	more = (struct rlimit){ .rlim_cur = limit.rlim_max, .rlim_max = limit.rlim_max };
	return setrlimit(RLIMIT_NOFILE, &more) == 0 ? limit.rlim_max : limit.rlim_cur;
}

static rlim_t
hard_limit(void)
{
	struct rlimit limit;

	return getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_max : 0;
}

int64_t
descriptors_reserve(int64_t sessions, int threads, int binds)
{
	int64_t fixed = PER_PROCESS + (int64_t)threads * (PER_THREAD + (int64_t)binds * PER_BIND), carried;

	if (sessions == 0) {
		raise_limit(hard_limit());
		return 0;
	}
	carried = ((int64_t)raise_limit((rlim_t)(fixed + sessions * PER_SESSION)) - fixed) / PER_SESSION;
	return carried < 1 ? 1 : carried < sessions ? carried : sessions;
}
