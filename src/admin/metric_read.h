/* SPDX-License-Identifier: BSD-2-Clause */
/* metric_read.h: for the rows of metric_columns.c and metric_own.c: what is no sum of figures. */
#ifndef ADMIN_METRIC_READ_H
#define ADMIN_METRIC_READ_H

#include "admin/metric_field.h"

typedef bool metric_read_function(const struct metric_subject *subject, struct metric_value *value);

metric_read_function read_proxy, read_name, read_status, read_mode, read_balancer, read_protocol;
metric_read_function read_one, read_iid, read_sid, read_kind;
metric_read_function read_limit, read_weight, read_set_weight, read_active, read_backup, read_throttle;
metric_read_function read_most_queued, read_most_sessions, read_rate, read_most_rate;
metric_read_function read_bad_requests, read_last_session, read_last_change, read_downtime;
metric_read_function read_mean_queue, read_mean_connect, read_mean_response, read_mean_total;
metric_read_function read_most_queue, read_most_connect, read_most_response, read_most_total;
metric_read_function read_check_status, read_check_duration, read_check_text, read_last_check;
metric_read_function read_rise, read_fall, read_health, read_last_agent, read_addr;
metric_read_function read_agent_status, read_agent_code, read_agent_duration, read_agent_text;
metric_read_function read_agent_rise, read_agent_health;
metric_read_function read_admin_state, read_admin_reason, read_health_state, read_health_reason;
metric_read_function read_held, read_failures_in_row;
metric_read_function read_recent_sessions, read_recent_failures, read_recent_refused;
metric_read_function read_recent_login, read_last_failure, read_last_failure_age;

#endif
