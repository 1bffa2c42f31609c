/* SPDX-License-Identifier: BSD-2-Clause */
/* redis_none.c: in the place of redis.c where there is no hiredis: there is no Redis to speak with. */
#include "net/redis.h"

#include <stdlib.h>

#ifndef HAVE_HIREDIS

bool
redis_is_there(void)
{
	return false;
}

struct redis *
redis_new(struct loop *loop, const struct redis_settings *settings)
{
	(void)loop;
	(void)settings;
	abort();
}

void
redis_free(struct redis **redis)
{
	*redis = NULL;
}

void
redis_send(struct redis *redis, struct redis_command *command, const struct slice *words, size_t count,
    int64_t timeout_ms)
{
	(void)redis;
	(void)command;
	(void)words;
	(void)count;
	(void)timeout_ms;
	abort();
}

uint64_t
redis_count(enum redis_count which)
{
	(void)which;
	return 0;
}

void
redis_cancel(struct redis_command *command)
{
	(void)command;
}

bool
redis_is_idle(const struct redis *redis)
{
	(void)redis;
	return true;
}

#endif
