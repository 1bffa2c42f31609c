/* SPDX-License-Identifier: BSD-2-Clause */
/* log_fields.c: the rows. */
#include "base/log_fields.h"

#define FIELD_ROW(name, events, help) { #name, events, help },
const struct log_field_row log_fields[LOG_FIELD_COUNT] = { LOG_FIELDS(FIELD_ROW) };

#define EVENT_ROW(name, help) { #name, help },
const struct log_event_row log_events[LOG_EVENT_COUNT] = { LOG_EVENTS(EVENT_ROW) };
