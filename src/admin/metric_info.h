/* SPDX-License-Identifier: BSD-2-Clause */
/* metric_info.h: what is told of the process: a row is a line of `show info`, and a metric. */
#ifndef ADMIN_METRIC_INFO_H
#define ADMIN_METRIC_INFO_H

#include "admin/metric_field.h"

enum info_source {
	INFO_ZERO,			/* what has no meaning here, and tools want all the same */
	INFO_ONE, INFO_THREADS, INFO_PID, INFO_UPTIME_SECONDS, INFO_FILES, INFO_MAX_CONNECTIONS,
	INFO_SESSIONS, INFO_ACCEPTED, INFO_LOGINS, INFO_TLS_NOW, INFO_TLS_SESSIONS, INFO_TLS_RESUMED_PERCENT,
	INFO_ACCEPT_RATE, INFO_MOST_ACCEPT_RATE, INFO_TLS_RATE, INFO_MOST_TLS_RATE, INFO_KEY_RATE,
	INFO_MOST_KEY_RATE, INFO_SERVER_KEY_RATE, INFO_MOST_SERVER_KEY_RATE, INFO_IDLE_PERCENT,
	INFO_STOPPING, INFO_LISTENERS, INFO_DROPPED_LOGS, INFO_BYTES_OUT, INFO_BYTES_RATE,
	INFO_RELAY_MEMORY, INFO_RELAY_MEMORY_MAX, INFO_STARTED, INFO_LONGEST_TURN_US,
	INFO_NUMBERS,			/* behind: texts */
	INFO_NAME = INFO_NUMBERS, INFO_VERSION, INFO_RELEASE_DATE, INFO_UPTIME, INFO_NODE, INFO_TAINTED,
	INFO_COUNT
};

struct metric_info {
	int64_t numbers[INFO_NUMBERS];
	const char *texts[INFO_COUNT - INFO_NUMBERS];
	char uptime[32], node[256];
};

struct info_row {
	int position;			/* HAProxy's, with gaps where it has what we have not */
	const char *name, *tags;
	enum metric_type type;
	enum info_source source;
	const char *promex;		/* behind haproxy_process_; or NULL */
	const char *help;
};

extern const struct info_row metric_info_rows[];
extern const size_t metric_info_count;

void metric_info_read(struct cockpit *cockpit, struct metric_info *info);

#endif
