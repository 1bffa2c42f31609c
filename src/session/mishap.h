/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mishap.h: the last client of a listener whose input could not be used, for `show errors`: who it was and
 * what was wrong, but not its words, which may be a password.  From any thread.
 */
#ifndef SESSION_MISHAP_H
#define SESSION_MISHAP_H

#include <pthread.h>
#include <stdint.h>

#include "base/identity.h"

enum { MISHAP_TEXT_MAX = 192 };

struct mishap {
	uint64_t number;		/* of the listener's, from 1 on; 0: there was none */
	int64_t at_ms;			/* since 1970 */
	char client[ADDR_TEXT_MAX];	/* with its port */
	char session[SESSION_ID_SIZE];
	char text[MISHAP_TEXT_MAX];	/* "protocol error while waiting for a command" */
};

struct mishaps {
	pthread_mutex_t lock;
	struct mishap last;
};

void mishaps_init(struct mishaps *mishaps);
void mishaps_clear(struct mishaps *mishaps);
void mishaps_note(struct mishaps *mishaps, const struct identity *identity, const char *text);
struct mishap mishaps_last(struct mishaps *mishaps);

#endif
