/* SPDX-License-Identifier: BSD-2-Clause */
/* stream_memory.h: how much all streams of the process keep together; any thread may ask. */
#ifndef NET_STREAM_MEMORY_H
#define NET_STREAM_MEMORY_H

#include <stdint.h>

/*
 * All bytes kept by all streams, of either direction, may be this much (relay_memory).  Beyond it only small
 * blocks are read, and those only where the stream's sink takes them at once and little input is kept: who
 * does not read keeps nobody else waiting.
 */
void stream_set_memory_limit(int64_t bytes);
int64_t stream_memory_used(void);

#endif
