/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * log_sink.h: where lines go.  A sink is written by one thread at a time and
 * never blocks for good: who writes says until when it may wait.
 */
#ifndef BASE_LOG_SINK_H
#define BASE_LOG_SINK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"
#include "base/log_line.h"

struct log_sink;

/* NULL, and the reason, where it cannot be opened. */
struct log_sink *log_sink_open(const struct log_settings *settings, struct error *error);
void log_sink_close(struct log_sink **sink);

/* Opens a file anew, for log rotation; on failure the old one stays in use. */
bool log_sink_reopen(struct log_sink *sink, struct error *error);

/* Waits for room until then (of clock_ms); false: the line is lost, for lack of room or a broken sink. */
bool log_sink_write(struct log_sink *sink, const struct log_line *line, int64_t until_ms);

#endif
