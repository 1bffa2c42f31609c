/* SPDX-License-Identifier: BSD-2-Clause */
/* check_plan.h: what a check does at its server, by the pool and by its own settings. */
#ifndef HEALTH_CHECK_PLAN_H
#define HEALTH_CHECK_PLAN_H

#include "health/check.h"

/* check->plan and what it points to, by check->order. */
void check_plan_fill(struct check *check);

#endif
