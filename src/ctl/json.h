/* SPDX-License-Identifier: BSD-2-Clause */
/* json.h: what gatepost answers, read by jansson; only json.c knows that library. */
#ifndef CTL_JSON_H
#define CTL_JSON_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/error.h"

struct json_t;

struct json_t *json_read(struct slice text, struct error *error);	/* NULL: it is none */
void json_drop(struct json_t **value);			/* what json_read gave; NULL is fine */

bool json_is_list(const struct json_t *value);		/* of NULL all are false, empty or NULL */
bool json_is_record(const struct json_t *value);
bool json_is_amount(const struct json_t *value);
bool json_is_yes(const struct json_t *value);
size_t json_count(const struct json_t *list);
const struct json_t *json_item(const struct json_t *list, size_t i);
const struct json_t *json_member(const struct json_t *record, const char *name);
const char *json_text(const struct json_t *value);		/* NULL: it is no text */
double json_amount(const struct json_t *value);			/* 0 where it is no number */
/* In the order that the record came in. */
void json_each(const struct json_t *record,
    void (*each)(const char *name, const struct json_t *value, void *arg), void *arg);
/* As people read it: text without quotes, yes and no, "-" for null, lists and records as they came. */
void json_print(const struct json_t *value, struct buf *out);
/* As JSON, in one line. */
void json_write(const struct json_t *value, struct buf *out);
void json_write_text(const char *text, struct buf *out);

#endif
