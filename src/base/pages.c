/* SPDX-License-Identifier: BSD-2-Clause */
/* pages.c: anonymous mappings, with a page behind each that nobody may touch. */
#include "base/pages.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/log.h"

/* Of the mapping but for its last page. */
static size_t
whole(size_t size)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	return (size + page - 1) / page * page;
}

void *
pages_new(size_t size)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), inner = whole(size);
	char *pages = mmap(NULL, inner + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (pages == MAP_FAILED || mprotect(pages + inner, page, PROT_NONE) != 0) {
		log_write(LOG_CRIT, "no memory for %zu bytes: %s", size, strerror(errno));
		abort();
	}
	/* a kernel that does not know it has no core dumps of ours either: see privileges_hide_memory */
	(void)madvise(pages, inner, MADV_DONTDUMP);
	return pages;
}

void
pages_free(void *pages, size_t size)
{
	if (pages != NULL)
		(void)munmap(pages, whole(size) + (size_t)sysconf(_SC_PAGESIZE));
}
