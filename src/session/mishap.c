/* SPDX-License-Identifier: BSD-2-Clause */
/* mishap.c: one of each listener, under its lock. */
#include "session/mishap.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum { MS_PER_SECOND = 1000, NS_PER_MS = 1000 * 1000 };

void
mishaps_init(struct mishaps *mishaps)
{
	pthread_mutex_init(&mishaps->lock, NULL);
}

void
mishaps_clear(struct mishaps *mishaps)
{
	pthread_mutex_destroy(&mishaps->lock);
}

void
mishaps_note(struct mishaps *mishaps, const struct identity *identity, const char *text)
{
	struct mishap *last = &mishaps->last;
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	pthread_mutex_lock(&mishaps->lock);
	last->number++;
	last->at_ms = (int64_t)now.tv_sec * MS_PER_SECOND + now.tv_nsec / NS_PER_MS;
	addr_format(&identity->client, last->client);
	memcpy(last->session, identity->session, sizeof(last->session));
	snprintf(last->text, sizeof(last->text), "%s", text);
	pthread_mutex_unlock(&mishaps->lock);
}

struct mishap
mishaps_last(struct mishaps *mishaps)
{
	struct mishap last;

	pthread_mutex_lock(&mishaps->lock);
	last = mishaps->last;
	pthread_mutex_unlock(&mishaps->lock);
	return last;
}
