/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stress.h: too much is asked of the process, or of a listener: clients that have not logged in get less time
 * and fewer errors then, as with Postfix's stress=yes.  There are two levels.  One is entered at once, by any
 * of the causes, and left when none has come near it for STRESS_STAY_MS.  Control moves it, any thread reads
 * it: one load.
 */
#ifndef SESSION_STRESS_H
#define SESSION_STRESS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { STRESS_NONE, STRESS_HIGH, STRESS_EXTREME, STRESS_LEVEL_COUNT };
enum { STRESS_STAY_MS = 5000 };

enum stress_cause {
	STRESS_CONNECTIONS,		/* percent of max_connections */
	STRESS_MEMORY,			/* percent of relay_memory */
	STRESS_LAG,			/* ms that a worker's sessions wait for each other */
	STRESS_HANDSHAKES,		/* ms that TLS handshakes wait for their turn */
	STRESS_CAUSE_COUNT
};

struct stress {				/* zero: none */
	atomic_int level;
	int64_t needed_at;		/* control's: when there was cause for the level last */
};

/* How much there is of each cause. */
struct stress_load {
	int64_t of[STRESS_CAUSE_COUNT];
};

struct stress_change {
	int from, to;
	enum stress_cause cause;	/* of a level that is entered */
	int64_t load;
};

static inline int
stress_level(const struct stress *stress)
{
	return atomic_load_explicit(&stress->level, memory_order_relaxed);
}

/* Control's: true: the level is another one now. */
bool stress_move(struct stress *stress, const struct stress_load *load, int64_t now,
    struct stress_change *change);
enum { STRESS_TEXT_MAX = 96 };
/* "98 % of the connections are in use"; returns out. */
const char *stress_change_text(const struct stress_change *change, char out[STRESS_TEXT_MAX]);

/*
 * How long a client may be idle before its login, INT64_MAX: as configured; how many errors it may make,
 * and how many commands that lead nowhere before each one more is an error; of both 0 is no limit.
 */
int64_t stress_patience_ms(int level);
int64_t stress_max_errors(int level, int64_t configured);
int64_t stress_max_idles(int level, int64_t configured);

#endif
