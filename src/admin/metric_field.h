/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * metric_field.h: what is told of listeners, pools and servers, as one table: a row is a column of HAProxy's
 * CSV, a line of its typed form, a field of JSON and a metric of Prometheus.
 */
#ifndef ADMIN_METRIC_FIELD_H
#define ADMIN_METRIC_FIELD_H

#include "admin/metric_subject.h"

enum metric_type { METRIC_U32, METRIC_U64, METRIC_S32, METRIC_STR };

struct metric_value {
	int64_t number;
	const char *text;		/* of STR */
	char room[256];			/* for it */
};

enum { METRIC_SUMMED = 4, METRIC_FIELDS_MAX = 192, METRIC_STATIC_FIELDS = 103 };

struct metric_field {
	const char *name;
	const char *of;			/* which of "FBS" has it: listeners, pools, servers; "": none */
	/* HAProxy's letters: origin (Metric, Status, Key, Config, Product), nature, and scope. */
	const char *tags;
	enum metric_type type;
	/* Figures that it is the sum of, where there is no `read`; those of a pool are a server's. */
	unsigned char listener[METRIC_SUMMED], server[METRIC_SUMMED];
	unsigned char listener_count, server_count;
	/* False: there is nothing to tell. */
	bool (*read)(const struct metric_subject *subject, struct metric_value *value);
	const char *promex;		/* behind haproxy_server_; NULL: it is no metric of HAProxy's */
	const char *promex_of;		/* which of `of` promex has it for; NULL: all */
	const char *own;		/* the same behind gatepost_server_ */
	bool is_ms;			/* promex tells it in seconds */
	const char *help;
};

/* Where columns behind HAProxy's are: "-", which is empty, and ours. */
struct metric_fields {
	struct metric_field rows[METRIC_FIELDS_MAX];
	size_t count;
};

extern const struct metric_field metric_static_fields[];		/* METRIC_STATIC_FIELDS of them */
extern const struct metric_field metric_own_fields[];			/* a row without a name ends it */
extern const size_t metric_own_count;

void metric_fields_fill(struct metric_fields *fields);
bool metric_field_is_of(const struct metric_field *field, enum metric_object kind);
/* False: the column is empty. */
bool metric_field_read(const struct metric_field *field, const struct metric_subject *subject,
    struct metric_value *value);
const char *metric_type_name(enum metric_type type);		/* "u32" */

#endif
