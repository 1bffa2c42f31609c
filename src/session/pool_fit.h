/* SPDX-License-Identifier: BSD-2-Clause */
/* pool_fit.h: does what a pool says make sense with the protocol that its servers speak? */
#ifndef SESSION_POOL_FIT_H
#define SESSION_POOL_FIT_H

#include "conf/conf.h"

struct pool;
struct proto;

/* In the root's check, for a pool that is not broken; each error is reported where it was written. */
void pool_fit_check(struct conf_problems *problems, const struct pool *pool, const struct proto *proto);

#endif
