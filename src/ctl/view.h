/* SPDX-License-Identifier: BSD-2-Clause */
/* view.h: an answer in JSON as people read it. */
#ifndef CTL_VIEW_H
#define CTL_VIEW_H

#include "ctl/text.h"

struct json_t;

/*
 * A list of records is a table, a record its lines; of HAProxy's `show stat` the columns that an operator
 * looks at, for a hundred fit nowhere.
 */
void view_print(const struct json_t *json, const struct look *look, struct buf *out);

#endif
