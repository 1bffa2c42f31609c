/* SPDX-License-Identifier: BSD-2-Clause */
/* descriptors.c: the limit of open files, from max_connections. */
#include "daemon/descriptors.h"

#include <sys/resource.h>

#include "base/log.h"

enum {
	PER_SESSION = 2,		/* the client and the server */
	PER_THREAD = 8,			/* its loop, and what it opens for moments */
	PER_PROCESS = 64,		/* logs, files that are read, signals, control's loop */
	PER_BIND = 2			/* in each thread: the socket and the reserve of its acceptor */
};

int64_t
descriptors_reserve(int64_t sessions, int threads, int binds)
{
	int64_t fixed = PER_PROCESS + (int64_t)threads * (PER_THREAD + (int64_t)binds * PER_BIND);
	int64_t wanted = fixed + sessions * PER_SESSION, carried;
	struct rlimit limit, more;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return sessions;
	if (sessions == 0)
		wanted = (int64_t)limit.rlim_max;
	more = (struct rlimit){ .rlim_cur = (rlim_t)wanted, .rlim_max = limit.rlim_max };
	if (more.rlim_max < more.rlim_cur)
		more.rlim_max = more.rlim_cur;
	if (limit.rlim_cur < more.rlim_cur && setrlimit(RLIMIT_NOFILE, &more) == 0)
		limit = more;
	more = (struct rlimit){ .rlim_cur = limit.rlim_max, .rlim_max = limit.rlim_max };
	if (limit.rlim_cur < (rlim_t)wanted && setrlimit(RLIMIT_NOFILE, &more) == 0)
		limit = more;
	if (sessions == 0 || limit.rlim_cur >= (rlim_t)wanted)
		return sessions;
	carried = ((int64_t)limit.rlim_cur - fixed) / PER_SESSION;
	if (carried < 1)
		carried = 1;
	log_write(LOG_WARNING, "max_connections is lowered from %lld to %lld: no more than %lld files may be open",
	    (long long)sessions, (long long)carried, (long long)limit.rlim_cur);
	return carried;
}
