/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * clock.c: preloaded into a program for tests, whose time of day is then off by as many seconds as the file that
 * CLOCK_FILE names says (eight octets, that of the machine's order), and jumps when that is written.  The monotonic
 * clock stays.  It asks the kernel itself: a program's allocator may want the time before libraries are there.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { NS_OF_US = 1000 };

static volatile const int64_t *offset;	/* of the process, as its clock is */

__attribute__((constructor)) static void
map_offset(void)
{
	const char *path = getenv("CLOCK_FILE");
	int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	void *place;

	if (fd < 0)
		return;
	place = mmap(NULL, sizeof(*offset), PROT_READ, MAP_SHARED, fd, 0);
	if (place != MAP_FAILED)
		offset = place;
	close(fd);
}

int
clock_gettime(clockid_t which, struct timespec *now)
{
	long result = syscall(SYS_clock_gettime, which, now);

	if (result == 0 && offset != NULL && (which == CLOCK_REALTIME || which == CLOCK_REALTIME_COARSE))
		now->tv_sec += *offset;
	return (int)result;
}

int
gettimeofday(struct timeval *restrict now, void *restrict zone)
{
	struct timespec exact;

	(void)zone;
	if (clock_gettime(CLOCK_REALTIME, &exact) != 0)
		return -1;
	now->tv_sec = exact.tv_sec;
	now->tv_usec = exact.tv_nsec / NS_OF_US;
	return 0;
}

time_t
time(time_t *out)
{
	struct timespec exact;

	if (clock_gettime(CLOCK_REALTIME, &exact) != 0)
		return (time_t)-1;
	if (out != NULL)
		*out = exact.tv_sec;
	return exact.tv_sec;
}
