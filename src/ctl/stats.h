/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stats.h: HAProxy's JSON of `show stat` and `show info`: objects are lists of fields, each a record with its
 * place, its name and its value.
 */
#ifndef CTL_STATS_H
#define CTL_STATS_H

#include <stdbool.h>
#include <stddef.h>

struct json_t;

enum stats_kind { STATS_LISTENER, STATS_POOL, STATS_SERVER, STATS_OTHER };

bool stats_is(const struct json_t *json);		/* is it in this shape? */
size_t stats_count(const struct json_t *json);		/* objects: show info has one */
const struct json_t *stats_object(const struct json_t *json, size_t i);
enum stats_kind stats_kind(const struct json_t *object);
/* Of one object; NULL and 0 where it has no such field. */
const struct json_t *stats_value(const struct json_t *object, const char *field);
const char *stats_text(const struct json_t *object, const char *field);		/* "" if NULL */
double stats_amount(const struct json_t *object, const char *field);		/* of texts of digits, too */

#endif
